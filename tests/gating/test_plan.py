"""From a gate's configuration to hypotheses: which are tested, and what is refused."""

from __future__ import annotations

import pytest
from made_runs import CORRECT, NO_WORSE, RECALL, MakeRun, ones

from evalkit.errors import EvalkitError
from evalkit.gating import gate


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
