"""What the offline judge cannot see, by its committed figures on minimal pairs.

A minimal pair is a true statement and the same with one small edit that makes it false;
`tests/benchmarks/minimal_pairs.py` measures the judge on 300 of them and writes the figures.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

FIGURES = "minimal_pairs.json"
ENOUGH = 0.8
"""Share of pairs told apart (the true one supported, the edited one not) from which on a kind is seen."""
DECIDING = ("reworded", "unseen")
"""Pairs whose true statement says it in other words than the document; and those of them that nobody
looked at while the rules were made."""
LABELS = {
    "negation": "negation",
    "roles": "swapped roles",
    "number": "a changed number",
    "date": "a changed date or time",
    "unit": "a changed unit",
    "name": "a changed name",
    "modality": "quantifiers and modality (all/some, must/may)",
    "comparison": "the direction of a comparison (at most/at least)",
}
ALWAYS = (
    "a bare value that the texts give as the answer to another question, in most cases",
    "conclusions from several passages",
)
"""By construction, whatever the figures."""


def blind_kinds(name: str) -> tuple[str, ...]:
    """The kinds of edit that the judge of that name tells apart too rarely, in words."""
    figures = _figures().get(name)
    unseen = [
        label
        for kind, label in LABELS.items()
        if figures is None or min(figures[kind][part] for part in DECIDING) < ENOUGH
    ]
    return (*unseen, *ALWAYS)


@lru_cache(maxsize=1)
def _figures() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((files(__package__) / FIGURES).read_text("utf-8"))
    return found["judges"]  # type: ignore[no-any-return]
