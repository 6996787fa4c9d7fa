"""The study over time: at each date every pipeline is asked, in each state that it can be in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from math import inf
from typing import TYPE_CHECKING, Any

from evalkit.configuration.assemble import Experiment
from evalkit.generation.base import Generator
from evalkit.pipelines import Pipeline
from evalkit.records import Passage, Question, Retrieved, Sample, Score, Trace
from evalkit.results.costs import Prices
from evalkit.scoring import scores_frame
from evalkit.stages import answering, preparing
from evalkit.stages.retrieving import Retrievals
from evalkit.stages.scorer import score_all
from evalkit.tables import cases
from evalkit.timeline.settings import Budget, Timeline
from evalkit.timeline.updates import Decision, Update, decide
from evalkit.timeline.workshop import Workshop, artifacts_used, uses

if TYPE_CHECKING:
    import pandas as pd

Cell = tuple[date, str, str]
"""A date, a state and a pipeline."""


@dataclass(frozen=True)
class Standing:
    """From when a pipeline's index and adapter are; None where it rests on none."""

    index: date | None
    adapter: date | None

    def label(self, pipeline: str) -> str:
        """Names a pipeline that stands so, among all that are asked on a date."""
        return f"{pipeline}@{self.index}@{self.adapter}"


@dataclass(frozen=True)
class Asked:
    """What was asked and answered on one date, each standing of a pipeline once.

    Traces, samples and scores name their pipeline by :meth:`Standing.label`.
    """

    on: date
    experiment: Experiment
    traces: Sequence[Trace]
    samples: Sequence[Sample]
    scores: Sequence[Score]


@dataclass(frozen=True)
class Finished:
    """All that a study found.

    ``standings`` says of each date, state and pipeline what it rested on; ``engines`` identifies
    the engine by adapter date; ``updates`` are the first builds and those of the state ``updated``
    (of ``budget``, where that state is not asked for).
    """

    timeline: Timeline
    workshop: Workshop
    standings: Mapping[Cell, Standing]
    engines: Mapping[date | None, Mapping[str, Any]]
    updates: Sequence[Update]
    decisions: Sequence[Decision]
    asked: Sequence[Asked]

    @property
    def traces(self) -> list[Trace]:
        """Every answer once, under the name of its pipeline."""
        names = {s.label(pipeline): pipeline for (_, _, pipeline), s in self.standings.items()}
        return [replace(t, pipeline=names[t.pipeline]) for each in self.asked for t in each.traces]

    def scores_frame(self) -> pd.DataFrame:
        """The scores of every date and state, with the columns ``date`` and ``state``."""
        return self._by_state(
            lambda each: scores_frame(each.scores, each.experiment.benchmark.questions)
        )

    def traces_frame(self) -> pd.DataFrame:
        """The traces of every date and state, and from when the index and the adapter were."""
        frame = self._by_state(lambda each: cases.traces_frame(each.samples, each.scores))
        cells = list(zip(frame["date"], frame["state"], frame["pipeline"], strict=True))
        stands = [self.standings[date.fromisoformat(d), s, p] for d, s, p in cells]
        for name in ("index", "adapter"):
            days = [getattr(each, name) for each in stands]
            frame[f"{name}_date"] = [None if day is None else day.isoformat() for day in days]
        return frame

    def _by_state(self, made: Any) -> pd.DataFrame:
        """One table over all dates; states in which a pipeline stands alike share their rows."""
        import pandas as pd

        frames = []
        for each in self.asked:
            table = made(each)
            by_label = dict(list(table.groupby("pipeline", sort=False)))
            for (on, state, pipeline), standing in self.standings.items():
                if on == each.on:
                    marks = {"pipeline": pipeline, "date": on.isoformat(), "state": state}
                    frames.append(by_label[standing.label(pipeline)].assign(**marks))
        return pd.concat(frames, ignore_index=True)


def run_study(workshop: Workshop) -> Finished:
    """Build, ask and score everything; what the store has is not done again."""
    experiment, timeline = workshop.experiment, workshop.timeline
    with workshop.progress.stage("weights", str(experiment.config["model"]["name"])):
        _ = experiment.model_weights
    updates, decisions, stands = _history(workshop)
    standings = dict(_standings(workshop, stands))
    traces, engines = _answered(workshop, standings)
    asked = []
    for on in timeline.dates:
        dated = workshop.at(on)
        samples, scores = score_all(
            dated, traces[on], experiment.judge, workshop.progress, workshop.store
        )
        asked.append(Asked(on, dated, traces[on], samples, scores))
    return Finished(timeline, workshop, standings, engines, updates, decisions, asked)


def _history(
    workshop: Workshop,
) -> tuple[list[Update], list[Decision], dict[tuple[str, str], list[date]]]:
    """The first builds and the updates; the budget's decisions; and, by state and artifact, from
    when the artifact is at each date of the study.
    """
    timeline, prices = workshop.timeline, Prices.of(workshop.experiment.config.get("prices"))
    purses = {"updated": Budget("seconds", inf, inf), "budget": timeline.budget}
    updates: list[Update] = []
    decisions: list[Decision] = []
    stands: dict[tuple[str, str], list[date]] = {}
    for artifact in artifacts_used(workshop.experiment):
        measure = workshop.index_update if artifact == "index" else workshop.adapter_update
        updates.append(measure(None, timeline.first))
        stands["frozen", artifact] = [timeline.first] * len(timeline.dates)
        reported = False
        for state, purse in purses.items():
            if purse is None or state not in timeline.states:
                continue
            made = decide(artifact, timeline.dates, purse, measure, prices)
            stands[state, artifact] = [timeline.first, *(each.stands for each in made)]
            decisions += made if state == "budget" else []
            if not reported:
                before = stands[state, artifact]
                updates += [
                    measure(since, each.on) for since, each in zip(before, made, strict=False)
                ]
                reported = True
    return updates, decisions, stands


