"""What a run found, as flat metrics and tags: effects, hypotheses, and what it is too small to see."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

VERDICTS = ("supported", "refuted", "inconclusive")
_LONGEST_NAME = 80


def findings(results: Mapping[str, Any]) -> dict[str, float]:
    """Metrics of the whole comparison; finite numbers only.

    ``effects/...`` and ``hypotheses/CLAIM/...`` carry the effect with its interval and adjusted p;
    ``hypotheses/supported`` and its like count verdicts. ``mde/METRIC`` is the largest minimum
    detectable effect over the pairs of pipelines, in the metric's unit.
    """
    metrics: dict[str, float] = {}
    for row in results.get("effects") or ():
        suffixes = ("low", "high", "p_value", "p_adjusted", "mde")
        metrics |= numbers(f"effects/{row['effect']}/{row['metric']}", row, suffixes)
    return metrics | _hypotheses(results) | _sensitivity(results)


def verdict_tags(results: Mapping[str, Any]) -> dict[str, str]:
    """``evalkit.verdicts`` counts them; ``evalkit.hypothesis.NAME`` has each with its claim."""
    tested = list(results.get("hypotheses") or ())
    if not tested:
        return {}
    counts = Counter(str(row["verdict"]) for row in tested)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    each = {
        f"evalkit.hypothesis.{name}": f"{row['verdict']}: {row['claim']}"
        for name, row in _named(tested)
    }
    return {"evalkit.verdicts": said} | each


def numbers(
    name: str, row: Mapping[str, Any], suffixes: Iterable[str], value: str = "value"
) -> dict[str, float]:
    """``name`` for the value, ``name/suffix`` for what stands beside it; finite numbers only."""
    found = {name: row.get(value)} | {f"{name}/{s}": row.get(s) for s in suffixes}
    return {k: float(v) for k, v in found.items() if v is not None and math.isfinite(v)}


def _hypotheses(results: Mapping[str, Any]) -> dict[str, float]:
    tested = list(results.get("hypotheses") or ())
    if not tested:
        return {}
    counts = Counter(str(row["verdict"]) for row in tested)
    metrics = {f"hypotheses/{verdict}": float(counts[verdict]) for verdict in VERDICTS}
    suffixes = ("low", "high", "p_adjusted", "p_against_adjusted", "further_questions", "mde")
    for name, row in _named(tested):
        metrics |= numbers(f"hypotheses/{name}", row, suffixes, value="effect")
    return metrics


def _named(tested: Iterable[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Each hypothesis under a name of its words, so that runs line up when others are added."""
    named: dict[str, Mapping[str, Any]] = {}
    for row in tested:
        words = re.sub(r"[^\w]+", "_", str(row["claim"]).lower()).strip("_")[:_LONGEST_NAME]
        name = base = words or "hypothesis"
        count = 1
        while name in named or name in VERDICTS:
            count += 1
            name = f"{base}_{count}"
        named[name] = row
    return list(named.items())


def _sensitivity(results: Mapping[str, Any]) -> dict[str, float]:
    largest: dict[str, float] = {}
    for row in results.get("comparisons") or ():
        name, mde = f"mde/{row.get('metric')}", row.get("mde")
        if mde is not None and math.isfinite(mde):
            largest[name] = max(float(mde), largest.get(name, 0.0))
    return largest
