"""Two pipelines on the same questions: the paired difference and what may be said about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from evalkit.statistics.intervals import (
    FEW_CLUSTERS,
    Clustered,
    Floats,
    is_binary,
    mean_interval,
    sign_flip,
)
from evalkit.statistics.tables import ScoresTableError, question_values, typed, value_range

FAILURE_LIMIT = 0.02
COLUMNS = (
    "a", "b", "metric", "difference", "low", "high", "p_value", "p_method", "correlation",
    "n_pairs", "n_clusters", "failed_share", "worst_low", "worst_high", "decidable", "reason",
)  # fmt: skip
_NULLABLE = ("difference", "low", "high", "p_value", "correlation", "worst_low", "worst_high")


def compare(
    scores: pd.DataFrame,
    a: str,
    b: str,
    metrics: Iterable[str] | None = None,
    *,
    seed: int = 0,
    resamples: int = 10_000,
    confidence: float = 0.95,
    failure_limit: float = FAILURE_LIMIT,
) -> pd.DataFrame:
    """Compare ``b`` with ``a``, metric by metric, on the questions that both were scored on.

    Args:
        scores: The long scores table (see :func:`question_values`).
        a: The pipeline to compare with.
        b: The pipeline compared; a positive difference means that its value is higher.
        metrics: Metric ids; every metric that both pipelines have when None.
        seed: Seed of bootstrap and permutation.
        resamples: Resamples of each.
        confidence: Coverage of the intervals.
        failure_limit: Share of failed questions above which nothing can be decided.

    Returns:
        One row per metric. ``difference`` is b - a with its cluster interval. ``p_method`` is
        ``mcnemar_exact`` (binary, one question per cluster) or ``sign_flip`` (by cluster).
        ``correlation`` is Pearson's over questions, null where either side is constant.
        ``failed_share`` counts the questions that failed on one side and were scored or failed on
        the other; ``worst_low`` and ``worst_high`` are the difference if all of them had gone
        against b or in its favour (null when none failed, or values are unbounded). ``decidable``
        is False above ``failure_limit`` and where fewer than two clusters were compared;
        ``reason`` says why, or what the pairs leave out.

    Raises:
        ScoresTableError: The table cannot be trusted, or holds no such pipeline or metric.
    """
    values = question_values(scores)
    present = set(values["pipeline"])
    for name in (a, b):
        if name not in present:
            raise ScoresTableError(
                f"compare: no pipeline {name!r}; the table has {', '.join(sorted(present))}"
            )
    sides = [values[values["pipeline"] == name].set_index("metric") for name in (a, b)]
    shared = sorted(set(sides[0].index) & set(sides[1].index))
    wanted = shared if metrics is None else list(metrics)
    if unknown := sorted(set(wanted) - set(shared)):
        raise ScoresTableError(
            f"compare {a} with {b}: no metric {', '.join(unknown)}; both have {', '.join(shared)}"
        )
    rows = []
    for metric in wanted:
        pairs = _side(sides[0], metric).join(_side(sides[1], metric).add_suffix("_b"), how="inner")
        row = _compare_metric(pairs, metric, seed, resamples, confidence, failure_limit)
        rows.append({"a": a, "b": b, "metric": metric, **row})
    frame: pd.DataFrame = typed(rows, COLUMNS, _NULLABLE)
    return frame


def mcnemar_exact(x: Floats, y: Floats) -> float:
    """Two-sided exact McNemar p of paired binary values (McNemar 1947, binomial form)."""
    only_x, only_y = int((x > y).sum()), int((y > x).sum())
    if only_x + only_y == 0:
        return 1.0
    return float(stats.binomtest(only_x, only_x + only_y, 0.5).pvalue)


def _side(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    return table.loc[[metric]].set_index("question")[["status", "value", "cluster"]]


def _compare_metric(
    pairs: pd.DataFrame,
    metric: str,
    seed: int,
    resamples: int,
    confidence: float,
    failure_limit: float,
) -> dict[str, Any]:
    both = pairs[(pairs["status"] == "scored") & (pairs["status_b"] == "scored")]
    x, y = both["value"].to_numpy(), both["value_b"].to_numpy()
    clusters = both["cluster"].to_numpy(dtype=str)
    limits = value_range(metric)
    bounds = None if limits is None else (limits[0] - limits[1], limits[1] - limits[0])
    found = mean_interval(
        y - x, clusters, bounds=bounds, confidence=confidence, resamples=resamples, seed=seed
    )
    size = len(np.unique(clusters))
    p_value, p_method = _p_value(x, y, clusters, limits, resamples, seed)
    failed_share, worst = _failures(pairs, limits)
    reason = _undecided(size, failed_share, failure_limit)
    return {
        "difference": found.value,
        "low": found.low,
        "high": found.high,
        "p_value": p_value,
        "p_method": p_method,
        "correlation": _correlation(x, y),
        "n_pairs": len(both),
        "n_clusters": size,
        "failed_share": failed_share,
        "worst_low": worst[0],
        "worst_high": worst[1],
        "decidable": not reason,
        "reason": reason or _left_out(pairs, len(both), size),
    }


def _p_value(
    x: Floats, y: Floats, clusters: Any, limits: Any, resamples: int, seed: int
) -> tuple[float | None, str]:
    if len(x) == 0:
        return None, "none"
    if limits and is_binary(x) and is_binary(y) and len(np.unique(clusters)) == len(x):
        return mcnemar_exact(x, y), "mcnemar_exact"
    return sign_flip(Clustered.of(y - x, clusters), resamples, seed), "sign_flip"


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
