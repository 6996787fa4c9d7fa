"""Faithfulness: what is measured against what, and what is never a number."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from evalkit.scoring import Judgment
from evalkit.scoring.faithfulness import statements

FAITHFULNESS = "faithfulness/generation/faithfulness"
GROUNDEDNESS = "faithfulness/generation/groundedness"
NOW, BEFORE, ROOM = "TRV@2025-05-01", "TRV@2025-01-01", "ROOM@2025-01-01"


class Scripted:
    """A judge that gives the verdicts it was told to give."""

    name, version = "scripted", "1"
    blind_to: tuple[str, ...] = ()

    def __init__(self, *verdicts: bool | None) -> None:
        self.verdicts = verdicts

    def support(self, statements: Sequence[str], texts: Sequence[str]) -> list[Judgment]:
        return [Judgment(v, error="timed out" if v is None else None) for v in self.verdicts]


class Broken(Scripted):
    """A judge that raises."""

    def support(self, statements: Sequence[str], texts: Sequence[str]) -> list[Judgment]:
        raise ConnectionError("the judge is gone")


def test_faithfulness_is_measured_against_what_was_shown(world: Any) -> None:
    """An outdated answer from an outdated passage is faithful, and it is not grounded."""
    assert world.value(FAITHFULNESS, "EUR 38", retrieved=[BEFORE]) == 1.0
    assert world.value(GROUNDEDNESS, "EUR 38", retrieved=[BEFORE]) == 0.0


def test_a_right_answer_that_was_not_shown_is_grounded_and_not_faithful(world: Any) -> None:
    """The reference evidence does not make an answer faithful to other passages."""
    assert world.value(FAITHFULNESS, "EUR 42", retrieved=[ROOM]) == 0.0
    assert world.value(GROUNDEDNESS, "EUR 42", retrieved=[ROOM]) == 1.0


def test_passages_cut_from_the_prompt_support_nothing(world: Any) -> None:
    """Retrieved but not shown: there is nothing to be faithful to."""
    found = world.score(FAITHFULNESS, world.sample("EUR 42", retrieved=[NOW], shown=False))
    assert (found.status, found.reason) == ("not_applicable", "no passages shown")


def test_without_retrieval_only_groundedness_is_defined(world: Any) -> None:
    """All pipelines can be compared on groundedness."""
    assert world.value(FAITHFULNESS, "EUR 42") == "not_applicable"
    assert world.value(GROUNDEDNESS, "EUR 42") == 1.0


def test_without_reference_evidence_groundedness_is_undefined(world: Any) -> None:
    """An unanswerable question has nothing to be grounded in."""
    assert world.value(GROUNDEDNESS, "EUR 42", answers=()) == "not_applicable"


def test_an_empty_answer_has_no_faithfulness(world: Any) -> None:
    """Nothing said is neither faithful nor unfaithful."""
    for metric in (FAITHFULNESS, GROUNDEDNESS):
        found = world.score(metric, world.sample("", retrieved=[NOW]))
        assert (found.status, found.value, found.reason) == (
            "not_applicable",
            None,
            "empty answer",
        )


def test_a_refusal_is_abstained(world: Any) -> None:
    """Declining is counted as such."""
    assert world.value(FAITHFULNESS, "not in the handbook", retrieved=[NOW]) == "abstained"


def test_the_share_of_supported_sentences(world: Any) -> None:
    """One of two sentences stands in the passage, and the reason quotes the other."""
    output = "The meal allowance is EUR 42 a day. Dogs sleep in the archive."
    found = world.score(FAITHFULNESS, world.sample(output, retrieved=[NOW]))
    assert found.value == 0.5
    assert "Dogs sleep" in found.reason


def test_a_structured_answer_states_its_value(world: Any) -> None:
    """The value is the one statement; the wrapping is not judged."""
    output = json.dumps({"answer": "EUR 42", "source": "TRV", "effective": None})
    sample = world.sample(output, spec=world.house, retrieved=[NOW])
    assert statements(sample) == ("EUR 42",)
    assert world.score(FAITHFULNESS, sample).value == 1.0


@pytest.mark.parametrize("judge", [Scripted(None), Broken(), Scripted(True, True)])
def test_a_judge_that_fails_is_neither_0_nor_1(world: Any, judge: Any) -> None:
    """A lost verdict, an exception or a wrong count is a failed score with its cause."""
    found = world.score(FAITHFULNESS, world.sample("EUR 42", retrieved=[NOW]), judge)
    assert (found.status, found.value) == ("failed", None)
    assert found.reason


def test_one_lost_verdict_fails_the_score(world: Any) -> None:
    """The statements that were judged do not stand in for the one that was not."""
    sample = world.sample("It is one. It is two.", retrieved=[NOW])
    found = world.score(FAITHFULNESS, sample, Scripted(True, None))
    assert found.status == "failed"
    assert "1 of 2" in found.reason
    assert "timed out" in found.reason


@pytest.mark.parametrize(
    "given",
    [
        {"supported": True, "score": float("nan")},
        {"supported": True, "score": 1.5},
        {"supported": "no"},
        {"supported": 0.3},
    ],
)
def test_a_judgment_that_makes_no_sense_is_a_failed_score(world: Any, given: Any) -> None:
    """A word is not taken for a yes, and a score that is no number is not taken for a low one."""

    class Odd(Scripted):
        def support(self, statements: Sequence[str], texts: Sequence[str]) -> list[Judgment]:
            return [Judgment(**given) for _ in statements]

    found = world.score(FAITHFULNESS, world.sample("EUR 42", retrieved=[NOW]), Odd())
    assert (found.status, found.value) == ("failed", None)
    assert "expected" in found.reason


def test_a_judgment_has_a_verdict_or_an_error() -> None:
    """A judgment without a verdict must say why, and one with a verdict has no error."""
    with pytest.raises(ValueError, match="exactly when"):
        Judgment(None)
    with pytest.raises(ValueError, match="exactly when"):
        Judgment(True, error="x")
