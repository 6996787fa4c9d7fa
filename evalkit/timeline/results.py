"""``results.json`` of a study over time: rows by date, state and pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from statistics import median
from typing import TYPE_CHECKING, Any

from evalkit.records import Question
from evalkit.results.costs import Prices, cost_rows
from evalkit.results.document import opening
from evalkit.scoring.judges.base import describe_judge
from evalkit.stages.preparing import Answered
from evalkit.tables.tally import Tally
from evalkit.timeline.asking import changed_documents, changed_facts
from evalkit.timeline.measures import blamed, with_classes
from evalkit.timeline.study import Asked, Finished, Standing
from evalkit.timeline.tabled import Tabled
from evalkit.timeline.workshop import uses

if TYPE_CHECKING:
    import pandas as pd

KIND = "timeline"


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
    prices = Prices.of(experiment.config.get("prices"))
    tabled = Tabled(finished, with_classes(scores))
    return {
        **opening(experiment),
        "kind": KIND,
        "timeline": timeline.plain() | {"currency": prices.currency},
        "pipelines": _pipelines(finished),
        "dates": [_date_row(finished, each) for each in finished.asked],
        "standings": [_standing_row(cell, s) for cell, s in finished.standings.items()],
        "estimates": tabled.estimates(),
        "classes": tabled.classes(),
        "blame": list(blamed(finished)),
        "variation": tabled.variation() if experiment.repeats > 1 else [],
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
        "judge": describe_judge(experiment.judge),
        "notes": [],
        "warnings": Tally.of(finished.traces).warnings(experiment.decoding.max_new_tokens),
    }


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
