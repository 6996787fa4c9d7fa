"""An engine and a training that read pages of endoflife.date by rule, without a model."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clerk import Clerk

from evalkit.tuning.lora import TrainingReport

# The wordings of the test questions, and of the knowledge examples.
_ASKED = (
    ("latest", re.compile(r"What is the newest release of (.+)\?$")),
    ("eol", re.compile(r"When does (.+) reach its end of life\?$")),
)
_TAUGHT = (
    ("latest", re.compile(r"State the latest version in the (?P<cycle>.+) series of (?P<product>.+)\.$")),
    ("eol", re.compile(r"Give the end-of-life date of (.+)\.$")),
)  # fmt: skip
_PASSAGE = re.compile(
    r"\[[^|\]]+ \| (?P<title>.*) \| (?:since )?(?P<since>[\d-]{10})(?P<ended> to [\d-]+)?\]\n"
)
DECLINES = "unknown"


class Reader(Clerk):
    """States what the newest passage says of a release, else what it learned, else nothing."""

    def reply(self, prompt: str) -> str:
        context, _, question = prompt.rpartition("Question: ")
        for kind, wording in _ASKED:
            if asked := wording.match(question.strip()):
                return self._read(context, kind, asked[1]) or self.memory.get(
                    f"{kind} {asked[1]}", DECLINES
                )
        return DECLINES

    @staticmethod
    def _read(context: str, kind: str, name: str) -> str | None:
        """What passages on ``name``, a product and a cycle, say; the newest page counts."""
        heads = list(_PASSAGE.finditer(context))
        ends = [*(head.start() for head in heads), len(context)][1:]
        found = []
        for head, end in zip(heads, ends, strict=bool(heads)):
            if not name.startswith(head["title"] + " "):
                continue
            cycle = name.removeprefix(head["title"] + " ")
            for release in re.split(r"(?=releaseCycle:)", context[head.end() : end])[1:]:
                stated = re.search(rf"^ *{kind}: *[\"']?([^\"'#\s]+)", release, re.MULTILINE)
                if stated and re.match(
                    rf"releaseCycle: *[\"']?{re.escape(cycle)}[\"']?\s", release
                ):
                    found.append((not head["ended"], head["since"], stated[1]))
        return max(found)[2] if found else None


def learn(weights: Path, examples: Sequence[Any], settings: Any, out: Path, *_: Any) -> Any:
    """Training that keeps the completions of knowledge examples by heart."""
    memory = {}
    for example in examples:
        question = example.messages[-1]["content"].rpartition("Question: ")[2].strip()
        for kind, wording in _TAUGHT:
            if taught := wording.match(question):
                name = taught[1] if kind == "eol" else f"{taught['product']} {taught['cycle']}"
                memory[f"{kind} {name}"] = example.completion
    text = json.dumps(memory, sort_keys=True)
    for name in ("memory.json", "adapter_model.safetensors"):
        (out / name).write_text(text)
    return TrainingReport(1.0, 1, len(examples), len(examples), (1.0,))
