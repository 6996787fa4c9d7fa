"""One-sided confidence bounds of a mean, one function per method.

Each gives a lower and an upper bound as functions of the one-sided error ``alpha`` in (0, 0.5].
Infinite means that the data cannot bound that side at that level. Bounds never cross the mean and
only widen as ``alpha`` falls, so that a p-value can be read off them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from scipy import special

from evalkit.statistics.clusters import Clustered, Floats

Bound = Callable[[float], float]
Quantile = Callable[[float], float]
Range = tuple[float, float]
# Clusters that the middle of the possible variances counts for beside the estimate, where values
# are binary and clusters few; chosen by simulation (reports/statistics).
_PRIOR = 3.0
# Values at each limit that are taken to be there unseen, where values are graded and clusters few;
# chosen so too.
_UNSEEN = 0.001
# The share of unchanged questions from which what changed is rare, and the other way may be unseen.
_MOSTLY = 0.5


@dataclass(frozen=True)
class Bounds:
    """The lower and the upper bound as functions of the one-sided error."""

    lower: Bound
    upper: Bound

    def wider(self, other: Bounds) -> Bounds:
        """On each side the bound that is further out."""
        return Bounds(
            lambda alpha: min(self.lower(alpha), other.lower(alpha)),
            lambda alpha: max(self.upper(alpha), other.upper(alpha)),
        )

    def narrower(self, other: Bounds) -> Bounds:
        """On each side the bound that is further in."""
        return Bounds(
            lambda alpha: max(self.lower(alpha), other.lower(alpha)),
            lambda alpha: min(self.upper(alpha), other.upper(alpha)),
        )

    def within(self, limits: Range | None) -> Bounds:
        """No further out than the values themselves can be."""
        if limits is None:
            return self
        low, high = limits
        return self.narrower(Bounds(lambda alpha: low, lambda alpha: high))


def normal(alpha: float) -> float:
    """The upper normal quantile, positive for ``alpha`` below one half."""
    return -float(special.ndtri(alpha))


def student(df: float) -> Quantile:
    """The upper quantile of Student's t with ``df`` degrees of freedom."""
    return lambda alpha: -float(special.stdtrit(df, alpha))


def unknown() -> Bounds:
    """Nothing is known about either side."""
    return Bounds(lambda alpha: -inf, lambda alpha: inf)


def symmetric(data: Clustered) -> Bounds:
    """Student's t with the cluster-robust standard error and its degrees of freedom."""
    mean, error, quantile = data.mean, data.standard_error, student(data.df)
    return Bounds(
        lambda alpha: mean - error * quantile(alpha),
        lambda alpha: mean + error * quantile(alpha),
    )


def student_clusters(data: Clustered, *, amounts: bool) -> Bounds:
    """Student's t for few clusters of open values, or :func:`skewed` where it is wider.

    The latter for amounts (seconds, tokens: all of one sign), which have a long tail on one side;
    differences of them have about the same on both.
    """
    found = symmetric(data)
    return found.wider(skewed(data)) if amounts else found


def skewed(data: Clustered) -> Bounds:
    """Student's t after Hall's cubic transformation, which takes the skewness out (Hall 1992).

    The skewness is that of the clusters' residuals.
    """
    mean, error, quantile = data.mean, data.standard_error, student(data.df)
    second, third = (data.residuals**2).mean(), (data.residuals**3).mean()
    skewness = float(third / second**1.5) / sqrt(data.size)

    def undone(z: float) -> float:
        if abs(skewness) < 1e-6:
            return z
        return 3 / skewness * (float(np.cbrt(1 + skewness * (z - skewness / 6))) - 1)

    return Bounds(
        lambda alpha: min(mean, mean - error * undone(quantile(alpha))),
        lambda alpha: max(mean, mean - error * undone(-quantile(alpha))),
    )


def score_interval(share: float, variance: float, z: float) -> Range:
    """Wilson's score bounds (Wilson 1927) of a share whose estimate has this variance.

    The variance is taken to change with the true share t as t (1 - t) does, so that for
    ``share * (1 - share) / n`` the bounds are Wilson's for n trials (Korn and Graubard 1998 put an
    effective number of trials there).

    Args:
        share: The share seen, in [0, 1]; where it is 0 or 1, ``variance`` is 1 / n.
        variance: Of the estimate.
        z: The quantile.
    """
    spread = share * (1 - share)
    k = z * z * (variance / spread if spread > 0 else variance)
    if k == inf:
        return 0.0, 1.0
    reach = sqrt(k * spread + k * k / 4)
    low, high = (share + k / 2 - reach) / (1 + k), (share + k / 2 + reach) / (1 + k)
    return max(0.0, min(low, share)), min(1.0, max(high, share))


def wilson(share: float, n: float, limits: Range = (0.0, 1.0)) -> Bounds:
    """Wilson's bounds for ``n`` independent trials, ``share`` of the way through ``limits``."""
    spread = share * (1 - share)
    return _scored(share, (spread or 1.0) / n, normal, limits)


def capped(data: Clustered, found: Bounds, limits: Range) -> Bounds:
    """No wider than Wilson's for so many trials as there are clusters: nothing bounded varies more.

    Clusters of different sizes count as :attr:`Clustered.effective_size`.
    """
    share = _share(data, limits)
    return found.within(limits).narrower(wilson(share, data.effective_size, limits))


