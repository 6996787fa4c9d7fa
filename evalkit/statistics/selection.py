"""What the best of many is worth: choosing and estimating on the same questions flatters the winner.

The largest of several noisy means lies above the mean of whichever has it (the winner's curse;
Cawley and Talbot 2010, *On Over-fitting in Model Selection*). Here whole clusters are halved at
random many times; the winner of each half is estimated on the other half (twofold nested
cross-validation, repeated). Where nothing differs that estimate has no bias, however the candidates
correlate, since each question is estimated by a winner that it had no part in choosing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import isfinite

import numpy as np
import numpy.typing as npt
import pandas as pd

from evalkit.plurals import counted
from evalkit.statistics.bounds import Range
from evalkit.statistics.clusters import Floats
from evalkit.statistics.intervals import Interval, estimate_many

LEAST_CLUSTERS = 4
"""With fewer, a half holds a single cluster."""
_DIGITS = 12


@dataclass(frozen=True)
class Selection:
    """The best of several candidates, before and after correction.

    Attributes:
        chosen: The candidate with the best mean on all its questions; None without any.
        candidates: How many it was chosen from.
        naive: Its mean with the interval that forgets that it was chosen.
        corrected: What the winner of one half is worth on the other half. The choice rests on half
            of the questions, so it errs on the low side of good where candidates differ. The
            interval is as wide as that of ``naive``.
        optimism: How much better ``naive`` looks than ``corrected``, in the metric's unit,
            positive whichever way is better.
        difference, corrected_difference: The same two for the paired difference to a baseline; None
            where the winner is the baseline.
        shares: How often each candidate won a half, the most frequent first; they add up to 1.
        splits: Random halvings.
        n_clusters: Clusters that were halved.
        reason: Why nothing could be corrected, else empty.
    """

    chosen: str | None
    candidates: int
    naive: Interval | None = None
    corrected: Interval | None = None
    optimism: float | None = None
    difference: Interval | None = None
    corrected_difference: Interval | None = None
    shares: dict[str, float] = field(default_factory=dict)
    splits: int = 0
    n_clusters: int = 0
    reason: str = ""


def select(
    values: pd.DataFrame,
    clusters: npt.ArrayLike,
    *,
    higher: bool = True,
    baseline: pd.Series | None = None,
    limits: Range | None = None,
    confidence: float = 0.95,
    splits: int = 200,
    resamples: int = 10_000,
    seed: int = 0,
) -> Selection:
    """Choose the candidate with the best mean, and say what it is worth.

    Args:
        values: One row per question, one column per candidate; NaN where it was not scored.
        clusters: The cluster of each row, shape (questions,).
        higher: Whether the highest mean is the best; else the lowest.
        baseline: Values of what the winner is compared with, by question; may be a candidate.
        limits: The range of the values.
        confidence: Coverage of the intervals. Simulated with 2 to 50 candidates that do or do not
            differ, 95 % intervals of the corrected mean hold the truth in 90 % to 99 %.
        splits: Random halvings, each used both ways.
        resamples: Bootstrap resamples of the winner's interval.
        seed: Seed of halvings and bootstrap.
    """
    scored = values.loc[:, values.notna().any(axis=0)]
    if scored.shape[1] == 0:
        return Selection(None, 0, reason="no candidate was scored")
    sign = 1.0 if higher else -1.0
    x, names = scored.to_numpy(dtype=np.float64), list(map(str, scored.columns))
    # Rounded, so that ties go to the first candidate and not to the last digit of a sum.
    best = int(np.argmax(np.round(sign * np.nanmean(x, axis=0), _DIGITS)))
    labels = np.asarray(clusters, dtype=str)
    other = None if baseline is None else baseline.reindex(scored.index).to_numpy(np.float64)
    if other is not None and np.array_equal(other, x[:, best], equal_nan=True):
        other = None
    naive, difference = _naive(x[:, best], other, labels, limits, confidence, resamples, seed)
    kept = ~np.isnan(x).all(axis=1)
    x, labels = x[kept], labels[kept]
    _, codes = np.unique(labels, return_inverse=True)
    found = Selection(names[best], len(names), naive, difference=difference,
                      n_clusters=int(codes.max()) + 1)  # fmt: skip
    if len(names) == 1:
        return replace(found, reason="there was nothing to choose from")
    if found.n_clusters < LEAST_CLUSTERS:
        return replace(
            found, reason=f"{counted(found.n_clusters, 'cluster')} cannot be halved and compared"
        )
    held, wins = _held_out(sign * x, x, codes, splits, seed)
    corrected = _moved(naive, float(np.nanmean(held)), limits)
    assert naive.value is not None
    assert corrected.value is not None
    away = None
    if other is not None and difference is not None and difference.value is not None:
        width = None if limits is None else limits[1] - limits[0]
        reach = None if width is None else (-width, width)
        paired = held - other[kept]
        if np.isfinite(paired).any():
            away = _moved(difference, float(np.nanmean(paired)), reach)
    shares = {names[i]: float(wins[i]) for i in np.argsort(-wins, kind="stable") if wins[i] > 0}
    return replace(found, corrected=corrected, optimism=sign * (naive.value - corrected.value),
                 corrected_difference=away, shares=shares, splits=splits)  # fmt: skip


def pareto_front(quality: Sequence[float], cost: Sequence[float], *, higher: bool) -> list[bool]:
    """Whether each point is on the front: none is at least as good and cheap, and better in one.

    Args:
        quality: Finite numbers.
        cost: Finite numbers, lower is better.
        higher: Whether higher quality is better.

    Raises:
        ValueError: The lengths differ, or a number is not finite.
    """
    if len(quality) != len(cost) or not all(map(isfinite, [*quality, *cost])):
        raise ValueError("quality and cost: as many finite numbers in each expected")
    sign = 1.0 if higher else -1.0
    order = sorted(range(len(cost)), key=lambda i: (cost[i], -sign * quality[i]))
    front, best, at = [False] * len(cost), -np.inf, np.nan
    for i in order:
        good = sign * quality[i]
        front[i] = good > best or (good == best and cost[i] == at)
        if good > best:
            best, at = good, cost[i]
    return front


def _naive(
    x: Floats,
    other: Floats | None,
    labels: npt.NDArray[np.str_],
    limits: Range | None,
    confidence: float,
    resamples: int,
    seed: int,
) -> tuple[Interval, Interval | None]:
    """The winner's mean and its paired difference, as if it had not been chosen."""
    width = None if limits is None else limits[1] - limits[0]
    samples: list[tuple[npt.ArrayLike, npt.ArrayLike, Range | None]] = []
    scored = np.isfinite(x)
    samples.append((x[scored], labels[scored], limits))
    if other is not None:
        both = scored & np.isfinite(other)
        reach = None if width is None else (-width, width)
        samples.append((x[both] - other[both], labels[both], reach))
    found = estimate_many(samples, resamples=resamples, seed=seed)
    mean, *rest = (each.interval(confidence) for each in found)
    return mean, (rest[0] if rest else None)


