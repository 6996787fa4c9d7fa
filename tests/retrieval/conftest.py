"""A few dated passages, and what a retriever is built from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evalkit.records import Passage
from evalkit.retrieval import HashEmbedder, Visibility
from evalkit.retrieval.build import Build, Materials, bm25, dense, hybrid
from evalkit.retrieval.vectors import StoredVectors
from evalkit.store import Store


def make(name: str, text: str, start: str | None, end: str | None = None) -> Passage:
    """A passage of the document that its id begins with."""
    bounds = [None if each is None else date.fromisoformat(each) for each in (start, end)]
    return Passage(name, name[0], name, "Lockers", text, *bounds)


@pytest.fixture
def passages() -> list[Passage]:
    """Document A changed in May, B was withdrawn in July, C comes in October, D has no dates."""
    return [
        make("A2", "A small locker costs EUR 3 a day.", "2025-05-01"),
        make("A1", "A small locker costs EUR 2 a day.", "2025-01-01", "2025-05-01"),
        make("B1", "Frozen goods stay in the depot.", "2025-01-01", "2025-07-01"),
        make("C1", "Drones bring parcels to a small locker.", "2025-10-01"),
        make("D", "Colleagues greet each other.", None),
    ]


class CountingEmbedder(HashEmbedder):
    """A hash embedder that keeps what it was given as passages."""

    def __init__(self, dimension: int = 64, ngram: int = 4) -> None:
        super().__init__(dimension, ngram)
        object.__setattr__(self, "texts", [])

    def encode(self, texts: Sequence[str], *, query: bool = False, progress: Any = None) -> Any:
        if not query:
            self.texts += texts
        return super().encode(texts, query=query, progress=progress)


@contextmanager
def silent(name: str, doing: str, total: float) -> Iterator[Any]:
    """A stage that shows nothing."""
    yield SimpleNamespace(advance=lambda *_: None)


@pytest.fixture(scope="session")
def counting() -> type[CountingEmbedder]:
    """A hash embedder whose ``texts`` are the passages it embedded."""
    return CountingEmbedder


@pytest.fixture(scope="session")
def materials() -> Callable[..., Materials]:
    """``materials(passages, folder, embedder, visibility)``, over a store in the folder."""

    def over(
        passages: Sequence[Passage],
        folder: Path,
        embedder: Any = None,
        visibility: Visibility | None = None,
    ) -> Materials:
        made, store = embedder or CountingEmbedder(), Store(folder)
        return Materials(
            passages=passages,
            embedder=lambda: made,
            vectors=StoredVectors(lambda: store.rows("vectors", {"embedder": made.name})),
            inputs={"passages": [p.id for p in passages]},
            artifact=store.artifact,
            visibility=visibility or Visibility(),
            stage=silent,
        )

    return over


@pytest.fixture(scope="session")
def builds() -> dict[str, Build]:
    """The functions that build a retriever."""
    return {"dense": dense, "bm25": bm25, "hybrid": hybrid}
