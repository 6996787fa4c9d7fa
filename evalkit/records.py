"""The records that flow through evalkit: frozen, typed, serialisable.

``benchmark -> pipeline -> trace -> score -> comparison -> report``. A record holds what was
read or observed and never how it was computed; this module imports nothing else of evalkit.
Periods are half-open, ``valid_from <= date < valid_to``; ``None`` means without bound.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Literal

Status = Literal["scored", "failed", "not_applicable", "abstained"]
Stage = Literal["retrieval", "generation"]
AnswerClass = Literal["current", "outdated", "mixed", "premature", "wrong", "abstained"]
Message = dict[str, str]
"""A chat message: ``role`` and ``content``."""


def in_force(valid_from: date | None, valid_to: date | None, on: date) -> bool:
    """Whether the half-open period ``[valid_from, valid_to)`` contains ``on``."""
    return (valid_from is None or valid_from <= on) and (valid_to is None or on < valid_to)


@dataclass(frozen=True)
class Revision:
    """One dated state of a document."""

    document: str
    revision: str
    title: str
    text: str
    valid_from: date | None = None
    valid_to: date | None = None
    tags: tuple[str, ...] = ()

    def valid_at(self, on: date) -> bool:
        return in_force(self.valid_from, self.valid_to, on)


@dataclass(frozen=True)
class Passage:
    """A piece of one revision: what an index holds and a prompt shows.

    ``start`` and ``end`` are character offsets into the revision's text. ``intact`` is False where
    the cut fell inside a table, a code block or a JSON value.
    """

    id: str
    document: str
    revision: str
    title: str
    text: str
    valid_from: date | None = None
    valid_to: date | None = None
    start: int = 0
    end: int = 0
    intact: bool = True

    def valid_at(self, on: date) -> bool:
        return in_force(self.valid_from, self.valid_to, on)


@dataclass(frozen=True)
class Evidence:
    """A revision that supports an answer, with the words in it that do."""

    revision: str
    quote: str | None = None


@dataclass(frozen=True)
class Answer:
    """A right answer during a period.

    ``text`` is empty where a benchmark says only where the answer stands and not what it is; the
    answer then has evidence, and nothing can be said of a reply.
    """

    text: str
    aliases: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None
    evidence: tuple[Evidence, ...] = ()

    def valid_at(self, on: date) -> bool:
        return in_force(self.valid_from, self.valid_to, on)

    @property
    def wordings(self) -> tuple[str, ...]:
        return (self.text, *self.aliases)


@dataclass(frozen=True)
class Question:
    """A question asked on a date, with the dated history of its answers.

    No answer valid at ``as_of`` means that the right reply is to abstain. ``format`` is
    ``"default"`` (the benchmark's format specification) or ``"free"`` (none).
    """

    id: str
    text: str
    as_of: date
    category: str
    cluster: str
    answers: tuple[Answer, ...] = ()
    format: str = "default"
    tags: tuple[str, ...] = ()

    def current_answers(self) -> tuple[Answer, ...]:
        """The answers valid at ``as_of``."""
        return self._current

    @cached_property
    def _current(self) -> tuple[Answer, ...]:
        """Kept, since nearly every metric asks for them."""
        return tuple(a for a in self.answers if a.valid_at(self.as_of))

    def past_answers(self) -> tuple[Answer, ...]:
        """The answers whose period ended on or before ``as_of``."""
        return tuple(a for a in self.answers if a.valid_to is not None and a.valid_to <= self.as_of)

    def future_answers(self) -> tuple[Answer, ...]:
        """The answers whose period starts after ``as_of``."""
        return tuple(
            a for a in self.answers if a.valid_from is not None and a.valid_from > self.as_of
        )

    @property
    def answerable(self) -> bool:
        return bool(self.current_answers())

    @property
    def answer_known(self) -> bool:
        """Whether a current answer says what it is, and not only where it stands."""
        return any(a.text for a in self.current_answers())

    @property
    def time_sensitive(self) -> bool:
        """Whether the right reply changes with time: several answers, one that ends, or one that the
        category says is ``new``.
        """
        dated = len(self.answers) > 1 or any(a.valid_to is not None for a in self.answers)
        return dated or (self.category == "new" and bool(self.answers))


@dataclass(frozen=True)
class TrainingExample:
    """One example for tuning; ``answer=None`` means that abstaining is right.

    ``kind`` is ``"behaviour"`` (format and manner, on documents no test question touches) or
    ``"knowledge"`` (a fact of the test documents as an early snapshot had it). ``answers`` is the
    dated history of a fact, where it is known; ``answer`` is then the one in force at ``as_of``, and
    None where the fact is not there on that day and so is taught only as of another.
    ``revised`` holds the days on which revisions of ``source`` took effect.
    """

    id: str
    kind: str
    question: str
    as_of: date
    answer: str | None
    source: str | None = None
    effective: date | None = None
    passages: tuple[Passage, ...] = ()
    answers: tuple[Answer, ...] = ()
    revised: tuple[date, ...] = ()


@dataclass(frozen=True)
class FormatSpecification:
    """What an answer must look like: told to the model, and checkable by machine.

    ``instructions`` are mappings with a ``kind`` (``json_schema``, ``regex``, ``max_words`` ...) and
    that kind's parameters. ``fields`` names the keys of a JSON answer that hold the roles
    ``answer``, ``source`` and ``effective``; empty for free text. ``abstention`` is the reply
    that means "the documents do not say".
    """

    name: str = "free"
    instruction: str = ""
    instructions: tuple[Mapping[str, Any], ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    abstention: str = "unknown"

    def render(self, answer: str | None, source: str | None, effective: date | None) -> str:
        """The completion that a perfect model would give: one JSON line, or the bare answer."""
        text = self.abstention if answer is None else answer
        if not self.fields:
            return text
        roles = {
            "answer": text,
            "source": None if answer is None else source,
            "effective": None if answer is None or effective is None else effective.isoformat(),
        }
        return json.dumps(
            {key: roles[role] for role, key in self.fields.items()}, ensure_ascii=False
        )


@dataclass(frozen=True)
class Retrieved:
    """A passage as a retriever returned it; higher ``score`` is better, ``shown`` is whether it
    reached the prompt whole.
    """

    passage: Passage
    score: float
    shown: bool = True


@dataclass(frozen=True)
class ParsedOutput:
    """What could be read out of an output: ``answer`` is None where nothing could."""

    answer: str | None
    source: str | None = None
    effective: str | None = None
    structured: bool = False


@dataclass(frozen=True)
class Trace:
    """One question in one pipeline: what was fetched, shown, said, and what it cost.

    ``retrieved`` is None where the pipeline has no retriever (an empty tuple means that it found
    nothing). ``seconds`` holds wall seconds by stage; ``error`` is set where the question failed.
    ``tokens_estimated`` says that nobody counted the tokens.
    """

    question: str
    pipeline: str
    retrieved: tuple[Retrieved, ...] | None
    prompt: str
    output: str
    prompt_tokens: int = 0
    output_tokens: int = 0
    finish_reason: str = "stop"
    seconds: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    repeat: int = 0
    tokens_estimated: bool = False

    @property
    def shown(self) -> tuple[Passage, ...]:
        """The passages that the generator saw, best first."""
        return tuple(r.passage for r in self.retrieved or () if r.shown)


@dataclass(frozen=True)
class Score:
    """One metric on one trace. ``value`` is a number exactly when ``status`` is ``scored``.

    ``metric`` is ``axis/stage/name``. ``label`` carries a category (an answer class); ``reason``
    says why in a few words, always where the status is not ``scored``.
    """

    question: str
    pipeline: str
    metric: str
    status: Status
    value: float | None = None
    label: str | None = None
    reason: str = ""
    repeat: int = 0

    def __post_init__(self) -> None:
        if (self.status == "scored") != (self.value is not None):
            raise ValueError(f"{self.metric}: status {self.status!r} with value {self.value!r}")
        if self.value is not None and self.value != self.value:
            raise ValueError(f"{self.metric}: value is NaN for question {self.question!r}")

    @property
    def axis(self) -> str:
        return self.metric.split("/")[0]

    @property
    def stage(self) -> str:
        return self.metric.split("/")[1]


@dataclass(frozen=True)
class Sample:
    """What a metric sees: a question, its trace, and the revisions that the benchmark knows."""

    question: Question
    trace: Trace
    format: FormatSpecification
    revisions: Mapping[str, Revision]
    parsed: ParsedOutput = ParsedOutput(None)

    def reference_evidence(self) -> tuple[Revision, ...]:
        """The evidence revisions that support a current answer and are valid at ``as_of``."""
        return tuple(dict.fromkeys(self._evidence(self.question.current_answers())))

    def _evidence(self, answers: Iterable[Answer]) -> Iterable[Revision]:
        for answer in answers:
            for evidence in answer.evidence:
                revision = self.revisions.get(evidence.revision)
                if revision is not None and revision.valid_at(self.question.as_of):
                    yield revision
