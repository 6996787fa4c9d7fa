"""Blame: each stage has a trace that shows it."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from evalkit.scoring import blame, score
from evalkit.scoring.blame import RULES
from evalkit.scoring.proof import WIDTH, excerpt, period

NOW, BEFORE, ROOM = "TRV@2025-05-01", "TRV@2025-01-01", "ROOM@2025-01-01"
GONE = "OLD@2025-01-01"
GOOD = json.dumps({"answer": "EUR 42", "source": "TRV", "effective": "2025-05-01"})


@pytest.mark.parametrize(
    ("output", "given", "stage"),
    [
        ("EUR 42", {"retrieved": [NOW]}, "none"),
        ("EUR 42", {}, "none"),
        ("EUR 38", {}, "no_evidence"),
        ("EUR 38", {"retrieved": [ROOM]}, "not_retrieved"),
        ("EUR 38", {"retrieved": []}, "not_retrieved"),
        ("EUR 42 or so, EUR 38", {"retrieved": [NOW], "shown": False}, "not_retrieved"),
        ("EUR 38", {"retrieved": [BEFORE, ROOM]}, "retrieved_stale"),
        ("EUR 38", {"retrieved": [BEFORE, NOW]}, "retrieved_stale"),
        ("EUR 38", {"retrieved": [NOW, ROOM]}, "memory_overrode_evidence"),
        ("EUR 45", {"retrieved": [NOW]}, "memory_overrode_evidence"),
        ("Cats sleep.", {"retrieved": [NOW]}, "not_faithful"),
        ("Lantern room", {"retrieved": [NOW, ROOM]}, "ignored_evidence"),
        ("not in the handbook", {"retrieved": [NOW]}, "ignored_evidence"),
        ("", {"retrieved": [NOW]}, "malformed"),
        ("EUR 42", {"retrieved": [NOW], "house": True}, "malformed"),
        (GOOD, {"retrieved": [NOW], "house": True}, "none"),
        ("EUR 9", {"answers": "bike", "retrieved": [NOW]}, "should_have_abstained"),
        ("EUR 9", {"answers": "bike"}, "should_have_abstained"),
        ("not in the handbook", {"answers": "bike", "retrieved": [NOW]}, "none"),
        ("", {"error": "out of memory"}, "pipeline_failed"),
        ("x", {"category": "control"}, "none"),
    ],
)
def test_the_stage_at_fault(world: Any, output: str, given: dict[str, Any], stage: str) -> None:
    """The first rule that fits names the stage, and says in words why."""
    given = dict(given)
    if given.pop("house", False):
        given["spec"] = world.house
    if "answers" in given:
        given["answers"] = getattr(world, given["answers"])
    sample = world.sample(output, **given)
    found = blame(sample, score(sample, world.judge))
    assert found.stage == stage
    assert found.rule


def test_the_proof_names_the_passage(world: Any) -> None:
    """What was right when, the passages with their dates and words, and what was said; in order."""
    sample = world.sample("EUR 38", retrieved=[NOW, BEFORE])
    assert blame(sample, score(sample, world.judge)).evidence == (
        "asked on 2025-11-20: right is EUR 42",
        f"passage {NOW}#0, from 2025-05-01 until 2025-12-01: Travel. The meal allowance is EUR 42 a day.",
        f"passage {BEFORE}#0, from 2025-01-01 until 2025-05-01: Travel. The meal allowance is EUR 38 a day.",
        "output: EUR 38",
    )


@pytest.mark.parametrize(
    ("output", "given", "line"),
    [
        ("EUR 38", {"retrieved": [ROOM]}, f"not shown: {NOW}, from 2025-05-01 until 2025-12-01: EUR 42"),
        ("", {"retrieved": [NOW]}, "output: (empty)"),
        ("EUR 42", {"retrieved": [NOW], "house": True}, "format: "),
        ("Cats sleep.", {"retrieved": [NOW]}, "faithfulness 0.00"),
        ("EUR 9", {"answers": "bike"}, "asked on 2025-11-20: right is to abstain"),
        ("", {"error": "out of memory"}, "out of memory"),
    ],
)  # fmt: skip
def test_every_fault_is_proved(world: Any, output: str, given: dict[str, Any], line: str) -> None:
    """The line that the rule rests on is among its evidence."""
    given = dict(given)
    if given.pop("house", False):
        given["spec"] = world.house
    if "answers" in given:
        given["answers"] = getattr(world, given["answers"])
    sample = world.sample(output, **given)
    found = blame(sample, score(sample, world.judge)).evidence
    assert any(each.startswith(line) for each in found), found


def test_what_is_right_needs_no_proof(world: Any) -> None:
    """Nothing at fault, nothing to show."""
    sample = world.sample("EUR 42", retrieved=[NOW])
    assert blame(sample, score(sample, world.judge)).evidence == ()


def test_a_withdrawn_answer_that_was_shown_is_the_index_fault(world: Any) -> None:
    """Told from the withdrawn passage it is stale retrieval; from nothing shown, a missing abstention."""
    for output, retrieved, stage, words in (
        ("EUR 9", [GONE], "retrieved_stale", "withdrawn, and a passage"),
        ("EUR 9", [ROOM], "should_have_abstained", "a withdrawn one that no passage shown holds"),
        ("EUR 8", [GONE], "should_have_abstained", "the pipeline answered"),
    ):
        sample = world.sample(output, answers=world.bike, retrieved=retrieved, category="withdrawn")
        found = blame(sample, score(sample, world.judge))
        assert found.stage == stage
        assert found.rule.endswith(words) or words in found.rule


def test_a_value_in_a_passage_in_force_is_not_stale(world: Any) -> None:
    """A past value that another document in force states is neither memory nor stale retrieval."""
    other = world.passage(ROOM, "Parking costs EUR 38 a month.")
    sample = world.sample("EUR 38", retrieved=[world.passage(NOW), other])
    found = blame(sample, score(sample, world.judge))
    assert (found.stage, found.rule.rpartition(", and ")[2]) == (
        "ignored_evidence", "that value stands only in passages in force",
    )  # fmt: skip


def test_without_named_evidence_the_words_of_passages_decide(world: Any) -> None:
    """A benchmark that names no evidence: shown is what states the current answer."""
    from dataclasses import replace

    unnamed = tuple(replace(answer, evidence=()) for answer in world.allowance)
    for retrieved, stage in (
        ([ROOM], "not_retrieved"), ([BEFORE], "retrieved_stale"), ([NOW], "memory_overrode_evidence"),
    ):  # fmt: skip
        sample = world.sample("EUR 38", answers=unnamed, retrieved=retrieved)
        assert blame(sample, score(sample, world.judge)).stage == stage


def test_excerpts_show_the_words_in_question() -> None:
    """A long text is cut around the first wording found; a short one is whole."""
    text = "The rule. " * 60 + "It costs\nEUR 38 a day. " + "More. " * 60
    cut = excerpt(text, ["eur 38"])
    assert "costs EUR 38 a day." in cut
    assert cut.startswith("… ")
    assert cut.endswith(" …")
    assert len(cut) <= WIDTH + 4
    assert excerpt("EUR 38\n a day", ["EUR 42"]) == "EUR 38 a day"


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [(None, None, "undated"), ("2025-01-01", None, "from 2025-01-01"), (None, "2025-05-01", "until 2025-05-01")],
)  # fmt: skip
def test_periods_in_words(start: str | None, end: str | None, words: str) -> None:
    """A bound that is not there is not named."""
    dates = (date.fromisoformat(each) if each else None for each in (start, end))
    assert period(*dates) == words


def test_scores_of_another_question_are_refused(world: Any) -> None:
    """A mix-up is an error that names both."""
    sample = world.sample("EUR 38")
    other = score(world.sample("EUR 38", error="x"), world.judge)
    assert blame(sample, other).stage == "no_evidence"
    from dataclasses import replace

    wrong = [replace(other[0], question="q2")]
    with pytest.raises(ValueError, match="'q2'"):
        blame(sample, wrong)


def test_rules_are_in_a_fixed_order() -> None:
    """A pipeline that failed is never blamed for its answer."""
    assert RULES[0].__name__ == "_failed"
