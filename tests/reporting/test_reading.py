"""The reading says what the intervals allow and no more."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.reporting import reading

CORRECT = "correctness/generation/correct"


def effect(kind: str, value: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    """One effect on correctness."""
    row = {"metric": CORRECT, "effect": kind, "value": value, "low": low, "high": high}
    return {**row, "p_value": 0.001, "n_pairs": 204, **more}


def only(results: dict[str, Any], *effects: dict[str, Any]) -> str:
    """The reading of results that have just these effects, and no hypotheses."""
    return "\n".join(reading({**results, "effects": list(effects), "hypotheses": []}))


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


@pytest.mark.parametrize(
    ("p", "said"), [(0.0625, "p\u00a00.062"), (0.05, "p\u00a00.050"), (None, "p\u00a0–")]
)
def test_an_interval_off_zero_is_not_enough_without_p(
    results: dict[str, Any], p: float | None, said: str
) -> None:
    """With few clusters the interval may leave zero out where the test cannot: nothing is claimed."""
    found = effect("retrieval", 1.0, 0.13, 1.0, p_value=p)
    text = only(results, found)
    assert f"No effect of retrieval is shown on correct answers (+100 [+13, +100], {said})" in text
    assert "raised" not in text
    assert "higher with" not in only(results, {**found, "effect": "interaction"})


def test_the_confidence_of_the_run_decides_and_is_printed(results: dict[str, Any]) -> None:
    """p 0.03 is enough at 95 % and not at 99 %; the sentence on intervals says which it was."""
    found = effect("retrieval", 0.5, 0.2, 0.7, p_value=0.03)
    assert "Retrieval raised" in only(results, found)
    assert "Intervals are 95 % intervals" in only(results, found)
    strict = only({**results, "statistics": {"confidence": 0.99}}, found)
    assert "raised" not in strict
    assert "Intervals are 99 % intervals" in strict
    assert "95 %" not in strict


def test_an_effect_on_part_of_the_questions_says_so(results: dict[str, Any]) -> None:
    """31 questions of the 204 that the metric is defined on; all of them needs no words."""
    few = only(results, effect("retrieval", 0.5, 0.4, 0.6, n_pairs=31))
    assert "raised correct answers by 50 points [+40, +60] on 31 of 204 questions." in few
    unshown = only(results, effect("tuning", 0.1, -0.1, 0.3, n_pairs=31))
    assert "correct answers (+10 [−10, +30]) on 31 of 204 questions: any size" in unshown
    assert "of 204 questions" not in only(results, effect("retrieval", 0.5, 0.4, 0.6))


def test_the_headline_is_correct_answers_then_abstention_when_due(results: dict[str, Any]) -> None:
    """Two sentences with their own denominators, never one number over both kinds of question."""
    for e in results["estimates"]:
        if e["metric"] == "correctness/generation/abstention":
            e["n_scored"] = 34
    first, second = reading({**results, "hypotheses": []})[:2]
    assert first.startswith("Correct answers on 204 answerable questions: prompt_only")
    assert second.startswith("Abstention on 34 questions that nothing answers: prompt_only")


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


def test_the_verdicts_come_first(results: dict[str, Any]) -> None:
    """Supported, refuted, inconclusive, each with its claims and what would decide it."""
    first, second, third, fourth = reading(results)[:4]
    assert first == (
        "2 of 5 hypotheses are supported: “Retrieval adds knowledge”; “hybrid is no staler than rag "
        "on changed documents”."
    )
    assert second == "1 is refuted: “Tuning costs nothing on control questions”."
    assert third == (
        "2 are inconclusive: “Tuning adds no knowledge” (needs about 1,300 further questions); "
        "“hybrid needs no more tokens than rag”."
    )
    assert fourth.startswith("Correct answers on 204")


def test_a_single_hypothesis_needs_no_count(results: dict[str, Any]) -> None:
    """One of one is the hypothesis."""
    results["hypotheses"] = results["hypotheses"][2:3]
    assert reading(results)[0].startswith("The hypothesis is refuted: “Tuning costs nothing")


def test_what_a_hypothesis_is_about_is_not_told_twice(results: dict[str, Any]) -> None:
    """The effects that the hypotheses test leave the sentences on effects, in either orientation."""
    before = "\n".join(reading({**results, "hypotheses": []}))
    assert "Retrieval raised correct answers by 52 points" in before
    assert "Tuning lowered correct control questions by 12 points" in before
    for row in results["hypotheses"]:
        turned = {**row, "better": row["than"], "than": row["better"]}
        if row["effect"] is not None:
            turned["effect"] = -row["effect"]
        for told in (row, turned):
            after = "\n".join(reading({**results, "hypotheses": [told]}))
            assert ("raised correct answers by" in after) == ("adds knowledge" not in row["claim"])
            assert ("lowered correct control questions" in after) == ("costs" not in row["claim"])
            assert "Retrieval raised" in after


def test_a_hypothesis_on_a_part_silences_no_effect(results: dict[str, Any]) -> None:
    """The same difference in one category is another statement than the one on all questions."""
    (row, *_) = results["hypotheses"]
    text = "\n".join(reading({**results, "hypotheses": [{**row, "where": "category new"}]}))
    assert "Retrieval raised correct answers by 52 points" in text


def test_the_adjusted_p_decides_where_there_is_one(results: dict[str, Any]) -> None:
    """An effect with p 0.03 is not claimed once the number of rows is counted in."""
    found = effect("retrieval", 0.5, 0.2, 0.7, p_value=0.03, p_adjusted=0.09)
    text = only(results, found)
    assert (
        "No effect of retrieval is shown on correct answers (+50 [+20, +70], adjusted p\u00a00.090)"
        in text
    )
    kept = only(results, {**found, "p_adjusted": 0.04})
    assert "Retrieval raised" in kept
    assert "holds with p adjusted for the number of rows (Benjamini-Hochberg)" in kept


def test_what_the_run_is_too_small_to_see_is_said_once(results: dict[str, Any]) -> None:
    """The largest detectable difference of the first headline metric; silence without one."""
    for row, mde in zip(results["comparisons"][::3], (0.05, 0.091, None), strict=True):
        assert row["metric"] == CORRECT
        row["mde"] = mde
    text = "\n".join(reading(results))
    assert text.count("cannot be relied on") == 1
    assert (
        "With 204 questions in 62 clusters, differences in correct answers under about 9 points "
        "cannot be relied on to show."
    ) in text
    results["comparisons"][0]["mde"] = 1.2  # beyond what shares can differ by
    assert "differences in correct answers of any size cannot be relied on to show." in "\n".join(
        reading(results)
    )
    for row in results["comparisons"]:
        del row["mde"]
    assert "cannot be relied on" not in "\n".join(reading(results))
