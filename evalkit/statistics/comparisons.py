"""Two pipelines on the same questions: the paired difference and what may be said about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from evalkit.statistics.adjust import benjamini_hochberg
from evalkit.statistics.clusters import Clustered, Floats
from evalkit.statistics.contrasts import FAILURE_LIMIT, Contrast, Wide
from evalkit.statistics.intervals import Confidence, estimate_many, is_binary
from evalkit.statistics.power import spread
from evalkit.statistics.resampling import sign_flips
from evalkit.statistics.tables import ScoresTableError, question_values, typed

COLUMNS = (
    "a", "b", "metric", "difference", "low", "high", "standard_error", "mde", "p_value",
    "p_adjusted", "p_method", "correlation", "n_pairs", "n_clusters", "failed_share", "worst_low",
    "worst_high", "decidable", "reason",
)  # fmt: skip
_NULLABLE = (
    "difference", "low", "high", "standard_error", "mde", "p_value", "p_adjusted", "correlation",
    "worst_low", "worst_high",
)  # fmt: skip


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
        both = ", ".join(_shared(_checked(scores, {a, b}), a, b))
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
    found = _contrasts(
        _checked(scores, {name for pair in wanted for name in pair}), wanted, metrics
    )
    estimates = estimate_many([each.sample for each in found], resamples=resamples, seed=seed)
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


def _checked(scores: pd.DataFrame, names: set[str]) -> pd.DataFrame:
    """One value per question of the named pipelines."""
    values = question_values(scores)
    present = set(values["pipeline"])
    if lacking := sorted(names - present):
        raise ScoresTableError(
            f"compare: no pipeline {', '.join(map(repr, lacking))}; "
            f"the table has {', '.join(sorted(present))}"
        )
    return values[values["pipeline"].isin(names)]


def _shared(values: pd.DataFrame, a: str, b: str) -> list[str]:
    of_a, of_b = (set(values.loc[values["pipeline"] == name, "metric"]) for name in (a, b))
    return sorted(of_a & of_b)


def _contrasts(
    values: pd.DataFrame, pairs: list[tuple[str, str]], metrics: Iterable[str] | None
) -> list[Contrast]:
    """Of each pair the metrics that both have, in the order wanted."""
    order = sorted(set(values["metric"])) if metrics is None else list(metrics)
    tables = {metric: Wide.of(values, metric) for metric in order}
    return [
        tables[metric].contrast({b: 1.0, a: -1.0})
        for a, b in pairs
        for metric in order
        if {a, b} <= set(tables[metric].status.columns)
    ]


def _row(
    pair: Contrast, estimated: Confidence, confidence: float, failure_limit: float
) -> dict[str, Any]:
    b, a = pair.weights
    worst_low, worst_high = pair.worst or (None, None)
    reason = pair.undecided(failure_limit)
    return {
        "a": a,
        "b": b,
        "metric": pair.metric,
        "difference": estimated.value,
        **spread(estimated, confidence),
        "correlation": _correlation(pair.before, pair.after),
        "n_pairs": pair.n,
        "n_clusters": pair.n_clusters,
        "failed_share": pair.failed_share,
        "worst_low": worst_low,
        "worst_high": worst_high,
        "decidable": not reason,
        "reason": reason or "; ".join(pair.left_out()),
    }


def _exact(pair: Contrast) -> bool:
    """Whether the pairs are binary and independent, so that McNemar's test applies."""
    binary = is_binary(pair.before) and is_binary(pair.after)
    return pair.limits is not None and binary and pair.n_clusters == pair.n


def _p_values(found: list[Contrast], resamples: int, seed: int) -> list[float | None]:
    """The p-value of each, flipping signs for all together; None without a pair."""
    p: list[float | None] = [None] * len(found)
    flipped = []
    for i, pair in enumerate(found):
        if pair.n and _exact(pair):
            p[i] = mcnemar_exact(pair.before, pair.after)
        elif pair.n:
            flipped.append(i)
    columns = [Clustered.of(found[i].difference, found[i].clusters) for i in flipped]
    for i, value in zip(flipped, sign_flips(columns, resamples, seed), strict=True):
        p[i] = value
    return p


def _p_method(pair: Contrast) -> str:
    if not pair.n:
        return "none"
    return "mcnemar_exact" if _exact(pair) else "sign_flip"


def _correlation(x: Floats, y: Floats) -> float | None:
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(stats.pearsonr(x, y).statistic)
