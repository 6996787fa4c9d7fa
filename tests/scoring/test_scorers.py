"""Scoring as a whole: no row is lost, and every row can be told apart."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.records import ParsedOutput
from evalkit.scoring import COLUMNS, METRICS, metric_named, score, scores_frame, signature
from evalkit.scoring.describe import undefined
from evalkit.scoring.metric import Metric, Result, metric

NOW, BEFORE, ROOM = "TRV@2025-05-01", "TRV@2025-01-01", "ROOM@2025-01-01"
GONE = "OLD@2025-01-01"
SCORECARD = """
faithfulness/retrieval/context_recall faithfulness/retrieval/context_precision
faithfulness/retrieval/precision faithfulness/retrieval/hit faithfulness/retrieval/mrr
faithfulness/retrieval/map faithfulness/retrieval/ndcg
faithfulness/generation/faithfulness faithfulness/generation/groundedness
faithfulness/generation/context_utilisation
faithfulness/generation/noise_sensitivity_relevant
faithfulness/generation/noise_sensitivity_irrelevant
format/retrieval/contract_strict format/retrieval/contract_loose
format/generation/strict format/generation/loose format/generation/instructions_strict
format/generation/instructions_loose format/generation/correct_given_compliance
freshness/retrieval/current_recall freshness/retrieval/stale_rate
freshness/retrieval/stale_above_current freshness/retrieval/lag_days
freshness/retrieval/leak_rate
freshness/generation/current freshness/generation/current_given_retrieved
freshness/generation/current_given_missed freshness/generation/outdated
freshness/generation/outdated_given_retrieved freshness/generation/outdated_given_missed
freshness/generation/leak freshness/generation/leak_given_retrieved
freshness/generation/leak_given_missed freshness/generation/outdated_given_both_shown
freshness/generation/outdated_given_stale_shown
freshness/generation/outdated_given_current_shown freshness/generation/memory_over_evidence
correctness/generation/correct correctness/generation/exact_match correctness/generation/token_f1
correctness/generation/contains correctness/generation/value_match
correctness/generation/abstention correctness/generation/over_abstention
correctness/generation/factual
citation/generation/precision citation/generation/recall retention/generation/correct
cost/retrieval/seconds cost/generation/prompt_tokens cost/generation/output_tokens
cost/generation/seconds
"""
IDS = SCORECARD.split()


def test_the_metrics_and_their_order() -> None:
    """The scorecard's metrics, by axis and stage; a change here is a change of the results."""
    assert list(METRICS) == IDS


def test_every_metric_describes_itself() -> None:
    """A definition of one line, a source, a version, a unit, and a range that is one."""
    for each in METRICS.values():
        assert each.definition
        assert "\n" not in each.definition
        assert each.source
        assert re.fullmatch(r"\d+", each.version)
        assert each.unit in ("share", "tokens", "seconds", "days")
        assert each.range[0] < each.range[1]


@given(
    output=st.one_of(
        st.text(max_size=60),
        st.sampled_from(["EUR 42", "EUR 38", "not in the handbook", '{"answer": "EUR 42"}']),
    ),
    retrieved=st.none() | st.lists(st.sampled_from([NOW, BEFORE, ROOM, GONE]), max_size=3),
    answers=st.sampled_from(["allowance", "room", "bike", "none"]),
    category=st.sampled_from(["changed", "control"]),
    house=st.booleans(),
    error=st.none() | st.just("boom"),
)
def test_one_row_for_every_metric_whatever_happens(
    world: Any, output: str, retrieved: Any, answers: str, category: str, house: bool, error: Any
) -> None:
    """Every metric gives one row; values keep their range; unscored rows say why."""
    sample = world.sample(
        output,
        retrieved=retrieved,
        answers=() if answers == "none" else getattr(world, answers),
        category=category,
        spec=world.house if house else world.free,
        error=error,
    )
    rows = score(sample, world.judge)
    assert [row.metric for row in rows] == IDS
    for row in rows:
        if row.status == "not_applicable":
            # What `evalkit explain` says of a metric is all that can happen. If a reason is new,
            # name it where the metric is registered: undefined= or @undefined_where.
            assert row.reason in undefined(METRICS[row.metric]), row
        if row.value is None:
            assert row.reason
        else:
            low, high = METRICS[row.metric].range
            assert low <= row.value <= high
        assert row.status != "failed" or error is not None, row
    by_metric = {row.metric: row.value for row in rows}
    strict, loose = (by_metric[f"format/generation/{n}"] for n in ("strict", "loose"))
    assert (strict is None) == (loose is None)
    assert strict is None or loose is None or strict <= loose


