"""A faiss index over passages that searches only what a question may see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from evalkit.errors import ConfigError
from evalkit.records import Passage
from evalkit.retrieval.embed import Embedder, Progress, Vectors
from evalkit.retrieval.passages import passage_text
from evalkit.retrieval.ranking import Ranking, ranked, rounded
from evalkit.retrieval.visibility import Mask

_GPU_MOST = 2048
_SAME = 1.5e-6
"""Cosines that are no further apart may change places between float32 and 6 decimals."""


class DenseIndex:
    """Exact inner-product search (``IndexFlatIP``): cosine similarity, vectors being of length 1.

    ``embedder`` is the name of the embedder that made the vectors; searching with vectors of
    another one is refused where it can be noticed.
    """

    def __init__(self, passages: Sequence[Passage], vectors: Vectors, embedder: str) -> None:
        """Index the passages by their vectors, shape ``(len(passages), dimension)``.

        Raises:
            ConfigError: as many vectors as passages are expected.
        """
        faiss = _faiss()
        if vectors.ndim != 2 or len(vectors) != len(passages):
            raise ConfigError(
                f"vectors of shape {vectors.shape} for {len(passages)} passages; "
                "expected one row a passage"
            )
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        self.passages = tuple(passages)
        self.embedder = embedder
        self._index = index
        self._gpu = _on_gpu(index)

    @classmethod
    def build(
        cls, passages: Sequence[Passage], embedder: Embedder, *, progress: Progress | None = None
    ) -> DenseIndex:
        """Embed the passages (title and text) and index them."""
        texts = [passage_text(passage) for passage in passages]
        return cls(passages, embedder.encode(texts, progress=progress), embedder.name)

    def __len__(self) -> int:
        return len(self.passages)

    @property
    def dimension(self) -> int:
        """The number of components of a vector."""
        return int(self._index.d)

    def search(
        self, queries: Vectors, k: int, visible: Sequence[Mask] | None = None
    ) -> list[Ranking]:
        """The ``k`` most similar passages of each query among those it may see.

        Args:
            queries: Shape ``(n, dimension)``, rows of length 1.
            k: How many at most; fewer where fewer are visible.
            visible: For each query which passages it sees, boolean of shape ``(len(self),)``;
                None lets every query see all.

        Returns:
            For each query ``(position, cosine)``, best first, ties by lot (`ranking.ranked`); cosines to
            6 decimals.

        Raises:
            ConfigError: the queries have another dimension, or there is not one mask a query.
        """
        if queries.ndim != 2 or queries.shape[1] != self.dimension:
            raise ConfigError(
                f"queries of shape {queries.shape} for an index of dimension {self.dimension}, "
                f"built by {self.embedder!r}; expected vectors of that embedder"
            )
        if visible is not None and len(visible) != len(queries):
            raise ConfigError(f"{len(visible)} masks for {len(queries)} queries; expected as many")
        everything = np.ones(len(self), dtype=bool)
        groups: dict[bytes, list[int]] = defaultdict(list)
        masks = [everything] * len(queries) if visible is None else visible
        for row, mask in enumerate(masks):
            groups[mask.tobytes()].append(row)
        found: list[Ranking] = [[] for _ in queries]
        for rows in groups.values():
            rankings = self._search_seen(queries[rows], k, masks[rows[0]])
            for row, ranking in zip(rows, rankings, strict=True):
                found[row] = ranking
        return found

    def _search_seen(self, queries: Vectors, k: int, mask: Mask) -> list[Ranking]:
        """Search what one mask shows; looks further where a tie straddles the ``k``-th place."""
        seen = int(mask.sum())
        rankings: list[Ranking] = [[] for _ in queries]
        waiting = np.arange(len(queries))
        wanted = min(seen, 2 * k + 16)
        while seen and k > 0 and len(waiting):
            positions = self._positions(queries[waiting], wanted, mask)
            scores = rounded(self._cosines(queries[waiting], positions))
            kth = np.sort(scores)[:, -min(k, wanted)]
            tied = kth - scores.min(axis=1) < _SAME
            done = ~tied if wanted < seen else np.ones(len(waiting), dtype=bool)
            for row in np.flatnonzero(done):
                hits = zip(positions[row].tolist(), scores[row].tolist(), strict=True)
                rankings[waiting[row]] = ranked(hits, self.passages, k)
            waiting = waiting[~done]
            wanted = min(seen, 4 * wanted)
        return rankings

    def _cosines(self, queries: Vectors, positions: Any) -> Any:
        """What faiss found in float64: in float32 two equal vectors can differ in the last bit by
        where they lie in memory, and then fall on two sides of a rounded decimal.
        """
        return np.stack(
            [
                self._index.reconstruct_batch(places).astype(np.float64) @ query.astype(np.float64)
                for places, query in zip(positions, queries, strict=True)
            ]
        )

    def _positions(self, queries: Vectors, wanted: int, mask: Mask) -> np.ndarray:
        """Where the ``wanted`` best of what the mask shows stand, shape ``(n, wanted)``."""
        faiss = _faiss()
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        hidden = len(mask) - int(mask.sum())
        if self._gpu is not None and wanted + hidden <= _GPU_MOST:
            # A GPU index takes no selector: fetch as many more as are hidden, then leave those out.
            _, positions = self._gpu.search(queries, wanted + hidden)
            return _without(positions, mask, wanted)
        selector = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        parameters = faiss.SearchParameters(sel=selector) if hidden else None
        _, positions = self._index.search(queries, wanted, params=parameters)
        return np.asarray(positions)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ConfigError(
            "faiss is not installed; a dense index needs it",
            todo="pip install 'evalkit[cpu]', or 'evalkit[gpu]' on a machine with an NVIDIA GPU",
        ) from error
    return faiss


def _on_gpu(index: Any) -> Any:
    """The index on a GPU where faiss has one, else None."""
    faiss = _faiss()
    if getattr(faiss, "get_num_gpus", lambda: 0)() > 0:
        return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
    return None


def _without(positions: np.ndarray, mask: Mask, wanted: int) -> np.ndarray:
    """The first ``wanted`` hits of each row that the mask shows; every row has so many."""
    order = np.argsort(~mask[positions], axis=1, kind="stable")[:, :wanted]
    return np.take_along_axis(positions, order, 1)
