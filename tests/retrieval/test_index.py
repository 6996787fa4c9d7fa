"""The dense index finds the nearest of what is visible."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.records import Passage
from evalkit.retrieval import DenseIndex, HashEmbedder
from evalkit.retrieval.index import _without
from evalkit.retrieval.ranking import lot


def numbered(count: int) -> list[Passage]:
    """Passages p00, p01 ... in an order that is not that of their ids."""
    return [Passage(f"p{(i * 7) % count:02}", "d", "d", "t", "x") for i in range(count)]


def unit(*rows: list[float]) -> np.ndarray:
    """Rows scaled to length 1."""
    vectors = np.array(rows, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def brute_force(
    index: DenseIndex, vectors: np.ndarray, query: np.ndarray, k: int, mask: np.ndarray
) -> list[str]:
    """The ids by the definition: cosine, then lot, among the visible."""
    cosines = np.round(vectors.astype(np.float64) @ query.astype(np.float64), 6)
    passages = zip(cosines, index.passages, mask, strict=True)
    hits = [(-c, lot(p.id), p.id) for c, p, seen in passages if seen]
    return [name for _, _, name in sorted(hits)[:k]]


@example(384, 11, 5)  # a cosine at the edge of a decimal: in float32 a tie is lost
@given(st.integers(0, 10_000), st.integers(1, 24), st.integers(1, 30))
def test_search_equals_its_definition(seed: int, count: int, k: int) -> None:
    """For every mask the result is the k nearest visible, ties by lot; many vectors are equal."""
    random = np.random.default_rng(seed)
    vectors = unit(*(random.integers(0, 2, (count, 3)) + np.array([0.5, 0, 0])).tolist())
    index = DenseIndex(numbered(count), vectors, "test")
    queries = unit(*random.normal(size=(4, 3)).tolist())
    masks = [random.random(count) < share for share in (0.0, 0.3, 0.7, 1.0)]
    found = index.search(queries, k, masks)
    for query, mask, ranking in zip(queries, masks, found, strict=True):
        names = [index.passages[i].id for i, _ in ranking]
        assert names == brute_force(index, vectors, query, k, mask)


def test_many_ties_at_the_last_place_are_ordered_by_lot() -> None:
    """Among 99 equal passages the first by lot win, however the index keeps them."""
    names = [f"p{98 - i:02}" for i in range(99)]
    index = DenseIndex(
        [Passage(name, "d", "d", "t", "x") for name in names],
        np.repeat(unit([1, 1]), 99, axis=0),
        "test",
    )
    (ranking,) = index.search(unit([1, 1]), 3)
    assert [(index.passages[i].id, s) for i, s in ranking] == [
        (name, 1.0) for name in sorted(names, key=lot)[:3]
    ]


def test_ties_favour_neither_old_nor_new_revisions() -> None:
    """Of 400 pairs of equal revisions the older one stands first in about half."""
    first = 0
    for i in range(400):
        passages = [Passage(f"d{i}@2025-0{m}-01#0", "d", "d", "t", "x") for m in (1, 7)]
        index = DenseIndex(passages, np.repeat(unit([1, 1]), 2, axis=0), "test")
        (ranking,) = index.search(unit([1, 1]), 1)
        first += ranking[0][0] == 0
    assert 160 < first < 240


def test_equal_masks_of_several_queries(passages: list[Passage]) -> None:
    """Queries that share a mask and queries that do not each get their own results."""
    index = DenseIndex.build(passages, HashEmbedder())
    vectors = HashEmbedder().encode(["small locker", "frozen goods", "small locker"])
    all_seen = np.ones(5, dtype=bool)
    only_d = np.array([False, False, False, False, True])
    one, two, three = index.search(vectors, 1, [all_seen, all_seen, only_d])
    assert index.passages[one[0][0]].id == min("A1", "A2", key=lot)
    assert index.passages[two[0][0]].id == "B1"
    assert index.passages[three[0][0]].id == "D"


def test_filtering_afterwards_equals_searching_what_is_visible() -> None:
    """Where an index takes no selector, hidden hits are left out of a longer result."""
    positions = np.array([[2, 0, 3, 1]])
    mask = np.array([False, True, True, True])
    assert _without(positions, mask, 3).tolist() == [[2, 3, 1]]


def test_index_without_selectors_finds_the_same(passages: list[Passage]) -> None:
    """The way taken on a GPU gives the results of the way taken on a processor."""
    index = DenseIndex.build(passages, HashEmbedder())
    vectors = HashEmbedder().encode(["small locker", "frozen goods"])
    masks = [np.array([True, True, False, False, True]), np.array([False, True, True, True, True])]
    expected = index.search(vectors, 3, masks)
    index._gpu = index._index
    assert index.search(vectors, 3, masks) == expected


def test_ill_shaped_input_is_refused(passages: list[Passage]) -> None:
    """Vectors of another length or number are refused with both figures."""
    index = DenseIndex.build(passages, HashEmbedder())
    with pytest.raises(ConfigError, match="dimension 512"):
        index.search(np.ones((1, 3), dtype=np.float32), 2)
    with pytest.raises(ConfigError, match="0 masks for 1 queries"):
        index.search(np.ones((1, 512), dtype=np.float32), 2, [])
    with pytest.raises(ConfigError, match="one row a passage"):
        DenseIndex(passages, np.ones((2, 3), dtype=np.float32), "test")


def test_no_passages_no_results() -> None:
    """An empty index answers every query with nothing."""
    index = DenseIndex([], np.zeros((0, 4), dtype=np.float32), "test")
    assert index.search(np.ones((2, 4), dtype=np.float32), 3) == [[], []]
