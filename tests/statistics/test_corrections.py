"""Tables of scores corrected with tables of labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from evalkit.statistics import ScoresTableError
from evalkit.statistics.corrections import DIFFERENCES, MEANS, correct_scores, label_faults
from evalkit.statistics.prediction_powered import prediction_powered

METRIC = "faithfulness/generation/groundedness"


def scores(values: dict[str, list[float]], metric: str = METRIC) -> pd.DataFrame:
    """Question q0, q1, ... of each pipeline; two questions to a cluster; NaN is a failed judgment."""
    rows = [
        {
            "question": f"q{i}",
            "pipeline": pipeline,
            "repeat": 0,
            "metric": metric,
            "status": "failed" if np.isnan(value) else "scored",
            "value": value,
            "cluster": f"c{i // 2}",
        }
        for pipeline, column in values.items()
        for i, value in enumerate(column)
    ]
    return pd.DataFrame(rows)


def labels(values: dict[str, dict[int, float]], metric: str = METRIC) -> pd.DataFrame:
    rows = [(f"q{i}", p, metric, v) for p, found in values.items() for i, v in found.items()]
    return pd.DataFrame(rows, columns=["question", "pipeline", "metric", "value"])


def coins(n: int, seed: int) -> list[float]:
    return [float(x) for x in np.random.default_rng(seed).integers(0, 2, n)]


A, B = coins(60, 1), coins(60, 2)
LABELLED = {i: 1 - A[i] if i % 9 == 0 else A[i] for i in range(0, 60, 2)}
TABLE = scores({"rag": A, "lora": B})


def test_each_labelled_pipeline_has_a_row() -> None:
    """The numbers are those of prediction_powered on its questions; unlabelled ones have none."""
    means, differences = correct_scores(TABLE, labels({"rag": LABELLED}))
    assert list(means) == list(MEANS)
    assert list(means["pipeline"]) == ["rag"]
    assert differences.empty
    assert list(differences) == list(DIFFERENCES)
    human = [LABELLED.get(i, np.nan) for i in range(60)]
    expected = prediction_powered(A, human, [f"c{i // 2}" for i in range(60)])
    row = means.iloc[0]
    for name in ("judged", "corrected", "low", "high", "judge_weight", "gain"):
        assert row[name] == pytest.approx(getattr(expected, name))
    assert (row["n_labelled"], row["n_unlabelled"], row["n_clusters"]) == (30, 30, 30)


def test_a_difference_uses_the_questions_labelled_in_both() -> None:
    """b - a in the order of pipelines given; questions labelled on one side are counted."""
    human = labels({"rag": LABELLED, "lora": {i: B[i] for i in range(0, 40)}})
    means, differences = correct_scores(TABLE, human, ["lora", "rag"])
    assert list(means["pipeline"]) == ["lora", "rag"]
    (row,) = differences.to_dict("records")
    assert (row["a"], row["b"]) == ("lora", "rag")
    assert (row["n_labelled"], row["n_unlabelled"]) == (20, 40)
    assert row["labels_one_side"] == 30
    assert row["judged"] == pytest.approx(np.mean(A) - np.mean(B))
    gaps = [LABELLED[i] - B[i] if i % 2 == 0 and i < 40 else np.nan for i in range(60)]
    clusters = [f"c{i // 2}" for i in range(60)]
    expected = prediction_powered(np.subtract(A, B), gaps, clusters, paired=True)
    assert row["corrected"] == pytest.approx(expected.corrected)


def test_pipelines_labelled_on_different_questions_have_no_difference() -> None:
    human = labels({"rag": {0: 1.0, 2: 0.0}, "lora": {1: 1.0, 3: 0.0}})
    assert correct_scores(TABLE, human)[1].empty


def test_labels_without_a_mark_are_counted_and_not_used() -> None:
    """Failed, abstained and not applicable apart; nothing of them enters the numbers."""
    table = scores({"rag": A, "lora": B})
    for question, status in (("q0", "failed"), ("q2", "abstained"), ("q4", "not_applicable")):
        row = (table["question"] == question) & (table["pipeline"] == "rag")
        table.loc[row, ["status", "value"]] = [status, np.nan]
    human = labels({"rag": LABELLED, "lora": LABELLED})
    means, differences = correct_scores(table, human)
    rag = means.iloc[0]
    assert (rag["labels_failed"], rag["labels_abstained"], rag["labels_not_applicable"]) == (
        1,
        1,
        1,
    )
    assert (rag["n_labelled"], rag["n_failed"]) == (27, 1)
    lacking = differences.iloc[0]
    assert lacking["n_labelled"] == 27
    assert sum(lacking[f"labels_{s}"] for s in ("failed", "abstained", "not_applicable")) == 3
    changed = human.assign(value=human["value"].where(human["question"] != "q0", 0.5))
    assert correct_scores(table, changed)[0].iloc[0]["corrected"] == rag["corrected"]


def test_many_failures_are_said() -> None:
    """Above 2 % of failed judgments the numbers leave out too much to be silent about."""
    values = [np.nan, np.nan, *A[2:]]
    means, _ = correct_scores(
        scores({"rag": values}), labels({"rag": {i: A[i] for i in range(40)}})
    )
    assert "3.3 % of the questions failed" in means.iloc[0]["note"]
    assert means.iloc[0]["n_failed"] == 2


def test_repeats_are_averaged_first() -> None:
    """A label stands for the mean over a question's answers."""
    repeated = pd.concat([TABLE, TABLE.assign(repeat=1, value=1.0)])
    means, _ = correct_scores(repeated, labels({"rag": LABELLED}))
    assert means.iloc[0]["judged"] == pytest.approx((np.mean(A) + 1) / 2)
    assert means.iloc[0]["n_labelled"] == 30


