"""The tables of a study over time: estimates, differences and variation by date, state and pipeline."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evalkit.results.signatures import Signer
from evalkit.stages.preparing import Answered
from evalkit.statistics import compare_all, estimate_table, records
from evalkit.statistics.variation import variation
from evalkit.tables.tally import Tally
from evalkit.timeline.measures import CLASS_OF, LABELLED
from evalkit.timeline.study import Finished

if TYPE_CHECKING:
    import pandas as pd

LEAK = "freshness/generation/leak"
COMPARED = ("freshness/generation/current", LABELLED, LEAK)
"""What states and dates are compared on."""
MEASURED = (
    *(f"{name}{given}" for name in COMPARED for given in ("", "_given_retrieved", "_given_missed")),
    "freshness/retrieval/current_recall",
    "freshness/retrieval/stale_rate",
    "freshness/retrieval/leak_rate",
    "correctness/generation/correct",
    "correctness/generation/abstention",
    "format/generation/strict",
)
"""What is estimated for every date, state and pipeline; the table of scores has the rest."""


class Tabled:
    """The scores with one name for every date, state and pipeline, for tables of pipelines."""

    def __init__(self, finished: Finished, scores: pd.DataFrame) -> None:
        self._finished = finished
        names = [
            _name(*cell)
            for cell in zip(scores["date"], scores["state"], scores["pipeline"], strict=True)
        ]
        wanted = scores["metric"].isin([*MEASURED, *CLASS_OF])
        self._scores = scores.assign(pipeline=names)[wanted]
        self._settings = finished.workshop.experiment.statistics
        self._cells = {
            _name(on.isoformat(), state, pipeline): (on, state, pipeline)
            for on, state, pipeline in finished.standings
        }

    @cached_property
    def _estimated(self) -> list[dict[str, Any]]:
        rows = records(estimate_table(self._scores, **self._settings))
        order = {name: i for i, name in enumerate(self._cells)}
        rows.sort(key=lambda row: order[row["pipeline"]])
        return [self._located(row) for row in rows]

    def estimates(self) -> list[dict[str, Any]]:
        """One row per date, state, pipeline and metric."""
        return [row for row in self._estimated if row["metric"] not in CLASS_OF]

    def classes(self) -> list[dict[str, Any]]:
        """The share of each answer class among all questions of a date whose reply can go stale."""
        rows = [row for row in self._estimated if row["metric"] in CLASS_OF]
        return [
            {"class": CLASS_OF[row["metric"]]} | {k: v for k, v in row.items() if k != "metric"}
            for row in rows
        ]

    def variation(self) -> list[dict[str, Any]]:
        """What asking again adds to the uncertainty, by date, state, pipeline and metric."""
        asked = self._scores[self._scores["metric"].isin(MEASURED)]
        return [row | self._placed(row["pipeline"]) for row in records(variation(asked))]

    def differences(self) -> list[dict[str, Any]]:
        """Paired differences: each later state against the first at every date after the first, and
        the last date against the first in each state.
        """
        timeline, pipelines = self._finished.timeline, self._finished.workshop.experiment.pipelines
        first, last = timeline.first, timeline.dates[-1]
        pairs: dict[tuple[str, str], str] = {}
        for name in (p.name for p in pipelines):
            cells = [
                ((on, timeline.states[0], name), (on, state, name), "states")
                for on in timeline.dates[1:]
                for state in timeline.states[1:]
            ]
            cells += [
                ((first, state, name), (last, state, name), "dates") for state in timeline.states
            ]
            for a, b, kind in cells:
                if kind == "dates" or not self._alike(a, b):
                    pairs[self._key(a), self._key(b)] = kind
        if not pairs:
            return []
        rows = records(compare_all(self._scores, pairs, COMPARED, **self._settings))
        return [self._difference(row, pairs[row["a"], row["b"]]) for row in rows]

    def _alike(self, a: tuple[date, str, str], b: tuple[date, str, str]) -> bool:
        standings = self._finished.standings
        return standings[a] == standings[b]

    @staticmethod
    def _key(cell: tuple[date, str, str]) -> str:
        return _name(cell[0].isoformat(), *cell[1:])

    def _difference(self, row: dict[str, Any], kind: str) -> dict[str, Any]:
        (on_a, state_a, pipeline), (on_b, state_b, _) = (
            self._cells[row.pop("a")], self._cells[row.pop("b")],
        )  # fmt: skip
        place = {
            "pipeline": pipeline, "of": kind, "date": on_b.isoformat(), "state": state_b,
            "than_date": on_a.isoformat(), "than_state": state_a,
        }  # fmt: skip
        signed = [self._signed(on, state, pipeline, row["metric"])
                  for on, state in ((on_b, state_b), (on_a, state_a))]  # fmt: skip
        return place | row | {"signature": " minus ".join(signed)}

    def _located(self, row: dict[str, Any]) -> dict[str, Any]:
        signature = self._signed(*self._cells[row["pipeline"]], row["metric"])
        return row | self._placed(row["pipeline"]) | {"signature": signature}

    def _placed(self, name: str) -> dict[str, Any]:
        on, state, pipeline = self._cells[name]
        return {"date": on.isoformat(), "state": state, "pipeline": pipeline}

    def _signed(self, on: date, state: str, pipeline: str, metric: str) -> str:
        """The signature of a run's number, and from when the index was that was asked."""
        standing = self._finished.standings[on, state, pipeline]
        source = LABELLED if metric in CLASS_OF else metric
        text = self._signers[on, standing.adapter].estimate(pipeline, source)
        return f"{text}|asked={on}|index={standing.index or 'none'}"

    @cached_property
    def _signers(self) -> dict[tuple[date, date | None], Signer]:
        """By date of the questions and of the adapter."""
        experiments = {each.on: each.experiment for each in self._finished.asked}
        adapters = {(on, s.adapter) for (on, _, _), s in self._finished.standings.items()}
        made = {}
        for on, adapter in adapters:
            engines = dict.fromkeys(
                (p.name for p in experiments[on].pipelines), self._finished.engines[adapter]
            )
            made[on, adapter] = Signer(
                experiments[on],
                Answered(Tally(), engines),
                self._finished.workshop.experiment.judge,
            )
        return made


def _name(on: str, state: str, pipeline: str) -> str:
    return f"{pipeline} {state} {on}"
