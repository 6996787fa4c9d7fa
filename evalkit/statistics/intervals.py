"""Confidence intervals of a mean over questions that come in clusters.

Every situation has a defined outcome: no values, one value, one cluster, values that are all the
same. A null bound says that the data hold no information about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
# A bootstrap over fewer clusters than this is far too narrow, whatever its variant.
FEW_CLUSTERS = 5
_TINY = 1e-12


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence bounds.

    ``method`` is ``wilson`` (binary, one question per cluster), ``bca`` (bootstrap over clusters),
    ``wilson_clusters`` (bounded values in fewer than five clusters: Wilson on the number of
    clusters, conservative), ``t_clusters`` (unbounded values there), ``constant`` (all clusters
    alike, bounded values), ``degenerate`` (the same, unbounded: zero width), ``one_cluster`` (no
    bounds can be given) or ``none`` (no values).
    """

    value: float | None
    low: float | None
    high: float | None
    method: str


@dataclass(frozen=True)
class Clustered:
    """Sums and counts by cluster, in the order of the sorted cluster names."""

    sums: Floats
    counts: Floats

    @classmethod
    def of(cls, values: npt.ArrayLike, clusters: npt.ArrayLike) -> Clustered:
        """Group ``values`` (n,) by ``clusters`` (n,).

        Raises:
            ValueError: The lengths differ, or a value is not finite.
        """
        x, names = np.asarray(values, dtype=np.float64), np.asarray(clusters)
        if x.shape != names.shape or x.ndim != 1:
            raise ValueError(f"values {x.shape} and clusters {names.shape}: one length expected")
        if not np.isfinite(x).all():
            raise ValueError("values must be finite: leave out questions that were not scored")
        _, codes = np.unique(names, return_inverse=True)
        size = int(codes.max()) + 1 if len(codes) else 0
        counts = np.bincount(codes, minlength=size).astype(np.float64)
        return cls(np.bincount(codes, weights=x, minlength=size).astype(np.float64), counts)

    @property
    def size(self) -> int:
        return len(self.sums)

    @property
    def mean(self) -> float:
        return float(self.sums.sum() / self.counts.sum())


