"""The scores table: one value per question, and refusals that say what is wrong."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from evalkit.statistics import ScoresTableError, question_values, records, unit_of

METRIC = "correctness/generation/correct"


def row(question: str, value: float | None, *, repeat: int = 0, status: str = "scored", **more):
    """One row of a scores table, scored unless told otherwise."""
    base = {"question": question, "pipeline": "rag", "repeat": repeat, "metric": METRIC}
    return {**base, "status": status, "value": value, "cluster": question, **more}


def test_repeats_are_averaged_within_a_question_first() -> None:
    """Three repeats of one question weigh as much as one repeat of another."""
    table = pd.DataFrame(
        [row("q1", 1.0), row("q1", 0.0, repeat=1), row("q1", 0.0, repeat=2), row("q2", 1.0)]
    )
    assert question_values(table)["value"].tolist() == pytest.approx([1 / 3, 1.0])


def test_a_failed_repeat_fails_the_question() -> None:
    """A failure never leaves the denominator because another repeat went well."""
    table = pd.DataFrame([row("q1", 1.0), row("q1", None, repeat=1, status="failed")])
    result = question_values(table)
    assert result["status"].tolist() == ["failed"]
    assert result["value"].isna().all()


def test_a_scored_repeat_outweighs_an_abstained_one() -> None:
    """Abstaining once leaves the mean of the scored repeats."""
    table = pd.DataFrame([row("q1", 0.5), row("q1", None, repeat=1, status="abstained")])
    result = question_values(table)
    assert (result["status"].item(), result["value"].item()) == ("scored", 0.5)


def test_a_question_without_a_cluster_is_its_own() -> None:
    """Missing and empty clusters do not make one big cluster."""
    table = pd.DataFrame([row("q1", 1.0, cluster=None), row("q2", 1.0, cluster="")])
    assert question_values(table)["cluster"].nunique() == 2


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([row("q1", 1.0), row("q1", 1.0)], "more than once"),
        ([row("q1", None, status="lost")], "status is not one of"),
        ([row("q1", np.nan)], "scored without a finite value"),
        ([row("q1", 0.0, status="failed")], "though it was not scored"),
        ([row("q1", 1.5)], r"outside \[0, 1\]"),
        ([row("q1", 1.0), row("q1", 1.0, repeat=1, cluster="x")], "more than one cluster"),
    ],
)
def test_a_table_that_cannot_be_trusted_is_refused(rows: list[dict], says: str) -> None:
    """The complaint names the fault and the first question that has it."""
    with pytest.raises(ScoresTableError, match=says) as error:
        question_values(pd.DataFrame(rows))
    assert "'q1'" in str(error.value)


def test_a_missing_column_is_named() -> None:
    """The complaint names the column that is not there."""
    with pytest.raises(ScoresTableError, match="no column status"):
        question_values(pd.DataFrame([row("q1", 1.0)]).drop(columns="status"))


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        (METRIC, "share"),
        ("cost/generation/output_tokens", "tokens"),
        ("cost/retrieval/seconds", "s"),
        ("freshness/retrieval/lag_days", "days"),
    ],
)
def test_units_are_read_off_the_name(metric: str, unit: str) -> None:
    """Tokens, seconds and days are not shares."""
    assert unit_of(metric) == unit


def test_records_are_valid_json() -> None:
    """Nulls of every kind become null, never NaN."""
    frame = pd.DataFrame({"x": pd.array([1.5, None], dtype="Float64"), "y": [np.nan, 2.0]})
    text = json.dumps(records(frame), allow_nan=False)
    assert json.loads(text) == [{"x": 1.5, "y": None}, {"x": None, "y": 2.0}]