def binary_clusters(data: Clustered) -> Bounds:
    """Wilson's bounds of a share of binary values in few clusters.

    Its variance lies between that of n independent answers and that of one answer per cluster; the
    estimate is averaged with the (geometric) middle of the two, which makes up for what a t
    quantile would have to.
    """
    share, limits = _share(data, (0.0, 1.0)), (0.0, 1.0)
    spread = share * (1 - share)
    least, most = spread / data.n, spread / data.effective_size
    shrunk = data.df * data.standard_error**2 + _PRIOR * sqrt(least * most)
    variance = min(most, max(least, shrunk / (data.df + _PRIOR)))
    return _scored(share, variance, normal, limits)


def graded_clusters(data: Clustered, limits: Range) -> Bounds:
    """Bounds of a mean of graded values in few clusters: Wilson's form or, where wider, Hall's.

    Wilson's, with the variance that the clusters show and the t quantile; :func:`skewed` since
    values that lie close to a limit are skewed more than the form of Wilson supposes. A few values
    close to a limit hardly differ even where others would, so a thousandth of a value at each limit
    is counted in.
    """
    share, error = _share(data, limits), data.standard_error / (limits[1] - limits[0])
    unseen = _UNSEEN * (share**2 + (1 - share) ** 2) / data.size**2
    return _scored(share, error**2 + unseen, student(data.df), limits).wider(skewed(data))


def _share(data: Clustered, limits: Range) -> float:
    """How far between the limits the mean lies, in [0, 1]."""
    return min(1.0, max(0.0, (data.mean - limits[0]) / (limits[1] - limits[0])))


def _scored(share: float, variance: float, quantile: Quantile, limits: Range) -> Bounds:
    low, width = limits[0], limits[1] - limits[0]
    return Bounds(
        lambda alpha: low + width * score_interval(share, variance, quantile(alpha))[0],
        lambda alpha: low + width * score_interval(share, variance, quantile(alpha))[1],
    )


def constant(value: float, size: float, limits: Range) -> Bounds:
    """All clusters alike: the next could still differ (the rule of three).

    With 0 of n clusters off the constant c, at most a share u of clusters is off it, and each of
    those by no more than the way to a bound. u is Wilson's; for a contrast the exact one where that
    is greater (below some fifty clusters), so that four gains out of four do not prove one.
    """
    score, contrast = wilson(0.0, size).upper, limits[0] < 0 < limits[1]

    def off(alpha: float) -> float:
        return max(score(alpha), _none_seen(size, alpha) if contrast else 0.0)

    return Bounds(
        lambda alpha: value - off(alpha) * (value - limits[0]),
        lambda alpha: value + off(alpha) * (limits[1] - value),
    )


def unseen(values: Floats, size: float, limits: Range) -> Bounds:
    """What questions of a kind that was not seen could do to the mean of a contrast.

    Resampling cannot draw a loss where every question gained or stayed as it was. With 0 losses in
    ``size`` clusters their share is at most ``1 - alpha ** (1 / size)``, and each could go all the
    way to the limit; the same for gains. Where both were seen, or most
    questions changed (graded values that all moved a little), this says nothing.
    """
    mean = float(values.mean())
    if np.mean(values == 0) < _MOSTLY:
        return Bounds(lambda alpha: mean, lambda alpha: mean)

    low, high = limits[0] - mean, limits[1] - mean
    return Bounds(
        lambda alpha: mean + (_none_seen(size, alpha) * low if values.min() >= 0 else 0.0),
        lambda alpha: mean + (_none_seen(size, alpha) * high if values.max() <= 0 else 0.0),
    )


def _none_seen(size: float, alpha: float) -> float:
    """The greatest share of which none among ``size`` has a chance of ``alpha`` (Clopper and
    Pearson 1934).
    """
    return 1.0 - float(alpha ** (1 / size))


def discordant(values: Floats) -> Bounds:
    """Score bounds of a mean of -1, 0 and 1, each value on its own, by Student's quantile.

    The variance of a true difference t is taken to be that of t at the share d that moved at all,
    ``(d - t^2) / (n - 1)``, as the score test has it (Tango 1998, who also estimates d under t): at
    t = 0 that is McNemar's test. Student's own takes it at the estimate, where a few that all moved
    one way look more certain than they are.
    """
    mean, moved, n = float(values.mean()), float((values != 0).mean()), len(values)
    quantile = student(n - 1)

    def reach(alpha: float) -> tuple[float, float]:
        k = quantile(alpha) ** 2 / (n - 1)
        root = sqrt(max(0.0, mean**2 - (1 + k) * (mean**2 - k * moved)))
        return (mean - root) / (1 + k), (mean + root) / (1 + k)

    return Bounds(
        lambda alpha: min(mean, reach(alpha)[0]), lambda alpha: max(mean, reach(alpha)[1])
    )


def degenerate(value: float, size: int) -> Bounds:
    """All clusters alike and nothing known of the range: the value, where signs alone allow it.

    If a cluster were as likely to lie below as above the truth, all ``size`` would lie on one
    side with probability 2 ** -size; below that error nothing can be said.
    """
    least = 0.5**size
    return Bounds(
        lambda alpha: value if alpha >= least else -inf,
        lambda alpha: value if alpha >= least else inf,
    )
