"""Two pipelines on the same questions: the paired difference and what may be said about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from evalkit.statistics.adjust import benjamini_hochberg
from evalkit.statistics.clusters import Clustered, Floats
from evalkit.statistics.intervals import FEW_CLUSTERS, Confidence, estimate_many, is_binary
from evalkit.statistics.power import detectable
from evalkit.statistics.resampling import sign_flips
from evalkit.statistics.tables import ScoresTableError, question_values, typed, value_range

FAILURE_LIMIT = 0.02
COLUMNS = (
    "a", "b", "metric", "difference", "low", "high", "standard_error", "mde", "p_value",
    "p_adjusted", "p_method", "correlation", "n_pairs", "n_clusters", "failed_share", "worst_low",
    "worst_high", "decidable", "reason",
)  # fmt: skip
_NULLABLE = (
    "difference", "low", "high", "standard_error", "mde", "p_value", "p_adjusted", "correlation",
    "worst_low", "worst_high",
)  # fmt: skip
Sides = Mapping[tuple[str, str], pd.DataFrame]


@dataclass(frozen=True)
class _Pairs:
    """The questions of one metric that two pipelines share, whatever became of them."""

    a: str
    b: str
    metric: str
    table: pd.DataFrame

    @cached_property
    def both(self) -> pd.DataFrame:
        """The questions scored on both sides."""
        table = self.table
        return table[(table["status"] == "scored") & (table["status_b"] == "scored")]

    @cached_property
    def x(self) -> Floats:
        return np.asarray(self.both["value"], dtype=np.float64)

    @cached_property
    def y(self) -> Floats:
        return np.asarray(self.both["value_b"], dtype=np.float64)

    @cached_property
    def clusters(self) -> npt.NDArray[np.str_]:
        return np.asarray(self.both["cluster"], dtype=str)

    @property
    def limits(self) -> tuple[float, float] | None:
        """The range of the metric's values."""
        return value_range(self.metric)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The range of their differences."""
        if self.limits is None:
            return None
        width = self.limits[1] - self.limits[0]
        return -width, width

    @cached_property
    def exact(self) -> bool:
        """Whether the pairs are binary and independent, so that McNemar's test applies."""
        alone = len(np.unique(self.clusters)) == len(self.x)
        return self.limits is not None and is_binary(self.x) and is_binary(self.y) and alone


