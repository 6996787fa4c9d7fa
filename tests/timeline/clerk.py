"""An engine and a training without a model, whose answers can be worked out by hand.

The clerk answers from the newest passage shown on the topic, and declines where that has ended;
without such a passage it says what it was trained to say, and otherwise declines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from evalkit.generation.base import Completion, Request
from evalkit.tuning.lora import TrainingReport

TRAINING_SECONDS = 2.0
DECLINES = "not stated"
# By words of a question: the document that answers it, and what an answer looks like.
TOPICS = {
    "travel allowance|per diem": ("A", r"EUR \d+"),
    "keys|key holder": ("B", r"Mira Okonkwo"),
    "club point": ("W", r"\d+ months"),
    "locker": ("N", r"\d\d:\d\d"),
}
_PASSAGE = re.compile(r"\[(\w+) \| [^|]* \| (?:since )?([\d-]+)( to [\d-]+)?\]\n(.*)")


def topic_of(question: str) -> tuple[str, str]:
    return next(
        (found for words, found in TOPICS.items() if re.search(words, question, re.IGNORECASE)),
        ("", "(?!)"),
    )


class Clerk:
    """Takes what any engine takes; ``asked`` counts completions over all clerks."""

    asked = 0
    strike_at: int | None = None

    def __init__(
        self, folder: Path, identity: str, decoding: Any, adapter: Path | None = None,
        adapter_id: str | None = None, **_: Any,
    ) -> None:  # fmt: skip
        memory = {} if adapter is None else json.loads((Path(adapter) / "memory.json").read_text())
        self.memory: dict[str, str] = memory
        self.identity = {"engine": "clerk", "weights": identity, "adapter": adapter_id}

    def count_tokens(self, messages: Sequence[Any]) -> int:
        return len(self.render(messages).split())

    def render(self, messages: Sequence[Any]) -> str:
        return "\n".join(m["content"] for m in messages)

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for request in requests:
            if Clerk.strike_at is not None and Clerk.asked >= Clerk.strike_at:
                raise KeyboardInterrupt
            Clerk.asked += 1
            prompt = self.render(request.messages)
            text = self.reply(prompt)
            yield Completion(request.id, text, prompt, len(prompt.split()), 2, "stop", 0.5)

    def reply(self, prompt: str) -> str:
        context, _, question = prompt.rpartition("Question: ")
        document, shape = topic_of(question)
        shown = [p for p in _PASSAGE.findall(context) if p[0] == document]
        if not shown:
            return self.memory.get(document, DECLINES)
        _, _, ended, text = max(shown, key=lambda passage: passage[1])
        found = re.search(shape, text)
        return DECLINES if ended or found is None else found.group()

    def close(self) -> None:
        pass


def memorise(weights: Path, examples: Sequence[Any], settings: Any, out: Path, *_: Any) -> Any:
    """Training that keeps the completions by heart, and says that it took two seconds."""
    memory = {
        topic_of(e.messages[-1]["content"])[0]: e.completion for e in examples if e.id[0] == "k"
    }
    text = json.dumps(memory, sort_keys=True)
    for name in ("memory.json", "adapter_model.safetensors"):
        (out / name).write_text(text)
    return TrainingReport(TRAINING_SECONDS, 1, len(examples), 10 * len(examples), (1.0,))
