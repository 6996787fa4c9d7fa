"""Retrievers answer dated queries, each in its own way, all with the same manners."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.records import Passage, Retrieved
from evalkit.retrieval import (
    DenseIndex,
    DenseRetriever,
    HashEmbedder,
    HybridRetriever,
    LexicalIndex,
    LexicalRetriever,
    Query,
    Retriever,
    Visibility,
    reciprocal_rank_fusion,
)
from evalkit.retrieval.ranking import lot

APRIL, AUGUST = date(2025, 4, 1), date(2025, 8, 1)
KINDS = ["dense", "lexical", "hybrid"]


def make(kind: str, passages: list[Passage], visibility: Visibility | None = None) -> Retriever:
    """A retriever over the passages."""
    view = visibility or Visibility()
    dense = DenseRetriever(DenseIndex.build(passages, HashEmbedder()), HashEmbedder(), view)
    lexical = LexicalRetriever(LexicalIndex(passages), view)
    return {"dense": dense, "lexical": lexical, "hybrid": HybridRetriever((dense, lexical))}[kind]


def ids(hits: tuple[Retrieved, ...]) -> list[str]:
    """The passage ids of a result."""
    return [hit.passage.id for hit in hits]


@pytest.mark.parametrize("kind", KINDS)
def test_each_query_sees_its_own_date(kind: str, passages: list[Passage]) -> None:
    """The same words on two dates find what was there on each of them."""
    queries = [Query("price of a small locker", day) for day in (APRIL, AUGUST)]
    april, august = make(kind, passages).retrieve(queries, 2)
    assert ids(april)[0] == "A1"
    assert "A2" not in ids(april)
    assert set(ids(august)) == {"A1", "A2"}


@pytest.mark.parametrize("kind", KINDS)
def test_views_of_time(kind: str, passages: list[Passage]) -> None:
    """A snapshot has the current price, an index built in April the old one."""
    query = [Query("price of a small locker", AUGUST)]
    (now,) = make(kind, passages, Visibility("snapshot")).retrieve(query, 1)
    (then,) = make(kind, passages, Visibility("stale", APRIL)).retrieve(query, 1)
    assert (ids(now), ids(then)) == (["A2"], ["A1"])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_visible_nothing_found(kind: str, passages: list[Passage]) -> None:
    """A query before all documents gets an empty tuple, and no queries get no results."""
    dated = [passage for passage in passages if passage.valid_from]
    retriever = make(kind, dated)
    assert retriever.retrieve([Query("small locker", date(2024, 1, 1))], 3) == [()]
    assert retriever.retrieve([], 3) == []


@pytest.mark.parametrize("kind", KINDS)
def test_results_are_the_same_for_any_order_of_passages(kind: str, passages: list[Passage]) -> None:
    """The order in which passages were indexed leaves no mark on the results."""
    queries = [Query("small locker a day", AUGUST), Query("goods in the depot", AUGUST)]
    assert make(kind, passages).retrieve(queries, 3) == make(kind, passages[::-1]).retrieve(
        queries, 3
    )


@pytest.mark.parametrize("kind", KINDS)
def test_scores_fall_and_passages_differ(kind: str, passages: list[Passage]) -> None:
    """Best first, each passage once, at most k of them."""
    (hits,) = make(kind, passages).retrieve([Query("a small locker in the depot", AUGUST)], 3)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert len(set(ids(hits))) == len(hits) <= 3


def test_hybrid_score_is_the_sum_of_reciprocal_ranks(passages: list[Passage]) -> None:
    """A passage that both rank first has 2 / 61."""
    (hits,) = make("hybrid", passages).retrieve([Query("frozen goods", AUGUST)], 1)
    assert ids(hits) == ["B1"]
    assert hits[0].score == pytest.approx(2 / 61)


def test_index_and_embedder_must_agree(passages: list[Passage]) -> None:
    """Vectors of two embedders are never compared."""
    index = DenseIndex.build(passages, HashEmbedder(64))
    with pytest.raises(ConfigError, match=r"'hash-64-4'.*'hash-512-4'"):
        DenseRetriever(index, HashEmbedder())
    with pytest.raises(ConfigError, match="at least 2"):
        HybridRetriever((DenseRetriever(index, HashEmbedder(64)),))


def test_fusion_by_hand() -> None:
    """1/61 + 1/62 beats 1/61 + 1/63; equal sums stand by lot."""
    assert reciprocal_rank_fusion([["a", "b", "c"], ["c", "a"]]) == [
        ("a", pytest.approx(1 / 61 + 1 / 62)),
        ("c", pytest.approx(1 / 63 + 1 / 61)),
        ("b", pytest.approx(1 / 62)),
    ]
    assert [i for i, _ in reciprocal_rank_fusion([["b"], ["a"]])] == sorted("ab", key=lot)
    assert reciprocal_rank_fusion([[], []]) == []
    with pytest.raises(ConfigError, match="above 0"):
        reciprocal_rank_fusion([["a"]], 0)


RANKINGS = st.lists(st.permutations("abcdef").map(lambda p: p[:4]), min_size=1, max_size=4)


@given(RANKINGS, st.randoms(use_true_random=False))
def test_fusion_does_not_depend_on_the_order_of_the_rankings(rankings, random) -> None:
    """Rankings are a set: shuffling them changes nothing, and scores stay in their range."""
    fused = reciprocal_rank_fusion(rankings)
    shuffled = list(rankings)
    random.shuffle(shuffled)
    assert reciprocal_rank_fusion(shuffled) == fused
    assert all(0 < score <= len(rankings) / 61 + 1e-12 for _, score in fused)
    assert {i for i, _ in fused} == {i for ranking in rankings for i in ranking}