def test_a_failed_trace_fails_where_it_would_have_been_scored(world: Any) -> None:
    """The denominator of a metric is the same whether the pipeline failed or not."""
    good = score(world.sample("EUR 38", retrieved=[NOW], spec=world.house), world.judge)
    bad = score(
        world.sample("", retrieved=[NOW], spec=world.house, error="out of memory"), world.judge
    )
    for before, after in zip(good, bad, strict=True):
        if before.stage == "retrieval":
            assert (after.status, after.value) == (before.status, before.value)
        elif before.status == "scored":
            assert after.status == "failed"
            assert "out of memory" in after.reason
    assert sum(row.status == "failed" for row in bad) >= 12


def test_a_failure_without_a_retriever_leaves_retrieval_not_applicable(world: Any) -> None:
    """No retriever is no retriever, whatever else went wrong."""
    for row in score(world.sample("", error="out of memory"), world.judge):
        if row.stage == "retrieval":
            assert (row.status, row.reason) == ("not_applicable", "no retriever")
    assert world.value("correctness/generation/correct", "", error="out of memory") == "failed"


def test_a_retriever_that_gave_nothing_before_an_error_failed(world: Any) -> None:
    """Nothing found is 0 only where retrieval is known to have ended."""
    metric = "faithfulness/retrieval/context_recall"
    assert world.value(metric, "", retrieved=[], error="index missing") == "failed"
    took = {"retrieval": 0.1}
    assert world.value(metric, "", retrieved=[], error="out of memory", seconds=took) == 0.0


def test_a_metric_that_raises_is_a_failed_row(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception is kept as the reason; the other rows stand."""

    def broken(sample: Any, judge: Any) -> Result:
        raise ZeroDivisionError("by nothing")

    name = "correctness/generation/correct"
    monkeypatch.setitem(METRICS, name, replace(METRICS[name], function=broken))
    rows = {row.metric: row for row in score(world.sample("EUR 42"), world.judge)}
    assert rows[name].status == "failed"
    assert rows[name].reason == "ZeroDivisionError: by nothing"
    assert rows["correctness/generation/contains"].value == 1.0


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan"), float("inf")])
def test_a_value_out_of_range_is_a_failed_row(
    world: Any, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    """A share above 1, or no number at all, is a fault of the metric and never reported."""
    name = "correctness/generation/correct"
    wrong = replace(METRICS[name], function=lambda s, j: Result("scored", value))
    monkeypatch.setitem(METRICS, name, wrong)
    found = world.score(name, world.sample("EUR 42"))
    assert found.status == "failed"
    assert "outside the range" in found.reason


def test_an_unparsed_output_is_parsed(world: Any) -> None:
    """`score` reads the output itself where the sample does not hold the parsed one yet."""
    sample = replace(world.sample("EUR 42"), parsed=ParsedOutput(None))
    assert world.score("correctness/generation/correct", sample).value == 1.0


def test_repeats_are_kept_apart(world: Any) -> None:
    """The repeat of the trace is on every row."""
    rows = score(world.sample("EUR 42", repeat=3), world.judge)
    assert {row.repeat for row in rows} == {3}


def test_the_table_of_scores(world: Any) -> None:
    """One row per metric, null where there is no number, category and cluster beside it."""
    sample = world.sample("EUR 38", retrieved=[NOW])
    frame = scores_frame(score(sample, world.judge), [sample.question])
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == len(IDS)
    assert frame["value"].notna().equals(frame["status"] == "scored")
    row = frame.set_index("metric").loc["freshness/generation/outdated"]
    assert (row["value"], row["label"], row["category"], row["cluster"], row["axis"]) == (
        1.0,
        "outdated",
        "changed",
        "TRV",
        "freshness",
    )


def test_an_empty_table_keeps_its_columns() -> None:
    """No scores is a table without rows, not an error."""
    frame = scores_frame([], {})
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == 0


def test_a_score_of_an_unknown_question_is_an_error(world: Any) -> None:
    """Rows are never dropped for want of their question."""
    with pytest.raises(KeyError, match="'q1'"):
        scores_frame(score(world.sample("x"), world.judge), {})


def test_a_signature_names_metric_and_judge_with_versions(world: Any) -> None:
    """Two numbers of different instruments have different signatures."""
    assert signature("correctness/generation/correct", world.judge) == (
        "correctness/generation/correct@4|judge=offline-lexical@3.1"
    )


def test_unknown_metrics_are_named_with_their_neighbours() -> None:
    """A slip of the keyboard is answered with what was meant."""
    with pytest.raises(KeyError, match="correctness/generation/correct"):
        metric_named("correctness/generation/corect")


@pytest.mark.parametrize("name", ["correct", "taste/generation/x", "cost/later/x", IDS[0]])
def test_metric_ids_are_checked(name: str) -> None:
    """Only axis/stage/name with known parts, and each id once."""
    with pytest.raises(ValueError, match="metric id"):
        metric(name, "a definition")


def test_metrics_are_frozen() -> None:
    """A metric cannot be changed under a running comparison."""
    assert isinstance(METRICS[IDS[0]], Metric)
    with pytest.raises(AttributeError):
        METRICS[IDS[0]].version = "2"  # type: ignore[misc]
