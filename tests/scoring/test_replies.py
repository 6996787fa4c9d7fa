"""Support as a reply to the question: a value with its source and date, and what repeats the question."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from evalkit.records import Sample
from evalkit.scoring import OfflineJudge
from evalkit.scoring.faithfulness import statements
from evalkit.scoring.judges.claims import claim, dated

FAITHFULNESS = "faithfulness/generation/faithfulness"
GROUNDEDNESS = "faithfulness/generation/groundedness"
PRECISION = "citation/generation/precision"
NOW, BEFORE, ROOM = "TRV@2025-05-01", "TRV@2025-01-01", "ROOM@2025-01-01"


def given(value: str, source: str | None = None, effective: str | None = None) -> str:
    """An output in the house format."""
    return json.dumps({"answer": value, "source": source, "effective": effective})


def asked(sample: Sample, text: str) -> Sample:
    """The sample with another question."""
    return replace(sample, question=replace(sample.question, text=text))


@pytest.mark.parametrize(
    ("output", "faithful", "grounded"),
    [
        (given("EUR 42", "TRV", "2025-05-01"), 1.0, 1.0),
        (given("EUR 42", "trv@2025-05-01", "1 May 2025"), 1.0, 1.0),
        (given("EUR 42", "Title of TRV", "May 1, 2025"), 1.0, 1.0),
        (given("EUR 42"), 1.0, 1.0),
        (given("EUR 42", "TRV", "2025-01-01"), 0.0, 0.0),
        (given("EUR 42", "TRV", "some day"), 0.0, 0.0),
        (given("EUR 42", "ROOM", "2025-05-01"), 0.0, 0.0),
        (given("EUR 42", "the document's id", "2025-05-01"), 0.0, 0.0),
        (given("EUR 38", "TRV", "2025-01-01"), 1.0, 0.0),
        (given("EUR 38", "TRV", "2025-05-01"), 0.0, 0.0),
        (given("EUR 42", "TRV, ROOM", "2025-05-01"), 1.0, 1.0),
        (given("Lantern room", "TRV, ROOM", "2025-05-01"), 1.0, 0.0),
        (given("EUR 38", "TRV, ROOM", "2025-05-01"), 0.0, 0.0),
        ("EUR 42", 1.0, 1.0),
    ],
)
def test_a_value_is_supported_with_its_source_and_its_date(
    world: Any, output: str, faithful: float, grounded: float
) -> None:
    """The value must stand in a passage of the source named, in force from the day named; of two
    sources with one day, the day must be one's.
    """
    sample = world.sample(output, spec=world.house, retrieved=[NOW, BEFORE, ROOM])
    assert world.score(FAITHFULNESS, sample).value == faithful
    assert world.score(GROUNDEDNESS, sample).value == grounded


def test_the_reason_says_by_which_source_and_date(world: Any) -> None:
    """A right value with a wrong date: a reader sees what was wrong."""
    sample = world.sample(given("EUR 42", "TRV", "2025-01-01"), spec=world.house, retrieved=[NOW])
    found = world.score(FAITHFULNESS, sample)
    assert found.reason == "not supported: EUR 42 (by TRV, 2025-01-01)"


def test_support_and_citation_are_measured_apart(world: Any) -> None:
    """A right citation of a wrong value, and a right value without a citation."""
    wrong = world.sample(given("EUR 41", "TRV", "2025-05-01"), spec=world.house, retrieved=[NOW])
    assert world.score(GROUNDEDNESS, wrong).value == 0.0
    assert world.score(PRECISION, wrong).value == 1.0
    bare = world.sample(given("EUR 42"), spec=world.house, retrieved=[NOW])
    assert world.score(GROUNDEDNESS, bare).value == 1.0
    assert world.score(PRECISION, bare).status == "not_applicable"


LIMITS = """\
# Limits

| What | Inside the region | Outside the region |
|---|---|---|
| Meals | EUR 34 | EUR 56 |
| Hotel in Port Varrick | EUR 115 | EUR 140 |

