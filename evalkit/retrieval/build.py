"""Build a retriever over passages; an index that was built before from the same inputs is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.records import Passage
from evalkit.retrieval.embed import Embedder, Progress
from evalkit.retrieval.index import DenseIndex
from evalkit.retrieval.lexical import LexicalIndex
from evalkit.retrieval.retriever import DenseRetriever, HybridRetriever, LexicalRetriever, Retriever
from evalkit.retrieval.visibility import Visibility

Artifact = Callable[[str, Mapping[str, Any], Callable[[Path], None]], Path]
"""``artifact(kind, inputs, build)`` gives the folder of what ``build(folder)`` wrote, once."""

INDEX_VERSION = "1"


@dataclass(frozen=True)
class Materials:
    """What a retriever is built from. ``embedder()`` is called only where vectors are needed;
    ``inputs`` identify the passages and the embedder in the key of an index.
    """

    passages: Sequence[Passage]
    embedder: Callable[[], Embedder]
    inputs: Mapping[str, Any]
    artifact: Artifact
    visibility: Visibility
    progress: Progress | None = None


def dense(materials: Materials) -> Retriever:
    """Exact cosine search over embeddings."""
    embedder = materials.embedder()

    def build(folder: Path) -> None:
        DenseIndex.build(materials.passages, embedder, progress=materials.progress).save(folder)

    inputs = {**materials.inputs, "index": f"flat-{INDEX_VERSION}"}
    folder = materials.artifact("index", inputs, build)
    return DenseRetriever(DenseIndex.load(folder), embedder, materials.visibility)


def bm25(materials: Materials) -> Retriever:
    """BM25; built in memory, since that is faster than reading it back."""
    return LexicalRetriever(LexicalIndex(materials.passages), materials.visibility)


def hybrid(materials: Materials) -> Retriever:
    """Dense and BM25, fused by reciprocal rank (Cormack et al. 2009)."""
    return HybridRetriever((dense(materials), bm25(materials)))
