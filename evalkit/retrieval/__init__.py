"""Retrieval: chunk, embed, index, search. Revisions go in, dated passages come out."""

from __future__ import annotations

from evalkit.retrieval.chunk import Chunker
from evalkit.retrieval.embed import Embedder, HashEmbedder, TransformerEmbedder
from evalkit.retrieval.fuse import reciprocal_rank_fusion
from evalkit.retrieval.index import DenseIndex
from evalkit.retrieval.lexical import LexicalIndex
from evalkit.retrieval.recency import Recency
from evalkit.retrieval.retriever import (
    DenseRetriever,
    HybridRetriever,
    LexicalRetriever,
    Query,
    Retriever,
)
from evalkit.retrieval.update import IndexUpdate, index_at
from evalkit.retrieval.visibility import View, Visibility

__all__ = [
    "Chunker",
    "DenseIndex",
    "DenseRetriever",
    "Embedder",
    "HashEmbedder",
    "HybridRetriever",
    "IndexUpdate",
    "LexicalIndex",
    "LexicalRetriever",
    "Query",
    "Recency",
    "Retriever",
    "TransformerEmbedder",
    "View",
    "Visibility",
    "index_at",
    "reciprocal_rank_fusion",
]
