"""Confidence in a mean over questions that come in clusters: its interval and its p-values.

Every situation has a defined outcome: no values, one value, one cluster, values that are all the
same. A null bound says that the data hold no information about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, isinf, log

import numpy as np
import numpy.typing as npt

from evalkit.statistics import bounds as methods
from evalkit.statistics.bounds import Bound, Bounds, Range
from evalkit.statistics.clusters import Clustered, Floats
from evalkit.statistics.resampling import bootstrap_means, expanded_bca

FEW_CLUSTERS = 5
"""Below so many clusters the coverage of intervals was not simulated, and tables say so."""
# Below so many clusters the bootstrap falls short, whatever its variant (reports/statistics).
_BOOTSTRAP_CLUSTERS = 20
# The smallest p that is told: a claim can be certain (a share above -1), a p cannot be 0. Far below
# it scipy's quantile of Student's t is wrong (1.17: `stdtrit(2.0000001, 1e-300)` is positive).
_LEAST = 1e-50
# Of the logarithm of p; leaves a relative error of 1e-13.
_HALVINGS = 50
Sample = tuple[npt.ArrayLike, npt.ArrayLike, Range | None]


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence bounds; ``method`` as in :class:`Confidence`."""

    value: float | None
    low: float | None
    high: float | None
    method: str


@dataclass(frozen=True)
class Confidence:
    """What the data say about a mean, at any level; intervals and p-values invert one another.

    Attributes:
        value: The mean; None where there are no values.
        method: ``wilson`` (binary, one question per cluster), ``bca`` (bootstrap over clusters),
            ``wilson_clusters`` (bounded values in fewer than 20 clusters), ``t_clusters``
            (contrasts and unbounded values there), ``constant`` (all clusters alike, bounded
            values), ``degenerate`` (the same, unbounded), ``one_cluster`` (no bounds can be
            given) or ``none`` (no values).
        size: The number of clusters.
        standard_error: Cluster-robust standard error of the mean, in its unit; None where the
            clusters say nothing about spread (fewer than two, or all alike).
        df: Degrees of freedom of the standard error, in (0, size - 1]; 0 where it is None.
    """

    value: float | None
    method: str
    size: int
    standard_error: float | None
    df: float
    _bounds: Bounds = field(repr=False, compare=False)

    def interval(self, confidence: float) -> Interval:
        """The two-sided interval of coverage ``confidence``, in (0, 1); equal tails.

        Raises:
            ValueError: ``confidence`` is not in (0, 1).
        """
        if not 0 < confidence < 1:
            raise ValueError(f"confidence {confidence}: expected a number in (0, 1), such as 0.95")
        alpha = (1 - confidence) / 2
        low, high = self._bounds.lower(alpha), self._bounds.upper(alpha)
        return Interval(
            self.value, None if isinf(low) else low, None if isinf(high) else high, self.method
        )

    def p_greater(self, null: float) -> float | None:
        """One-sided p of "the mean is at most ``null``"; None where the data cannot say.

        It is the smallest one-sided error at which the lower bound lies above ``null``, so the
        bound at confidence 1 - 2 alpha is above ``null`` where p < alpha, and only there. In
        [1e-50, 1]; above one half where the mean is not above ``null``.
        """
        return self._p(null, 1.0)

    def p_less(self, null: float) -> float | None:
        """One-sided p of "the mean is at least ``null``"; see :meth:`p_greater`."""
        return self._p(null, -1.0)

    def _p(self, null: float, sign: float) -> float | None:
        if self.value is None or isinf(self._bounds.lower(0.5)):
            return None
        distance = sign * (self.value - null)
        side: Bound = self._bounds.lower if self.value > null else self._bounds.upper
        towards = 1.0 if self.value > null else -1.0
        p = _smallest_error(side, null, towards)
        return p if distance > 0 else max(1 - p, 0.5)


def _smallest_error(side: Bound, null: float, towards: float) -> float:
    """The smallest alpha in [1e-50, .5] at which the bound has left ``null`` behind."""
    low, high = log(_LEAST), log(0.5)
    if towards * (side(_LEAST) - null) > 0:
        return _LEAST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if towards * (side(exp(middle)) - null) > 0:
            high = middle
        else:
            low = middle
    return exp(high)


