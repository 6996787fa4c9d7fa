"""Fuse several rankings into one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from evalkit.errors import ConfigError
from evalkit.retrieval.ranking import lot


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[str]], constant: int = 60
) -> list[tuple[str, float]]:
    """Sum ``1 / (constant + rank)`` over the rankings that hold an id, rank counted from 1.

    Cormack, Clarke and Buettcher 2009 (doi 10.1145/1571941.1572114), who found 60 to work well.

    Args:
        rankings: Ids best first; each id at most once in a ranking.
        constant: The larger, the less the first places count; above 0.

    Returns:
        ``(id, score)``, highest score first, ties by lot (`ranking.lot`). The score lies in
        ``(0, len(rankings) / (constant + 1)]``.
    """
    if constant <= 0:
        raise ConfigError(f"constant is {constant}; expected a number above 0")
    scores: dict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, each in enumerate(ranking, start=1):
            scores[each] += 1.0 / (constant + rank)
    # Rounded, since the order of summation must not break a tie.
    fused = ((name, round(score, 12)) for name, score in scores.items())
    return sorted(fused, key=lambda hit: (-hit[1], lot(hit[0])))
