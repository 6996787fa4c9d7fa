"""Retrievers: dated queries in, passages out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from evalkit.errors import ConfigError
from evalkit.records import Passage, Retrieved
from evalkit.retrieval.embed import Embedder
from evalkit.retrieval.fuse import reciprocal_rank_fusion
from evalkit.retrieval.index import DenseIndex
from evalkit.retrieval.lexical import LexicalIndex
from evalkit.retrieval.ranking import Ranking
from evalkit.retrieval.visibility import Visibility

Results = list[tuple[Retrieved, ...]]


@dataclass(frozen=True)
class Query:
    """What is asked, and on which date."""

    text: str
    as_of: date


class Retriever(Protocol):
    """Whatever finds passages for queries."""

    @property
    def name(self) -> str:
        """What tells its results from another retriever's."""
        ...

    def retrieve(self, queries: Sequence[Query], k: int) -> Results:
        """At most ``k`` passages for each query, best first.

        A query that may see nothing, or that matches nothing, gets an empty tuple. The order is
        the same on every call; passages of equal score stand in an order drawn by lot, once and for all.
        """
        ...


@dataclass(frozen=True)
class DenseRetriever:
    """By cosine similarity of embeddings; ``score`` is the cosine, in [-1, 1]."""

    index: DenseIndex
    embedder: Embedder
    visibility: Visibility = field(default_factory=Visibility)

    def __post_init__(self) -> None:
        if self.index.embedder != self.embedder.name:
            raise ConfigError(
                f"the index was built with the embedder {self.index.embedder!r}, the queries would "
                f"be embedded with {self.embedder.name!r}; expected the same",
                todo="build the index again with this embedder",
            )

    @property
    def name(self) -> str:
        return f"dense({self.embedder.name},{self.visibility})"

    def retrieve(self, queries: Sequence[Query], k: int) -> Results:
        """The ``k`` most similar visible passages; see ``Retriever.retrieve``."""
        if not queries:
            return []
        visible = self.visibility.masks(self.index.passages, [query.as_of for query in queries])
        vectors = self.embedder.encode([query.text for query in queries], query=True)
        return _results(self.index.passages, self.index.search(vectors, k, visible))


@dataclass(frozen=True)
class LexicalRetriever:
    """By BM25; ``score`` is above 0, and a passage shares a word with its query."""

    index: LexicalIndex
    visibility: Visibility = field(default_factory=Visibility)

    @property
    def name(self) -> str:
        return f"bm25({self.index.settings},{self.visibility})"

    def retrieve(self, queries: Sequence[Query], k: int) -> Results:
        """The ``k`` best visible passages that match; see ``Retriever.retrieve``."""
        visible = self.visibility.masks(self.index.passages, [query.as_of for query in queries])
        found = self.index.search([query.text for query in queries], k, visible)
        return _results(self.index.passages, found)


@dataclass(frozen=True)
class HybridRetriever:
    """Several retrievers, fused by reciprocal rank; ``score`` is the fused score.

    Attributes:
        retrievers: What to fuse, over the same passages.
        depth: How many passages each of them is asked for (or ``k``, where that is more).
        constant: The constant of the fusion.
    """

    retrievers: tuple[Retriever, ...]
    depth: int = 50
    constant: int = 60

    def __post_init__(self) -> None:
        if len(self.retrievers) < 2:
            raise ConfigError(f"{len(self.retrievers)} retrievers to fuse; expected at least 2")

    @property
    def name(self) -> str:
        fused = "+".join(each.name for each in self.retrievers)
        return f"hybrid({fused},depth={self.depth},constant={self.constant})"

    def retrieve(self, queries: Sequence[Query], k: int) -> Results:
        """The ``k`` best of all their findings; see ``Retriever.retrieve``."""
        depth = max(k, self.depth)
        found = [retriever.retrieve(queries, depth) for retriever in self.retrievers]
        return [self._fused([each[row] for each in found], k) for row in range(len(queries))]

    def _fused(self, rankings: Sequence[tuple[Retrieved, ...]], k: int) -> tuple[Retrieved, ...]:
        passages = {hit.passage.id: hit.passage for ranking in rankings for hit in ranking}
        ids = [[hit.passage.id for hit in ranking] for ranking in rankings]
        fused = reciprocal_rank_fusion(ids, self.constant)[:k]
        return tuple(Retrieved(passages[each], score) for each, score in fused)


def _results(passages: Sequence[Passage], rankings: Sequence[Ranking]) -> Results:
    return [
        tuple(Retrieved(passages[position], score) for position, score in ranking)
        for ranking in rankings
    ]
