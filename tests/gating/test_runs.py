"""A gate's decision: ship, block, inconclusive, or not comparable, and why."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from made_runs import CORRECT, NO_WORSE, RECALL, STRICT, SUPERIOR, MakeRun, ones

import evalkit
from evalkit.gating import gate
from evalkit.gating.result import decide

NEVER_SHIP = ("hypotheses=[]", "hypotheses=[{metric: citation/*/*}]", "hypotheses=[{metric: cost/*/output_tokens}]",
              "hypotheses=[{metric: citation/generation/recall}]", "pipelines=[]", "pipelines={}")  # fmt: skip


def test_a_better_candidate_ships(make_run: MakeRun) -> None:
    """All supported is ship, exit code 0."""
    a, b = (make_run(name, {("rag", CORRECT): ones(200, k)}) for name, k in (("a", 80), ("b", 0)))
    result = gate(a, b, SUPERIOR)
    assert (result.decision, result.exit_code, result.ships) == ("ship", 0, True)
    assert result.table.loc[0, "effect"] == pytest.approx(0.4)


def test_swapped_it_blocks(make_run: MakeRun) -> None:
    """The same two runs the other way round are refuted: exit code 1."""
    a, b = (make_run(name, {("rag", CORRECT): ones(200, k)}) for name, k in (("a", 80), ("b", 0)))
    result = gate(b, a, NO_WORSE)
    assert (result.decision, result.exit_code, result.ships) == ("block", 1, False)
    assert "correct (rag)" in result.reason


def test_one_refuted_blocks_whatever_else_is_supported_or_open(make_run: MakeRun) -> None:
    a = make_run("a", {("rag", CORRECT): ones(200), ("rag", STRICT): ones(200, 100)})
    b = make_run("b", {("rag", CORRECT): ones(200, 100), ("rag", STRICT): ones(200)})
    assert gate(a, b).decision == "block"


def test_too_few_questions_are_inconclusive_and_say_how_many_more(make_run: MakeRun) -> None:
    """Exit code 2, with a number of further questions."""
    a = make_run("a", {("rag", CORRECT): [1, 1, 1, 1, 0, 0, 0, 1, 0, 1] * 2})
    b = make_run("b", {("rag", CORRECT): [1, 1, 1, 0, 1, 1, 0, 1, 0, 1] * 2})
    result = gate(a, b, NO_WORSE)
    assert (result.decision, result.exit_code) == ("inconclusive", 2)
    assert "more questions" in result.todo
    assert result.table.loc[0, "further_questions"] > 0


def test_the_same_run_twice_is_decided_by_the_number_of_questions(make_run: MakeRun) -> None:
    """No difference in n questions still leaves about 3/n possible: 30 are too few for a margin of
    .05, 300 are enough; and nothing is ever superior to itself.
    """
    few, many = (make_run(str(n), {("rag", CORRECT): ones(n, n // 3)}) for n in (30, 300))
    assert gate(few, few, NO_WORSE).decision == "inconclusive"
    assert gate(many, many, NO_WORSE).decision == "ship"
    assert gate(many, many, SUPERIOR).decision == "inconclusive"


def test_one_question_is_inconclusive(make_run: MakeRun) -> None:
    """With n of 1 there is a reason and no p."""
    a = make_run("a", {("rag", CORRECT): [1]})
    result = gate(a, a, NO_WORSE)
    assert result.exit_code == 2
    assert pd.isna(result.table.loc[0, "p_value"])
    assert "one cluster" in result.table.loc[0, "reason"]


@pytest.mark.parametrize("override", NEVER_SHIP)
def test_a_gate_never_ships_when_nothing_was_gated(make_run: MakeRun, override: str) -> None:
    """NeMo Evaluator's fault: GO though no hypothesis was tested. Here it is exit code 3."""
    a = make_run("a", {("rag", CORRECT): ones(200)})
    result = gate(a, a, override)
    assert (result.decision, result.exit_code, result.ships) == ("not comparable", 3, False)
    assert result.reason


def test_no_verdicts_at_all_are_nothing_gated() -> None:
    """The rule itself says so, whatever comes before it."""
    assert decide(pd.DataFrame())[0] == "not comparable"


def test_failures_above_the_limit_leave_it_undecided(make_run: MakeRun) -> None:
    """A failed row does not leave the denominator: 3 % failed is no verdict, and 1 % is one."""
    a = make_run("a", {("rag", CORRECT): ones(300)})
    for failed, code in ((9, 2), (3, 0)):
        b = make_run(f"b{failed}", {("rag", CORRECT): ["failed"] * failed + ones(300 - failed)})
        assert gate(a, b, NO_WORSE).exit_code == code


def test_lower_is_better_where_the_metric_says_so(make_run: MakeRun) -> None:
    """More stale passages are worse: refuted."""
    stale = "freshness/retrieval/stale_rate"
    a, b = (make_run(n, {("rag", stale): ones(200, k)}) for n, k in (("a", 200), ("b", 100)))
    assert gate(a, b).exit_code == 1
    assert gate(b, a).exit_code == 0


def test_the_questions_that_flipped_come_with_their_words(make_run: MakeRun) -> None:
    a, b = (
        make_run("a", {("rag", CORRECT): ones(50, 2)}),
        make_run("b", {("rag", CORRECT): ones(50)}),
    )
    flips = gate(a, b, NO_WORSE).flips
    assert list(flips["question"]) == ["q000", "q001"]
    assert list(flips["text"]) == ["What is 0?", "What is 1?"]
    assert set(flips["change"]) == {"gained"}


def test_the_package_offers_the_gate_as_a_function_however_it_is_imported(
    make_run: MakeRun,
) -> None:
    """``assert evalkit.gate(...).ships`` needs no plug-in, and its failure says why."""
    run = make_run("a", {("rag", CORRECT): ones(30)})
    result = evalkit.gate(str(run), evalkit.open_run(run), NO_WORSE)
    assert callable(evalkit.gate)
    assert repr(result).startswith(
        "<GateResult inconclusive: the one hypothesis is not decided: correct"
    )


def test_the_document_is_plain_json_without_nan(make_run: MakeRun) -> None:
    a = make_run("a", {("rag", CORRECT): [1], ("rag", RECALL): ["not_applicable"]})
    document = gate(a, a).document()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["hypotheses"][0]["baseline_signature"].startswith("x|correctness")
