"""Pipelines against pipelines within each question: what every paired statement is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from evalkit.plurals import counted
from evalkit.statistics.clusters import Floats
from evalkit.statistics.intervals import FEW_CLUSTERS, Sample
from evalkit.statistics.tables import value_range

FAILURE_LIMIT = 0.02
"""The share of failed questions above which nothing is decided."""
Range = tuple[float, float]


@dataclass(frozen=True)
class Contrast:
    """The weighted sum of one metric over pipelines, on the questions scored in all of them.

    Attributes:
        metric: Its id.
        weights: By pipeline; above 0 for those that are compared, below 0 for those that they are
            compared with, 0 in all.
        status: One row per question, one column per pipeline; missing where there is no score.
        value: The same, NaN unless scored.
        cluster: Of each question.
    """

    metric: str
    weights: Mapping[str, float]
    status: pd.DataFrame
    value: pd.DataFrame
    cluster: pd.Series

    @cached_property
    def scored(self) -> npt.NDArray[np.bool_]:
        """Which questions were scored in every pipeline."""
        return np.asarray(self._is("scored").all(axis=1), dtype=bool)

    @cached_property
    def before(self) -> Floats:
        """The weighted sum of what is compared with, by scored question, shape (n,)."""
        return self._side(self.value[self.scored], -1)

    @cached_property
    def after(self) -> Floats:
        """The same of what is compared."""
        return self._side(self.value[self.scored], 1)

    @cached_property
    def difference(self) -> Floats:
        """``after`` minus ``before``, in the metric's unit, shape (n,)."""
        return self.after - self.before

    @cached_property
    def clusters(self) -> npt.NDArray[np.str_]:
        """The cluster of each scored question, shape (n,)."""
        return np.asarray(self.cluster[self.scored], dtype=str)

    @property
    def questions(self) -> pd.Index:
        """The ids of the scored questions."""
        return self.value.index[self.scored]

    @property
    def n(self) -> int:
        """How many questions were scored in every pipeline."""
        return int(self.scored.sum())

    @cached_property
    def n_clusters(self) -> int:
        return len(np.unique(self.clusters))

    @property
    def limits(self) -> Range | None:
        """The range of the metric's values; None where it is not bounded."""
        return value_range(self.metric)

    @property
    def bounds(self) -> Range | None:
        """The range of the difference."""
        if self.limits is None:
            return None
        reach = (self.limits[1] - self.limits[0]) * sum(map(abs, self.weights.values())) / 2
        return -reach, reach

    @property
    def sample(self) -> Sample:
        """What :func:`~evalkit.statistics.estimate_many` takes."""
        return self.difference, self.clusters, self.bounds

    @cached_property
    def failed(self) -> npt.NDArray[np.bool_]:
        """Which questions failed in some pipeline and were scored or failed in all."""
        failed = self._is("failed")
        tried = (failed | self._is("scored")).all(axis=1)
        return np.asarray(tried & failed.any(axis=1), dtype=bool)

    @property
    def failed_share(self) -> float:
        """The share of the failed ones among those scored or failed in every pipeline, in [0, 1]."""
        failed = int(self.failed.sum())
        return failed / (failed + self.n) if failed else 0.0

    @cached_property
    def worst(self) -> Range | None:
        """The mean difference with every failure at its worst, and at its best; None where none
        failed or values are unbounded.
        """
        if self.limits is None or not self.failed.any():
            return None
        rows, (low, high) = self.value[self.scored | self.failed], self.limits
        worst = self._side(rows.fillna(low), 1) - self._side(rows.fillna(high), -1)
        best = self._side(rows.fillna(high), 1) - self._side(rows.fillna(low), -1)
        return float(worst.mean()), float(best.mean())

    def undecided(self, failure_limit: float = FAILURE_LIMIT) -> str:
        """Why nothing can be decided, whatever the numbers; empty where it can."""
        if len(self.value) == 0:
            return "no question is selected"
        if self.failed_share > failure_limit:
            failed = f"{self.failed_share:.1%} of the questions failed"
            return f"{failed}: above {failure_limit:.0%} no verdict is given"
        if self.n == 0:
            where = "both pipelines" if len(self.weights) == 2 else "every pipeline compared"
            return f"no question was scored in {where}"
        return "all pairs are of one cluster" if self.n_clusters == 1 else ""

    def left_out(self) -> list[str]:
        """What a reader must know of the questions behind the numbers."""
        notes = []
        either = int(self._is("scored").any(axis=1).sum())
        if self.n < either:
            two = len(self.weights) == 2
            some, every = ("either", "both") if two else ("some pipeline", "all")
            notes.append(
                f"{self.n} of {counted(either, 'question')} scored in {some} are scored in {every}"
            )
        if self.n_clusters < FEW_CLUSTERS:
            notes.append(f"only {counted(self.n_clusters, 'cluster')}")
        return notes

    def _is(self, status: str) -> npt.NDArray[np.bool_]:
        """Where a question has this status, shape (questions, pipelines)."""
        return np.asarray(self.status.to_numpy(dtype=object) == status, dtype=bool)

    def _side(self, value: pd.DataFrame, sign: int) -> Floats:
        total = np.zeros(len(value))
        for name, weight in self.weights.items():
            if sign * weight > 0:
                total += abs(weight) * np.asarray(value[name], dtype=np.float64)
        return total


@dataclass(frozen=True)
class Wide:
    """One metric with a row per question and a column per pipeline."""

    metric: str
    status: pd.DataFrame
    value: pd.DataFrame
    cluster: pd.Series

    @classmethod
    def of(cls, values: pd.DataFrame, metric: str) -> Wide:
        """From the rows of :func:`~evalkit.statistics.question_values`."""
        mine = values[values["metric"] == metric]
        (rows, questions), (columns, pipelines) = (
            pd.factorize(mine[name], sort=True) for name in ("question", "pipeline")
        )
        # Filled by hand, since pivoting takes ten times as long, and there are hundreds of metrics.
        shape = len(questions), len(pipelines)
        status, value = np.full(shape, np.nan, dtype=object), np.full(shape, np.nan)
        cluster = np.full(shape[0], "", dtype=object)
        status[rows, columns] = mine["status"].to_numpy(dtype=object)
        value[rows, columns] = mine["value"].to_numpy(dtype=np.float64)
        cluster[rows] = mine["cluster"].to_numpy(dtype=object)
        index = pd.Index(questions, name="question")
        across = pd.Index(pipelines, name="pipeline")
        return cls(
            metric,
            pd.DataFrame(status, index, across),
            pd.DataFrame(value, index, across),
            pd.Series(cluster, index, name="cluster"),
        )

    def contrast(self, weights: Mapping[str, float]) -> Contrast:
        """The questions that any of these pipelines has a row for; one may have none at all."""
        status = self.status.reindex(columns=list(weights))
        asked = np.asarray(status.notna().any(axis=1), dtype=bool)
        value = self.value.reindex(columns=list(weights)).astype("float64")
        return Contrast(self.metric, weights, status[asked], value[asked], self.cluster[asked])
