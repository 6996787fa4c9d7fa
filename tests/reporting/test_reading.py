"""The reading says what the intervals allow and no more."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.reporting import reading

CORRECT = "correctness/generation/correct"


def effect(kind: str, value: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    """One effect on correctness."""
    return {"metric": CORRECT, "effect": kind, "value": value, "low": low, "high": high, **more}


def only(results: dict[str, Any], *effects: dict[str, Any]) -> str:
    """The reading of results that have just these effects."""
    return "\n".join(reading({**results, "effects": list(effects)}))


def test_a_clear_effect_is_stated_with_its_interval(results: dict[str, Any]) -> None:
    """The whole interval is above zero: raised."""
    text = only(results, effect("retrieval", 0.52, 0.46, 0.59))
    assert "Retrieval raised correct answers by 52 points [+46, +59]." in text


def test_a_clear_loss_is_stated_as_a_loss(results: dict[str, Any]) -> None:
    """The whole interval is below zero: lowered, with the size positive."""
    text = only(results, effect("tuning", -0.12, -0.22, -0.04))
    assert "Tuning lowered correct answers by 12 points [−22, −4]." in text


@pytest.mark.parametrize(("low", "high"), [(-0.02, 0.07), (0.0, 0.07), (-0.07, 0.0)])
def test_an_interval_that_touches_zero_claims_nothing(
    results: dict[str, Any], low: float, high: float
) -> None:
    """Neither raised nor lowered where zero is inside or on the edge."""
    text = only(results, effect("tuning", (low + high) / 2, low, high))
    assert "No effect of tuning is shown on correct answers" in text
    assert "raised" not in text
    assert "lowered" not in text


def test_an_interaction_is_spoken_of_only_where_it_is_clear(results: dict[str, Any]) -> None:
    """Silence on an interaction whose interval holds zero."""
    assert "higher with retrieval" not in only(results, effect("interaction", 0.1, -0.1, 0.3))
    clear = only(results, effect("interaction", 0.2, 0.1, 0.3))
    assert "is 20 points [+10, +30] higher with retrieval than without." in clear


def test_a_simple_effect_says_where(results: dict[str, Any]) -> None:
    """An effect seen only with retrieval does not read as a general one."""
    note = "simple effect, with retrieval only: the metric is not defined in every corner"
    text = only(results, effect("tuning", 0.1, 0.05, 0.15, note=note))
    assert "Tuning raised correct answers (with retrieval) by 10 points" in text


def test_no_effects_no_claims(results: dict[str, Any]) -> None:
    """A ladder without a square still has its levels, and no sentence about effects."""
    text = only(results)
    assert "rag 54\u00a0%\u00a0[47,\u00a061]" in text
    assert "retrieval" not in text.lower()
    assert "95 % intervals" not in text


def test_effects_without_value_are_left_out(results: dict[str, Any]) -> None:
    """A null effect makes no sentence and no crash."""
    empty = {"metric": CORRECT, "effect": "retrieval", "value": None, "low": None, "high": None}
    assert "etrieval raised" not in only(results, empty)


def test_many_failures_are_said(results: dict[str, Any]) -> None:
    """Above 2 % the reading warns; the fixture's 2 of 183 do not."""
    assert not any("failed" in s for s in reading(results))
    cell = next(e for e in results["estimates"] if e["pipeline"] == "rag")
    cell |= {"n_scored": 90, "n_failed": 10}
    assert any("In rag, up to 10.0 % of the questions" in s for s in reading(results))
