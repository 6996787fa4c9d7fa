"""What an adapter is trained on at each date: the same examples, with what was right then."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from evalkit.benchmarks.benchmark import Benchmark
from evalkit.errors import ConfigError
from evalkit.records import TrainingExample
from evalkit.tuning.examples import as_known_at, choose

KNOWLEDGE = "knowledge"


def chosen_examples(
    benchmark: Benchmark,
    part: Mapping[str, Any],
    limits: Mapping[str, int | None] | None,
    seed: int,
) -> list[TrainingExample]:
    """The examples that every adapter of a study learns from, whatever its date.

    Args:
        benchmark: With the questions that are asked; its training examples are chosen from.
        part: The configuration's ``tuning.examples``.
        limits: The study's own limits by kind; None leaves the choice to ``part``.
        seed: Of the choice and the order.

    Raises:
        ConfigError: The adapter would not learn anything that can change.
    """
    kinds, share = tuple(part["kinds"]), float(part["without_context"])
    training = benchmark.training
    if KNOWLEDGE not in kinds:
        raise ConfigError(
            f"tuning.examples.kinds is {list(kinds)}: nothing in it changes, and training again"
            " would teach the same",
            todo="choose tuning=lora_knowledge, or pipelines without tuning",
        )
    if not any(e.answers for e in training if e.kind == KNOWLEDGE):
        raise ConfigError(
            "no knowledge example of the benchmark has dated answers: an adapter cannot be trained"
            " on what was known at a date",
            todo="give them `answers` in training.jsonl (see SCHEMA.md), or choose pipelines without"
            " tuning",
        )
    if limits is None:
        return choose(training, kinds, part["limit"], share, seed)
    documents = _asked_documents(benchmark)
    chosen: list[TrainingExample] = []
    for kind in kinds:
        limit = limits.get(kind, part["limit"])
        examples = choose(training, (kind,), None, share, seed)
        if kind == KNOWLEDGE:
            examples.sort(key=lambda e: e.source not in documents)  # stable: the order stays drawn
        chosen += examples[:limit]
    random.Random(seed).shuffle(chosen)
    return chosen


def known_at(chosen: Sequence[TrainingExample], on: date) -> list[TrainingExample]:
    """The chosen examples with what was right on a date; those without an answer are left out.

    Raises:
        ConfigError: No knowledge is left.
    """
    known = as_known_at(chosen, on)
    if not any(e.kind == KNOWLEDGE for e in known):
        raise ConfigError(
            f"timeline.dates: on {on} no knowledge example has an answer: there is nothing to train on",
            todo="choose a later date, or raise timeline.examples.knowledge",
        )
    return known


def relearned(before: Sequence[TrainingExample], after: Sequence[TrainingExample]) -> int:
    """How many facts the later examples teach otherwise: changed, new, or no longer taught."""
    old, new = ({e.id: e.answer for e in part} for part in (before, after))
    return sum(name not in old or name not in new or old[name] != new[name] for name in old | new)


def _asked_documents(benchmark: Benchmark) -> set[str]:
    revisions = benchmark.corpus.by_id
    return {
        revisions[evidence.revision].document
        for question in benchmark.questions
        for answer in question.answers
        for evidence in answer.evidence
        if evidence.revision in revisions
    }
