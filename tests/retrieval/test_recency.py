"""Recency: filters that never let the old through, and a decay that only ever lowers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.records import Passage, Retrieved
from evalkit.retrieval import Query, Recency, Visibility
from evalkit.retrieval.build import Build, Materials
from evalkit.retrieval.ranking import lot
from evalkit.retrieval.recency import DecayRetriever, decayed

Making = Callable[..., Materials]
NAMES = st.sampled_from(["dense", "bm25", "hybrid"])
START = date(2025, 1, 1)
AUGUST = date(2025, 8, 1)
TEXTS = ("small locker", "locker price", "frozen goods", "small goods depot")


@st.composite
def corpora(draw: st.DrawFn) -> list[Passage]:
    """Documents with a chain of revisions of one to two passages; some undated, some withdrawn."""
    found = []
    for document in range(draw(st.integers(1, 4))):
        days = sorted(draw(st.sets(st.integers(0, 300), min_size=1, max_size=4)))
        starts: list[date | None] = [START + timedelta(day) for day in days]
        ends = [*starts[1:], draw(st.sampled_from([None, START + timedelta(320)]))]
        if draw(st.booleans()):
            starts[0] = None
        for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
            name = f"d{document}@{number}"
            found += [
                Passage(f"{name}#{i}", f"d{document}", name, "", text, start, end)
                for i, text in enumerate(
                    draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=2))
                )
            ]
    return found


@pytest.fixture(scope="module")
def retrieve(
    tmp_path_factory: pytest.TempPathFactory, materials: Making, builds: dict[str, Build]
) -> Callable[..., Any]:
    """``retrieve(name, recency, passages, as_of, k, visibility)``: what one query finds."""
    folder: Path = tmp_path_factory.mktemp("store")

    def find(
        name: str,
        recency: Recency,
        passages: list[Passage],
        as_of: date,
        k: int = 4,
        visibility: Visibility | None = None,
    ) -> tuple[Retrieved, ...]:
        build = recency.over(builds[name])
        retriever = build(materials(passages, folder, visibility=visibility))
        (hits,) = retriever.retrieve([Query("price of a small locker", as_of)], k)
        return hits

    return find


DAYS = st.integers(0, 360).map(lambda day: START + timedelta(day))


@given(NAMES, corpora(), DAYS, st.integers(1, 6))
def test_current_only_never_returns_what_is_superseded(
    retrieve: Callable[..., Any], name: str, passages: list[Passage], on: date, k: int
) -> None:
    """Every hit is in force on the question's date; the results are those of a snapshot."""
    hits = retrieve(name, Recency("current_only"), passages, on, k)
    assert all(hit.passage.valid_at(on) for hit in hits)
    assert hits == retrieve(name, Recency(), passages, on, k, Visibility("snapshot"))


@given(NAMES, corpora(), DAYS, st.sampled_from(["history", "snapshot"]))
def test_newest_per_document_returns_one_revision_of_each(
    retrieve: Callable[..., Any], name: str, passages: list[Passage], on: date, view: Any
) -> None:
    """At most one revision of a document, and of those that the view shows the one begun last."""
    visibility = Visibility(view)
    hits = retrieve(name, Recency("newest_per_document"), passages, on, 20, visibility)
    for hit in hits:
        rivals = [
            p for p in passages if p.document == hit.passage.document and visibility.shows(p, on)
        ]
        newest = max(p.valid_from or date.min for p in rivals)
        assert (hit.passage.valid_from or date.min) == newest
    assert len({h.passage.revision for h in hits}) == len({h.passage.document for h in hits})


def test_newest_finds_what_was_withdrawn_and_current_does_not(
    retrieve: Callable[..., Any], passages: list[Passage]
) -> None:
    """A store that is told of new revisions but not of withdrawals goes on with the last one."""
    newest = retrieve("dense", Recency("newest_per_document"), passages, AUGUST)
    current = retrieve("dense", Recency("current_only"), passages, AUGUST)
    assert {hit.passage.id for hit in newest} == {"A2", "B1", "D"}
    assert {hit.passage.id for hit in current} == {"A2", "D"}


def test_of_revisions_begun_on_one_day_one_is_kept(retrieve: Callable[..., Any]) -> None:
    """By lot, the same one in any order of the passages."""
    twins = [Passage(f"{r}#0", "d", r, "", "small locker", START) for r in ("d@x", "d@y")]
    for passages in (twins, twins[::-1]):
        (hit,) = retrieve("dense", Recency("newest_per_document"), passages, AUGUST)
        assert hit.passage.revision == max("d@x", "d@y", key=lot)


@given(NAMES, corpora(), DAYS, st.integers(1, 6))
def test_an_infinite_half_life_is_no_decay(
    retrieve: Callable[..., Any], name: str, passages: list[Passage], on: date, k: int
) -> None:
    """The same passages with the same scores in the same order."""
    without = retrieve(name, Recency("none"), passages, on, k)
    assert retrieve(name, Recency("decay", math.inf), passages, on, k) == without


@given(
    st.sampled_from(["dense", "bm25"]),
    corpora(),
    DAYS,
    st.integers(1, 6),
    st.floats(0.01, 1000),
)
def test_decay_ranks_all_that_is_seen(
    retrieve: Callable[..., Any],
    name: str,
    passages: list[Passage],
    on: date,
    k: int,
    half_life: float,
) -> None:
    """The k best are those of the whole ranking with every score decayed, however deep they lay."""
    whole = retrieve(name, Recency(), passages, on, 1000)
    aged = [
        decayed(h.score, (on - h.passage.valid_from).days, half_life)
        if h.passage.valid_from
        else h.score
        for h in whole
    ]
    hits = retrieve(name, Recency("decay", half_life), passages, on, k)
    assert [hit.score for hit in hits] == sorted(aged, reverse=True)[:k]