def compare(
    scores: pd.DataFrame,
    a: str,
    b: str,
    metrics: Iterable[str] | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """Compare ``b`` with ``a``, metric by metric, on the questions that both were scored on.

    Args:
        scores: The long scores table (see :func:`question_values`).
        a: The pipeline to compare with.
        b: The pipeline compared; a positive difference means that its value is higher.
        metrics: Metric ids; every metric that both pipelines have when None.
        **settings: As :func:`compare_all`, whose columns are returned.

    Raises:
        ScoresTableError: The table cannot be trusted, or a pipeline does not have a metric.
    """
    wanted = None if metrics is None else list(metrics)
    found = compare_all(scores, [(a, b)], wanted, **settings)
    if unknown := sorted(set(wanted or ()) - set(found["metric"])):
        sides, metrics = _sides(scores, {a, b}, None)
        both = ", ".join(m for m in metrics if (a, m) in sides and (b, m) in sides)
        raise ScoresTableError(
            f"compare {a} with {b}: no metric {', '.join(unknown)}; both have {both}"
        )
    return found


def compare_all(
    scores: pd.DataFrame,
    pairs: Iterable[tuple[str, str]],
    metrics: Iterable[str] | None = None,
    *,
    seed: int = 0,
    resamples: int = 10_000,
    confidence: float = 0.95,
    failure_limit: float = FAILURE_LIMIT,
) -> pd.DataFrame:
    """Compare pairs of pipelines, metric by metric, each on the questions that both have scored.

    Args:
        scores: The long scores table (see :func:`question_values`).
        pairs: Names ``(a, b)``; a positive difference means that b's value is higher.
        metrics: Metric ids in the order wanted, all when None; each pair gets those that both
            of it have.
        seed: Seed of bootstrap and permutation.
        resamples: Resamples of each, shared by all comparisons.
        confidence: Coverage of the intervals.
        failure_limit: Share of failed questions above which nothing can be decided.

    Returns:
        One row per pair and metric. ``difference`` is b - a with its cluster interval and
        ``standard_error``; ``mde`` is the difference that a two-sided test at this confidence
        finds with a power of 80 %. ``p_method`` is ``mcnemar_exact`` (binary, one question per
        cluster) or ``sign_flip`` (by cluster); ``p_adjusted`` is Benjamini and Hochberg's over
        the table. ``correlation`` is Pearson's over questions, null where either side is
        constant. ``failed_share`` counts the questions that failed on one side and were scored or
        failed on the other; ``worst_low`` and ``worst_high`` are the difference if all of them
        had gone against b or in its favour (null when none failed, or values are unbounded).
        ``decidable`` is False above ``failure_limit`` and where fewer than two clusters were
        compared; ``reason`` says why, or what the pairs leave out.

    Raises:
        ScoresTableError: The table cannot be trusted, or holds no such pipeline.
    """
    wanted = list(pairs)
    sides, order = _sides(scores, {name for pair in wanted for name in pair}, metrics)
    found = [
        _joined(sides, a, b, metric)
        for a, b in wanted
        for metric in order
        if (a, metric) in sides and (b, metric) in sides
    ]
    estimates = estimate_many(
        [(each.y - each.x, each.clusters, each.bounds) for each in found],
        resamples=resamples,
        seed=seed,
    )
    p_values = _p_values(found, resamples, seed)
    rows = [
        _row(each, estimated, confidence, failure_limit)
        | {"p_value": p, "p_adjusted": adjusted, "p_method": _p_method(each)}
        for each, estimated, p, adjusted in zip(
            found, estimates, p_values, benjamini_hochberg(p_values), strict=True
        )
    ]
    frame: pd.DataFrame = typed(rows, COLUMNS, _NULLABLE)
    return frame


def mcnemar_exact(x: Floats, y: Floats) -> float:
    """Two-sided exact McNemar p of paired binary values (McNemar 1947, binomial form)."""
    only_x, only_y = int((x > y).sum()), int((y > x).sum())
    if only_x + only_y == 0:
        return 1.0
    return float(stats.binomtest(only_x, only_x + only_y, 0.5).pvalue)


def _sides(
    scores: pd.DataFrame, names: set[str], metrics: Iterable[str] | None
) -> tuple[Sides, list[str]]:
    """The values of each pipeline and metric by question, and the metrics in order."""
    values = question_values(scores)
    present = set(values["pipeline"])
    if lacking := sorted(names - present):
        raise ScoresTableError(
            f"compare: no pipeline {', '.join(map(repr, lacking))}; "
            f"the table has {', '.join(sorted(present))}"
        )
    groups = values[values["pipeline"].isin(names)].groupby(["pipeline", "metric"], observed=True)
    sides = {
        (str(pipeline), str(metric)): side.set_index("question")[["status", "value", "cluster"]]
        for (pipeline, metric), side in groups
    }
    return sides, sorted({metric for _, metric in sides}) if metrics is None else list(metrics)


def _joined(sides: Sides, a: str, b: str, metric: str) -> _Pairs:
    other = sides[b, metric][["status", "value"]].add_suffix("_b")
    return _Pairs(a, b, metric, sides[a, metric].join(other, how="inner"))


def _row(
    pairs: _Pairs, estimated: Confidence, confidence: float, failure_limit: float
) -> dict[str, Any]:
    interval = estimated.interval(confidence)
    failed_share, worst = _failures(pairs.table, pairs.limits)
    reason = _undecided(estimated.size, failed_share, failure_limit)
    return {
        "a": pairs.a,
        "b": pairs.b,
        "metric": pairs.metric,
        "difference": interval.value,
        "low": interval.low,
        "high": interval.high,
        "standard_error": estimated.standard_error,
        "mde": detectable(estimated.standard_error, estimated.df, confidence=confidence),
        "correlation": _correlation(pairs.x, pairs.y),
        "n_pairs": len(pairs.both),
        "n_clusters": estimated.size,
        "failed_share": failed_share,
        "worst_low": worst[0],
        "worst_high": worst[1],
        "decidable": not reason,
        "reason": reason or _left_out(pairs.table, len(pairs.both), estimated.size),
    }


def _p_values(found: list[_Pairs], resamples: int, seed: int) -> list[float | None]:
    """The p-value of each, flipping signs for all together; None without a pair."""
    p: list[float | None] = [
        mcnemar_exact(each.x, each.y) if each.exact and len(each.x) else None for each in found
    ]
    flipped = [i for i, each in enumerate(found) if not each.exact and len(each.x)]
    columns = [Clustered.of(found[i].y - found[i].x, found[i].clusters) for i in flipped]
    for i, value in zip(flipped, sign_flips(columns, resamples, seed), strict=True):
        p[i] = value
    return p


def _p_method(pairs: _Pairs) -> str:
    if not len(pairs.x):
        return "none"
    return "mcnemar_exact" if pairs.exact else "sign_flip"


def _correlation(x: Floats, y: Floats) -> float | None:
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(stats.pearsonr(x, y).statistic)


def _failures(
    pairs: pd.DataFrame, limits: tuple[float, float] | None
) -> tuple[float, tuple[float | None, float | None]]:
    """Share of failed pairs, and the difference with every failure at its worst and best for b."""
    counted = pairs[
        pairs["status"].isin(("scored", "failed")) & pairs["status_b"].isin(("scored", "failed"))
    ]
    failed = (counted["status"] == "failed") | (counted["status_b"] == "failed")
    if not failed.any():
        return 0.0, (None, None)
    share = float(failed.mean())
    if limits is None:
        return share, (None, None)
    low, high = limits
    worst = counted["value_b"].fillna(low) - counted["value"].fillna(high)
    best = counted["value_b"].fillna(high) - counted["value"].fillna(low)
    return share, (float(worst.mean()), float(best.mean()))


def _undecided(clusters: int, failed_share: float, limit: float) -> str:
    if failed_share > limit:
        return f"{failed_share:.1%} of the questions failed: above {limit:.0%} no verdict is given"
    if clusters == 0:
        return "no question was scored in both pipelines"
    if clusters == 1:
        return "all pairs are of one cluster"
    return ""


def _left_out(pairs: pd.DataFrame, n_pairs: int, clusters: int) -> str:
    either = int(((pairs["status"] == "scored") | (pairs["status_b"] == "scored")).sum())
    notes = []
    if n_pairs < either:
        notes.append(f"{n_pairs} of {either} questions scored in either are scored in both")
    if clusters < FEW_CLUSTERS:
        notes.append(f"only {clusters} clusters")
    return "; ".join(notes)
