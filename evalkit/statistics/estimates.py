"""A value with its interval and its denominators for every pipeline and metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from evalkit.statistics.intervals import estimate_many
from evalkit.statistics.tables import (
    ScoresTableError,
    question_values,
    typed,
    unit_of,
    value_range,
)

FAILED = "failed"
"""The class of questions that have no answer because their generation failed."""
_NUMBERS = ("value", "low", "high", "method", "unit")
_COUNTS = ("n_total", "n_scored", "n_failed", "n_not_applicable", "n_abstained", "n_clusters")


def estimate_table(
    scores: pd.DataFrame,
    by: Sequence[str] = ("pipeline", "metric"),
    *,
    seed: int = 0,
    resamples: int = 10_000,
    confidence: float = 0.95,
    signature: str = "",
) -> pd.DataFrame:
    """Estimate every cell of ``by``: repeats averaged within a question, then over questions.

    Args:
        scores: The long scores table (see :func:`question_values`).
        by: The columns that make a cell; ``pipeline`` and ``metric`` must be among them, others
            (``category``) must be constant within a question.
        seed: Seed of the bootstrap.
        resamples: Bootstrap resamples.
        confidence: Coverage of the intervals.
        signature: Copied to every row.

    Returns:
        One row per cell: ``by``, then ``value, low, high`` (null where nothing was scored),
        ``method`` (see :class:`Confidence`), ``unit``, ``n_total, n_scored, n_failed,
        n_not_applicable, n_abstained`` (questions), ``n_clusters`` (of scored questions) and
        ``signature``. The five counts add up: ``n_total`` is the sum of the other four.

    Raises:
        ScoresTableError: The table cannot be trusted, or ``by`` lacks pipeline or metric.
    """
    if not {"pipeline", "metric"} <= set(by):
        raise ScoresTableError(f"by={tuple(by)}: expected pipeline and metric among the columns")
    table = question_values(scores, extra=by)
    cells = list(table.groupby(list(by), sort=True, observed=True))
    keys = [dict(zip(by, key, strict=True)) for key, _ in cells]
    scored = [cell[cell["status"] == "scored"] for _, cell in cells]
    estimates = estimate_many(
        [
            (cell["value"], cell["cluster"].to_numpy(dtype=str), value_range(str(key["metric"])))
            for key, cell in zip(keys, scored, strict=True)
        ],
        resamples=resamples,
        seed=seed,
    )
    rows: list[dict[str, Any]] = []
    for key, (_, cell), estimated in zip(keys, cells, estimates, strict=True):
        found = estimated.interval(confidence)
        numbers: dict[str, Any] = {"value": found.value, "low": found.low, "high": found.high}
        numbers |= {"method": found.method, "unit": unit_of(str(key["metric"]))}
        rows.append({**key, **numbers, **_counts(cell), "signature": signature})
    columns = [*by, *_NUMBERS, *_COUNTS, "signature"]
    frame: pd.DataFrame = typed(rows, columns, ("value", "low", "high"))
    return frame


def class_table(scores: pd.DataFrame, metric: str = "freshness/generation/current") -> pd.DataFrame:
    """How often each answer class occurred in each pipeline, from the labels of one metric.

    A question whose score failed has no label and counts as the class ``failed``.

    Args:
        scores: The long scores table with a ``label`` column; other rows without a label do not
            count.
        metric: The metric whose labels are the classes.

    Returns:
        Columns ``pipeline, class, n, share``: ``n`` questions (with repeats: each counts its
        share), ``share`` of the counted questions of the pipeline.
    """
    if "label" not in scores.columns:
        raise ScoresTableError("scores table: no column label; expected the answer classes there")
    rows = scores[scores["metric"] == metric]
    lost = (rows["status"] == "failed") & rows["label"].isna()
    rows = rows.assign(label=rows["label"].astype("object").mask(lost, FAILED))
    rows = rows[rows["label"].notna()]
    weights = 1.0 / rows.groupby(["pipeline", "question"])["label"].transform("size")
    labelled = rows[["pipeline", "label"]].assign(n=weights)
    table = labelled.groupby(["pipeline", "label"], as_index=False, observed=True)["n"].sum()
    table["share"] = table["n"] / table.groupby("pipeline")["n"].transform("sum")
    return table.rename(columns={"label": "class"})


def _counts(cell: pd.DataFrame) -> dict[str, int]:
    status = cell["status"].value_counts()
    names = ("scored", "failed", "not_applicable", "abstained")
    counts = {"n_total": len(cell)} | {f"n_{name}": int(status.get(name, 0)) for name in names}
    clusters = cell.loc[cell["status"] == "scored", "cluster"].nunique()
    return {**counts, "n_clusters": int(clusters)}