def _held_out(
    good: Floats, x: Floats, codes: npt.NDArray[np.intp], splits: int, seed: int
) -> tuple[Floats, Floats]:
    """Each question's mean value over the winners it did not choose, and each candidate's wins.

    Args:
        good: Values, higher is better, (n, candidates); NaN where not scored.
        x: The values as they are.
        codes: Cluster numbers, (n,).
        splits: Halvings.
        seed: Their seed.
    """
    size, count = int(codes.max()) + 1, x.shape[1]
    scored = np.isfinite(x)
    sums, counts = np.zeros((size, count)), np.zeros((size, count))
    np.add.at(sums, codes, np.where(scored, good, 0.0))
    np.add.at(counts, codes, scored.astype(np.float64))
    inside = _halves(size, splits, seed)
    weights = np.concatenate([inside, 1 - inside])
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (weights @ sums) / (weights @ counts)
    means = np.where(np.isfinite(means), means, -np.inf)
    winners = np.argmax(np.round(means, _DIGITS), axis=1)
    # How often each candidate stood for each cluster that had no part in choosing it.
    stood = np.zeros((size, count))
    np.add.at(stood.T, winners, 1 - weights)
    used = stood[codes] * scored
    total = used.sum(axis=1)
    held = np.where(total > 0, (used * np.where(scored, x, 0.0)).sum(axis=1), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        held = np.where(total > 0, held / total, np.nan)
    return held, np.bincount(winners, minlength=count) / len(winners)


def _halves(size: int, splits: int, seed: int) -> Floats:
    """Which clusters are in the first half, one row per halving, (splits, size)."""
    rng = np.random.default_rng([seed, 2, size])
    order = rng.permuted(np.tile(np.arange(size), (splits, 1)), axis=1)
    return (order < size // 2).astype(np.float64)


def _moved(interval: Interval, to: float, limits: Range | None) -> Interval:
    """The interval around another value, as wide as before, within the limits."""
    low_limit, high_limit = limits or (-np.inf, np.inf)

    def bound(end: float | None) -> float | None:
        if end is None or interval.value is None:
            return None
        return float(min(high_limit, max(low_limit, to + end - interval.value)))

    return Interval(to, bound(interval.low), bound(interval.high), "held_out")
