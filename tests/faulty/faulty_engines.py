"""Engines that fail on purpose; a run names them by ``model.engine._target_``.

``EVALKIT_TEST_LOG`` is the file that gets a line for each completion, and for each training. Where
``EVALKIT_TEST_UNDRAWN`` is set, no figures are drawn, which would take a third of a tiny run's time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.generation.base import Completion, Request
from evalkit.generation.transformers_engine import TransformersGenerator
from evalkit.reporting import figures
from evalkit.retrieval.embed import HashEmbedder

STRIKE_AFTER = 4

if "EVALKIT_TEST_UNDRAWN" in os.environ:
    figures.save_figures = lambda *_: {}


def note(line: str) -> None:
    with Path(os.environ["EVALKIT_TEST_LOG"]).open("a") as log:
        log.write(line + "\n")


class Struck(TransformersGenerator):
    """Sends its own process ``EVALKIT_TEST_SIGNAL`` some time after four completions, once."""

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        marker = Path(os.environ["EVALKIT_TEST_LOG"] + ".struck")
        for count, completion in enumerate(super().generate(requests), start=1):
            note(completion.id)
            yield completion
            if count == STRIKE_AFTER and not marker.exists():
                time.sleep(3)  # the next batch; what is finished is stored within a second
                marker.touch()
                os.kill(os.getpid(), int(os.environ["EVALKIT_TEST_SIGNAL"]))


class Failing(TransformersGenerator):
    """Fails on every question about a journey while ``EVALKIT_TEST_FAIL`` is set."""

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for completion in super().generate(requests):
            if "journey" in completion.prompt and "EVALKIT_TEST_FAIL" in os.environ:
                yield replace(completion, text="", finish_reason="error", error="lightning struck")
            else:
                yield completion


def noted_train(*given: Any) -> Any:
    """The usual training, noted."""
    from evalkit.tuning.lora import train

    note("trained")
    return train(*given)


class Noted(TransformersGenerator):
    """Notes every completion."""

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for completion in super().generate(requests):
            note(completion.id)
            yield completion


class Mortal(TransformersGenerator):
    """Kills its own process on every question while ``EVALKIT_TEST_FAIL`` names its new tokens."""

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        if str(self.decoding.max_new_tokens) == os.environ.get("EVALKIT_TEST_FAIL"):
            os.kill(os.getpid(), 9)
        yield from super().generate(requests)


class NotedEmbedder(HashEmbedder):
    """Notes every passage that it embeds, and every question."""

    def encode(self, texts: Sequence[str], *, query: bool = False, progress: Any = None) -> Any:
        for _ in texts:
            note("asked" if query else "embedded")
        return super().encode(texts, query=query, progress=progress)