Claims are paid within 12 days. Damage to a parcel must be reported within 30 days. Ask Ilse Brandt.
"""
TABLE = "What is the limit for meals outside the region?"
PORT = "How much may a hotel in Port Varrick cost inside the region?"
DAMAGE = "Within how many days must damage to a parcel be reported?"


@pytest.mark.parametrize(
    ("question", "value", "supported"),
    [
        (TABLE, "EUR 56", True),
        (TABLE, "EUR 34", False),
        (TABLE, "The limit for meals outside the region is EUR 34.", False),
        (TABLE, "The answer is: 56 euros.", True),
        (PORT, "EUR 115", True),
        (PORT, "EUR 56", False),
        (DAMAGE, "30 days", True),
        (DAMAGE, "Damage must be reported within thirty days.", True),
        (DAMAGE, "12 days", False),
        (DAMAGE, "720 hours", True),
        (DAMAGE, "Ilse Brandt", True),
        ("Whom do I ask?", "Ilse Brandt", True),
        ("", "EUR 34", True),
    ],
)
def test_a_value_of_another_fact_in_the_passage_is_not_supported(
    question: str, value: str, supported: bool
) -> None:
    """Where a cell or a sentence on another value of the kind fits the question better, it is seen; a
    name, or a value without a rival, is not told from another fact's.
    """
    texts = [dated("FIN", date(2025, 1, 1), LIMITS)]
    (found,) = OfflineJudge().support([claim(value, "FIN", question=question)], texts)
    assert found.supported is supported


HOTEL = "What is the maximum price per night for a hotel in Port Varrick?"


@pytest.mark.parametrize(
    ("reply", "supported"),
    [
        ("The maximum price per night for a hotel in Port Varrick is EUR 115.", True),
        ("The maximum price per night for a hotel in Port Varrick is EUR 20.", False),
        ("The maximum price per night for a hotel in Port Varrick is 20.", False),
        ("The price per night for a hotel in Port Varrick is set by Ottilie Kranz.", False),
        ("A hotel in Port Varrick may cost EUR 115.", True),
    ],
)
def test_what_a_reply_adds_to_its_question_must_be_in_the_texts(
    reply: str, supported: bool
) -> None:
    """To repeat the words of the question, which the texts hold too, supports nothing."""
    (found,) = OfflineJudge().support([claim(reply, question=HOTEL)], [LIMITS])
    assert found.supported is supported


@pytest.mark.parametrize(
    ("question", "reply", "stated"),
    [
        (HOTEL, HOTEL, 0),
        (HOTEL, "The maximum price per night for a hotel in Port Varrick.", 0),
        (HOTEL, "The answer is:", 0),
        (HOTEL, "The answer is: EUR 115", 1),
        (HOTEL, "EUR 115. EUR 115. EUR 115.", 1),
        ("May a hotel cost more?", "A hotel may cost more.", 1),
        ("Is it the hotel or the meal?", "It is the meal.", 1),
        ("", "It is so.", 1),
    ],
)
def test_what_only_repeats_the_question_states_nothing(
    world: Any, question: str, reply: str, stated: int
) -> None:
    """Neither the question, nor its words as a sentence, nor a lead-in; unless it offers a choice."""
    sample = asked(world.sample(reply, retrieved=[NOW]), question)
    assert len(statements(sample)) == stated
    if not stated:
        found = world.score(FAITHFULNESS, sample)
        assert (found.status, found.reason) == ("not_applicable", "no statements")


@pytest.mark.parametrize(
    "output",
    [
        '{"claim": "EUR 42", "source": 7}',
        '{"claim": ["EUR 42"]}',
        '{"claim": "EUR 42", "source": "NOWHERE"}',
        '{"claim":' + "[" * 5000,
    ],
)
def test_an_answer_cannot_pass_itself_off_as_a_claim(world: Any, output: str) -> None:
    """What looks like our own notation is judged as what was said, and breaks nothing."""
    found = world.score(FAITHFULNESS, world.sample(output, retrieved=[NOW]))
    assert found.status in ("scored", "not_applicable")