def mean_interval(
    values: npt.ArrayLike,
    clusters: npt.ArrayLike,
    *,
    bounds: Range | None = None,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """The mean of ``values`` with the interval that the data allow; see :func:`estimate`."""
    found = estimate(values, clusters, bounds=bounds, resamples=resamples, seed=seed)
    return found.interval(confidence)


def estimate(
    values: npt.ArrayLike,
    clusters: npt.ArrayLike,
    *,
    bounds: Range | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> Confidence:
    """The mean of ``values`` and what may be said about it.

    Args:
        values: One finite number per question, shape (n,).
        clusters: The cluster of each question, shape (n,).
        bounds: The range that values can lie in; None where it is open.
        resamples: Bootstrap resamples.
        seed: The same seed and data give the same answer, whatever the order of rows.

    Raises:
        ValueError: The lengths differ, or a value is not finite.
    """
    return estimate_many([(values, clusters, bounds)], resamples=resamples, seed=seed)[0]


def estimate_many(
    samples: Sequence[Sample], *, resamples: int = 10_000, seed: int = 0
) -> list[Confidence]:
    """:func:`estimate` for many samples ``(values, clusters, bounds)``, sharing resamples."""
    columns = [Clustered.of(values, clusters) for values, clusters, _ in samples]
    found: dict[int, Confidence] = {}
    waiting: list[int] = []
    for i, (data, (values, _, limits)) in enumerate(zip(columns, samples, strict=True)):
        closed = _closed_form(data, np.asarray(values, dtype=np.float64), limits)
        if closed is None:
            waiting.append(i)
        else:
            found[i] = closed
    draws = bootstrap_means([columns[i] for i in waiting], resamples, seed)
    for i, drawn in zip(waiting, draws, strict=True):
        values, _, limits = samples[i]
        shape = expanded_bca(columns[i], drawn)
        if limits is not None and _contrast(limits):
            x = np.asarray(values, dtype=np.float64)
            shape = shape.wider(methods.unseen(x, columns[i].effective_size, limits))
        found[i] = _confidence(columns[i], "bca", shape.within(limits))
    return [found[i] for i in range(len(columns))]


def is_binary(x: Floats) -> bool:
    """Whether every value is 0 or 1."""
    return bool(np.isin(x, (0.0, 1.0)).all())


def wilson(successes: float, n: float, confidence: float) -> Range:
    """Wilson's score interval of a proportion (Wilson 1927)."""
    found, alpha = methods.wilson(successes / n, n), (1 - confidence) / 2
    return found.lower(alpha), found.upper(alpha)


def _closed_form(data: Clustered, x: Floats, limits: Range | None) -> Confidence | None:
    """The answer where no resampling is needed."""
    if data.size == 0:
        return Confidence(None, "none", 0, None, 0.0, methods.unknown())
    if limits == (0.0, 1.0) and is_binary(x) and data.size == len(x):
        return _confidence(data, "wilson", methods.wilson(data.mean, len(x)))
    if data.alike:
        return _alike(data, x, limits)
    if data.size >= _BOOTSTRAP_CLUSTERS:
        return None
    return _few_clusters(data, x, limits)


def _few_clusters(data: Clustered, x: Floats, limits: Range | None) -> Confidence:
    if limits is None:
        amounts = bool((x >= 0).all() or (x <= 0).all())
        shape = methods.student_clusters(data, amounts=amounts)
        return _confidence(data, "t_clusters", shape)
    if _contrast(limits):  # nearly symmetric
        shape = methods.symmetric(data)
        if data.size == len(x):
            shape = shape.wider(methods.unseen(x, data.effective_size, limits))
            if limits == (-1.0, 1.0) and is_binary(np.abs(x)):
                shape = shape.wider(methods.discordant(x))
        return _confidence(data, "t_clusters", methods.capped(data, shape, limits))
    binary = limits == (0.0, 1.0) and is_binary(x)
    shape = methods.binary_clusters(data) if binary else methods.graded_clusters(data, limits)
    return _confidence(data, "wilson_clusters", methods.capped(data, shape, limits))


def _contrast(limits: Range) -> bool:
    """Whether the values are differences: they can go either way."""
    return limits[0] < 0 < limits[1]


def _alike(data: Clustered, x: Floats, limits: Range | None) -> Confidence:
    # Summing the same number many times over need not give it back to the last digit.
    value = float(x[0]) if np.ptp(x) == 0 else data.mean
    if limits is not None:
        shape, method = methods.constant(value, data.effective_size, limits), "constant"
    elif data.size == 1:
        shape, method = methods.unknown(), "one_cluster"
    else:
        shape, method = methods.degenerate(value, data.size), "degenerate"
    return Confidence(value, method, data.size, None, 0.0, shape)


def _confidence(data: Clustered, method: str, shape: Bounds) -> Confidence:
    spread = None if data.alike else (data.standard_error, data.df)
    error, df = spread or (None, 0.0)
    return Confidence(data.mean, method, data.size, error, df, shape)
