"""Estimates: values, denominators and classes by cell."""

from __future__ import annotations

import pandas as pd
import pytest

from evalkit.statistics import ScoresTableError, class_table, estimate_table
from evalkit.statistics.intervals import wilson

METRIC = "correctness/generation/correct"


def table(values: list[float | None], statuses: list[str], **columns) -> pd.DataFrame:
    """Scores of one pipeline on questions q0, q1 ..., each its own cluster."""
    names = [f"q{i:02d}" for i in range(len(values))]
    base = {"question": names, "pipeline": "rag", "repeat": 0, "metric": METRIC}
    rest = {"status": statuses, "value": values, "cluster": names, "category": "changed"}
    return pd.DataFrame({**base, **rest, **columns})


def test_every_denominator_is_there_and_adds_up() -> None:
    """Failed, abstained and not applicable questions are counted and not averaged.

    A peer lets a row that fails leave the denominator: here it stays in n_total and n_failed.
    """
    scores = table(
        [1.0, 0.0, 1.0, None, None, None, None],
        ["scored"] * 3 + ["failed", "not_applicable", "abstained", "abstained"],
    )
    found = estimate_table(scores, signature="abc").iloc[0]
    assert found["value"] == pytest.approx(2 / 3)
    assert (found["low"], found["high"]) == pytest.approx(wilson(2, 3, 0.95))
    assert (found["method"], found["unit"], found["signature"]) == ("wilson", "share", "abc")
    counts = ["n_total", "n_scored", "n_failed", "n_not_applicable", "n_abstained", "n_clusters"]
    assert [found[c] for c in counts] == [7, 3, 1, 1, 2, 3]


def test_nothing_scored_is_null_and_not_zero() -> None:
    """A cell without a score has no value and no bounds."""
    found = estimate_table(table([None, None], ["not_applicable"] * 2)).iloc[0]
    assert found["value"] is pd.NA
    assert found["low"] is pd.NA
    assert (found["method"], found["n_scored"], found["n_total"]) == ("none", 0, 2)


def test_cells_by_category() -> None:
    """More columns make finer cells, with the same columns after them."""
    scores = table([1.0, 0.0, 0.0], ["scored"] * 3, category=["new", "new", "changed"])
    found = estimate_table(scores, by=("pipeline", "metric", "category"))
    assert found["category"].tolist() == ["changed", "new"]
    assert found["value"].tolist() == [0.0, 0.5]


def test_the_order_of_rows_does_not_matter() -> None:
    """The same seed gives the same table, whatever the order."""
    scores = table([0.1 * i for i in range(10)], ["scored"] * 10)
    shuffled = scores.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(estimate_table(scores), estimate_table(shuffled))


def test_by_needs_pipeline_and_metric() -> None:
    """A mean over metrics would mean nothing."""
    with pytest.raises(ScoresTableError, match="expected pipeline and metric"):
        estimate_table(table([1.0], ["scored"]), by=("pipeline",))


def test_classes_count_questions_not_repeats() -> None:
    """Two repeats of one question count half each; unlabelled rows do not count."""
    metric = "freshness/generation/current"
    scores = pd.DataFrame(
        {
            "question": ["q1", "q1", "q2", "q3"],
            "pipeline": "rag",
            "metric": metric,
            "status": ["scored", "scored", "scored", "not_applicable"],
            "label": ["current", "outdated", "current", None],
        }
    )
    found = class_table(scores).set_index("class")
    assert found["n"].to_dict() == {"current": 1.5, "outdated": 0.5}
    assert found["share"].to_dict() == {"current": 0.75, "outdated": 0.25}


def test_a_failed_question_is_a_class_of_its_own() -> None:
    """What failed stays in the bar, so that two pipelines' bars stand for the same questions."""
    metric = "freshness/generation/outdated"
    statuses = ["scored", "failed", "failed", "not_applicable"]
    scores = table([0.0, None, None, None], statuses, metric=metric)
    scores["label"] = ["current", None, None, None]
    found = class_table(scores, metric).set_index("class")
    assert found["n"].to_dict() == {"current": 1.0, "failed": 2.0}
    assert found["share"].to_dict() == pytest.approx({"current": 1 / 3, "failed": 2 / 3})
