"""The pairs that a hypothesis is about: each question's value on both sides, or why it has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from evalkit.statistics.claims import Hypothesis, near
from evalkit.statistics.clusters import Floats
from evalkit.statistics.tables import ScoresTableError, question_values, value_range

_TINY = 1e-12


@dataclass(frozen=True)
class Pairs:
    """The questions of one hypothesis, both sides of each.

    Attributes:
        questions: In ``where``, whatever their status.
        table: One row per question scored in every pipeline, indexed by question: ``before``
            (mean over ``than``), ``after`` (mean over ``better``) and ``cluster``.
        either: Questions scored in at least one of the pipelines.
        failed_share: Share of the questions that failed on a side, among those scored or failed
            in every pipeline.
        worst: The least and greatest difference that the failed ones could have made; None where
            none failed or values are unbounded.
    """

    questions: int
    table: pd.DataFrame
    either: int
    failed_share: float
    worst: tuple[float, float] | None

    @property
    def difference(self) -> Floats:
        """``after`` minus ``before``, in the metric's unit, shape (n,)."""
        return np.asarray(self.table["after"] - self.table["before"], dtype=np.float64)

    @property
    def clusters(self) -> npt.NDArray[np.str_]:
        """The cluster of each pair, shape (n,)."""
        return np.asarray(self.table["cluster"], dtype=str)

    @property
    def n_clusters(self) -> int:
        return int(self.table["cluster"].nunique())

    def moved(self, sign: int) -> int:
        """How many questions moved the way of ``sign``."""
        return int((sign * self.difference > _TINY).sum())


def pairs_of(scores: pd.DataFrame, hypotheses: Sequence[Hypothesis]) -> list[Pairs]:
    """The pairs of every hypothesis; repeats are averaged within a question first.

    Raises:
        ScoresTableError: The table cannot be trusted, lacks a column that a ``where`` reads, or
            holds no row of a hypothesis' pipeline or metric.
    """
    extra = sorted({column for each in hypotheses for column in each.where.columns})
    for each in hypotheses:
        each.where.select(scores.head(0))  # names a missing column before any work
        _known(scores, each)
    metrics = {each.metric for each in hypotheses}
    pipelines = {name for each in hypotheses for name in (*each.better, *each.than)}
    chosen = scores["metric"].isin(metrics) & scores["pipeline"].isin(pipelines)
    values = question_values(scores[chosen], extra=extra)
    return [_pairs(each.where.select(values), each) for each in hypotheses]


def _known(scores: pd.DataFrame, hypothesis: Hypothesis) -> None:
    for column, names in (
        ("pipeline", (*hypothesis.better, *hypothesis.than)),
        ("metric", (hypothesis.metric,)),
    ):
        present = scores[column].unique() if column in scores.columns else ()
        for name in names:
            if name not in present:
                raise ScoresTableError(
                    f"hypothesis {hypothesis.claim!r}: the scores table has no {column} {name!r}"
                    f"{near(name, sorted(map(str, present)))}"
                )


def _pairs(values: pd.DataFrame, hypothesis: Hypothesis) -> Pairs:
    names = [*hypothesis.better, *hypothesis.than]
    mine = values[(values["metric"] == hypothesis.metric) & values["pipeline"].isin(names)]
    cluster = mine.drop_duplicates("question").set_index("question")["cluster"]
    wide = {
        column: mine.pivot(index="question", columns="pipeline", values=column).reindex(
            columns=names
        )
        for column in ("status", "value")
    }
    scored = wide["status"] == "scored"
    both = scored.all(axis=1)
    value = wide["value"].astype("float64")
    table = pd.DataFrame(
        {
            "before": _mean(value, hypothesis.than)[both],
            "after": _mean(value, hypothesis.better)[both],
            "cluster": cluster.reindex(value.index)[both],
        }
    )
    failed_share, worst = _failures(wide["status"], value, hypothesis)
    return Pairs(len(value), table, int(scored.any(axis=1).sum()), failed_share, worst)


def _mean(value: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    return value[list(names)].mean(axis=1, skipna=False)


def _failures(
    status: pd.DataFrame, value: pd.DataFrame, hypothesis: Hypothesis
) -> tuple[float, tuple[float, float] | None]:
    counted = status.isin(("scored", "failed")).all(axis=1)
    failed = counted & (status == "failed").any(axis=1)
    if not failed.any():
        return 0.0, None
    share = float(failed.sum() / counted.sum())
    limits = value_range(hypothesis.metric)
    if limits is None:
        return share, None
    rows = value[counted]
    low, high = (
        float(
            (
                _mean(rows.fillna(limits[best]), hypothesis.better)
                - _mean(rows.fillna(limits[1 - best]), hypothesis.than)
            ).mean()
        )
        for best in (0, 1)
    )
    return share, (low, high)
