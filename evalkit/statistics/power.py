"""How much a run could have seen, and how many questions it would take to see more.

All of it is the power of a t-test whose standard error shrinks with the square root of the number
of questions (Cohen 1988, chapter 2; noncentral t). ``standard_error`` is the cluster-robust one, so
questions are counted as they come: in clusters as large as the present ones.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil, isfinite, sqrt

from scipy import optimize, stats

from evalkit.statistics.intervals import Confidence

MOST_QUESTIONS = 100_000
"""A number above this is no plan: the estimate is as good as on the threshold."""
_NORMAL = 10_000  # degrees of freedom from which t is normal to four digits


def detectable(
    standard_error: float | None, df: float, *, confidence: float = 0.95, power: float = 0.8
) -> float | None:
    """The minimum detectable effect: the smallest that a two-sided test finds with ``power``.

    Args:
        standard_error: Of the estimate, in the metric's unit.
        df: Its degrees of freedom, above 0.
        confidence: 1 - alpha of the two-sided test.
        power: The chance of finding it, in (alpha, 1).

    Returns:
        The effect in the metric's unit; None without information about variance.
    """
    if not _informative(standard_error) or not df > 0:
        return None
    assert standard_error is not None
    return standard_error * _noncentrality(float(df), 1 - confidence, power)


def spread(found: Confidence, confidence: float) -> dict[str, float | None]:
    """What every table of differences says of one: ``low, high, standard_error, mde``."""
    interval, error = found.interval(confidence), found.standard_error
    mde = detectable(error, found.df, confidence=confidence)
    return {"low": interval.low, "high": interval.high, "standard_error": error, "mde": mde}


def questions_needed(
    effect: float,
    threshold: float,
    standard_error: float | None,
    n: int,
    *,
    alpha: float,
    power: float = 0.8,
    clusters: int | None = None,
) -> int | None:
    """The total of questions at which the bound leaves out ``threshold``, if the truth is ``effect``.

    Args:
        effect: The present estimate.
        threshold: The value that the one-sided bound must leave out, on whichever side.
        standard_error: The cluster-robust error of the estimate on ``n`` questions.
        n: Questions in the present estimate.
        alpha: One-sided, after adjustment for the other hypotheses.
        power: The chance that the bound leaves it out.
        clusters: Clusters that the ``n`` questions are in, for the degrees of freedom; ``n``
            when None.

    Returns:
        The whole number of questions, those at hand included; None where no number would do (the
        estimate is on the threshold) or nothing is known about variance.
    """
    if not _informative(standard_error):
        return None
    assert standard_error is not None
    gap, sd, share = abs(effect - threshold), standard_error * sqrt(n), (clusters or n) / n
    return _questions(lambda m: _one_sided(gap / sd, m, share, alpha), power)


def questions_within(
    effect: float,
    margin: float,
    standard_error: float | None,
    n: int,
    *,
    alpha: float,
    power: float = 0.8,
    clusters: int | None = None,
) -> int | None:
    """As :func:`questions_needed`, for both bounds inside +-``margin`` (two one-sided tests).

    The chance that both succeed is taken as the sum of theirs less one, which is exact for a normal
    estimate (Schuirmann 1987).
    """
    if not _informative(standard_error) or abs(effect) >= margin:
        return None
    assert standard_error is not None
    sd, share = standard_error * sqrt(n), (clusters or n) / n
    above, below = (margin + effect) / sd, (margin - effect) / sd

    def both(m: int) -> float:
        return _one_sided(above, m, share, alpha) + _one_sided(below, m, share, alpha) - 1

    return _questions(both, power)


def _questions(power_at: Callable[[int], float], power: float) -> int | None:
    return smallest(lambda m: power_at(m) >= power, least=1, most=MOST_QUESTIONS)


def _informative(standard_error: float | None) -> bool:
    return standard_error is not None and isfinite(standard_error) and standard_error > 0


def smallest(enough: Callable[[int], bool], *, least: int, most: int) -> int | None:
    """The smallest number above ``least`` that is enough, if more is never worse; None above
    ``most``.
    """
    low, high = least, 2 * least
    while not enough(high):
        low, high = high, 2 * high
        if high > most:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _one_sided(size: float, questions: int, clusters_each: float, alpha: float) -> float:
    """Power at ``size`` (standardised gap); the test's degrees of freedom grow with clusters."""
    df = max(1, ceil(questions * clusters_each) - 1)
    return _above(size * sqrt(questions), df, alpha)


def _two_sided(noncentrality: float, df: float, alpha: float) -> float:
    return _above(noncentrality, df, alpha / 2) + _above(-noncentrality, df, alpha / 2)


def _above(noncentrality: float, df: float, alpha: float) -> float:
    if df >= _NORMAL:
        return float(stats.norm.sf(stats.norm.isf(alpha) - noncentrality))
    return float(stats.nct.sf(stats.t.isf(alpha, df), df, noncentrality))


@lru_cache(maxsize=1024)
def _noncentrality(df: float, alpha: float, power: float) -> float:
    """The effect, in standard errors, that a two-sided test of size ``alpha`` finds with ``power``."""

    def short(effect: float) -> float:
        return _two_sided(effect, df, alpha) - power

    high = 4.0
    while short(high) < 0:
        high *= 2
    return float(optimize.brentq(short, 0.0, high, xtol=1e-9))