@dataclass(frozen=True)
class Fixed:
    """A retriever with a ranking of its own that notes how deep it was asked."""

    hits: tuple[Retrieved, ...]
    asked: list[tuple[int, int]]
    name: str = "fixed"

    def retrieve(self, queries: Sequence[Query], k: int) -> list[tuple[Retrieved, ...]]:
        self.asked.append((len(queries), k))
        return [self.hits[:k]] * len(queries)


def ranking(scores: Sequence[float], ages: Sequence[int]) -> tuple[Retrieved, ...]:
    """Hits of given scores and ages on 1 August."""
    return tuple(
        Retrieved(Passage(f"p{i}", "d", f"d@{i}", "", "x", AUGUST - timedelta(age)), score)
        for i, (score, age) in enumerate(zip(scores, ages, strict=True))
    )


def test_a_new_passage_is_found_below_many_old_ones() -> None:
    """The search goes deeper until nothing that was not returned could be better."""
    old = ranking([0.9] * 500, [400] * 500)
    new = Retrieved(Passage("new", "e", "e@1", "", "x", AUGUST), 0.8)
    inner = Fixed((*old, new), [])
    (hits,) = DecayRetriever(inner, 100).retrieve([Query("x", AUGUST)], 2)
    assert [hit.passage.id for hit in hits] == ["new", "p0"]
    assert [depth for _, depth in inner.asked] == [32, 128, 512]


def test_it_goes_no_deeper_than_it_must() -> None:
    """Where the young stand first one search is enough."""
    inner = Fixed(ranking([1 - i / 1000 for i in range(500)], [0] * 5 + [300] * 495), [])
    DecayRetriever(inner, 100).retrieve([Query("x", AUGUST)] * 3, 3)
    assert inner.asked == [(3, 32)]
    assert DecayRetriever(inner, 100).retrieve([Query("x", AUGUST)], 0) == [()]


def test_half_a_score_is_left_after_a_half_life() -> None:
    """0.8 at 180 days is 0.4, at 360 days 0.2; a negative score goes down as far as 0.8 would."""
    assert decayed(0.8, 180, 180) == pytest.approx(0.4)
    assert decayed(0.8, 360, 180) == pytest.approx(0.2)
    assert decayed(-0.8, 180, 180) == pytest.approx(-1.2)
    assert decayed(0.8, 0, 180) == 0.8


SCORES = st.floats(-1, 1) | st.floats(0, 80)


@given(SCORES, SCORES, st.integers(0, 40_000), st.integers(0, 40_000), st.floats(1e-6, 1e9))
def test_age_never_raises_a_score(
    one: float, other: float, age: int, more: int, half_life: float
) -> None:
    """For cosines (negative ones too) and BM25: older is not higher, and of one age better stays better."""
    slack = 1e-12 * max(1, abs(one))
    assert decayed(one, age + more, half_life) <= decayed(one, age, half_life) + slack
    assert decayed(one, age, half_life) <= one
    if one >= other:
        assert decayed(one, age, half_life) >= decayed(other, age, half_life) - 1e-12
    assert decayed(1000 * one, age, half_life) == pytest.approx(
        1000 * decayed(one, age, half_life), abs=1e-6
    )


def test_negative_cosines_are_not_lifted_by_age() -> None:
    """Multiplied by a weight below 1 the older of two unlike passages would come first."""
    inner = Fixed(ranking([-0.1, -0.1], [0, 1000]), [])
    (hits,) = DecayRetriever(inner, 100).retrieve([Query("x", AUGUST)], 2)
    assert [hit.passage.id for hit in hits] == ["p0", "p1"]


def test_undated_passages_keep_their_score(
    retrieve: Callable[..., Any], passages: list[Passage]
) -> None:
    """No beginning, no age."""
    plain = {h.passage.id: h.score for h in retrieve("dense", Recency(), passages, AUGUST, 9)}
    aged = retrieve("dense", Recency("decay", 30), passages, AUGUST, 9)
    assert {h.passage.id: h.score for h in aged}["D"] == plain["D"]
    assert all(
        h.score < plain[h.passage.id]
        for h in aged
        if plain[h.passage.id] > 0 and h.passage.id != "D"
    )


def test_a_fusion_is_decayed_before_it_is_fused(
    tmp_path: Path, passages: list[Passage], materials: Making, builds: dict[str, Build]
) -> None:
    """Relevance still counts: fused scores are too close together to be multiplied."""
    hybrid = Recency("decay", 180).over(builds["hybrid"])(materials(passages, tmp_path))
    assert hybrid.name.startswith("hybrid(decay(dense(")
    (hits,) = hybrid.retrieve([Query("frozen goods", date(2025, 12, 1))], 1)
    assert hits[0].passage.id == "B1"


@pytest.mark.parametrize(
    ("kind", "days", "words"),
    [
        ("newest", None, "expected one of none, current_only, newest_per_document, decay"),
        ("decay", None, "half_life_days is None"),
        ("decay", 0, "half_life_days is 0"),
        ("decay", math.nan, "half_life_days is nan"),
        ("none", "long", "half_life_days is 'long'"),
        ("decay", True, "half_life_days is True"),
    ],
)
def test_senseless_settings_are_refused(kind: Any, days: Any, words: str) -> None:
    """The key, its value and what was expected."""
    with pytest.raises(ConfigError, match=words):
        Recency(kind, days)