def test_unlabelled_everywhere_is_an_empty_table() -> None:
    means, differences = correct_scores(TABLE, labels({}))
    assert means.empty
    assert differences.empty


@pytest.mark.parametrize(
    ("change", "field", "message", "expected"),
    [
        ({"question": "q61"}, "question", "'q61' is not in the run", "one of its 60 questions"),
        ({"pipeline": "rga"}, "pipeline", "'rga' is not in the run", "'rag'"),
        ({"metric": METRIC[:-1]}, "metric", "is not in the run", repr(METRIC)),
        ({"value": 1.5}, "value", "is 1.5", "a share"),
        ({"value": float("nan")}, "value", "is nan", "a share"),
    ],
)
def test_a_label_that_fits_nothing_is_a_fault(
    change: dict[str, Any], field: str, message: str, expected: str
) -> None:
    """By row and field, with near matches; and nothing is computed from the rest."""
    human = labels({"rag": {0: 1.0, 1: 0.0}})
    for key, value in change.items():
        human.loc[1, key] = value
    (fault,) = label_faults(TABLE, human)
    assert (fault.row, fault.field) == (1, field)
    assert message in fault.message
    assert expected in fault.expected
    with pytest.raises(ScoresTableError, match="labels: 1 fault; first: row 1"):
        correct_scores(TABLE, human)


def test_a_second_label_is_a_fault() -> None:
    human = pd.concat([labels({"rag": {0: 1.0}})] * 2)
    (fault,) = label_faults(TABLE, human)
    assert (fault.row, fault.message) == (1, f"'q0' has a label of rag for {METRIC} already")


def test_a_measured_metric_cannot_be_labelled() -> None:
    """Nobody judges seconds."""
    metric = "cost/generation/seconds"
    table = scores({"rag": [3.0, 4.0]}, metric)
    (fault,) = label_faults(table, labels({"rag": {0: 1.0}}, metric))
    assert fault.message == f"{metric!r} is measured in s, not judged"


def test_a_label_of_an_answer_that_was_not_scored_is_a_fault() -> None:
    """The names are all known, but not together: no label leaves quietly."""
    table = TABLE[(TABLE["pipeline"] != "lora") | (TABLE["question"] != "q5")]
    (fault,) = label_faults(table, labels({"lora": {5: 1.0}}))
    assert fault.message == f"lora has no score of {METRIC} for 'q5'"
