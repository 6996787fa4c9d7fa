"""The prompt contract: the same words in every corner of the square, with or without a context.

The system message carries the task and the format instruction; the user message carries the
context block where there is one, then the date and the question. Tuning trains on exactly these
messages, so that a tuned model meets at test time what it was trained on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date

from evalkit.records import FormatSpecification, Message, Passage


@dataclass(frozen=True)
class Shot:
    """A worked example shown in the prompt (few-shot)."""

    question: str
    as_of: date
    passages: tuple[Passage, ...]
    completion: str


@dataclass(frozen=True)
class PromptTemplate:
    """The texts of the contract; ``str.format`` fields are named in each default.

    ``max_prompt_tokens`` bounds the rendered prompt: passages that do not fit whole are left out
    from the lowest rank up, and the trace says so. The undated texts serve a benchmark in which
    nothing has a date.
    """

    name: str = "contract"
    system: str = "You answer questions from documents."
    system_free: str = "You are a helpful assistant. Answer briefly."
    context: str = "Documents:\n{passages}\n\n"
    passage: str = "[{document} | {title} | {dates}]\n{text}"
    separator: str = "\n\n"
    question: str = "Date: {as_of}\nQuestion: {question}"
    passage_undated: str = "[{document} | {title}]\n{text}"
    question_undated: str = "Question: {question}"
    max_prompt_tokens: int = 1600

    @property
    def identity(self) -> str:
        """A short hash of every text of the template."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    def undated(self) -> PromptTemplate:
        """The same contract without dates, which would mean nothing and might mislead."""
        return replace(self, passage=self.passage_undated, question=self.question_undated)

    def messages(
        self,
        question: str,
        as_of: date,
        spec: FormatSpecification,
        passages: Sequence[Passage] | None = None,
        shots: Sequence[Shot] = (),
    ) -> list[Message]:
        """The chat messages for a question; ``passages=None`` or none at all leaves the block out."""
        messages = [{"role": "system", "content": self._system(spec)}]
        for shot in shots:
            messages.append(self._user(shot.question, shot.as_of, shot.passages))
            messages.append({"role": "assistant", "content": shot.completion})
        messages.append(self._user(question, as_of, passages))
        return messages

    def _system(self, spec: FormatSpecification) -> str:
        if not spec.instruction:
            return self.system_free.strip()
        return f"{self.system.strip()}\n{spec.instruction.strip()}"

    def _user(self, question: str, as_of: date, passages: Sequence[Passage] | None) -> Message:
        block = ""
        if passages:
            shown = self.separator.join(self.render_passage(p, as_of) for p in passages)
            block = self.context.format(passages=shown)
        asked = self.question.format(as_of=as_of.isoformat(), question=question)
        return {"role": "user", "content": block + asked}

    def render_passage(self, passage: Passage, as_of: date) -> str:
        """One passage with its id, title and dates. An end that lies after ``as_of`` is not told:
        on that day nobody could know it.
        """
        start = passage.valid_from.isoformat() if passage.valid_from else "undated"
        ended = passage.valid_to is not None and passage.valid_to <= as_of
        dates = f"{start} to {passage.valid_to}" if ended else f"since {start}"
        if passage.valid_from is None and not ended:
            dates = "undated"
        return self.passage.format(
            document=passage.document, title=passage.title, dates=dates, text=passage.text.strip()
        )

    def fit(
        self,
        question: str,
        as_of: date,
        spec: FormatSpecification,
        passages: Sequence[Passage],
        count_tokens: Callable[[list[Message]], int],
        shots: Sequence[Shot] = (),
    ) -> tuple[list[Message], int]:
        """The messages with as many leading passages as fit ``max_prompt_tokens``, and how many."""
        for kept in range(len(passages), -1, -1):
            messages = self.messages(question, as_of, spec, passages[:kept], shots)
            if kept == 0 or count_tokens(messages) <= self.max_prompt_tokens:
                return messages, kept
        raise AssertionError("unreachable: kept reaches 0")
