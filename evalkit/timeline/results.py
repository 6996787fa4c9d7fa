"""``results.json`` of a study over time: rows by date, state and pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any

from evalkit import __version__
from evalkit.costs import Prices, cost_rows
from evalkit.records import Question
from evalkit.scoring.judges.base import describe_judge
from evalkit.signatures import Signer
from evalkit.stages import Answered
from evalkit.statistics import compare_all, estimate_table, records
from evalkit.tally import Tally
from evalkit.timeline.asking import changed_documents, changed_facts
from evalkit.timeline.measures import CLASS_OF, LABELLED, with_classes
from evalkit.timeline.study import Asked, Finished, Standing
from evalkit.timeline.workshop import uses

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
KIND = "timeline"
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


def build(
    finished: Finished, scores: pd.DataFrame, environment: Mapping[str, Any]
) -> dict[str, Any]:
    """The whole of ``results.json`` except the timings, which are not over yet.

    Args:
        finished: The study.
        scores: Its table of scores, with the columns ``date`` and ``state``.
        environment: What it ran on.
    """
    experiment, timeline = finished.workshop.experiment, finished.timeline
    benchmark, config = experiment.benchmark, experiment.config
    prices = Prices.of(config.get("prices"))
    judge = experiment.judge
    tabled = _Tabled(finished, with_classes(scores))
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "evalkit": __version__,
        "experiment": config["name"],
        "title": config.get("title"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "benchmark": {
            "name": benchmark.name,
            "fingerprint": benchmark.fingerprint,
            "questions": len(benchmark.questions),
            "categories": benchmark.categories,
            "license": benchmark.license,
        },
        "model": config["model"]["name"],
        "statistics": dict(experiment.statistics),
        "repeats": experiment.repeats,
        "timeline": timeline.plain() | {"currency": prices.currency},
        "pipelines": _pipelines(finished),
        "dates": [_date_row(finished, each) for each in finished.asked],
        "standings": [_standing_row(cell, s) for cell, s in finished.standings.items()],
        "estimates": tabled.estimates(),
        "classes": tabled.classes(),
        "differences": tabled.differences(),
        "comparisons": [],
        "effects": [],
        "updates": [
            update.row(prices, _answer_seconds(finished, update.artifact, update.on))
            for update in finished.updates
        ],
        "decisions": [decision.row() for decision in finished.decisions],
        "costs": list(_costs(finished, prices, environment["peak_memory_bytes"])),
        "timings": [],
        "environment": dict(environment),
        "judge": describe_judge(judge),
        "notes": [],
        "warnings": Tally.of(finished.traces).warnings(experiment.decoding.max_new_tokens),
    }


class _Tabled:
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
        on, state, pipeline = self._cells[row["pipeline"]]
        signature = self._signed(on, state, pipeline, row["metric"])
        place = {"date": on.isoformat(), "state": state}
        return place | row | {"pipeline": pipeline, "signature": signature}

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


def _pipelines(finished: Finished) -> list[dict[str, Any]]:
    used = uses(finished.workshop.experiment)
    return [
        {
            "name": p.name,
            "retrieval": p.retrieval,
            "tuning": p.tuned,
            "description": p.description,
            "prompt": f"{p.template.name}:{p.template.identity}",
            "shots": len(p.shots),
            "adapter": None,
            "rests_on": list(used[p.name]),
        }
        for p in finished.workshop.experiment.pipelines
    ]


def _date_row(finished: Finished, asked: Asked) -> dict[str, Any]:
    """What a date is like: how many questions it answers, and what changed since the one before."""
    dates, whole = finished.timeline.dates, finished.workshop.whole.whole_benchmark
    at = dates.index(asked.on)
    since = dates[at - 1] if at else None
    questions = asked.experiment.benchmark.questions
    return {
        "date": asked.on.isoformat(),
        "fingerprint": asked.experiment.benchmark.fingerprint,
        "questions": len(questions),
        "answerable": sum(q.answerable for q in questions),
        "not_yet": sum(_not_yet(q) for q in questions),
        "withdrawn": sum(not q.answerable and bool(q.past_answers()) for q in questions),
        "changed_facts": None if since is None else changed_facts(whole, since, asked.on),
        "changed_documents": None if since is None else changed_documents(whole, since, asked.on),
    }


def _not_yet(question: Question) -> bool:
    return not question.answerable and not question.past_answers() and bool(question.answers)


def _standing_row(cell: tuple[date, str, str], standing: Standing) -> dict[str, Any]:
    on, state, pipeline = cell
    days = {"index": standing.index, "adapter": standing.adapter}
    return {"date": on.isoformat(), "state": state, "pipeline": pipeline} | {
        name: None if day is None else day.isoformat() for name, day in days.items()
    }


def _answer_seconds(finished: Finished, artifact: str, on: date) -> float | None:
    """The slowest median of an answer among the pipelines that rest on an artifact, that day."""
    asked = next(each for each in finished.asked if each.on == on)
    by_label: dict[str, list[float]] = {}
    for trace in asked.traces:
        if trace.error is None:
            by_label.setdefault(trace.pipeline, []).append(sum(trace.seconds.values()))
    resting = {
        standing.label(pipeline)
        for (day, _, pipeline), standing in finished.standings.items()
        if day == on and getattr(standing, artifact) is not None
    }
    return max((median(by_label[name]) for name in resting if name in by_label), default=None)


def _costs(finished: Finished, prices: Prices, peak: int) -> Iterable[dict[str, Any]]:
    """What answering cost, by date, state and pipeline; then the run's own rows."""
    pipelines = {p.name: p for p in finished.workshop.experiment.pipelines}
    rows: Sequence[dict[str, Any]] = []
    for (on, state, name), standing in finished.standings.items():
        asked = next(each for each in finished.asked if each.on == on)
        label = standing.label(name)
        mine = (replace(t, pipeline=name) for t in asked.traces if t.pipeline == label)
        answered = Answered(Tally.of(mine), {})
        rows = cost_rows(answered, [pipelines[name]], peak, prices)
        for row in rows:
            if "pipeline" in row:
                yield {"date": on.isoformat(), "state": state} | row
    yield from (row for row in rows if "pipeline" not in row)
