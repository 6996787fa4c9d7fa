"""A value with its interval and its denominators for every pipeline and metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from evalkit.statistics.clusters import Floats
from evalkit.statistics.intervals import Sample, estimate_many
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
    keys, cells = _cells(table, list(by))
    estimates = estimate_many(
        [cell.sample(str(key["metric"])) for key, cell in zip(keys, cells, strict=True)],
        resamples=resamples,
        seed=seed,
    )
    rows: list[dict[str, Any]] = []
    for key, cell, estimated in zip(keys, cells, estimates, strict=True):
        found = estimated.interval(confidence)
        numbers: dict[str, Any] = {"value": found.value, "low": found.low, "high": found.high}
        numbers |= {"method": found.method, "unit": unit_of(str(key["metric"]))}
        rows.append({**key, **numbers, **cell.counts, "signature": signature})
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


@dataclass(frozen=True)
class _Cell:
    """The questions of one cell, as arrays: there are thousands of cells, and frames take long."""

    status: npt.NDArray[np.object_]
    value: Floats
    cluster: npt.NDArray[np.object_]

    def sample(self, metric: str) -> Sample:
        scored = self.status == "scored"
        return self.value[scored], self.cluster[scored].astype(str), value_range(metric)

    @property
    def counts(self) -> dict[str, int]:
        names = ("scored", "failed", "not_applicable", "abstained")
        counts = {f"n_{name}": int((self.status == name).sum()) for name in names}
        clusters = len(set(self.cluster[self.status == "scored"]))
        return {"n_total": len(self.status), **counts, "n_clusters": clusters}


def _cells(table: pd.DataFrame, by: list[str]) -> tuple[list[dict[str, Any]], list[_Cell]]:
    """The cells in order, each with its values of ``by``."""
    groups = table.groupby(by, sort=True, observed=True)
    sizes = groups.size()
    # Rows without a value of ``by`` are in no group: their number is NaN, which comes last.
    order = np.argsort(groups.ngroup().to_numpy(), kind="stable")[: sizes.sum()]
    parts = [
        np.split(table[name].to_numpy(kind)[order], np.cumsum(sizes))[:-1]
        for name, kind in (("status", object), ("value", np.float64), ("cluster", object))
    ]
    keys = [dict(zip(by, key, strict=True)) for key in sizes.index]
    return keys, [_Cell(*arrays) for arrays in zip(*parts, strict=True)]
