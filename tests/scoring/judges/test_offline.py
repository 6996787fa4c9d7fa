"""The offline judge: what it accepts, refuses, and says it cannot see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.scoring import OfflineJudge
from evalkit.scoring.judges.blind import ALWAYS, DECIDING, ENOUGH, LABELS, blind_kinds
from evalkit.scoring.judges.evidence import TokenEvidence
from evalkit.scoring.judges.model import fitted

TEXT = (
    "Late parcels are handed to the night desk. The meal allowance is EUR 42 a day. "
    "Drivers in Ostrey must not leave before 06:30. The board of Ilse Brandt meets on 1 May 2025."
)
OPEN = "Every late parcel goes straight over to the team at the night desk."
"""Neither word for word in the text nor different from it in a small part: rules leave it open."""


class Reader:
    """Evidence that says the same of every token: the source makes it likelier, or less likely."""

    def __init__(self, gain: float, identity: str | None = None) -> None:
        self.gain = gain
        self.identity = fitted().identity if identity is None else identity
        self.calls: list[tuple[str, str]] = []

    def read(self, source: str, answer: str) -> TokenEvidence | None:
        self.calls.append((source, answer))
        ends = np.cumsum([len(word) + 1 for word in answer.split()]) - 1
        starts = np.array([0, *(ends[:-1] + 1)])
        size = len(ends)
        alone = np.full(size, -4.0)
        heads = np.zeros((size, len(fitted().evidence.heads)))
        return TokenEvidence(
            np.stack([starts, ends], 1), alone + self.gain, alone, np.zeros(size), heads
        )


class Broken(Reader):
    """Evidence that cannot be read."""

    def read(self, source: str, answer: str) -> TokenEvidence | None:
        raise MemoryError("no room")


class TooLong(Reader):
    """Evidence of a model that cannot take so much text."""

    def read(self, source: str, answer: str) -> TokenEvidence | None:
        self.calls.append((source, answer))
        return None


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
        "The answer is: EUR 42.",
        "The answer to this question is 6:30.",
        "Late parcels get handed to the night desk.",
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
        "USD 42",
        "EUR 45.",
        "The answer is EUR 45.",
        "The answer is: Ilse Varga.",
        "The meal allowance is EUR 45 a day.",
        "The meal allowance is EUR 42 a week.",
        "Ilse Varga",
        "1 June 2025",
        "The board meets on 2 May 2025.",
        "The board of Ilse Varga meets on 1 May 2025.",
        "16:30",
        "Drivers in Ostrey must leave before 06:30.",
        "Drivers in Ostrey must not leave after 06:30.",
        "Cats sleep in the archive among dusty violins.",
    ],
)
def test_statements_not_in_the_text_are_not(statement: str) -> None:
    """One value, name, negation or direction that differs is enough."""
    assert supported(statement) is False


def test_values_must_stand_together_with_the_words() -> None:
    """A number from another part of the text does not support a statement."""
    assert supported("The meal allowance is EUR 45 on 1 May 2025.") is False


def test_a_cell_of_a_table_belongs_to_its_row_and_column() -> None:
    """A value of another row or column of a table does not support a statement about this one."""
    table = (
        "| Depot | Gate opens | Height limit |\n|---|---|---|\n"
        "| Ostrey | 05:15 | 4.1 m |\n| Lindhaven | 03:45 | 4.2 m |\n"
    )
    assert supported("The height limit at Ostrey is 4.1 m.", table) is True
    assert supported("The height limit at Ostrey is 4.2 m.", table) is False


def test_no_text_supports_nothing() -> None:
    """Empty texts give a verdict, which is no."""
    assert [j.supported for j in OfflineJudge().support(["a thing"], [])] == [False]
    assert supported("a thing", "") is False
    assert supported(OPEN, "") is False


@pytest.mark.parametrize("statement", ["", "...", "the", "No.", "\u2028", "{}", '{"claim": 1'])
def test_odd_statements_get_a_verdict(statement: str) -> None:
    """Nothing that a model may write makes the judge fail."""
    assert supported(statement) in (True, False)


def test_evidence_decides_only_what_rules_leave_open() -> None:
    """A language model is asked about an answer only where a statement of it is open."""
    reader = Reader(2.0)
    judge = OfflineJudge(reader)
    assert supported("EUR 42", judge=judge) is True
    assert supported("The meal allowance is EUR 45 a day.", judge=judge) is False
    assert reader.calls == []
    judge.support(["EUR 42", OPEN], [TEXT, "More."])
    assert reader.calls == [(f"{TEXT}\n\nMore.", f"EUR 42 {OPEN}")]


def test_words_that_the_source_makes_less_likely_speak_against_support() -> None:
    """The same statement has more support where the source makes its words likelier."""
    (likelier,) = OfflineJudge(Reader(3.0)).support([OPEN], [TEXT])
    (less,) = OfflineJudge(Reader(-3.0)).support([OPEN], [TEXT])
    assert likelier.score > less.score


def test_broken_evidence_fails_only_what_needed_it() -> None:
    """The verdicts of rules stand; the others are errors, not "unsupported"."""
    found = OfflineJudge(Broken(0.0)).support(["EUR 42", OPEN, "Cats sleep."], [TEXT])
    assert [j.supported for j in found] == [True, None, False]
    assert "MemoryError: no room" in (found[1].error or "")


def test_a_text_too_long_for_evidence_is_judged_by_wording() -> None:
    """What cannot be read whole gets the verdict of wording alone."""
    reader = TooLong(0.0)
    (found,) = OfflineJudge(reader).support([OPEN], [TEXT])
    (plain,) = OfflineJudge().support([OPEN], [TEXT])
    assert reader.calls
    assert found == plain


def test_evidence_of_other_weights_is_refused() -> None:
    """Coefficients fitted on one model's evidence say nothing about another's."""
    with pytest.raises(ConfigError, match=r"fitted on the evidence of .*, got 'hub:other'"):
        OfflineJudge(Reader(0.0, identity="hub:other"))


def test_the_name_says_what_it_uses() -> None:
    """A judge without evidence is another instrument and has another name."""
    assert OfflineJudge().name == "offline-lexical"
    assert OfflineJudge(Reader(0.0)).name == "offline-lexical+evidence"
    assert OfflineJudge().version == f"3.{fitted().version}"


def test_it_is_blind_to_what_its_figures_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind is listed exactly where too few reworded pairs were told apart; unmeasured, all are."""
    from evalkit.scoring.judges import blind

    figures = {kind: {"reworded": 1.0, "unseen": 1.0} for kind in LABELS}
    figures["number"] = {"reworded": 1.0, "unseen": ENOUGH - 0.01}
    figures["unit"] = {"reworded": ENOUGH - 0.01, "unseen": 1.0}
    figures["date"] = {"reworded": ENOUGH, "unseen": ENOUGH}
    monkeypatch.setattr(blind, "_figures", lambda: {"mine": figures})
    assert blind_kinds("mine") == ("a changed number", "a changed unit", *ALWAYS)
    assert blind_kinds("another") == (*LABELS.values(), *ALWAYS)


