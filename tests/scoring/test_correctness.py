"""Correctness, citation, retention and cost."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from evalkit.scoring import METRICS, OfflineJudge

CORRECT = "correctness/generation/correct"
ABSTENTION = "correctness/generation/abstention"
OVER_ABSTENTION = "correctness/generation/over_abstention"
NA = "not_applicable"
NOW, ROOM = "TRV@2025-05-01", "ROOM@2025-01-01"


@pytest.mark.parametrize(
    ("output", "correct", "exact", "f1", "contains"),
    [
        ("EUR 42", 1.0, 1.0, 1.0, 1.0),
        ("The EUR 42.", 1.0, 1.0, 1.0, 1.0),
        ("It is EUR 42", 1.0, 0.0, 2 * 2 / 6, 1.0),
        ("EUR 38 or EUR 42", 0.0, 0.0, 2 * 2 / 7, 1.0),
        ("EUR 38", 0.0, 0.0, 0.5, 0.0),
        ("EUR 142", 0.0, 0.0, 0.5, 0.0),
        ("not in the handbook", 0.0, 0.0, 0.0, 0.0),
        ("", 0.0, 0.0, 0.0, 0.0),
    ],
)
def test_right_and_wrong_answers(
    world: Any, output: str, correct: float, exact: float, f1: float, contains: float
) -> None:
    """Correct forbids another period's value; contains does not; the others are SQuAD's."""
    sample = world.sample(output)
    assert world.score(CORRECT, sample).value == correct
    assert world.score("correctness/generation/exact_match", sample).value == exact
    assert world.score("correctness/generation/token_f1", sample).value == pytest.approx(f1)
    assert world.score("correctness/generation/contains", sample).value == contains


def test_the_best_alias_counts(world: Any) -> None:
    """Exact match and F1 take the nearest of the current wordings, never a past one."""
    (past, now, future) = world.allowance
    answers = (past, replace(now, aliases=("forty-two euros",)), future)
    assert (
        world.value("correctness/generation/exact_match", "forty-two euros", answers=answers) == 1
    )
    assert world.value("correctness/generation/exact_match", "EUR 38", answers=answers) == 0


@pytest.mark.parametrize(
    ("answers", "output", "correct", "abstention", "over_abstention"),
    [
        ("none", "not in the handbook", NA, 1.0, NA),
        ("none", "EUR 7", NA, 0.0, NA),
        ("none", "", NA, 0.0, NA),
        ("bike", "not in the handbook", NA, 1.0, NA),
        ("bike", "EUR 9", NA, 0.0, NA),
        ("allowance", "not in the handbook", 0.0, NA, 1.0),
        ("allowance", "EUR 7", 0.0, NA, 0.0),
        ("allowance", "", 0.0, NA, 0.0),
        ("allowance", "EUR 42", 1.0, NA, 0.0),
    ],
)
def test_answering_and_abstaining_are_measured_apart(
    world: Any, answers: str, output: str, correct: Any, abstention: Any, over_abstention: Any
) -> None:
    """Correct is of answerable questions, abstention of the others; neither hides the other."""
    given = () if answers == "none" else getattr(world, answers)
    assert world.value(CORRECT, output, answers=given) == correct
    assert world.value(ABSTENTION, output, answers=given) == abstention
    assert world.value(OVER_ABSTENTION, output, answers=given) == over_abstention


def test_where_nothing_answers_correctness_points_to_abstention(world: Any) -> None:
    """The reason says where the number is to be found; less abstaining there is not better."""
    found = world.score(CORRECT, world.sample("EUR 9", answers=world.bike))
    assert found.reason == "nothing answers it: see abstention"
    assert METRICS[OVER_ABSTENTION].direction == "lower"
    assert METRICS[ABSTENTION].direction == "higher"


@pytest.mark.parametrize("metric", ["exact_match", "token_f1", "contains"])
def test_nothing_to_compare_is_not_applicable(world: Any, metric: str) -> None:
    """Without a current wording the text measures are undefined: not 0, not 1."""
    name = f"correctness/generation/{metric}"
    assert world.value(name, "x", answers=world.bike) == "not_applicable"


VALUE = "correctness/generation/value_match"


@pytest.mark.parametrize(
    ("wording", "output", "correct", "value"),
    [
        ("472 metres", "472", 1.0, 1.0),
        ("472 metres", "It is 0.472 km long.", 1.0, 1.0),
        ("472 metres", "472 feet", 0.0, 0.0),
        ("472 metres", "See section 472.", 0.0, 1.0),
        ("472 metres", "472 metres in 90 minutes", 1.0, 0.0),
        ("472 metres", "very long", 0.0, 0.0),
        ("472 metres", "", 0.0, 0.0),
        ("2026-03-01", "On 1 March 2026.", 1.0, 1.0),
        ("2026-03-01", "01/03/2026", 0.0, 0.0),
        ("13 March 2026", "03/13/2026", 1.0, 1.0),
        ("1,000", "1000", 1.0, 1.0),
        ("7 %", "7 percent", 1.0, 1.0),
        ("Lantern room", "Lantern room", 1.0, NA),
    ],
)
def test_values_are_equal_across_spellings_and_units(
    world: Any, wording: str, output: str, correct: float, value: Any
) -> None:
    """Correct looks for the value in the answer; value_match asks that it states no other."""
    answers = (world.answer(wording, "2025-01-01", None, NOW),)
    assert world.value(CORRECT, output, answers=answers) == correct
    assert world.value("correctness/generation/contains", output, answers=answers) == correct
    assert world.value(VALUE, output, answers=answers) == value


def test_a_past_value_in_another_unit_is_outdated(world: Any) -> None:
    """Units do not hide which period a value belongs to; both periods' values are mixed."""
    past, now = world.allowance[:2]
    answers = (replace(past, text="2 hours"), replace(now, text="90 minutes"))
    for output, label in (
        ("120 minutes", "outdated"),
        ("1.5 hours", "current"),
        ("90", "current"),
        ("first 2 hours, now 1.5 hours", "mixed"),
    ):
        assert world.score(CORRECT, world.sample(output, answers=answers)).label == label


