"""Rank by score, and by passage id where scores tie."""

from __future__ import annotations

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
    """The ``k`` best: higher scores first, and of equal scores the smaller passage id.

    Revisions of a document often tie, above all under BM25, where a question matches their
    common words alike. With ids of the form ``document@date#number`` the earlier one then
    stands first, as it does in a store that keeps the order in which it was filled.
    """
    return sorted(found, key=lambda hit: (-hit[1], passages[hit[0]].id))[:k]
