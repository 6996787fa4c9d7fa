"""The offline judge: what it accepts, refuses, and says it cannot see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.scoring import OfflineJudge
from evalkit.scoring.judges.offline import content

TEXT = (
    "Late parcels are handed to the night desk. The meal allowance is EUR 42 a day. "
    "Drivers in Ostrey must not leave before 06:30. The board of Ilse Brandt meets on 1 May 2025."
)


class Directions:
    """An embedder that puts texts holding a word on one axis and all others on another."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.calls: list[list[str]] = []

    def encode(self, texts: list[str]) -> Any:
        self.calls.append(list(texts))
        near = [any(word in text for word in self.words) for text in texts]
        return np.array([[1.0, 0.0] if n else [0.0, 1.0] for n in near], dtype=np.float32)


def supported(statement: str, text: str = TEXT, judge: OfflineJudge | None = None) -> bool | None:
    """The verdict on one statement against one text."""
    return (judge or OfflineJudge()).support([statement], [text])[0].supported


@pytest.mark.parametrize(
    "statement",
    [
        "EUR 42",
        "€42",
        "The meal allowance is 42 euros per day.",
        "Ilse Brandt",
        "2025-05-01",
        "6:30",
        "the night desk",
    ],
)
def test_statements_in_the_text_are_supported(statement: str) -> None:
    """Other spellings and light inflection do not matter."""
    assert supported(statement) is True


@pytest.mark.parametrize(
    "statement",
    [
        "EUR 24",
        "EUR 4",
        "The meal allowance is EUR 45 a day.",
        "Ilse Varga",
        "1 June 2025",
        "The board meets on 2 May 2025.",
        "16:30",
        "Cats sleep in the archive.",
    ],
)
def test_statements_not_in_the_text_are_not(statement: str) -> None:
    """Every value and nearly every word must stand in one place."""
    assert supported(statement) is False


def test_values_must_stand_together_with_the_words() -> None:
    """A number from another part of the text does not support a statement."""
    assert supported("The meal allowance is EUR 42 on 1 May 2025.") is False


def test_no_text_supports_nothing() -> None:
    """Empty texts give a verdict, which is no."""
    assert [j.supported for j in OfflineJudge().support(["a thing"], [])] == [False]
    assert supported("a thing", "") is False


def test_an_embedding_decides_only_what_words_leave_open() -> None:
    """Half the words and a near embedding support; a far one does not; values still bind."""
    statement = "Every late parcel goes straight to the night desk."
    assert supported(statement) is False
    assert supported(statement, judge=OfflineJudge(Directions("desk"))) is True
    assert supported(statement, judge=OfflineJudge(Directions("goes"))) is False
    with_value = "Every late parcel goes straight to the night desk at 06:30."
    assert supported(with_value, judge=OfflineJudge(Directions("desk"))) is False


def test_short_statements_are_never_supported_by_nearness() -> None:
    """Two people with one first name are near in any embedding and are not the same."""
    embedder = Directions("Ilse")
    assert supported("Ilse Varga", judge=OfflineJudge(embedder)) is False
    assert embedder.calls == []


def test_texts_are_embedded_once() -> None:
    """Vectors are kept by text: what was asked once needs no embedder again."""
    embedder = Directions("desk")
    judge = OfflineJudge(embedder)
    statement = "Every late parcel goes straight to the night desk."
    for _ in range(3):
        judge.support([statement], [TEXT, TEXT])
    (made,) = embedder.calls
    assert len(made) == len(set(made))
    assert statement in made


def test_a_broken_embedder_fails_only_what_needed_it() -> None:
    """The verdicts that words decide stand; the others are errors, not "unsupported"."""

    class Broken:
        def encode(self, texts: list[str]) -> Any:
            raise MemoryError("no room")

    open_one = "Every late parcel goes straight to the night desk."
    found = OfflineJudge(Broken()).support(["EUR 42", open_one, "Cats sleep."], [TEXT])
    assert [j.supported for j in found] == [True, None, False]
    assert "MemoryError: no room" in (found[1].error or "")


def test_the_name_says_what_it_uses() -> None:
    """A judge without embeddings is another instrument and has another name."""
    assert OfflineJudge().name == "offline-lexical"
    embedder = Directions()
    assert OfflineJudge(embedder).name == "offline-lexical+embedding"
    embedder.name = "minilm"  # type: ignore[attr-defined]
    assert OfflineJudge(embedder).name == "offline-lexical+minilm"


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("negation", "Drivers in Ostrey must leave before 06:30."),
        ("swapped roles", "The night desk is handed to late parcels."),
        ("a bare value", "6:30"),
        ("a value taken from another fact", "The meal allowance is EUR 42 at 06:30."),
    ],
)
def test_it_is_blind_to_what_it_says(kind: str, statement: str) -> None:
    """The listed blind spots are real: false statements of these kinds pass as supported."""
    assert any(each.startswith(kind) for each in OfflineJudge().blind_to)
    assert supported(statement) is True


def test_content_words_are_stemmed_and_values_kept_apart() -> None:
    """Plural, -ing and -ed forms meet; stop words go; values stay exact."""
    assert content("Parcels delivered") == content("a parcel delivering")
    assert content("the policies of 5 desks") == (frozenset({"policy", "desk"}), frozenset({"5"}))


@given(st.lists(st.sampled_from(TEXT.split(". ")), min_size=1, max_size=4), st.integers(0, 3))
def test_more_text_never_removes_support(parts: list[str], which: int) -> None:
    """Support is monotone: what some texts support, more texts support."""
    statement = TEXT.split(". ")[which]
    judge = OfflineJudge()
    assert judge.support([statement], [statement, *parts])[0].supported
    before = judge.support([statement], parts)[0]
    after = judge.support([statement], [*parts, TEXT])[0]
    assert bool(after.supported) >= bool(before.supported)
    assert after.score >= before.score
