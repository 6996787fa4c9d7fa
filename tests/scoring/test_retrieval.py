"""Retrieval: recall and precision of evidence, and the context contract."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.scoring.retrieval import average_precision

RECALL = "faithfulness/retrieval/context_recall"
PRECISION = "faithfulness/retrieval/context_precision"
STRICT, LOOSE = "format/retrieval/contract_strict", "format/retrieval/contract_loose"
NOW, BEFORE, ROOM = "TRV@2025-05-01", "TRV@2025-01-01", "ROOM@2025-01-01"
ALL = ["TRV@2025-01-01", NOW, "TRV@2025-12-01", ROOM, "OLD@2025-01-01"]


@pytest.mark.parametrize(
    ("retrieved", "recall", "precision"),
    [
        ([NOW], 1.0, 1.0),
        ([BEFORE, NOW], 1.0, 0.5),
        ([NOW, BEFORE, ROOM], 1.0, 1.0),
        ([ROOM, BEFORE, NOW], 1.0, 1 / 3),
        ([BEFORE], 0.0, 0.0),
        ([], 0.0, 0.0),
        (None, "not_applicable", "not_applicable"),
    ],
)
def test_only_the_revision_in_force_is_evidence(
    world: Any, retrieved: Any, recall: Any, precision: Any
) -> None:
    """A superseded revision of the same document covers nothing; rank lowers precision alone."""
    assert world.value(RECALL, retrieved=retrieved) == recall
    assert world.value(PRECISION, retrieved=retrieved) == pytest.approx(precision)


def test_a_passage_must_hold_the_quote(world: Any) -> None:
    """Another passage of the right revision does not count; broken lines do not matter."""
    without = world.passage(NOW, "Travel.")
    wrapped = world.passage(NOW, "The meal allowance is EUR\n  42 a day.")
    assert world.value(RECALL, retrieved=[without]) == 0.0
    assert world.value(RECALL, retrieved=[wrapped]) == 1.0
    answers = (world.answer("EUR 42", "2025-05-01", None, NOW, quote="allowance  is\nEUR 42"),)
    assert world.value(RECALL, answers=answers, retrieved=[NOW]) == 1.0


def test_without_a_quote_any_passage_of_the_revision_counts(world: Any) -> None:
    """Evidence that names a revision and no words is covered by the revision."""
    from evalkit.records import Answer, Evidence

    answers = (Answer("EUR 42", evidence=(Evidence(NOW),)),)
    assert world.value(RECALL, answers=answers, retrieved=[world.passage(NOW, "Travel.")]) == 1.0


def test_each_document_counts_once(world: Any) -> None:
    """A question on two documents has half its evidence when one of them is retrieved."""
    both = (world.answer("EUR 42", "2025-05-01", None, NOW, ROOM, quote="."),)
    assert world.value(RECALL, answers=both, retrieved=[NOW, NOW]) == 0.5
    assert world.value(RECALL, answers=both, retrieved=[NOW, ROOM]) == 1.0


@pytest.mark.parametrize("answers", [(), "bike"])
def test_no_evidence_is_not_applicable(world: Any, answers: Any) -> None:
    """Unanswerable and withdrawn questions have nothing to retrieve: neither 0 nor 1."""
    answers = world.bike if answers == "bike" else answers
    found = world.score(RECALL, world.sample(answers=answers, retrieved=[NOW]))
    assert found.status == "not_applicable"
    assert "no reference evidence" in found.reason


@pytest.mark.parametrize(
    ("relevant", "value"),
    [
        ([], 0.0),
        ([False], 0.0),
        ([True, False, True], (1 + 2 / 3) / 2),
        ([False, True, True], (1 / 2 + 2 / 3) / 2),
        ([True, True, True], 1.0),
    ],
)
def test_average_precision_by_hand(relevant: list[bool], value: float) -> None:
    """The mean of precision at the ranks that are relevant; exactly 1 when all are first."""
    assert average_precision(relevant) == pytest.approx(value, abs=1e-15)


@given(st.lists(st.booleans(), max_size=12))
def test_average_precision_is_best_when_sorted(relevant: list[bool]) -> None:
    """Relevant passages first is 1 (if any), and no order beats it."""
    best = average_precision(sorted(relevant, reverse=True))
    assert best == (1.0 if any(relevant) else 0.0)
    assert 0 <= average_precision(relevant) <= best


@given(st.lists(st.sampled_from(ALL), max_size=5), st.sampled_from(ALL))
def test_adding_a_passage_never_lowers_recall(world: Any, have: list[str], more: str) -> None:
    """Recall is monotone in what was retrieved, and ignores the order."""
    before = world.value(RECALL, retrieved=have)
    assert world.value(RECALL, retrieved=[*have, more]) >= before
    assert world.value(RECALL, retrieved=have[::-1]) == before


def test_the_contract_is_kept(world: Any) -> None:
    """Passages with id, title and date, whole and different, are worth 1."""
    assert world.value(STRICT, retrieved=[NOW, ROOM]) == 1.0
    assert world.value(LOOSE, retrieved=[NOW, ROOM]) == 1.0


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"id": ""}, "no id"),
        ({"title": ""}, "no title"),
        ({"valid_from": None}, "no date"),
        ({"intact": False}, "cut inside"),
        ({"text": "Rooms. The review board meets  in the Lantern room."}, "duplicate"),
    ],
)
def test_each_breach_of_the_contract(world: Any, change: dict[str, Any], word: str) -> None:
    """One bad passage of two: strict is 0, loose one half, and the reason names the breach."""
    sample = world.sample(retrieved=[world.passage(ROOM), world.passage(NOW, **change)])
    assert world.score(STRICT, sample).value == 0.0
    loose = world.score(LOOSE, sample)
    assert loose.value == 0.5
    assert word in loose.reason


def test_a_passage_that_did_not_reach_the_prompt_breaks_the_contract(world: Any) -> None:
    """Truncated passages count as broken, all of them here."""
    assert world.value(LOOSE, retrieved=[NOW, ROOM], shown=False) == 0.0


@pytest.mark.parametrize("retrieved", [None, []])
def test_no_passages_no_contract(world: Any, retrieved: Any) -> None:
    """Without passages the contract is not applicable: an empty list does not keep it."""
    assert world.value(STRICT, retrieved=retrieved) == "not_applicable"