def mean_interval(
    values: npt.ArrayLike,
    clusters: npt.ArrayLike,
    *,
    bounds: tuple[float, float] | None = None,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """The mean of ``values`` with the interval that the data allow.

    Args:
        values: One finite number per question, shape (n,).
        clusters: The cluster of each question, shape (n,).
        bounds: The range that values can lie in; None where it is open.
        confidence: Coverage wanted, in (0, 1).
        resamples: Bootstrap resamples.
        seed: The same seed and data give the same interval, whatever the order of rows.

    Returns:
        The mean and its bounds; ``Interval.method`` says how.
    """
    data = Clustered.of(values, clusters)
    if data.size == 0:
        return Interval(None, None, None, "none")
    x = np.asarray(values, dtype=np.float64)
    if bounds == (0.0, 1.0) and is_binary(x) and data.size == len(x):
        low, high = wilson(float(x.sum()), len(x), confidence)
        return Interval(data.mean, low, high, "wilson")
    if np.ptp(data.sums / data.counts) < _TINY * max(1.0, abs(data.mean)):
        return _constant(data, x, bounds, confidence)
    if data.size < FEW_CLUSTERS:
        return _few_clusters(data, bounds, confidence)
    low, high = bca(data, confidence, resamples, seed)
    return Interval(data.mean, low, high, "bca")


def is_binary(x: Floats) -> bool:
    """Whether every value is 0 or 1."""
    return bool(np.isin(x, (0.0, 1.0)).all())


def wilson(successes: float, n: float, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927); ``successes`` may be fractional."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(successes, n, alpha=1 - confidence, method="wilson")
    return max(0.0, float(low)), min(1.0, float(high))


def bca(data: Clustered, confidence: float, resamples: int, seed: int) -> tuple[float, float]:
    """Bias-corrected and accelerated bootstrap over clusters (Efron 1987).

    Whole clusters are drawn with replacement; the statistic is the ratio of resampled sums to
    resampled counts; the acceleration is the jackknife's, leaving out one cluster at a time.
    """
    weights = _cluster_weights(data.size, resamples, seed)
    draws = (weights @ data.sums) / (weights @ data.counts)
    tolerance = _TINY * max(1.0, abs(data.mean))
    below = np.mean(draws < data.mean - tolerance)
    share = (below + np.mean(draws <= data.mean + tolerance)) / 2
    # A share of 0 or 1 would put the correction at infinity.
    bias = stats.norm.ppf(np.clip(share, 1 / (resamples + 1), resamples / (resamples + 1)))
    left_out = (data.sums.sum() - data.sums) / (data.counts.sum() - data.counts)
    spread = left_out.mean() - left_out
    scale = float((spread**2).sum()) ** 1.5
    acceleration = float((spread**3).sum()) / (6 * scale) if scale > 0 else 0.0
    tail = stats.norm.ppf([(1 - confidence) / 2, (1 + confidence) / 2])
    level = stats.norm.cdf(bias + (bias + tail) / (1 - acceleration * (bias + tail)))
    low, high = np.quantile(draws, level)
    return min(float(low), data.mean), max(float(high), data.mean)


def sign_flip(data: Clustered, resamples: int, seed: int) -> float:
    """Two-sided p of a mean difference of 0, flipping the sign of whole clusters at random.

    With the +1 correction of Phipson and Smyth 2010, so that p is never 0.
    """
    rng = np.random.default_rng([seed, 1, data.size])
    observed = abs(float(data.sums.sum()))
    floor = observed - _TINY * max(1.0, observed)
    hits, block = 0, 2_000
    for start in range(0, resamples, block):
        shape = (min(block, resamples - start), data.size)
        signs = rng.integers(0, 2, shape, dtype=np.int8).astype(np.float64) * 2 - 1
        hits += int((np.abs(signs @ data.sums) >= floor).sum())
    return (hits + 1) / (resamples + 1)


@lru_cache(maxsize=8)
def _cluster_weights(size: int, resamples: int, seed: int) -> Floats:
    """How often each cluster is drawn, (resamples, size); shared by all metrics of that size."""
    rng = np.random.default_rng([seed, 0, size])
    drawn = rng.integers(0, size, (resamples, size))
    drawn += np.arange(resamples)[:, None] * size
    counts = np.bincount(drawn.ravel(), minlength=resamples * size)
    return counts.reshape(resamples, size).astype(np.float64)


def _constant(data: Clustered, x: Floats, bounds: Any, confidence: float) -> Interval:
    """All clusters alike: the next could still differ (the rule of three, in Wilson's form).

    With 0 of n clusters off the constant c, at most a share u of clusters is off it, and each of
    those by no more than the way to a bound.
    """
    value = float(x[0]) if np.ptp(x) == 0 else data.mean
    if bounds is None:
        if data.size == 1:
            return Interval(value, None, None, "one_cluster")
        return Interval(value, value, value, "degenerate")
    _, off = wilson(0, data.size, confidence)
    low, high = value - off * (value - bounds[0]), value + off * (bounds[1] - value)
    return Interval(value, low, high, "constant")


def _few_clusters(data: Clustered, bounds: Any, confidence: float) -> Interval:
    value = data.mean
    if bounds is not None:
        width = bounds[1] - bounds[0]
        share = (value - bounds[0]) / width
        low, high = wilson(share * data.size, data.size, confidence)
        return Interval(value, bounds[0] + width * low, bounds[0] + width * high, "wilson_clusters")
    residuals = data.sums - value * data.counts
    correction = data.size / (data.size - 1)
    error = np.sqrt(correction * (residuals**2).sum()) / data.counts.sum()
    reach = float(stats.t.ppf((1 + confidence) / 2, data.size - 1) * error)
    return Interval(value, value - reach, value + reach, "t_clusters")
