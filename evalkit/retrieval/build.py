"""Build a retriever over passages; what was embedded before is not embedded again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.plurals import counted
from evalkit.records import Passage
from evalkit.retrieval.embed import Embedder
from evalkit.retrieval.index import DenseIndex
from evalkit.retrieval.lexical import LexicalIndex
from evalkit.retrieval.passages import passage_text
from evalkit.retrieval.retriever import DenseRetriever, HybridRetriever, LexicalRetriever, Retriever
from evalkit.retrieval.vectors import StoredVectors
from evalkit.retrieval.visibility import Visibility

Artifact = Callable[[str, Mapping[str, Any], Callable[[Path], None]], Path]
"""``artifact(kind, inputs, build)`` gives the folder of what ``build(folder)`` wrote, once."""


@dataclass(frozen=True)
class Materials:
    """What a retriever is built from.

    ``embedder()`` is called only where vectors are needed, and ``vectors`` holds those made before.
    ``artifact`` keeps what else is slow to build; ``inputs`` identify the passages and the
    embedder in its key. ``stage(name, doing, total)`` is a context manager that shows progress and
    takes ``advance(n)``.
    """

    passages: Sequence[Passage]
    embedder: Callable[[], Embedder]
    vectors: StoredVectors
    inputs: Mapping[str, Any]
    artifact: Artifact
    visibility: Visibility
    stage: Callable[[str, str, float], AbstractContextManager[Any]]


Build = Callable[[Materials], Retriever]


def dense(materials: Materials) -> Retriever:
    """Exact cosine search over embeddings; assembled in memory from stored vectors."""
    embedder, passages = materials.embedder(), materials.passages
    count = len(passages)
    with materials.stage("embed", f"{counted(count, 'passage')}, {embedder.name}", count) as stage:
        texts = [passage_text(passage) for passage in passages]
        vectors = materials.vectors.of(texts, embedder, stage.advance)
    with materials.stage("index", "faiss, exact inner product", count) as stage:
        index = DenseIndex(passages, vectors, embedder.name)
        stage.advance(count)
    return DenseRetriever(index, embedder, materials.visibility)


def bm25(materials: Materials) -> Retriever:
    """BM25; built in memory, since that is faster than reading it back."""
    with materials.stage("index", "BM25", len(materials.passages)) as stage:
        index = LexicalIndex(materials.passages)
        stage.advance(len(materials.passages))
    return LexicalRetriever(index, materials.visibility)


def hybrid(materials: Materials) -> Retriever:
    """Dense and BM25, fused by reciprocal rank (Cormack et al. 2009)."""
    return HybridRetriever((dense(materials), bm25(materials)))
