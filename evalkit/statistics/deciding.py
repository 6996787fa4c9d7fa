"""What decides a hypothesis: the p-values for and against it, and the questions still lacking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

import numpy as np

from evalkit.statistics.bounds import normal
from evalkit.statistics.claims import Hypothesis
from evalkit.statistics.intervals import Confidence, estimate
from evalkit.statistics.power import (
    MOST_QUESTIONS,
    questions_needed,
    questions_within,
    smallest,
)
from evalkit.statistics.tables import value_range

Levels = tuple[float, float]
"""The one-sided errors allowed for supporting and for refuting."""


def difference_range(metric: str) -> tuple[float, float] | None:
    """The range that a paired difference of a metric lies in; None where it has no bounds."""
    limits = value_range(metric)
    return None if limits is None else (limits[0] - limits[1], limits[1] - limits[0])


def p_values(hypothesis: Hypothesis, found: Confidence) -> tuple[float | None, float | None]:
    """One-sided p of the claim and of its contrary; None where no bound can be given.

    Equivalence takes the larger of two one-sided tests (Schuirmann 1987); its contrary is that the
    difference lies beyond either margin.
    """
    margin, limit = hypothesis.margin, hypothesis.limit
    if hypothesis.kind == "equivalence":
        inside = (found.p_greater(-margin), found.p_less(margin))
        outside = (found.p_greater(margin), found.p_less(-margin))
        return _of_known(max, inside), _of_known(min, outside)
    above, below = found.p_greater(limit), found.p_less(limit)
    return (above, below) if hypothesis.sign > 0 else (below, above)


def _of_known(
    choose: Callable[[Sequence[float]], float], p: Sequence[float | None]
) -> float | None:
    known = [value for value in p if value is not None]
    return choose(known) if len(known) == len(p) else None


def total_needed(
    hypothesis: Hypothesis, found: Confidence, n: int, levels: Levels, power: float
) -> int | None:
    """Questions in all that would decide, if the truth were the present estimate.

    Args:
        hypothesis: What is claimed.
        found: The difference on the ``n`` questions at hand; two clusters at least.
        n: Questions at hand.
        levels: One-sided errors for supporting and for refuting; the one that the estimate leans
            to counts.
        power: The chance that so many questions decide.

    Returns:
        The total, those at hand included; None where no number would do.
    """
    effect, margin = found.value, hypothesis.margin
    assert effect is not None
    if found.standard_error is None:
        return _total_if_constant(hypothesis, found, n, levels)
    settings: dict[str, Any] = {"power": power, "clusters": found.size}
    limit = hypothesis.limit
    holds = hypothesis.sign * (effect - limit) > 0
    if hypothesis.kind == "equivalence":
        limit, holds = float(np.copysign(margin, effect)), abs(effect) < margin
    error, level = _planning_error(found, limit), levels[0] if holds else levels[1]
    if hypothesis.kind == "equivalence" and holds:
        return questions_within(effect, margin, error, n, alpha=level, **settings)
    return questions_needed(effect, limit, error, n, alpha=level, **settings)


def _planning_error(found: Confidence, limit: float) -> float:
    """The standard error, or a greater one where the bound is wider than it says.

    So it is with few questions, of which some kinds may be unseen, and with few clusters, whose
    error is hardly known: read off the p-value as a normal estimate's, it says how far there is to
    go, so that what is not decided is never said to lack a question or two.
    """
    assert found.value is not None
    assert found.standard_error is not None
    p = found.p_greater(limit) if found.value > limit else found.p_less(limit)
    if p is None or p >= 0.5:
        return found.standard_error
    return max(found.standard_error, abs(found.value - limit) / normal(p))


def _total_if_constant(
    hypothesis: Hypothesis, found: Confidence, n: int, levels: Levels
) -> int | None:
    """Where all clusters are alike, the bound still narrows with their number: count them up."""
    limits = difference_range(hypothesis.metric)

    def decides(clusters: int) -> bool:
        more = estimate(np.full(clusters, found.value), np.arange(clusters), bounds=limits)
        p = p_values(hypothesis, more)
        return any(x is not None and x <= y for x, y in zip(p, levels, strict=True))

    clusters = smallest(decides, least=found.size, most=MOST_QUESTIONS)
    return None if clusters is None else ceil(clusters * n / found.size)
