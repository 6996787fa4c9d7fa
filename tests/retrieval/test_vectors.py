"""Stored vectors: nothing is embedded twice, and nothing half-written is ever used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import StoreError
from evalkit.retrieval import HashEmbedder, vectors
from evalkit.retrieval.vectors import StoredVectors
from evalkit.store import Store

TEXTS = st.lists(st.text(max_size=12), max_size=8)


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[], StoredVectors]:
    """Opens the stored vectors of one folder, each time as another process would."""
    return lambda: StoredVectors(lambda: Store(tmp_path).rows("vectors", {"embedder": "x"}))


@given(batches=st.lists(TEXTS, max_size=4))
def test_vectors_are_those_of_the_embedder(
    batches: list[list[str]], tmp_path_factory: pytest.TempPathFactory, counting: type
) -> None:
    """Whatever was stored before: to the last bit, in order, and each text embedded once at most."""
    folder, embedder = tmp_path_factory.mktemp("store"), counting(16)
    for texts in batches:
        stored = StoredVectors(lambda: Store(folder).rows("vectors", {}))
        assert np.array_equal(stored.of(texts, embedder), HashEmbedder(16).encode(texts))
        assert set(stored.costs) == set(texts)
    assert sorted(embedder.texts) == sorted({text for texts in batches for text in texts})


def test_progress_counts_every_text_once(
    opened: Callable[[], StoredVectors], counting: type
) -> None:
    """Those at hand count at once, the others as they are embedded."""
    opened().of(["a", "b"], counting())
    done: list[int] = []
    opened().of(["a", "c", "a", "d"], counting(), done.append)
    assert done[0] == 2
    assert sum(done) == 4


def test_a_stored_vector_keeps_what_it_cost(opened: Callable[[], StoredVectors]) -> None:
    """The seconds are those of the process that made it; nothing is spent on it again."""
    first, second = opened(), opened()
    first.of(["a", "b"], HashEmbedder(16))
    second.of(["a", "b"], HashEmbedder(16))
    assert first.costs == second.costs
    assert first.spent >= sum(cost.seconds for cost in first.costs.values()) > 0
    assert second.spent == 0
    assert {cost.bytes for cost in second.costs.values()} == {88}  # 64 bytes in base 64


def test_a_kill_loses_at_most_the_batch_in_flight(
    opened: Callable[[], StoredVectors], counting: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was embedded before the embedder failed is there for the next process."""
    monkeypatch.setattr(vectors, "_AT_ONCE", 4)
    texts = [f"text {i}" for i in range(10)]

    class Dying(counting):  # type: ignore[misc]
        def encode(self, texts: Sequence[str], **rest: Any) -> Any:
            if len(self.texts) >= 8:
                raise KeyboardInterrupt
            return super().encode(texts, **rest)

    with pytest.raises(KeyboardInterrupt):
        opened().of(texts, Dying())
    again = counting()
    assert np.array_equal(opened().of(texts, again), HashEmbedder(64).encode(texts))
    assert len(again.texts) == 2


def test_two_at_once_embed_once(opened: Callable[[], StoredVectors], counting: type) -> None:
    """A second process waits for the first, and takes what it made."""
    started = threading.Event()

    class Slow(counting):  # type: ignore[misc]
        def encode(self, texts: Sequence[str], **rest: Any) -> Any:
            started.set()
            threading.Event().wait(0.2)
            return super().encode(texts, **rest)

    embedder = Slow()
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(opened().of(["a", "b"], embedder)))
        for _ in range(2)
    ]
    threads[0].start()
    started.wait()
    threads[1].start()
    for thread in threads:
        thread.join()
    assert sorted(embedder.texts) == ["a", "b"]
    assert np.array_equal(*found)


def test_damaged_vectors_are_made_again(
    opened: Callable[[], StoredVectors], tmp_path: Path, counting: type
) -> None:
    """A file that is no database is set aside, and the vectors are those of the embedder."""
    opened().of(["a"], counting())
    (file,) = tmp_path.rglob("rows.sqlite")
    file.write_bytes(b"no database" * 1000)
    again = counting()
    assert np.array_equal(opened().of(["a"], again), HashEmbedder(64).encode(["a"]))
    assert again.texts == ["a"]


def test_vectors_of_two_embedders_in_one_file_are_refused(
    opened: Callable[[], StoredVectors],
) -> None:
    """Cosines between different spaces are never computed; the error names the file."""
    opened().of(["a"], HashEmbedder(16))
    with pytest.raises(StoreError, match=r"rows\.sqlite holds vectors of several dimensions"):
        opened().of(["a", "b"], HashEmbedder(32))


def test_no_texts_no_vectors(opened: Callable[[], StoredVectors]) -> None:
    """An empty corpus still has the embedder's dimension, so that it can be asked."""
    assert opened().of([], HashEmbedder(16)).shape == (0, 16)