@pytest.mark.parametrize(
    ("kind", "statement", "text"),
    [
        ("swapped roles", "Wardens hand visitors to drivers at the inner gate.",
         "At the inner gate drivers are handed by wardens to visitors."),
        ("a bare value", "6:30", TEXT),
        ("negation", "The patrol enters before a key holder is there.",
         "Their patrol never goes in before one of us is there."),
    ],
)  # fmt: skip
def test_it_is_blind_to_what_it_says(kind: str, statement: str, text: str) -> None:
    """The listed blind spots are real: false statements of these kinds may pass as supported."""
    assert any(each.startswith(kind) for each in OfflineJudge().blind_to)
    assert supported(statement, text) is True


@pytest.mark.parametrize("judge", ["offline-lexical", "offline-lexical+evidence"])
def test_the_committed_figures_cover_every_kind(judge: str) -> None:
    """Eight kinds, 300 pairs, and shares between 0 and 1."""
    path = Path(__file__).parents[3] / "evalkit" / "scoring" / "judges" / "minimal_pairs.json"
    figures = json.loads(path.read_text())["judges"][judge]
    assert set(figures) == set(LABELS)
    assert sum(kind["pairs"] for kind in figures.values()) == 300
    assert all(0 <= kind[key] <= 1 for kind in figures.values() for key in ("verbatim", *DECIDING))


def test_an_answer_is_ranked_by_its_worst_statements() -> None:
    """An invented sentence raises the odds; without statements there are none."""
    judge = OfflineJudge()
    good = ["Late parcels are handed to the night desk.", "The meal allowance is EUR 42 a day."]
    bad = [good[0], "A choir of violinists performs Mozart at the harbour every winter evening."]
    one, other = judge.unsupported_odds(good, [TEXT]), judge.unsupported_odds(bad, [TEXT])
    assert one is not None
    assert other is not None
    assert one < other
    assert judge.unsupported_odds([], [TEXT]) is None


SENTENCES = TEXT.split(". ")


@given(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=4), st.integers(0, 3))
def test_more_text_never_removes_support(parts: list[str], which: int) -> None:
    """Support is monotone: what the texts say, more texts support too."""
    statement = SENTENCES[which]
    judge = OfflineJudge()
    assert judge.support([statement], [statement, *parts])[0].supported
    before = judge.support([statement], parts)[0]
    after = judge.support([statement], [*parts, TEXT])[0]
    assert bool(after.supported) >= bool(before.supported)
    assert after.score >= before.score


@given(st.text(max_size=80), st.text(max_size=200))
def test_any_text_gives_a_verdict_and_a_probability(statement: str, text: str) -> None:
    """Whatever the texts, a verdict, and a score between 0 and 1 that does not depend on chance."""
    judge = OfflineJudge()
    first, again = (judge.support([statement], [text])[0] for _ in range(2))
    assert first == again
    assert first.supported in (True, False)
    assert 0 <= first.score <= 1


@given(st.permutations(SENTENCES))
def test_the_order_of_texts_does_not_matter(texts: list[str]) -> None:
    """Support is of the texts together."""
    statements = [*SENTENCES, OPEN, "The meal allowance is EUR 45 a day."]
    judge = OfflineJudge()
    plain: list[Any] = [j.supported for j in judge.support(statements, SENTENCES)]
    assert [j.supported for j in judge.support(statements, texts)] == plain
