"""The keys of every stage of an experiment, from the objects that a run asks."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from evalkit.configuration.assemble import Experiment
from evalkit.configuration.compose import compose, resolved
from evalkit.progress import Progress
from evalkit.records import Question
from evalkit.results.measures import Plan
from evalkit.stages import answering, preparing, retrieving, scorer
from evalkit.stages.answering import Answers
from evalkit.stages.preparing import Fetched, Gold
from evalkit.stages.retrieving import Retrievals
from evalkit.store import Store, key_of

Keys = dict[str, Any]


class Stop(Exception):
    """In place of a training."""


def stop(*_: object) -> None:
    raise Stop


def stage_keys(overrides: list[str], folder: Path) -> Keys:
    """By stage, with a store in ``folder``; nothing is trained and no model is loaded."""
    experiment = Experiment(resolved(compose([*overrides, f"store={folder}"])))
    store, quiet = Store(folder), Progress(shown=False)
    passages = preparing.chunk(experiment, quiet)
    retrievals = Retrievals(experiment, passages, store, quiet)
    questions = experiment.benchmark.questions
    retrievals.complete(questions)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "_build", stop)
        with pytest.raises(Stop):
            preparing.train(experiment, store, quiet)
    base, tuned = experiment.generator(), experiment.generator(folder, "lora:adapter")
    pipelines = experiment.pipelines
    gold = Gold(experiment, passages)

    def fetch(context: str, block: Sequence[Question]) -> Fetched:
        return gold.of(block) if context == "gold" else retrievals.of(block)

    asked = Answers(experiment, base, pipelines, fetch, store)
    prompts = {answering._key(plan) for p in pipelines for plan in asked._planned(p, questions)}
    judge = experiment.judge
    plan = Plan.of(pipelines, experiment.hypotheses, experiment.repeats, experiment.statistics)
    return {
        "vectors": frozenset(rows_of(store, "vectors")),
        "passages": preparing.content_hash([asdict(p) for p in passages]),
        "adapter": frozenset(n for n in store.used if n.startswith("adapter/")),
        "answers": key_of({**base.identity, "stage": answering.GENERATION_VERSION}),
        "tuned answers": key_of({**tuned.identity, "stage": answering.GENERATION_VERSION}),
        "prompts": frozenset(prompts),
        "retrievals": frozenset(n for n in store.used if n.startswith("retrievals/")),
        "questions": frozenset(retrieving._key(question) for question in questions),
        "counts": frozenset(n for n in store.used if n.startswith("prompts/")),
        "judgments": f"{judge.name} {judge.version}",
        "scores": key_of(scorer.score_inputs(experiment, judge)),
        "statistics": key_of(plan.inputs),
    }


def differing(before: Keys, after: Keys) -> set[str]:
    """The stages whose keys are not the same."""
    return {stage for stage in before if before[stage] != after[stage]}


def rows_of(store: Store, kind: str) -> set[str]:
    """Every row of a kind, by its table's key and its own."""
    found: set[str] = set()
    for name in store.used:
        path = store.root / name / "rows.sqlite"
        if name.startswith(f"{kind}/") and path.exists():
            with closing(sqlite3.connect(path)) as connection:
                found |= {f"{name}/{key}" for (key,) in connection.execute("SELECT key FROM rows")}
    return found
