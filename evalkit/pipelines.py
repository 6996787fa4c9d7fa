"""The square: one ``Pipeline`` class whose corners differ in one thing at a time.

==============  =============  =========
                no retrieval   retrieval
==============  =============  =========
base weights    prompt_only    rag
tuned           lora           hybrid
==============  =============  =========

Every other pipeline is the same class with other parts: ``few_shot`` adds worked examples to the
prompt, ``oracle`` shows the gold evidence in place of what a retriever found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evalkit.errors import ConfigError
from evalkit.prompts import PromptTemplate, Shot
from evalkit.records import (
    FormatSpecification,
    Message,
    Passage,
    Question,
    Retrieved,
    TrainingExample,
)

CONTEXTS = ("none", "retrieved", "gold")


@dataclass(frozen=True)
class Pipeline:
    """``prompt x retriever? x tuning?``.

    Attributes:
        context: where the context block comes from: ``none``, ``retrieved`` or ``gold``.
        tuned: whether the adapter is in use.
        shots: worked examples shown before the question.
    """

    name: str
    template: PromptTemplate
    context: str = "none"
    tuned: bool = False
    shots: tuple[Shot, ...] = ()
    description: str = ""

    def __post_init__(self) -> None:
        if self.context not in CONTEXTS:
            raise ConfigError(
                f"pipelines.{self.name}.context is {self.context!r}, expected one of {CONTEXTS}"
            )

    @property
    def retrieval(self) -> bool:
        return self.context != "none"

    @property
    def corner(self) -> tuple[bool, bool] | None:
        """``(retrieval, tuning)`` for a corner of the square, None for any other pipeline."""
        if self.shots or self.context == "gold":
            return None
        return (self.context == "retrieved", self.tuned)

    def prepare(
        self,
        question: Question,
        spec: FormatSpecification,
        fetched: Sequence[Retrieved],
        count_tokens: Callable[[list[Message]], int],
    ) -> tuple[list[Message], tuple[Retrieved, ...] | None]:
        """The messages for a question, and the fetched passages with whether each was shown."""
        shots = self.shots
        if question.format != "default":
            # The worked examples show the format, which is not asked for here.
            spec, shots = FormatSpecification(abstention=spec.abstention), ()
        if not self.retrieval:
            return self.template.messages(question.text, question.as_of, spec, None, shots), None
        passages = [r.passage for r in fetched]
        messages, kept = self.template.fit(
            question.text, question.as_of, spec, passages, count_tokens, shots
        )
        marked = tuple(Retrieved(r.passage, r.score, shown=i < kept) for i, r in enumerate(fetched))
        return messages, marked


def gold_passages(
    question: Question, by_revision: Mapping[str, Sequence[Passage]], k: int
) -> tuple[Retrieved, ...]:
    """The passages that carry the evidence valid at the question's date, at most ``k``.

    A passage counts when it holds the evidence's quote; without a quote, or where the quote was cut
    by the chunker, all passages of the revision count.
    """
    chosen: dict[str, Passage] = {}
    for answer in question.current_answers():
        for evidence in answer.evidence:
            passages = [
                p for p in by_revision.get(evidence.revision, ()) if p.valid_at(question.as_of)
            ]
            quoted = [p for p in passages if evidence.quote and evidence.quote in p.text]
            chosen.update((p.id, p) for p in quoted or passages)
    return tuple(Retrieved(p, 1.0) for p in list(chosen.values())[:k])


def choose_shots(
    training: Sequence[TrainingExample], spec: FormatSpecification, count: int, pipeline: str
) -> tuple[Shot, ...]:
    """The first ``count`` answerable behaviour examples with a single passage, by id.

    Raises:
        ConfigError: the benchmark has fewer such examples.
    """
    fitting = sorted(
        (
            e
            for e in training
            if e.kind == "behaviour" and e.answer is not None and len(e.passages) == 1
        ),
        key=lambda e: e.id,
    )
    if len(fitting) < count:
        raise ConfigError(
            f"pipelines.{pipeline}.shots is {count}, but training.jsonl has {len(fitting)} behaviour examples"
            " with an answer and exactly one passage",
            todo="add such examples, or lower shots",
        )
    return tuple(
        Shot(e.question, e.as_of, e.passages, spec.render(e.answer, e.source, e.effective))
        for e in fitting[:count]
    )
