"""The features from which the offline judge estimates support; see `NAMES`.

All are functions of one statement, the source, and the statement's place among its neighbours.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from evalkit.scoring.judges.attributes import conflicts, wrong_hours
from evalkit.scoring.judges.source import Source
from evalkit.scoring.judges.wording import Wording, wording
from evalkit.scoring.text import REFUSALS, fold

_REFUSAL = re.compile("|".join(REFUSALS))
_LEAD_IN = re.compile(
    r"^(?:sure|here(?:'s| is| are)|certainly|of course|based on|according to|in summary|note)\b|:$"
)
_CONCLUDES = re.compile(
    r"\b(?:overall|suggest\w*|indicat\w*|impl(?:y|ies|ying)|likely|perhaps|possibly|may|might|"
    r"ensur\w*|making it|highlight\w*|emphasi\w*|such as|including|especially|particularly)\b"
)
_INLINE_LIST = re.compile(r",\s")

NAMES = (
    "length",
    "novel_share",
    "novel_count",
    "novel_pairs",
    "uncovered",
    "uncovered_double",
    "unmatched_run",
    "bad_values",
    "values_elsewhere",
    "bad_names",
    "names_elsewhere",
    "negation_differs",
    "refuses",
    "leads_in",
    "concludes",
    "lists",
    "position",
    "last",
    "structured",
    "contradicts",
    "silent",
    "meets",
    "wrong_hours",
)


def features(statements: Sequence[str], source: Source) -> list[dict[str, float]]:
    """One mapping from `NAMES` to numbers for each statement, in order."""
    return [
        _features(wording(s), source, i / max(1, len(statements) - 1), i == len(statements) - 1)
        for i, s in enumerate(statements)
    ]


def best_window(statement: Wording, windows: Sequence[Wording]) -> tuple[float, Wording | None]:
    """The share of the statement's content and values in the window that has most, and that one.

    Between equals the one with fewer other words is taken.
    """
    wanted = statement.content | statement.values
    if not wanted:
        return 1.0, None
    best, found = 0.0, None
    for window in windows:
        shared = len(wanted & window.content) + len(wanted & window.values)
        value = shared / len(wanted) - 1e-6 * len(window.stems)
        if shared and value > best:
            best, found = value, window
    return min(1.0, best + 1e-6 * len(found.stems)) if found else 0.0, found


def _features(s: Wording, source: Source, position: float, last: bool) -> dict[str, float]:
    novel = s.content - source.content
    pairs = s.pairs
    single, one = best_window(s, source.singles)
    double, two = best_window(s, source.windows)
    near = two or one
    low = fold(s.text)
    against, silent, met = conflicts(s.text, source.attributes) if source.attributes else (0, 0, 0)
    bad = s.values - source.values
    bad_names = {n for n in s.names if not _known(n, source)}
    return {
        "length": math.log1p(len(s.stems)),
        "novel_share": len(novel) / max(1, len(s.content)),
        "novel_count": math.log1p(len(novel)),
        "novel_pairs": len(pairs - source.pairs) / max(1, len(pairs)),
        "uncovered": 1 - single,
        "uncovered_double": 1 - double,
        "unmatched_run": 1 - (_lcs(s.stems, near.stems) / max(1, len(s.stems)) if near else 0.0),
        "bad_values": float(min(3, len(bad))),
        "values_elsewhere": float(min(3, len(s.values - bad - (near.values if near else bad)))),
        "bad_names": float(min(3, len(bad_names))),
        "names_elsewhere": float(
            min(3, sum(n not in near.text.casefold() for n in s.names - bad_names) if near else 0)
        ),
        "negation_differs": float(near is not None and (s.negations > 0) != (near.negations > 0)),
        "refuses": float(
            bool(_REFUSAL.search(low)) or "not mention" in low or "not provide" in low
        ),
        "leads_in": float(bool(_LEAD_IN.search(low))),
        "concludes": float(len(_CONCLUDES.findall(low))),
        "lists": float(len(_INLINE_LIST.findall(s.text))),
        "position": position,
        "last": float(last),
        "structured": float(bool(source.attributes)),
        "contradicts": float(min(3, against)),
        "silent": float(min(3, silent)),
        "meets": float(min(3, met)),
        "wrong_hours": float(min(3, wrong_hours(s.text, source.attributes))),
    }


def _known(name: str, source: Source) -> bool:
    return name in source.words or all(part in source.words for part in re.split(r"[-'’&]", name))


def _lcs(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for x in a:
        before = 0
        for j, y in enumerate(b, 1):
            kept = row[j]
            row[j] = before + 1 if x == y else max(row[j], row[j - 1])
            before = kept
    return row[-1]
