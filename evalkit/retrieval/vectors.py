"""Vectors by the content of a text: what was embedded once is not embedded again."""

from __future__ import annotations

import hashlib
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from filelock import FileLock

from evalkit.errors import StoreError
from evalkit.retrieval.embed import Embedder, Progress, Vectors

VECTORS_VERSION = "1"
_AT_ONCE = 256
"""Texts that are embedded before their vectors are stored: what a kill can lose."""


class Rows(Protocol):
    """JSON values by key in one file; what is put is durable."""

    path: Path

    def get(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values at hand among ``keys``."""
        ...

    def put(self, values: Mapping[str, Any]) -> None:
        """Store values."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


@dataclass(frozen=True)
class Cost:
    """What one text's vector cost when it was made: its share of a batch's seconds, and its bytes."""

    seconds: float
    bytes: int


class StoredVectors:
    """The vectors of one embedder, stored by the hash of their text.

    Attributes:
        costs: By text, what every vector used so far cost when it was made, now or earlier.
        spent: Wall seconds that making vectors took now: loading the embedder, waiting for another
            process, embedding, storing.
    """

    def __init__(self, rows: Callable[[], Rows]) -> None:
        """``rows()`` opens the file of the embedder's vectors; each text set opens and closes it."""
        self.rows = rows
        self.costs: dict[str, Cost] = {}
        self.spent = 0.0

    def of(
        self, texts: Sequence[str], embedder: Embedder, progress: Progress | None = None
    ) -> Vectors:
        """Vectors of the texts, shape ``(len(texts), dimension)``; embeds those not stored yet.

        Two processes that need the same vector make it once. Stored vectors are exactly those that
        were made; made in another batch, a vector of a neural embedder may differ in its last bits.

        Raises:
            StoreError: the stored vectors are of several dimensions.
        """
        if not texts:
            return np.zeros((0, embedder.dimension), dtype=np.float32)
        keys = {text: _key(text) for text in texts}
        rows = self.rows()
        try:
            found = rows.get(keys.values())
            missing = [text for text, key in keys.items() if key not in found]
            if progress:
                progress(sum(keys[text] in found for text in texts))
            if missing:
                started = time.perf_counter()
                found |= _made(missing, keys, rows, embedder, progress)
                self.spent += time.perf_counter() - started
        finally:
            rows.close()
        made = {text: found[key] for text, key in keys.items()}
        for text, row in made.items():
            self.costs[text] = Cost(row["seconds"], len(row["vector"]))
        return _stacked([made[text]["vector"] for text in texts], rows.path)


def _made(
    texts: Sequence[str],
    keys: Mapping[str, str],
    rows: Rows,
    embedder: Embedder,
    progress: Progress | None,
) -> dict[str, Any]:
    """Embed and store ``texts``, but for those that another process stored in the meantime."""
    with FileLock(f"{rows.path}.embedding.lock"):
        found = rows.get(keys[text] for text in texts)
        # Like lengths together, the longest first, as an embedder batches them.
        missing = sorted((t for t in texts if keys[t] not in found), key=lambda t: (-len(t), t))
        if missing:
            _ = embedder.dimension  # loads the weights, which is no part of embedding a text
        for start in range(0, len(missing), _AT_ONCE):
            batch = missing[start : start + _AT_ONCE]
            started = time.perf_counter()
            vectors = embedder.encode(batch, progress=progress)
            share = (time.perf_counter() - started) / len(batch)
            new = {
                keys[text]: {"vector": _packed(vector), "seconds": share}
                for text, vector in zip(batch, vectors, strict=True)
            }
            rows.put(new)
            found |= new
    return found


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _packed(vector: Vectors) -> str:
    return b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode("ascii")


def _stacked(packed: Sequence[str], path: Path) -> Vectors:
    widths = {len(each) for each in packed}
    if len(widths) > 1:
        raise StoreError(
            f"{path} holds vectors of several dimensions; expected those of one embedder",
            todo="delete the file; the vectors are then made again",
        )
    content = b"".join(b64decode(each) for each in packed)
    return np.frombuffer(content, dtype="<f4").reshape(len(packed), -1).astype(np.float32)
