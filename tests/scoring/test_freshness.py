"""Freshness: answer classes, and the age of what was retrieved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.scoring import answer_class

CURRENT, OUTDATED = "freshness/generation/current", "freshness/generation/outdated"
STALE_RATE, LAG = "freshness/retrieval/stale_rate", "freshness/retrieval/lag_days"
ABOVE = "freshness/retrieval/stale_above_current"
NOW, BEFORE, NEXT = "TRV@2025-05-01", "TRV@2025-01-01", "TRV@2025-12-01"
ROOM, GONE = "ROOM@2025-01-01", "OLD@2025-01-01"

CLASSES = [
    ("It is EUR 42.", "current"),
    ("€42 a day", "current"),
    ("It is EUR 38.", "outdated"),
    ("It was EUR 38, now EUR 42.", "mixed"),
    ("EUR 42, then EUR 45", "mixed"),
    ("EUR 45", "premature"),
    ("EUR 142", "wrong"),
    ("EUR 420", "wrong"),
    ("", "wrong"),
    ("not in the handbook", "abstained"),
    ("I don't know.", "abstained"),
    ("I don't know, perhaps EUR 42.", "current"),
]


@pytest.mark.parametrize(("output", "expected"), CLASSES)
def test_answer_classes(world: Any, output: str, expected: str) -> None:
    """The class follows from the periods whose wordings the answer contains."""
    sample = world.sample(output)
    assert answer_class(sample) == expected
    found = world.score(CURRENT, sample)
    assert (found.value, found.label) == (float(expected == "current"), expected)
    assert world.score(OUTDATED, sample).value == float(expected == "outdated")


def test_the_longest_wording_wins(world: Any) -> None:
    """A past wording inside the current one is not said on its own, and the reverse."""
    answers = (
        world.answer("2 hours", "2025-01-01", "2025-05-01"),
        world.answer("2 hours 30 minutes", "2025-05-01", None),
    )
    assert answer_class(world.sample("within 2 hours 30 minutes", answers=answers)) == "current"
    assert answer_class(world.sample("within 2 hours", answers=answers)) == "outdated"
    both = world.sample("first 2 hours, now 2 hours 30 minutes", answers=answers)
    assert answer_class(both) == "mixed"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("It is not EUR 42.", "wrong"),
        ("It isn't EUR 42 any more.", "wrong"),
        ("It is no longer EUR 38, it is EUR 42.", "current"),
        ("EUR 42, not EUR 38", "current"),
        ("EUR 42 rather than EUR 38", "current"),
        ("EUR 42 instead of EUR 38", "current"),
        ("neither EUR 38 nor EUR 42", "wrong"),
        ("no later than EUR 42", "current"),
        ("not only EUR 42", "current"),
    ],
)
def test_what_is_denied_is_not_said(world: Any, output: str, expected: str) -> None:
    """A wording counts where it is asserted; what limits it ("no more than") is no denial."""
    assert answer_class(world.sample(output)) == expected


def test_not_allowed_is_not_allowed(world: Any) -> None:
    """The opposite of a one-word answer holds that word."""
    answers = (world.answer("allowed", "2025-01-01", None),)
    assert answer_class(world.sample("It is not allowed.", answers=answers)) == "wrong"
    assert answer_class(world.sample("It is allowed.", answers=answers)) == "current"


def test_a_value_that_is_right_again_is_current(world: Any) -> None:
    """EUR 38, then EUR 42, then EUR 38 once more: EUR 38 is current."""
    answers = (
        world.answer("EUR 38", "2025-01-01", "2025-05-01"),
        world.answer("EUR 42", "2025-05-01", "2025-09-01"),
        world.answer("38 euros", "2025-09-01", None),
    )
    assert answer_class(world.sample("EUR 38", answers=answers)) == "current"
    assert answer_class(world.sample("EUR 42", answers=answers)) == "outdated"


def test_the_no_of_a_refusal_answers_nothing(world: Any) -> None:
    """A refusal such as "There is no information" is not the answer "No"."""
    answers = (world.answer("No", "2025-01-01", None),)
    refused = world.sample("There is no information about that.", answers=answers)
    assert answer_class(refused) == "abstained"
    assert answer_class(world.sample("No, never.", answers=answers)) == "current"
    assert answer_class(world.sample("You know best.", answers=answers)) == "wrong"


def test_withdrawn_questions_have_nothing_current(world: Any) -> None:
    """After the document is gone a past value is outdated, and current is not applicable."""
    assert world.value(CURRENT, "EUR 9", answers=world.bike) == "not_applicable"
    assert world.value(OUTDATED, "EUR 9", answers=world.bike) == 1.0
    assert world.value(OUTDATED, "not in the handbook", answers=world.bike) == 0.0


@pytest.mark.parametrize("answers", ["room", ()])
def test_timeless_questions_are_not_applicable(world: Any, answers: Any) -> None:
    """What never changes, or has no answer, says nothing about freshness."""
    answers = world.room if answers == "room" else answers
    for metric in (CURRENT, OUTDATED, "freshness/retrieval/current_recall"):
        assert world.value(metric, "x", answers=answers, retrieved=[ROOM]) == "not_applicable"


@pytest.mark.parametrize(
    ("retrieved", "given_retrieved", "given_missed"),
    [
        ([BEFORE, NOW], 0.0, "not_applicable"),
        ([BEFORE], "not_applicable", 0.0),
        ([], "not_applicable", 0.0),
        (None, "not_applicable", "not_applicable"),
    ],
)
def test_conditional_freshness(
    world: Any, retrieved: Any, given_retrieved: Any, given_missed: Any
) -> None:
    """Each question with a retriever counts in exactly one of the two conditions."""
    for output, shift in (("EUR 38", 0.0), ("EUR 42", 1.0)):
        for name, expected in (("retrieved", given_retrieved), ("missed", given_missed)):
            wanted = expected if isinstance(expected, str) else shift
            found = world.value(f"{CURRENT}_given_{name}", output, retrieved=retrieved)
            assert found == wanted


@pytest.mark.parametrize(
    ("retrieved", "stale", "lag", "above"),
    [
        ([NOW], 0.0, 0.0, "not_applicable"),
        ([BEFORE, NOW], 0.5, 203 / 2, 1.0),
        ([NOW, BEFORE], 0.5, 203 / 2, 0.0),
        ([BEFORE], 1.0, 203.0, "not_applicable"),
        ([NEXT, NOW], 0.5, 0.0, "not_applicable"),
        ([GONE, NOW], 0.5, 172 / 2, "not_applicable"),
        ([GONE, NOW, BEFORE, ROOM], 0.5, (172 + 203) / 4, 0.0),
        ([], "not_applicable", "not_applicable", "not_applicable"),
        (None, "not_applicable", "not_applicable", "not_applicable"),
    ],
)
def test_age_of_passages(world: Any, retrieved: Any, stale: Any, lag: Any, above: Any) -> None:
    """20 November is 203 days after 1 May and 172 after 1 June; other documents do not rank."""
    assert world.value(STALE_RATE, retrieved=retrieved) == stale
    assert world.value(LAG, retrieved=retrieved) == lag
    assert world.value(ABOVE, retrieved=retrieved) == above


def test_a_revision_is_superseded_on_the_day_its_period_ends(world: Any) -> None:
    """Periods are half-open: on the day of the change the old revision is stale, 0 days late."""
    from datetime import date

    ends_today = world.passage(BEFORE, valid_to=date(2025, 11, 20))
    assert world.value(STALE_RATE, retrieved=[ends_today]) == 1.0
    assert world.value(LAG, retrieved=[ends_today]) == 0.0
    assert world.value(ABOVE, retrieved=[ends_today, NOW]) == 1.0


@given(st.permutations([NOW, BEFORE, NEXT, ROOM, GONE]))
def test_rates_ignore_the_order(world: Any, order: list[str]) -> None:
    """Stale rate and lag do not depend on rank; stale_above_current is decided by it."""
    assert world.value(STALE_RATE, retrieved=order) == 3 / 5
    assert world.value(LAG, retrieved=order) == pytest.approx((203 + 172) / 5)
    first_is_stale = order.index(BEFORE) < order.index(NOW)
    assert world.value(ABOVE, retrieved=order) == float(first_is_stale)


@given(st.lists(st.sampled_from(["EUR 38", "EUR 42", "EUR 45", "EUR 7", "hm"]), max_size=4))
def test_the_class_ignores_the_order_of_what_is_said(world: Any, parts: list[str]) -> None:
    """A class is a set of periods: saying things in another order does not change it."""
    said = answer_class(world.sample("; ".join(parts)))
    assert said == answer_class(world.sample("; ".join(parts[::-1])))
    assert (said == "mixed") == (len({"EUR 38", "EUR 42", "EUR 45"} & set(parts)) > 1)


def test_where_nothing_is_dated_nothing_is_stale(world: Any) -> None:
    """An undated benchmark has no age of passages: not 0 days, not 0 stale."""
    revisions = {
        name: replace(each, valid_from=None, valid_to=None)
        for name, each in world.sample().revisions.items()
    }
    answers = (replace(world.room[0], valid_from=None),)
    undated = world.passage(ROOM, valid_from=None)
    sample = replace(world.sample(answers=answers, retrieved=[undated]), revisions=revisions)
    for metric in (STALE_RATE, LAG, ABOVE):
        found = world.score(metric, sample)
        assert (found.status, found.reason) == ("not_applicable", "nothing is dated")
    assert world.score("format/retrieval/contract_strict", sample).value == 1.0
    revisions[GONE] = world.sample().revisions[GONE]
    dated = replace(sample, revisions=revisions)
    assert world.score(STALE_RATE, dated).value == 0.0
    assert world.score("format/retrieval/contract_strict", dated).value == 0.0


LEAK, LEAK_RATE = "freshness/generation/leak", "freshness/retrieval/leak_rate"


@pytest.mark.parametrize(
    ("retrieved", "given_retrieved", "given_missed"),
    [
        ([GONE, NOW], True, False),
        ([NOW], False, True),
        ([], False, True),
        (None, False, True),
    ],
)
def test_a_withdrawn_answer_is_a_leak(
    world: Any, retrieved: Any, given_retrieved: bool, given_missed: bool
) -> None:
    """From the index where its evidence was fetched, else from the weights; never both."""
    for output, value in (("EUR 9", 1.0), ("9 euros, but no more", 1.0), ("EUR 11", 0.0),
                          ("not in the handbook", 0.0), ("", 0.0)):  # fmt: skip
        args = {"answers": world.bike, "retrieved": retrieved}
        assert world.value(LEAK, output, **args) == value
        for name, defined in (("retrieved", given_retrieved), ("missed", given_missed)):
            found = world.value(f"{LEAK}_given_{name}", output, **args)
            assert found == (value if defined else "not_applicable")


def test_a_refusal_that_repeats_the_withdrawn_value_leaks(world: Any) -> None:
    """A reader is still told it."""
    assert world.value(LEAK, "I don't know, it was EUR 9.", answers=world.bike) == 1.0


@pytest.mark.parametrize("answers", ["allowance", "room", ()])
def test_nothing_withdrawn_nothing_leaks(world: Any, answers: Any) -> None:
    """A changed, a timeless and an unanswerable question have no leak; the reason says so."""
    answers = getattr(world, answers) if isinstance(answers, str) else answers
    for metric in (LEAK, f"{LEAK}_given_retrieved", f"{LEAK}_given_missed"):
        found = world.score(metric, world.sample("EUR 38", answers=answers, retrieved=[BEFORE]))
        assert found.status == "not_applicable"
        assert "withdrawn" in found.reason


def test_an_answer_that_comes_back_later_is_not_withdrawn(world: Any) -> None:
    """A gap before a successor is no withdrawal."""
    answers = (*world.bike, world.answer("EUR 11", "2026-01-01", None))
    assert world.value(LEAK, "EUR 9", answers=answers) == "not_applicable"


def test_withdrawn_evidence_must_be_named_to_tell_where_a_leak_is_from(world: Any) -> None:
    """The leak itself needs no evidence."""
    unnamed = tuple(replace(answer, evidence=()) for answer in world.bike)
    assert world.value(LEAK, "EUR 9", answers=unnamed, retrieved=[GONE]) == 1.0
    for name in ("retrieved", "missed"):
        args = {"answers": unnamed, "retrieved": [GONE]}
        assert world.value(f"{LEAK}_given_{name}", "EUR 9", **args) == "not_applicable"


@pytest.mark.parametrize(
    ("retrieved", "rate"),
    [([GONE, NOW], 0.5), ([BEFORE, NOW], 0.0), ([NEXT], 0.0), ([GONE], 1.0),
     ([], "not_applicable"), (None, "not_applicable")],
)  # fmt: skip
def test_withdrawn_passages(world: Any, retrieved: Any, rate: Any) -> None:
    """A superseded revision of a living document is stale and not withdrawn."""
    assert world.value(LEAK_RATE, retrieved=retrieved) == rate
    if isinstance(rate, float):
        assert world.value(STALE_RATE, retrieved=retrieved) >= rate
