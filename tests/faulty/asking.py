"""What the tests of an engine behind a server share: the engine, requests, and what was asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evalkit.generation.base import Completion, Decoding, Request
from evalkit.generation.openai_engine import OpenAIGenerator

ATTEMPTS = 3
KEY = "sk-very-secret-0123456789"


def engine(server: Any, **settings: Any) -> OpenAIGenerator:
    decoding = settings.pop("decoding", Decoding(max_new_tokens=8))
    given = {
        "model": "m", "base_url": server.url, "attempts": ATTEMPTS, "first_wait_s": 0.01,
        "longest_wait_s": 1.0, "timeout_s": 5.0,
    }  # fmt: skip
    return OpenAIGenerator(None, "server:m@here", decoding, **(given | settings))


def requests(count: int = 5) -> list[Request]:
    return [
        Request(
            f"r{i}",
            ({"role": "system", "content": "Be brief."}, {"role": "user", "content": f"q{i} why?"}),
        )
        for i in range(count)
    ]


def asked(server: Any) -> dict[str, int]:
    """How often each question came to the server."""
    contents = [body["messages"][-1]["content"].split()[0] for body in server.requests]
    return {content: contents.count(content) for content in contents}


def complete(generator: OpenAIGenerator, count: int = 5) -> dict[str, Completion]:
    done = list(generator.generate(requests(count)))
    assert sorted(c.id for c in done) == sorted(f"r{i}" for i in range(count))  # each exactly once
    return {c.id: c for c in done}


def overrides(server: Any, benchmark: Path, folder: Path) -> list[str]:
    """A run that asks the server."""
    return [
        "model=openai", "model.name=m", f"model.base_url={server.url}", "model.engine.attempts=2",
        "model.engine.first_wait_s=0.01", "pipeline=[prompt_only,rag]", "embedder=hash",
        "judge=offline", "tracking=none", "statistics.resamples=200", "benchmark=jsonl",
        f"benchmark.path={benchmark}", f"store={folder / 'store'}",
    ]  # fmt: skip
