"""Draws over whole clusters, bootstrap means and sign flips, and the bounds read off them.

Columns with the same number of clusters share their draws; a block of draws is made, used for all
of them and dropped, so that memory stays small whatever the number of resamples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import special

from evalkit.statistics.bounds import Bounds, Quantile, normal, student, symmetric
from evalkit.statistics.clusters import TINY, Clustered, Floats

# Numbers held at once by a block of draws: 16 MB.
_BLOCK = 2_000_000


def bootstrap_means(columns: Sequence[Clustered], resamples: int, seed: int) -> list[Floats]:
    """Means of resampled clusters, sorted, one array (resamples,) per column.

    Whole clusters are drawn with replacement; the mean is the ratio of resampled sums to
    resampled counts. A column's draws depend on its data and the seed alone, not on its company.
    """
    found: list[Floats] = [np.empty(0)] * len(columns)
    for size, places in _by_size(columns).items():
        sums = np.column_stack([columns[i].sums for i in places])
        counts = np.column_stack([columns[i].counts for i in places])
        blocks = [(w @ sums) / (w @ counts) for w in _weights(size, resamples, seed)]
        draws = np.sort(np.concatenate(blocks), axis=0)
        for place, column in zip(places, draws.T, strict=True):
            found[place] = np.ascontiguousarray(column)
    return found


def sign_flips(columns: Sequence[Clustered], resamples: int, seed: int) -> list[float]:
    """Two-sided p of a mean of 0 per column, flipping the sign of whole clusters at random.

    With the +1 correction of Phipson and Smyth 2010, so that p is never 0.
    """
    found = [1.0] * len(columns)
    for size, places in _by_size(columns).items():
        sums = np.column_stack([columns[i].sums for i in places])
        observed = np.abs(sums.sum(axis=0))
        floor = observed - TINY * np.maximum(1.0, observed)
        hits = np.zeros(len(places))
        for signs in _signs(size, resamples, seed):
            hits += (np.abs(signs @ sums) >= floor).sum(axis=0)
        for place, hit in zip(places, hits, strict=True):
            found[place] = (float(hit) + 1) / (resamples + 1)
    return found


def _by_size(columns: Sequence[Clustered]) -> dict[int, list[int]]:
    places: dict[int, list[int]] = {}
    for i, column in enumerate(columns):
        places.setdefault(column.size, []).append(i)
    return places


def _blocks(size: int, resamples: int) -> Iterator[int]:
    step = max(1, _BLOCK // max(1, size))
    for start in range(0, resamples, step):
        yield min(step, resamples - start)


def _weights(size: int, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each cluster is drawn, in blocks (rows, size)."""
    rng = np.random.default_rng([seed, 0, size])
    for rows in _blocks(size, resamples):
        drawn = rng.integers(0, size, (rows, size), dtype=np.int32)
        drawn += (np.arange(rows, dtype=np.int32) * size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * size)
        yield counts.reshape(rows, size).astype(np.float64)


def _signs(size: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Random signs, in blocks (rows, size)."""
    rng = np.random.default_rng([seed, 1, size])
    for rows in _blocks(size, resamples):
        yield rng.integers(0, 2, (rows, size), dtype=np.int8).astype(np.float64) * 2 - 1


def bca(data: Clustered, draws: Floats, quantile: Quantile = normal) -> Bounds:
    """Bias-corrected and accelerated bootstrap over clusters (Efron 1987).

    The acceleration is the jackknife's, leaving out one cluster at a time. Bounds end at the
    outermost draws.

    Args:
        data: The values by cluster.
        draws: Their bootstrap means, sorted.
        quantile: Of the levels at which the draws are read, before correction.
    """
    mean, count = data.mean, len(draws)
    tolerance = TINY * max(1.0, abs(mean))
    below = np.searchsorted(draws, [mean - tolerance, mean + tolerance])
    # A share of 0 or 1 would put the correction at infinity.
    share = np.clip(below.mean() / count, 1 / (count + 1), count / (count + 1))
    bias, acceleration = float(special.ndtri(share)), _acceleration(data)
    ranks = np.arange(count) / (count - 1)

    def drawn(z: float) -> float:
        shifted = bias + z
        scale = 1 - acceleration * shifted
        level = special.ndtr(bias + shifted / scale) if scale > 0 else float(shifted > 0)
        return float(np.interp(level, ranks, draws))

    return Bounds(
        lambda alpha: min(drawn(-quantile(alpha)), mean),
        lambda alpha: max(drawn(quantile(alpha)), mean),
    )


def expanded_bca(data: Clustered, draws: Floats) -> Bounds:
    """BCa at levels that make up for what the bootstrap lacks, and nowhere inside Student's t.

    The draws spread as the uncorrected variance does and take it for known. Reading them further
    out, at the t quantile times the ratio of standard errors, mends both (Hesterberg 2015, who
    calls such intervals expanded). Where the skewness is overestimated BCa is still too short on
    one side, which Student's t is not.
    """
    uncorrected = float(np.sqrt((data.residuals**2).sum())) / data.n
    ratio, quantile = data.standard_error / uncorrected, student(data.df)
    return bca(data, draws, lambda alpha: ratio * quantile(alpha)).wider(symmetric(data))


def _acceleration(data: Clustered) -> float:
    left_out = (data.sums.sum() - data.sums) / (data.n - data.counts)
    spread = left_out.mean() - left_out
    scale = float((spread**2).sum()) ** 1.5
    return float((spread**3).sum()) / (6 * scale) if scale > 0 else 0.0