def _standings(
    workshop: Workshop, stands: Mapping[tuple[str, str], Sequence[date]]
) -> Iterator[tuple[Cell, Standing]]:
    used = uses(workshop.experiment)
    for i, on in enumerate(workshop.timeline.dates):
        for state in workshop.timeline.states:
            for pipeline in workshop.experiment.pipelines:
                index, adapter = (
                    stands[state, artifact][i] if artifact in used[pipeline.name] else None
                    for artifact in ("index", "adapter")
                )
                yield (on, state, pipeline.name), Standing(index, adapter)


def _answered(
    workshop: Workshop, standings: Mapping[Cell, Standing]
) -> tuple[dict[date, list[Trace]], dict[date | None, Mapping[str, Any]]]:
    """Every standing's traces by date, and the engines' identities by adapter date.

    The adapters follow one another, so that each is loaded once.
    """
    fetched = _fetched(workshop, standings)
    adapters = sorted({s.adapter for s in standings.values()}, key=lambda d: d or date.min)
    traces: dict[date, list[Trace]] = {on: [] for on in workshop.timeline.dates}
    engines: dict[date | None, Mapping[str, Any]] = {}
    # Made together, so that they can share a resident model or a spending cap; loaded one by one.
    generators = {adapter: _generator(workshop, adapter) for adapter in adapters}
    for adapter, generator in generators.items():
        with closing(generator):
            for on in workshop.timeline.dates:
                dated = workshop.at(on)
                for index, pipelines in _groups(workshop, standings, on, adapter):
                    found = answering.generate(
                        dated, generator, pipelines, fetched[on, index],
                        workshop.store, workshop.progress,
                    )  # fmt: skip
                    label = Standing(index, adapter).label
                    traces[on] += [
                        replace(t, pipeline=label(t.pipeline), retrieved=_true(t, workshop))
                        for t in found
                    ]
        engines[adapter] = generator.identity
    return traces, engines


def _groups(
    workshop: Workshop, standings: Mapping[Cell, Standing], on: date, adapter: date | None
) -> Iterator[tuple[date | None, list[Pipeline]]]:
    """The pipelines that use an adapter on a date, by the index that they use."""
    wanted: dict[date | None, dict[str, Pipeline]] = {}
    by_name = {p.name: p for p in workshop.experiment.pipelines}
    for (day, _, name), standing in standings.items():
        if day == on and standing.adapter == adapter:
            wanted.setdefault(standing.index, {})[name] = by_name[name]
    for index, pipelines in wanted.items():
        yield index, list(pipelines.values())


def _fetched(
    workshop: Workshop, standings: Mapping[Cell, Standing]
) -> dict[tuple[date, date | None], dict[str, preparing.Fetched]]:
    """What the prompts of each date show, by the index that is asked."""
    found: dict[tuple[date, date | None], dict[str, preparing.Fetched]] = {}
    gold = any(p.context == "gold" for p in workshop.experiment.pipelines)
    for on, index in dict.fromkeys((on, s.index) for (on, _, _), s in standings.items()):
        questions = workshop.at(on).benchmark.questions
        found[on, index] = {}
        if index is not None:
            found[on, index]["retrieved"] = as_known(_retrieved(workshop, index, questions), index)
        elif gold:
            found[on, index]["gold"] = preparing.Gold(workshop.experiment, workshop.passages).of(
                questions
            )
    return found


def _retrieved(workshop: Workshop, on: date, questions: Sequence[Question]) -> preparing.Fetched:
    """What the index of a date finds."""
    with closing(
        Retrievals(
            workshop.experiment,
            workshop.passages,
            workshop.store,
            workshop.progress,
            lambda: preparing.Indexed(workshop.retriever(on), 0.0, None),
            f"index of {on}",
        )
    ) as retrievals:
        retrievals.complete(questions)
        return retrievals.of(questions)


def as_known(fetched: preparing.Fetched, on: date) -> preparing.Fetched:
    """The passages as an index of a date has them: it cannot know of an end that came later, and so
    a prompt must not tell it.
    """
    return replace(
        fetched,
        passages={
            question: tuple(replace(r, passage=_known(r.passage, on)) for r in retrieved)
            for question, retrieved in fetched.passages.items()
        },
    )


def _known(passage: Passage, on: date) -> Passage:
    later = passage.valid_to is not None and passage.valid_to > on
    return replace(passage, valid_to=None) if later else passage


def _true(trace: Trace, workshop: Workshop) -> tuple[Retrieved, ...] | None:
    """What a trace shows with the true ends of its passages, for the scores."""
    if trace.retrieved is None:
        return None
    true = workshop.by_id
    return tuple(replace(each, passage=true[each.passage.id]) for each in trace.retrieved)


def _generator(workshop: Workshop, adapter: date | None) -> Generator:
    if adapter is None:
        return workshop.experiment.generator()
    made = workshop.adapter(adapter)
    return workshop.experiment.generator(made.folder or made.name, made.identity)
