"""Two runs, or one: ship, block, inconclusive, or not comparable, and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evalkit
from evalkit.errors import EvalkitError
from evalkit.gating import gate
from evalkit.gating.result import decide

MakeRun = Callable[..., Path]
CORRECT = "correctness/generation/correct"
STRICT = "format/generation/strict"
RECALL = "faithfulness/retrieval/context_recall"
SUPERIOR = "hypotheses=[{metric: correctness/generation/correct}]"
NO_WORSE = (
    "hypotheses=[{metric: correctness/generation/correct, kind: non_inferiority, margin: 0.05}]"
)
NEVER_SHIP = ("hypotheses=[]", "hypotheses=[{metric: citation/*/*}]", "hypotheses=[{metric: cost/*/output_tokens}]",
              "hypotheses=[{metric: citation/generation/recall}]", "pipelines=[]", "pipelines={}")  # fmt: skip


def ones(n: int, zeros: int = 0) -> list[int]:
    return [0] * zeros + [1] * (n - zeros)


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


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"fingerprint": "e" * 64}, ("ffffffffffff", "eeeeeeeeeeee")),
        ({"judge": "other"}, ("offline@1", "other@1")),
        ({"versions": {CORRECT: "2"}}, ("version 1", "2")),
    ],
)
def test_runs_measured_differently_are_refused_naming_both(
    make_run: MakeRun, other: dict[str, Any], named: tuple[str, ...]
) -> None:
    """Another benchmark, judge or metric version is exit code 3."""
    cells = {("rag", CORRECT): ones(50)}
    result = gate(make_run("a", cells), make_run("b", cells, **other))
    assert result.exit_code == 3
    assert all(name in result.reason for name in named)
    assert str(result.baseline["runs"][0]).endswith("a")


def test_runs_without_a_common_pipeline_are_not_comparable_until_they_are_paired(
    make_run: MakeRun,
) -> None:
    a, b = (make_run(p, {(p, CORRECT): ones(200)}) for p in ("rag", "hybrid"))
    assert gate(a, b, NO_WORSE).exit_code == 3
    paired = gate(a, b, NO_WORSE, "pipelines={rag: hybrid}")
    assert paired.ships
    assert list(paired.table["pipeline"]) == ["rag → hybrid"]


def test_a_pattern_leaves_out_what_neither_side_has(make_run: MakeRun) -> None:
    """It is listed with its reason, and does not count."""
    cells = {("rag", CORRECT): ones(300), ("rag", RECALL): ["not_applicable"] * 300}
    a = make_run("a", cells)
    result = gate(a, a, "failure_limit=0.02")
    assert result.ships
    listed = {row["metric"]: row["reason"] for row in result.not_applicable}
    assert listed[RECALL] == "it not_applicable"
    assert len(result.table) == 1


def test_what_one_side_alone_has_is_inconclusive(make_run: MakeRun) -> None:
    """A candidate that stops measuring something must not ship."""
    a = make_run("a", {("rag", CORRECT): ones(300), ("rag", RECALL): ones(300)})
    b = make_run("b", {("rag", CORRECT): ones(300), ("rag", RECALL): ["not_applicable"] * 300})
    for other in (b, make_run("c", {("rag", CORRECT): ones(300)})):
        result = gate(a, other)
        assert result.exit_code == 2
        reason = result.table.set_index("metric").loc[RECALL, "reason"]
        assert reason.startswith("not measured in the candidate")


def test_a_metric_named_by_id_that_nobody_measured_is_inconclusive(make_run: MakeRun) -> None:
    a = make_run("a", {("rag", CORRECT): ones(300)})
    hypotheses = (
        "hypotheses=[{metric: correctness/generation/correct, kind: non_inferiority, margin: 0.05},"
        "{metric: format/generation/strict, kind: non_inferiority, margin: 0.05}]"
    )
    result = gate(a, a, hypotheses)
    assert result.exit_code == 2
    assert list(result.table["verdict"]) == ["supported", "inconclusive"]


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


def test_margins_by_unit_and_patterns_that_yield_to_ids(make_run: MakeRun) -> None:
    """Each metric takes the margin of its unit; a pattern leaves out what an id names."""
    lag, seconds = "freshness/retrieval/lag_days", "freshness/retrieval/current_recall"
    a = make_run("a", {("rag", lag): [3.0] * 40, ("rag", seconds): ones(40, 5)})
    result = gate(
        a, a, "hypotheses=[{metric: freshness/*/*, kind: non_inferiority, margin: {share: 0.2, days: 7}},"
        "{metric: freshness/retrieval/current_recall, kind: equivalence, margin: 0.3}]",
    )  # fmt: skip
    margins = dict(zip(result.table["metric"], result.table["margin"], strict=True))
    assert margins == {lag: 7.0, seconds: 0.3}


def test_where_selects_questions_and_a_wrong_category_is_refused(make_run: MakeRun) -> None:
    a = make_run("a", {("rag", CORRECT): ones(300)})
    chosen = NO_WORSE.replace("margin", "where: {category: changed}, margin")
    assert gate(a, a, chosen).table.loc[0, "n_questions"] == 150
    with pytest.raises(EvalkitError, match="did you mean changed"):
        gate(a, a, chosen.replace("changed", "chnged"))


def test_dates_that_no_question_has_are_refused(make_run: MakeRun) -> None:
    """An entry that selects nothing would otherwise leave the gate, and the others would ship."""
    a = make_run("a", {("rag", CORRECT): ones(300)})
    both = NO_WORSE.replace("}]", "}, {metric: correctness/*/*, where: {since: 2030-01-01}}]")
    with pytest.raises(
        EvalkitError, match=r"hypotheses\[1\]\.where selects no question: since 2030"
    ):
        gate(a, a, both)


def test_questions_that_a_run_lost_have_failed_in_it(make_run: MakeRun) -> None:
    """Runs of one benchmark were asked the same: a row that is gone must not raise the mean, be it
    of a question or of one metric.
    """
    cells = {("rag", CORRECT): ones(200, 20), ("rag", STRICT): ones(200)}
    whole, cut, part = (make_run(name, cells) for name in ("whole", "cut", "part"))
    scores = pd.read_parquet(whole / "scores.parquet")
    wrong = scores["question"] < "q020"
    scores[~wrong].to_parquet(cut / "scores.parquet")
    scores[~wrong | (scores["metric"] == STRICT)].to_parquet(part / "scores.parquet")
    for run in (cut, part):
        result = gate(whole, run, NO_WORSE)
        assert (result.decision, result.table.loc[0, "failed_share"]) == ("inconclusive", 0.1)
    assert gate(whole, cut, NO_WORSE).notes == (
        "20 questions in one run only count as failed in the other: q000, ...",
    )


def test_what_looks_like_a_mistake_is_noted(make_run: MakeRun) -> None:
    """One run on both sides, the newer one as baseline, a pipeline that one side alone has."""
    a = make_run("a", {("rag", CORRECT): ones(90), ("hybrid", CORRECT): ones(90)})
    b = make_run("b", {("rag", CORRECT): ones(90), ("lora", CORRECT): ones(90)})
    assert gate(a, str(a), NO_WORSE).notes == (f"the same run is on both sides: {a}",)
    text = (a / "results.json").read_text()
    (a / "results.json").write_text(text.replace("2026-01-01", "2026-03-01"))
    assert gate(a, b, NO_WORSE).notes == (
        "the baseline was made after the candidate: are they swapped?",
        "not compared, of the baseline: hybrid",
        "not compared, of the candidate: lora",
    )


def test_seeds_become_repeats(make_run: MakeRun) -> None:
    """Two runs of one configuration are averaged within a question; a changed one is refused."""
    a = make_run("a", {("rag", CORRECT): ones(200)}, config="seed: 0\nk: 3\n")
    b = make_run("b", {("rag", CORRECT): ones(200, 200)}, config="seed: 1\nk: 3\n")
    joined = gate(f"{a},{b}", a, NO_WORSE)
    assert joined.table.loc[0, "effect"] == pytest.approx(0.5)
    assert joined.table.loc[0, "n_pairs"] == 200
    other = make_run("c", {("rag", CORRECT): ones(200)}, config="seed: 1\nk: 5\n")
    refused = gate([a, other], a, NO_WORSE)
    assert refused.exit_code == 3
    assert "differ in k: 3 and 5" in refused.reason
    with pytest.raises(EvalkitError, match="given twice"):
        gate([a, a], b)


def test_one_run_is_gated_on_its_own_hypotheses(make_run: MakeRun) -> None:
    """They are read from its configuration; overrides can name others."""
    config = f"hypotheses: [{{metric: {CORRECT}, better: [rag], than: [prompt_only]}}]\n"
    cells = {("prompt_only", CORRECT): ones(200, 150), ("rag", CORRECT): ones(200, 20)}
    run = make_run("a", cells, config=config)
    assert gate(run).ships
    assert gate(run).candidate is None
    other = f"hypotheses=[{{metric: {CORRECT}, better: prompt_only, than: rag}}]"
    assert gate(run, None, other).exit_code == 1
    with pytest.raises(EvalkitError, match="does not have"):
        gate(run, None, other.replace("rag", "lora"))
    with pytest.raises(EvalkitError, match="no better and no than"):
        gate(run, None, "gate=format_first")


def test_a_run_without_hypotheses_is_nothing_gated(make_run: MakeRun) -> None:
    run = make_run("a", {("rag", CORRECT): ones(20)})
    assert gate(run).exit_code == 3


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("results.json", "{", "damaged"),
        ("results.json", "[]", "damaged"),
        ("results.json", '{"schema": 9}', "schema 9"),
        ("scores.parquet", "no parquet", "scores.parquet is damaged"),
        ("scores.parquet", None, "no scores.parquet"),
        ("results.json", None, "no finished run"),
    ],
)
def test_a_damaged_run_is_named_with_what_is_wrong(
    make_run: MakeRun, file: str, text: str | None, said: str
) -> None:
    good, bad = (make_run(name, {("rag", CORRECT): ones(20)}) for name in "ab")
    (bad / file).unlink() if text is None else (bad / file).write_text(text)
    with pytest.raises(EvalkitError, match=said) as caught:
        gate(good, bad)
    assert str(bad) in str(caught.value)
    assert caught.value.todo


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("gate=nope", "no_regression"),
        ("hypotheses=[{metric: format/generation/strct}]", "did you mean format/generation/strict"),
        ("hypotheses=[{metric: formt/*}]", "matches no row"),
        ("hypotheses=[{metric: format/*/*, kind: non_inferiority}]", "margin is 0"),
        ("hypotheses=[{metric: format/*/*, margn: 1}]", "unknown key 'margn'"),
        ("hypotheses=[{metric: freshness/*/*, kind: equivalence, margin: {share: .1}}]", "unit days"),
        ("hypotheses=[{metric: format/*/*, better: rag, than: lora}]", "names better or than"),
        ("pipelines=raq", "does not have"),
        ("confidence=95", "confidence is 95"),
        ("resamples=1", "resamples is 1"),
        ("failure_limit=null", "failure_limit is None"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_names_its_key(make_run: MakeRun, override: str, said: str) -> None:
    run = make_run("a", {("rag", CORRECT): ones(20)})
    with pytest.raises(EvalkitError, match=said) as caught:
        gate(run, run, override)
    assert caught.value.todo


@pytest.mark.parametrize("name", ["no_regression", "format_first", "freshness_first"])
def test_the_shipped_gates_cover_what_they_say(make_run: MakeRun, name: str) -> None:
    """Every axis is in each; for equal runs with many questions all of it is supported."""
    from evalkit.reporting.labels import SCORECARD

    rows = [f"{a}/{s}/{n}" for a, s, names in SCORECARD for n in names]
    run = make_run("a", {("rag", row): [0.5] * 1500 for row in rows})
    result = gate(run, run, f"gate={name}")
    axes = {metric.split("/")[0] for metric in result.table["metric"]}
    assert axes == {"correctness", "faithfulness", "format", "freshness", "retention"}
    assert set(result.table["kind"]) == {"non_inferiority"}
    assert result.ships


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


def test_runs_come_back_from_mlflow_by_their_id(make_run: MakeRun, tmp_path: Path) -> None:
    """A parent run's id stands for its folder; a pipeline's run says which id to give."""
    from evalkit.tracking import log_run

    folder = make_run("a", {("rag", CORRECT): ones(200, 50)})
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    logged = log_run(folder, uri=uri)
    result = gate(logged.parent_run_id, folder, NO_WORSE, uri=uri)
    assert result.table.loc[0, "n_pairs"] == 200
    assert result.baseline["runs"] == [logged.parent_run_id]
    worse = make_run("b", {("rag", CORRECT): ones(200, 90)})
    flipped = gate(logged.parent_run_id, worse, NO_WORSE, uri=uri).flips
    (worse / "questions.json").unlink()
    again = gate(logged.parent_run_id, worse, NO_WORSE, uri=uri).flips
    assert flipped["text"].tolist() == again["text"].tolist()
    assert again["text"].str.startswith("What is").all()
    with pytest.raises(EvalkitError, match=logged.parent_run_id):
        gate(logged.pipeline_run_ids["rag"], folder, uri=uri)
    with pytest.raises(EvalkitError, match="there is no run"):
        gate("0" * 32, folder, uri=uri)
