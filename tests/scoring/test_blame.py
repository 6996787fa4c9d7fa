"""Blame: each stage has a trace that shows it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evalkit.scoring import blame, score
from evalkit.scoring.blame import RULES

NOW, BEFORE, ROOM = "TRV@2025-05-01", "TRV@2025-01-01", "ROOM@2025-01-01"
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
    """The passage that held the stale value is named."""
    sample = world.sample("EUR 38", retrieved=[NOW, BEFORE])
    assert blame(sample, score(sample, world.judge)).proof == f"{BEFORE}#0"


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
