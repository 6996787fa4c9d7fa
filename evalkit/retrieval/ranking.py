"""Rank by score, and by lot where scores tie."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from evalkit.records import Passage

Ranking = list[tuple[int, float]]
"""Positions of passages with their scores, best first."""

_DECIMALS = 6


def rounded(scores: np.ndarray) -> np.ndarray:
    """Scores to 6 decimals.

    Two revisions often hold the same passage; the last bits of their scores depend on their place
    in memory and on the number of threads, and must not decide the order.
    """
    return np.round(scores.astype(np.float64), _DECIMALS)


def ranked(found: Iterable[tuple[int, float]], passages: Sequence[Passage], k: int) -> Ranking:
    """The ``k`` best: higher scores first, and of equal scores in a fixed order that means nothing.

    Revisions of a document often tie, above all under BM25, where a question matches their common
    words alike. Ordering ties by the id itself (``document@date#number``) would put the oldest
    revision first every time and so decide how fresh the answers are; a hash of the id favours
    neither old nor new.
    """
    return sorted(found, key=lambda hit: (-hit[1], lot(passages[hit[0]].id)))[:k]


def lot(passage: str) -> bytes:
    """The place of a passage id among equals: drawn once, the same on every machine."""
    return hashlib.blake2b(passage.encode(), digest_size=8).digest()
