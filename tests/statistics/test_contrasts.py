"""Pipelines against pipelines within each question: what is compared, left out, and still possible."""

from __future__ import annotations

import pandas as pd
import pytest

from evalkit.statistics.claims import Hypothesis
from evalkit.statistics.contrasts import Contrast, Wide
from evalkit.statistics.hypotheses import flips
from evalkit.statistics.tables import question_values

METRIC = "correctness/generation/correct"
MEANS = {"a": -0.5, "b": -0.5, "c": 1.0}


def table(metric: str = METRIC, **pipelines: list) -> pd.DataFrame:
    """A value per question, a status in its place, or None for no row at all."""
    return pd.DataFrame(
        {
            "question": f"q{i}", "pipeline": name, "repeat": 0, "metric": metric, "cluster": f"c{i}",
            "status": value if isinstance(value, str) else "scored",
            "value": None if isinstance(value, str) else float(value),
        }
        for name, values in pipelines.items()
        for i, value in enumerate(values)
        if value is not None
    )  # fmt: skip


def contrast(weights: dict[str, float], metric: str = METRIC, **pipelines: list) -> Contrast:
    return Wide.of(question_values(table(metric, **pipelines)), metric).contrast(weights)


def test_a_side_is_the_weighted_sum_of_its_pipelines() -> None:
    """Against the mean of two, question by question; of the range of values come the bounds."""
    found = contrast(MEANS, a=[0, 1], b=[1, 1], c=[1, 0])
    assert found.before.tolist() == [0.5, 1.0]
    assert found.after.tolist() == [1.0, 0.0]
    assert found.difference.tolist() == [0.5, -1.0]
    assert found.bounds == (-1.0, 1.0)
    square = {"a": 1.0, "b": -1.0, "c": -1.0, "d": 1.0}
    assert contrast(square, a=[1], b=[0], c=[0], d=[1]).bounds == (-2.0, 2.0)
    assert contrast(MEANS, "cost/generation/seconds", a=[3], b=[5], c=[9]).bounds is None


def test_only_questions_that_all_scored_are_compared() -> None:
    """A row that is not there is not scored, as one that is not applicable; neither has failed."""
    found = contrast(
        MEANS, a=[1, 1, 1, 1], b=[1, None, "abstained", 1], c=[1, 1, 1, "not_applicable"]
    )
    assert list(found.questions) == ["q0"]
    assert (found.n, found.failed_share, found.worst) == (1, 0.0, None)
    assert found.undecided() == "all pairs are of one cluster"
    assert found.left_out() == [
        "1 of 4 questions scored in some pipeline are scored in all", "only 1 cluster",
    ]  # fmt: skip


def test_failures_are_told_with_what_they_could_have_made() -> None:
    """On q0 one of the averaged two failed: 0 - (x + 1) / 2 is -1 or -.5; q1 gained 1, q2 nothing."""
    found = contrast(MEANS, a=["failed", 0, 0], b=[1, 0, 0], c=[0, 1, 0])
    assert found.failed_share == pytest.approx(1 / 3)
    assert found.worst == pytest.approx(((-1 + 1 + 0) / 3, (-0.5 + 1 + 0) / 3))
    assert found.undecided() == "33.3% of the questions failed: above 2% no verdict is given"
    assert found.undecided(0.5) == ""


def test_nothing_selected_and_nothing_in_common() -> None:
    """Two reasons, each in its own words."""
    assert contrast({"x": -1.0, "y": 1.0}, a=[1]).undecided() == "no question is selected"
    apart = contrast({"a": -1.0, "b": 1.0}, a=[1, None], b=[None, 1])
    assert apart.undecided() == "no question was scored in both pipelines"


def test_changes_that_differ_by_arithmetic_alone_keep_the_order_of_questions() -> None:
    """A third more and a third less: the same size, whichever three numbers were averaged."""
    scores = table(
        a=[1, 0, 1, 0], b=[1, 0, 0, 1], c=[0, 1, 1, 0], d=[1, 0, 1, 0],
    )  # fmt: skip
    moved = flips(scores, Hypothesis(METRIC, ("a", "b", "c"), ("d",)))
    assert moved["question"].tolist() == ["q0", "q1", "q2", "q3"]
    assert moved["change"].tolist() == ["lost", "gained", "lost", "gained"]
