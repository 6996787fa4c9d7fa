"""Geometry for the page's own charts: positions in per cent, drawn with plain elements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.reporting.labels import CLASSES, HEADLINES, label_of
from evalkit.reporting.numbers import (
    number,
    p_text,
    signed,
    signed_interval,
    unit_of_metric,
    unit_word,
)
from evalkit.reporting.view import (
    Cell,
    Results,
    confidence,
    pipeline_names,
    questions_covered,
    shows_change,
)

_KINDS = ("retrieval", "tuning", "interaction")


def strip(cell: Cell) -> dict[str, float] | None:
    """The interval of a share on a track from 0 to 100 per cent; None for other units."""
    if cell.unit != "share" or cell.value is None:
        return None
    low = cell.value if cell.low is None else cell.low
    high = cell.value if cell.high is None else cell.high
    return {"left": 100 * low, "width": 100 * (high - low), "dot": 100 * cell.value}


def effects_chart(results: Results) -> dict[str, Any]:
    """Effects on the headline metrics with a shared axis, and the others as plain rows."""
    effects = results.get("effects") or ()
    first = [m for m in HEADLINES if any(e["metric"] == m for e in effects)]
    others = sorted({str(e["metric"]) for e in effects} - set(first))
    shares = [e for e in effects if e["metric"] in first and unit_of_metric(e["metric"]) == "share"]
    reach = _reach(shares)
    return {
        "groups": [_effect_group(results, m, reach) for m in first],
        "others": [_effect_group(results, m, None) for m in others],
        "ticks": [{"at": 50 + 50 * t, "text": signed(t * reach)} for t in (-1, -0.5, 0, 0.5, 1)],
    }


def class_bars(results: Results) -> list[dict[str, Any]]:
    """One bar per pipeline: its answer classes in a fixed order, widths in per cent."""
    table = results.get("classes") or ()
    bars = []
    for name in pipeline_names(results):
        mine = {str(c["class"]): c for c in table if c["pipeline"] == name}
        order = [*(c for c in CLASSES if c in mine), *sorted(set(mine) - set(CLASSES))]
        parts = [_class_part(kind, mine[kind]) for kind in order if mine[kind]["share"]]
        if parts:
            total = sum(float(c["n"]) for c in mine.values())
            bars.append({"pipeline": name, "parts": parts, "n": f"{total:g}"})
    return bars


def comparison_rows(results: Results) -> list[dict[str, Any]]:
    """Paired comparisons as text, with what may be said of each."""
    order = {metric: i for i, metric in enumerate(HEADLINES)}
    comparisons = results.get("comparisons") or ()
    ranked = sorted(comparisons, key=lambda c: (order.get(c["metric"], len(order)), c["metric"]))
    return [_comparison(c, confidence(results)) for c in ranked]


def _reach(effects: Sequence[Mapping[str, Any]]) -> float:
    ends = [abs(e[k]) for e in effects for k in ("low", "high", "value") if e.get(k) is not None]
    return max(0.2, math.ceil(10 * max(ends, default=1.0) / 2) * 2 / 10)


def _effect_group(results: Results, metric: str, reach: float | None) -> dict[str, Any]:
    mine = sorted(
        (e for e in results["effects"] if e["metric"] == metric),
        key=lambda e: _KINDS.index(e["effect"]) if e["effect"] in _KINDS else len(_KINDS),
    )
    rows = [_effect_row(results, e, unit_of_metric(metric), reach) for e in mine]
    label = label_of(metric)
    return {
        "metric": metric,
        "name": label.name,
        "direction": label.direction,
        "rows": rows,
        # Most notes hold for every effect of a metric; each is said once, below them.
        "notes": list(dict.fromkeys(row["note"] for row in rows if row["note"])),
    }


def _effect_row(
    results: Results, effect: Mapping[str, Any], unit: str, reach: float | None
) -> dict[str, Any]:
    value, low, high = (effect.get(k) for k in ("value", "low", "high"))
    plot = None
    if reach and unit == "share" and low is not None and high is not None and value is not None:
        plot = {
            "left": 50 + 50 * low / reach,
            "width": 50 * (high - low) / reach,
            "dot": 50 + 50 * value / reach,
        }
    return {
        "effect": effect["effect"],
        "value": signed(value, unit),
        "interval": signed_interval(low, high, unit),
        "unit": unit_word(unit, difference=True),
        "p": p_text(effect.get("p_value")),
        "n": questions_covered(results, effect).removesuffix(" questions") or effect.get("n_pairs"),
        "clusters": effect.get("n_clusters"),
        "shown": shows_change(effect, confidence(results)),
        "note": effect.get("note") or "",
        "plot": plot,
    }


def _class_part(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    share = float(row["share"])
    known = kind if kind in CLASSES else "other"
    return {
        "class": known,
        "name": kind,
        "width": 100 * share,
        "text": number(share),
        "n": row["n"],
    }


def _comparison(row: Mapping[str, Any], level: float) -> dict[str, Any]:
    metric = str(row["metric"])
    unit = unit_of_metric(metric)
    worst = signed_interval(row.get("worst_low"), row.get("worst_high"), unit)
    notes = (str(row.get("reason") or ""), f"with failures at worst {worst}" if worst else "")
    return {
        "metric": label_of(metric).name,
        "id": metric,
        "a": row["a"],
        "b": row["b"],
        "difference": signed(row.get("difference"), unit),
        "unit": unit_word(unit, difference=True),
        "interval": signed_interval(row.get("low"), row.get("high"), unit),
        "p": p_text(row.get("p_value")),
        "p_method": str(row.get("p_method") or "").replace("_", " "),
        "correlation": "" if row.get("correlation") is None else f"{row['correlation']:.2f}",
        "pairs": row.get("n_pairs"),
        "says": _says(row, level),
        "note": "; ".join(note for note in notes if note),
    }


def _says(row: Mapping[str, Any], level: float) -> str:
    low = row.get("low")
    if not row.get("decidable"):
        return "cannot be decided"
    if low is None or row.get("high") is None:
        return "no interval"
    if not shows_change(row, level):
        return "no difference shown"
    return "higher" if low > 0 else "lower"