def test_the_same_value_in_another_unit_is_no_other_period(world: Any) -> None:
    """A document that says 24 hours where it said 1 day has not changed its answer."""
    past, now = world.allowance[:2]
    answers = (replace(past, text="24 hours"), replace(now, text="1 day"))
    for output in ("24 hours", "1 day", "one day"):
        assert world.score(CORRECT, world.sample(output, answers=answers)).label == "current"


LONG = "The allowance is paid for each full day of travel, and for half days at half of its rate."
BY_WORDING = [
    CORRECT, VALUE, "correctness/generation/exact_match", "correctness/generation/contains",
    "freshness/generation/current", "format/generation/correct_given_compliance",
]  # fmt: skip


@pytest.mark.parametrize("output", [LONG, "Half days are paid at half rate.", ""])
def test_a_long_answer_is_not_looked_for_word_by_word(world: Any, output: str) -> None:
    """An answer in sentences can be said in many ways: token F1 and groundedness measure it, and
    nothing is blamed by a wording.
    """
    from evalkit.scoring import blame, score
    from evalkit.scoring.blame import blameable

    before, now, _ = world.allowance
    answers = (before, replace(now, text=LONG))
    sample = world.sample(output, answers=answers, retrieved=[NOW], spec=world.house)
    rows = {each.metric: each for each in score(sample, world.judge)}
    for metric in BY_WORDING:
        assert rows[metric].status == NA
    assert rows[CORRECT].reason.startswith("a right answer has more than 12 words")
    assert rows["correctness/generation/token_f1"].status == "scored"
    assert rows[OVER_ABSTENTION].status == "scored"
    assert not blameable(sample)
    assert blame(sample, rows.values()).stage == "none"


def test_a_long_answer_with_a_short_wording_is_looked_for(world: Any) -> None:
    """One alias of a few words is enough to recognise a right answer by."""
    _, now, _ = world.allowance
    answers = (replace(now, text=LONG, aliases=("EUR 42",)),)
    assert world.value(CORRECT, "EUR 42", answers=answers) == 1.0


class Decomposing(OfflineJudge):
    """A judge that can take a text apart into claims, as a language model can."""

    def claims(self, text: str) -> list[str]:
        return text.split(" and ")


FACTUAL = "correctness/generation/factual"


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ("EUR 42", 1.0),
        ("EUR 42 and cats sleep", 0.67),
        ("cats sleep", 0.0),
        ("", NA),
        ("not in the handbook", "abstained"),
    ],
)
def test_factual_correctness_is_that_of_ragas(world: Any, output: str, value: Any) -> None:
    """With a judge that decomposes claims ragas' own metric runs: F1, to two decimals."""
    assert world.value(FACTUAL, output, judge=Decomposing()) == value


def test_factual_correctness_runs_inside_an_event_loop(world: Any) -> None:
    """ragas calls its metrics from a running loop, and ours calls ragas."""
    import asyncio

    from evalkit.scoring.judges.ragas_bridge import as_ragas_metric

    sample = world.sample("EUR 42 and cats sleep")
    found = asyncio.run(as_ragas_metric(FACTUAL, Decomposing()).ascore(sample=sample))
    assert found.value == 0.67


