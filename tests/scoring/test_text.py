"""Text: normal forms, containment, sentences and refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.scoring.text import (
    refusal,
    sentences,
    spans,
    squad_normalise,
    token_f1,
    tokens,
    wording,
)


def contains(text: str, value: str) -> bool:
    """Whether a value stands in a text, as metrics look for it."""
    return bool(spans(wording(value), tokens(text)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("I do not know.", "No"),
        ("It takes 15 days.", "5 days"),
        ("It takes 2.5 hours", "5 hours"),
        ("It takes 25 hours", "2.5 hours"),
        ("on 11 March", "1 March"),
        ("kept at -18 °C", "18 °C"),
        ("firmware 2.14.3", "2.14"),
        ("P10 tickets", "P1"),
        ("17:300", "17:30"),
        ("the tier list", "Tier A"),
        ("some text", ""),
        ("twenty five-day weeks and 6 days", "26 days"),
        ("thirty and five", "35"),
    ],
)
def test_a_value_is_not_found_inside_a_longer_one(text: str, value: str) -> None:
    """Containment respects the bounds of words, decimals, dates, signs and versions."""
    assert not contains(text, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("No, it is not.", "no"),
        ("up to 4,200 parcels", "4200"),
        ("it costs €42.", "EUR 42"),
        ("42 euros a day", "EUR 42"),
        ("EUR 42.00", "EUR 42"),
        ("in force since 2025-03-01", "1 March 2025"),
        ("March 1st, 2025", "2025-03-01"),
        ("by 1 March 2025", "1 March"),
        ("closes at 5:30 pm", "17:30"),
        ("opens 9 am", "09:00"),
        ("08:00-18:00", "18:00"),
        ("08:00\u201318:00", "8:00"),
        ("five working days", "5 working days"),
        ("minus 18 degrees", "-18 degrees"),
        ("within twenty-five minutes", "25 min"),
        ("sixty days", "60 days"),
        ("a 30-minute break", "30 minutes"),
        ("22 kilos", "22 kg"),
        ("10kg", "10 kg"),
        ("v3.2", "3.2"),
        ("the head of the fleet", "head of fleet"),
        ("duty manager", "a duty manager"),
        ("7 per cent", "7%"),
        ("Tier A applies", "tier a"),
    ],
)
def test_spellings_of_one_value_are_equal(text: str, value: str) -> None:
    """A value is found in its usual other spellings."""
    assert contains(text, value)


def test_two_dates_beside_numbers_keep_their_numbers() -> None:
    """A month takes the day before it and leaves the number after it alone."""
    assert tokens("from 5 March 10 people") == ("from", "5", "march", "10", "people")


@pytest.mark.parametrize(
    ("raw", "normal"),
    [("The  Cat, a dog!", "cat dog"), ("An-other", "another"), ("", ""), ("theatre", "theatre")],
)
def test_squad_normalisation(raw: str, normal: str) -> None:
    """Lower case, no punctuation, no articles, single blanks."""
    assert squad_normalise(raw) == normal


@pytest.mark.parametrize(
    ("prediction", "reference", "value"),
    [
        ("the cat sat", "cat sat down", 0.8),
        ("cat", "cat", 1.0),
        ("dog", "cat", 0.0),
        ("", "cat", 0.0),
        ("a", "the", 1.0),
        ("a b b", "b b b", 2 * 1.0 * (2 / 3) / (1.0 + 2 / 3)),
    ],
)
def test_token_f1_by_hand(prediction: str, reference: str, value: float) -> None:
    """2PR / (P + R) over words without articles, counted with multiplicity."""
    assert token_f1(prediction, reference) == pytest.approx(value)


@given(st.text(max_size=40), st.text(max_size=40))
def test_token_f1_is_symmetric_and_bounded(a: str, b: str) -> None:
    """F1 swaps precision and recall when its arguments swap, and stays in [0, 1]."""
    assert token_f1(a, b) == token_f1(b, a)
    assert 0 <= token_f1(a, b) <= 1


@given(st.text(alphabet="ab 12.:-€\n", max_size=30))
def test_a_text_contains_itself(text: str) -> None:
    """Containment is reflexive for every text that has a token."""
    assert contains(text, text) == bool(tokens(text))


def test_sentences_of_prose_and_markdown() -> None:
    """Abbreviations and numbers do not end a sentence; list items and rows stand alone."""
    text = (
        "# Fees\n\nDr. Ames pays EUR 2.50. See No. 5, e.g. the\ntable. No. That is all.\n"
        "| a | b |\n|---|---|\n| Locker | EUR 5 |\n- First item\n2. Second item"
    )
    assert sentences(text) == (
        "Fees",
        "Dr. Ames pays EUR 2.50.",
        "See No. 5, e.g. the table.",
        "No.",
        "That is all.",
        "| a | b |",
        "| Locker | EUR 5 |",
        "First item",
        "Second item",
    )


@pytest.mark.parametrize(
    "answer",
    [
        "not in the handbook",
        "Not in the handbook.",
        "I don\u2019t know.",
        "There is no information about this.",
        "The provided context does not mention a fee.",
        "The fee is not specified in the passages.",
        "The fee is not stated.",
        "Not in the handbook. Ask your manager.",
    ],
)
def test_refusals_are_recognised(answer: str) -> None:
    """The abstention reply or a listed form of refusal in the first sentence."""
    assert refusal(answer, "not in the handbook") is not None


@pytest.mark.parametrize(
    "answer",
    ["EUR 42", "No", "Boxes do not contain glass.", "You know it is 5.", "", "It is unknown to me"],
)
def test_answers_are_not_refusals(answer: str) -> None:
    """A negative answer is an answer, and a word of the reply inside a sentence is not it."""
    assert refusal(answer, "unknown") is None
