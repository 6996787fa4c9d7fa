"""Builds the index and the adapter of each date, once, and measures what bringing them up costs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from evalkit.configuration.assemble import Experiment
from evalkit.progress import Progress
from evalkit.records import Passage, TrainingExample
from evalkit.retrieval import Retriever
from evalkit.retrieval.update import IndexUpdate
from evalkit.stages import preparing
from evalkit.store import Store
from evalkit.timeline.asking import asked_at, changed_documents, changed_facts
from evalkit.timeline.learning import chosen_examples, known_at, relearned
from evalkit.timeline.settings import Timeline
from evalkit.timeline.updates import Update
from evalkit.tuning.examples import render

MEASURE_VERSION = "1"
_OF_A_DATE = ("benchmark", "examples")


def given(experiment: Experiment, **parts: Any) -> Experiment:
    """The same experiment with some of its parts given; what was made of the others is shared.

    A cached property reads the instance's dictionary first.
    """
    made = Experiment(experiment.config)
    shared = {name: part for name, part in vars(experiment).items() if name not in _OF_A_DATE}
    vars(made).update(shared | parts)
    return made


@dataclass
class Workshop:
    """The experiment at each date of a study, its indexes and its adapters.

    ``experiment`` has the questions of the study and everything that does not depend on a date.
    ``whole`` is the experiment as it is configured, with every question of the benchmark.
    """

    whole: Experiment
    experiment: Experiment
    timeline: Timeline
    store: Store
    progress: Progress
    _retrievers: dict[date, Retriever] = field(default_factory=dict)
    _adapters: dict[date, preparing.Adapter] = field(default_factory=dict)

    @cached_property
    def passages(self) -> list[Passage]:
        """Of all revisions of all dates; each index holds what it knew."""
        return preparing.chunk(self.experiment, self.progress)

    @cached_property
    def by_id(self) -> dict[str, Passage]:
        """The passages by their id."""
        return {passage.id: passage for passage in self.passages}

    @cached_property
    def chosen(self) -> list[TrainingExample]:
        """What the adapters learn from."""
        part, limits = self.experiment.config["tuning"]["examples"], self.timeline.examples
        return chosen_examples(self.experiment.benchmark, part, limits, self.experiment.seed)

    def known(self, on: date) -> list[TrainingExample]:
        """What an adapter of that date is trained on."""
        return known_at(self.chosen, on)

    def at(self, on: date) -> Experiment:
        """The experiment with its questions asked on a date."""
        return given(self.experiment, benchmark=asked_at(self.experiment.benchmark, on))

    def retriever(self, on: date) -> Retriever:
        """The retriever as last updated on a date."""
        if on not in self._retrievers:
            self._built(on, None)
        return self._retrievers[on]

    def adapter(self, on: date) -> preparing.Adapter:
        """The adapter trained on what was known on a date."""
        if on not in self._adapters:
            known = self.known(on)
            examples = render(
                known, self.experiment.training_template, self.experiment.benchmark.format
            )
            dated = given(self.experiment, examples=examples)
            self._adapters[on] = preparing.train(dated, self.store, self.progress)
        return self._adapters[on]

    def index_update(self, since: date | None, on: date) -> Update:
        """What bringing the index from one date to another costs; from nothing where None.

        As it was measured the first time: a repeated or resumed study has the same numbers, builds no
        index for them, and its budget decides the same.
        """
        inputs = preparing.index_inputs(self.experiment, self.passages)
        retriever = self.experiment.config["retriever"]
        key = f"{since}>{on}"
        table = {**inputs, "retriever": retriever, "version": MEASURE_VERSION}
        with closing(self.store.rows("updates", table)) as rows:
            found = rows.get([key])
            if not found:
                found = {key: asdict(self._built(on, since))}
                rows.put(found)
        return self._index_update(on, since, IndexUpdate(**found[key]))

    def adapter_update(self, since: date | None, on: date) -> Update:
        """What training the adapter again costs; it is trained from the base weights each time."""
        changed = None if since is None else relearned(self.known(since), self.known(on))
        if changed == 0:
            return Update("adapter", on, since, 0.0, 0, 0, 0, idle=True)
        adapter = self.adapter(on)
        report = adapter.report or {}
        size = (
            0
            if adapter.folder is None
            else sum(f.stat().st_size for f in adapter.folder.rglob("*.safetensors"))
        )
        return Update(
            "adapter", on, since, float(report["seconds"]), size, int(report["examples"]), changed,
            detail=(("adapter", adapter.identity), ("tokens", report["tokens"])),
        )  # fmt: skip

    def _built(self, on: date, since: date | None) -> IndexUpdate:
        """Bring the index up, and keep it to be asked."""
        self._retrievers[on], cost = preparing.index_at(
            self.experiment, self.passages, self.store, self.progress, on, since
        )
        return cost

    def _index_update(self, on: date, since: date | None, cost: IndexUpdate) -> Update:
        facts = documents = None
        if since is not None:
            benchmark = self.whole.whole_benchmark
            facts = changed_facts(benchmark, since, on)
            documents = changed_documents(benchmark, since, on)
        # Where a revision has merely ended no passage comes or goes, but the index learns of the end.
        return Update(
            "index", on, since, cost.seconds, cost.bytes, cost.embedded, facts, idle=documents == 0,
            detail=(("added", cost.added), ("retired", cost.retired), ("documents", documents)),
        )  # fmt: skip


def uses(experiment: Experiment) -> dict[str, tuple[str, ...]]:
    """By pipeline, which artifacts it rests on: the ``index``, the ``adapter``, both or none."""
    return {
        p.name: tuple(
            artifact
            for artifact, used in (("index", p.context == "retrieved"), ("adapter", p.tuned))
            if used
        )
        for p in experiment.pipelines
    }


def artifacts_used(experiment: Experiment) -> Sequence[str]:
    """The artifacts that any pipeline rests on."""
    used = uses(experiment).values()
    return [artifact for artifact in ("index", "adapter") if any(artifact in each for each in used)]
