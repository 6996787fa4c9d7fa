"""Faults found in other evaluation tools, each with the test that keeps it out of here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from evalkit.records import Sample
from evalkit.scoring import METRICS, Judgment, parse, score, scores_frame
from evalkit.scoring.metric import Result

NOW, BEFORE, ROOM = "TRV@2025-05-01", "TRV@2025-01-01", "ROOM@2025-01-01"
FAITHFULNESS = "faithfulness/generation/faithfulness"
CORRECT = "correctness/generation/correct"
JUDGED = [m.id for m in METRICS.values() if "judge" in m.inputs and not m.needs]


class Failing:
    """A judge of which every call raises."""

    name, version = "failing", "1"
    blind_to: tuple[str, ...] = ()

    def support(self, statements: Sequence[str], texts: Sequence[str]) -> list[Judgment]:
        raise TimeoutError("no reply")


class Silent(Failing):
    """A judge that returns, and knows nothing."""

    def support(self, statements: Sequence[str], texts: Sequence[str]) -> list[Judgment]:
        return [Judgment(None, error="no reply") for _ in statements]


def numbered(world: Any, number: int, output: str, **given: Any) -> Sample:
    sample = world.sample(output, retrieved=[NOW], **given)
    name = f"q{number}"
    return replace(
        sample,
        question=replace(sample.question, id=name),
        trace=replace(sample.trace, question=name),
    )


def test_a_row_that_fails_stays_in_the_table_and_does_not_raise_the_mean(world: Any) -> None:
    """Two wrong answers, one right, one crash: four rows, one failed, and a mean of a third."""
    samples = [
        numbered(world, 1, "EUR 42"),
        numbered(world, 2, "EUR 38"),
        numbered(world, 3, "EUR 38"),
        numbered(world, 4, "", error="out of memory"),
    ]
    rows = [row for each in samples for row in score(each, world.judge, [CORRECT])]
    frame = scores_frame(rows, [each.question for each in samples])
    assert len(frame) == 4
    assert list(frame["status"]) == ["scored"] * 3 + ["failed"]
    assert frame["value"].mean() == pytest.approx(1 / 3)


@pytest.mark.parametrize("judge", [Failing(), Silent()])
@pytest.mark.parametrize("metric", JUDGED)
def test_a_judge_that_fails_gives_neither_0_nor_1(world: Any, metric: str, judge: Any) -> None:
    """An exception, and a missing verdict, is a failed score with its cause, on every metric."""
    found = world.score(metric, world.sample("Cats sleep.", retrieved=[NOW]), judge)
    assert (found.status, found.value) == ("failed", None)
    assert "no reply" in found.reason


def test_all_metrics_with_a_judge_are_covered() -> None:
    """The list above is not empty by accident."""
    assert len(JUDGED) == 5


def test_an_empty_answer_is_neither_faithful_nor_hallucinated(world: Any) -> None:
    """No metric of what an answer states gives a number where nothing is stated."""
    rows = score(world.sample("", retrieved=[NOW]), world.judge, JUDGED)
    assert {(row.status, row.value) for row in rows} == {("not_applicable", None)}


def test_faithfulness_is_to_the_passages_shown_and_not_to_the_gold_ones(world: Any) -> None:
    """Copying a wrong passage is faithful; knowing the answer without its passage is not."""
    assert world.value(FAITHFULNESS, "EUR 38", retrieved=[BEFORE]) == 1.0
    assert world.value(FAITHFULNESS, "EUR 42", retrieved=[BEFORE]) == 0.0


@pytest.mark.parametrize("metric", [CORRECT, "correctness/generation/contains"])
def test_no_is_not_found_inside_know(world: Any, metric: str) -> None:
    """Containment is of whole words."""
    answers = (world.answer("No", "2025-01-01", None, NOW),)
    assert world.value(metric, "Everybody knows it now.", answers=answers) == 0.0
    assert world.value(metric, "I do not know.", answers=answers) == 0.0
    assert world.value(metric, "No, it is not.", answers=answers) == 1.0


def test_null_is_not_eaten_with_the_fence(world: Any) -> None:
    """Stripping the letters of "json" off an output would turn ``null`` into ``ull``."""
    output = "```json\n" + json.dumps({"answer": None, "source": None, "effective": None}) + "\n```"
    assert parse(output, world.house).answer == world.house.abstention
    assert world.value(CORRECT, output, spec=world.house) == 0.0
    abstention = "correctness/generation/abstention"
    assert world.value(abstention, output, spec=world.house, answers=world.bike) == 1.0


def test_an_unanswerable_question_is_in_no_denominator_of_right_answers(world: Any) -> None:
    """Abstaining is right only where nothing answers, and is counted there alone."""
    for output in ("not in the handbook", "EUR 9"):
        sample = world.sample(output, answers=(), retrieved=[NOW])
        rows = {row.metric: row for row in score(sample, world.judge)}
        scored = {
            m for m, row in rows.items() if row.value is not None and row.axis == "correctness"
        }
        assert scored == {"correctness/generation/abstention"}


def test_a_metric_that_gives_no_number_is_a_failure_not_a_nan(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NaN would drop out of a mean without a trace."""
    broken = replace(METRICS[CORRECT], function=lambda s, j: Result("scored", float("nan")))
    monkeypatch.setitem(METRICS, CORRECT, broken)
    assert world.score(CORRECT, world.sample("EUR 42")).status == "failed"