def test_factual_correctness_needs_a_judge_that_decomposes(world: Any) -> None:
    """With another judge it is not applicable, for good and failed traces alike."""
    for sample in (world.sample("EUR 42"), world.sample("", error="out of memory")):
        found = world.score(FACTUAL, sample)
        assert found.status == NA
        assert found.reason.startswith("needs an LLM judge")


def cited(source: str | list[str] | None, effective: str | None, answer: str = "EUR 42") -> str:
    """An output in the house format."""
    return json.dumps({"answer": answer, "source": source, "effective": effective})


@pytest.mark.parametrize(
    ("output", "precision", "recall"),
    [
        (cited("TRV", "2025-05-01"), 1.0, 1.0),
        (cited("trv@2025-05-01", "1 May 2025"), 1.0, 1.0),
        (cited("TRV@2025-05-01#0", "2025-05-01"), 1.0, 1.0),
        (cited("TRV", "2025-01-01"), 0.0, 0.0),
        (cited("TRV", None), 0.0, 0.0),
        (cited("TRV@2025-01-01", "2025-01-01"), 0.0, 0.0),
        (cited("ROOM", "2025-05-01"), 0.0, 0.0),
        (cited(["TRV", "ROOM"], "2025-05-01"), 0.5, 1.0),
        (cited("TRV, TRV", "2025-05-01"), 1.0, 1.0),
        (cited("TRV, ROOM", "2025-05-01"), 0.5, 1.0),
        (cited(None, None), "not_applicable", 0.0),
        ("EUR 42", "not_applicable", 0.0),
        (cited(None, None, "not in the handbook"), "abstained", "abstained"),
    ],
)
def test_citations(world: Any, output: str, precision: Any, recall: Any) -> None:
    """A citation needs the evidence document and the date its revision took effect."""
    for name, expected in (("precision", precision), ("recall", recall)):
        metric = f"citation/generation/{name}"
        assert world.value(metric, output, spec=world.house, retrieved=[NOW]) == expected


def test_one_of_two_documents_cited_is_half_the_recall(world: Any) -> None:
    """Recall counts evidence documents, precision counts what was cited."""
    both = (world.answer("EUR 42", "2025-05-01", None, NOW, ROOM, quote="."),)
    output = cited("TRV", "2025-05-01")
    for name, expected in (("precision", 1.0), ("recall", 0.5)):
        metric = f"citation/generation/{name}"
        assert world.value(metric, output, spec=world.house, answers=both) == expected


def test_both_of_two_documents_cited_in_one_text_is_full_recall(world: Any) -> None:
    """Ids separated by ", " are as many citations, as the handbook's schema lets them be."""
    both = (world.answer("EUR 42", "2025-05-01", None, NOW, ROOM, quote="."),)
    output = cited("TRV, ROOM", "2025-05-01, 2025-01-01")
    for name in ("precision", "recall"):
        metric = f"citation/generation/{name}"
        assert world.value(metric, output, spec=world.house, answers=both) == 1.0


def test_a_free_answer_cites_nothing(world: Any) -> None:
    """Where the format asks for no source, citation is not applicable."""
    assert world.value("citation/generation/recall", "EUR 42") == "not_applicable"


def test_control_questions_measure_retention_and_cost_alone(world: Any) -> None:
    """A control question is scored by its own metric; all the others say why they are not."""
    from evalkit.scoring import score

    sample = world.sample(
        "The Lantern room", answers=world.room, category="control", retrieved=[ROOM]
    )
    by_metric = {each.metric: each for each in score(sample, world.judge)}
    assert by_metric["retention/generation/correct"].value == 1.0
    for metric, found in by_metric.items():
        if metric.split("/")[0] not in ("retention", "cost"):
            assert (found.status, found.reason) == ("not_applicable", "control question")
    assert world.value("retention/generation/correct", "x", answers=world.room) == "not_applicable"


def test_cost_is_what_the_trace_holds(world: Any) -> None:
    """Tokens and seconds are passed on; what was not measured is not 0."""
    sample = world.sample(
        "x", retrieved=[NOW], prompt_tokens=300, output_tokens=12, seconds={"generation": 0.5}
    )
    assert world.score("cost/generation/prompt_tokens", sample).value == 300
    assert world.score("cost/generation/output_tokens", sample).value == 12
    assert world.score("cost/generation/seconds", sample).value == 0.5
    assert world.score("cost/retrieval/seconds", sample).status == "not_applicable"
