"""Conflict: what was shown, and what is answered where it disagrees with itself or with the weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from evalkit.scoring.conflict import STATES, TOLD_ELSEWHERE, shown_evidence
from evalkit.scoring.freshness import NO_PAST_EVIDENCE

BOTH, STALE, CURRENT = (
    f"freshness/generation/outdated_given_{state}_shown" for state in ("both", "stale", "current")
)
MEMORY = "freshness/generation/memory_over_evidence"
NOW, BEFORE, NEXT = "TRV@2025-05-01", "TRV@2025-01-01", "TRV@2025-12-01"
ROOM, GONE = "ROOM@2025-01-01", "OLD@2025-01-01"


@pytest.mark.parametrize(
    ("retrieved", "state"),
    [
        ([NOW, BEFORE], "both"),
        ([BEFORE, ROOM, NOW], "both"),
        ([BEFORE], "stale"),
        ([NOW], "current"),
        ([NOW, ROOM, GONE], "current"),
        ([NOW, NEXT], "current"),
        ([ROOM], "neither"),
        ([], "neither"),
    ],
)
def test_the_four_states(world: Any, retrieved: list[str], state: str) -> None:
    """Each question is in one; each outdated rate is defined in its own state and no other."""
    assert shown_evidence(world.sample(retrieved=retrieved)) == state
    for metric, own in (
        (BOTH, "both"),
        (STALE, "stale"),
        (CURRENT, "current"),
        (MEMORY, "current"),
    ):
        for output, value in (("EUR 38", 1.0), ("EUR 42", 0.0), ("EUR 38, no, EUR 42", 0.0)):
            found = world.score(metric, world.sample(output, retrieved=retrieved))
            if own == state:
                assert (found.status, found.value) == ("scored", value)
            else:
                assert (found.status, found.reason) == ("not_applicable", STATES[state])


def test_what_was_retrieved_and_not_shown_is_no_conflict(world: Any) -> None:
    """The generator cannot follow what it did not see."""
    assert shown_evidence(world.sample(retrieved=[NOW, BEFORE], shown=False)) == "neither"


def test_a_superseded_revision_without_the_fact_is_no_conflict(world: Any) -> None:
    """Only the words of the past evidence contradict the current ones."""
    silent = world.passage(BEFORE, "Travel. Book early.")
    assert shown_evidence(world.sample(retrieved=[world.passage(NOW), silent])) == "current"


def test_a_past_answer_that_is_right_again_is_no_conflict(world: Any) -> None:
    """EUR 38, EUR 42, EUR 38 again: the first revision says what is right now."""
    answers = (
        world.answer("EUR 38", "2025-01-01", "2025-03-01", BEFORE),
        world.answer("EUR 40", "2025-03-01", "2025-05-01", GONE, quote="Bikes"),
        world.answer("38 euros", "2025-05-01", None, NOW, quote="Travel"),
    )
    for retrieved, state in (([BEFORE, NOW], "current"), ([GONE, NOW], "both")):
        assert shown_evidence(world.sample(answers=answers, retrieved=retrieved)) == state


def test_memory_needs_that_no_passage_says_it(world: Any) -> None:
    """A past value that any passage states may come from there: not applicable, whatever is said."""
    other = world.passage(ROOM, "Parking costs EUR 38 a month.")
    for output in ("EUR 38", "EUR 42"):
        found = world.score(MEMORY, world.sample(output, retrieved=[world.passage(NOW), other]))
        assert (found.status, found.reason) == ("not_applicable", TOLD_ELSEWHERE)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"retrieved": None}, "no retriever"),
        ({"answers": "room", "retrieved": [ROOM]}, "not time-sensitive"),
        ({"answers": "bike", "retrieved": [GONE]}, "no answer is valid"),
    ],
)
def test_where_nothing_can_conflict(world: Any, given: dict[str, Any], reason: str) -> None:
    """Without a retriever, a changed answer or current evidence the metrics say why they are silent."""
    given = dict(given)
    if "answers" in given:
        given["answers"] = getattr(world, given["answers"])
    for metric in (BOTH, STALE, CURRENT, MEMORY):
        found = world.score(metric, world.sample("EUR 38", **given))
        assert found.status == "not_applicable"
        assert reason in found.reason


def test_past_answers_need_named_evidence(world: Any) -> None:
    """Without it no passage can be told to be superseded, and nothing is guessed."""
    first, second, third = world.allowance
    answers = (replace(first, evidence=()), second, third)
    found = world.score(BOTH, world.sample("EUR 38", answers=answers, retrieved=[NOW]))
    assert (found.status, found.reason) == ("not_applicable", NO_PAST_EVIDENCE)


def test_a_failed_trace_keeps_its_denominator(world: Any) -> None:
    """A question that was asked and not answered is failed, not left out."""
    sample = world.sample(error="out of memory", retrieved=[NOW, BEFORE])
    assert world.score(BOTH, sample).status == "failed"
