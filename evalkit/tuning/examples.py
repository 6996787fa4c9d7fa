"""Training examples on exactly the prompt contract that is used at test time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from evalkit.errors import ConfigError
from evalkit.prompts import PromptTemplate
from evalkit.records import FormatSpecification, Message, TrainingExample


@dataclass(frozen=True)
class Example:
    """A rendered example: the messages of the prompt, and what should come after them."""

    id: str
    messages: tuple[Message, ...]
    completion: str


def as_known_at(examples: Sequence[TrainingExample], on: date) -> list[TrainingExample]:
    """What the examples would teach had they been written on a date.

    A knowledge example is asked on that date, with the answer and the revision of its source that
    were in force then; it is left out where nothing answered it. One without a history of answers
    is known on its own date alone. Behaviour examples stay as they are.
    """
    known = (_known_at(e, on) if e.kind == "knowledge" else e for e in examples)
    return [e for e in known if e is not None]


def knowledge_of(
    examples: Sequence[TrainingExample], kinds: Sequence[str], known_at: object
) -> Sequence[TrainingExample]:
    """The examples as they were known at ``tuning.examples.known_at``; None takes each as of its own
    date, and leaves out facts that have dated answers and none on it.

    Raises:
        ConfigError: what is given is no date, or knowledge is asked for and there is none on that day.
    """
    if known_at is None:
        return [e for e in examples if e.answer is not None or not e.answers]
    try:
        day = date.fromisoformat(str(known_at))
    except ValueError as error:
        raise ConfigError(
            f"tuning.examples.known_at is {known_at!r}, expected a date written YYYY-MM-DD, or null"
        ) from error
    known = as_known_at(examples, day)
    if "knowledge" in kinds and all(e.kind != "knowledge" for e in known):
        raise ConfigError(
            f"tuning.examples.known_at is {day}, but no knowledge example has an answer on that day",
            todo="choose a date at which the facts were known, or give the knowledge examples of "
            "training.jsonl their dated `answers`",
        )
    return known


def _known_at(example: TrainingExample, on: date) -> TrainingExample | None:
    if not example.answers:
        return example if example.as_of == on else None
    answer = next((a for a in example.answers if a.valid_at(on)), None)
    if answer is None:
        return None
    effective = max((day for day in example.revised if day <= on), default=None)
    return replace(example, as_of=on, answer=answer.text, effective=effective)


def choose(
    training: Sequence[TrainingExample],
    kinds: Sequence[str],
    limit: int | None,
    without_context: float,
    seed: int,
) -> list[TrainingExample]:
    """A seeded, shuffled choice of the examples of ``kinds``.

    A share ``without_context`` of the behaviour examples loses its passages. Its right answer is
    then to abstain: the fact cannot be known. Knowledge examples have no passages and keep their
    answers. A smaller ``limit`` is a prefix of a larger one.

    Raises:
        ConfigError: an unknown kind, a share outside 0..1, or nothing left to train on.
    """
    known = sorted({e.kind for e in training})
    for kind in kinds:
        if kind not in known:
            raise ConfigError(
                f"tuning.examples.kinds names {kind!r}, but training.jsonl has {known or 'no examples'}",
                todo="choose kinds that the benchmark has, or run pipelines without tuning",
            )
    if limit is not None and (type(limit) is not int or limit < 1):
        raise ConfigError(
            f"tuning.examples.limit is {limit!r}, expected at least 1, or null for all"
        )
    if not 0 <= without_context <= 1:
        raise ConfigError(
            f"tuning.examples.without_context is {without_context}, expected a share between 0 and 1"
        )
    chosen = sorted((e for e in training if e.kind in kinds), key=lambda e: e.id)
    generator = random.Random(seed)
    generator.shuffle(chosen)
    chosen = chosen[:limit]
    if not chosen:
        raise ConfigError(
            "tuning.examples leaves nothing to train on", todo="raise tuning.examples.limit"
        )
    return [
        _strip(e) if _loses_context(i, without_context) and e.passages else e
        for i, e in enumerate(chosen)
    ]


def _loses_context(position: int, share: float) -> bool:
    """Evenly spread over the shuffled list, so that any prefix has the share too."""
    return int((position + 1) * share) > int(position * share)


def _strip(example: TrainingExample) -> TrainingExample:
    return replace(example, passages=(), answer=None, source=None, effective=None)


def render(
    training: Sequence[TrainingExample], template: PromptTemplate, spec: FormatSpecification
) -> list[Example]:
    """Render examples with the template and the format specification of the test questions."""
    return [
        Example(
            id=e.id,
            messages=tuple(template.messages(e.question, e.as_of, spec, e.passages)),
            completion=spec.render(e.answer, e.source, e.effective),
        )
        for e in training
    ]
