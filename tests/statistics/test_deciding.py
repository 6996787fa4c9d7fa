"""How many more questions would decide: exactly where nothing varies, by its power where things do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from evalkit.statistics.deciding import p_values
from evalkit.statistics.hypotheses import Hypothesis
from evalkit.statistics.hypotheses import test_hypotheses as examine
from evalkit.statistics.intervals import estimate_many
from evalkit.statistics.power import detectable

CORRECT, SECONDS = "correctness/generation/correct", "cost/generation/seconds"


def verdict(hypothesis: Hypothesis, a: Any, b: Any) -> Any:
    """The row of one hypothesis about pipelines a and b, every question in its own cluster."""
    sides = [
        pd.DataFrame(
            {
                "question": [f"q{i}" for i in range(len(values))], "pipeline": name, "repeat": 0,
                "metric": hypothesis.metric, "status": "scored", "value": values, "cluster": "",
            }
        )
        for name, values in (("a", a), ("b", b))
    ]  # fmt: skip
    return examine(pd.concat(sides), [hypothesis], resamples=500).iloc[0]


def drawn(n: int, shift: float) -> Any:
    """Normal values whose mean is ``shift`` and standard deviation .5, both exactly."""
    x = np.random.default_rng(9).normal(0, 1, n)
    return (x - x.mean()) / x.std(ddof=1) * 0.5 + shift


def test_the_same_run_twice_is_not_inferior_once_there_are_enough_questions() -> None:
    """All differences 0: inconclusive with few, and exactly the number that it says decides."""
    claim = Hypothesis(CORRECT, ("b",), ("a",), "non_inferiority", 0.05)

    def same(n: int) -> Any:
        values = [float(i % 2) for i in range(n)]
        return verdict(claim, values, values)

    few = same(20)
    assert few["verdict"] == "inconclusive"
    assert few["mde"] is pd.NA
    enough = 20 + few["further_questions"]
    assert same(enough)["verdict"] == "supported"
    assert same(enough - 1)["verdict"] == "inconclusive"


def test_two_questions_decide_nothing_by_themselves() -> None:
    """n of 2, all gained: a share's bounds are still wide."""
    row = verdict(Hypothesis(CORRECT, ("b",), ("a",)), [0.0, 0.0], [1.0, 1.0])
    assert row["verdict"] == "inconclusive"
    assert "only 2 clusters" in row["reason"]
    assert row["further_questions"] > 0


def test_superiority_of_equals_needs_no_number_of_questions() -> None:
    """The estimate is on the threshold: it says that no number of questions helps."""
    row = verdict(Hypothesis(CORRECT, ("b",), ("a",)), [0.0, 1.0] * 20, [1.0, 0.0] * 20)
    assert row["effect"] == 0
    assert row["further_questions"] is pd.NA
    assert "no practicable number of questions decides" in row["reason"]


@pytest.mark.parametrize(("n", "gained"), [(10, 6), (12, 5), (19, 7), (40, 4)])
def test_what_is_not_decided_lacks_more_than_a_question_or_two(n: int, gained: int) -> None:
    """Binary, none lost: wherever the verdict is open, a tenth more questions at least are asked
    for, since an estimate short of its bound has a power of about one half."""
    after = [1.0] * gained + [0.0] * (n - gained)
    for margin in (0.0, 0.02, 0.05, 0.1):
        row = verdict(Hypothesis(CORRECT, ("b",), ("a",), margin=margin), [0.0] * n, after)
        if row["verdict"] == "inconclusive" and row["further_questions"] is not pd.NA:
            assert row["further_questions"] >= n / 10


def test_the_detectable_effect_is_that_of_the_standard_error() -> None:
    """Two-sided, at power .8: for one question a cluster sd / sqrt(n) times the t-test's factor."""
    row = verdict(Hypothesis(SECONDS, ("b",), ("a",)), np.full(50, 10.0), 10 + drawn(50, 0.0))
    assert row["mde"] == pytest.approx(detectable(0.5 / 50**0.5, 49), rel=0.03)


@pytest.mark.parametrize(
    ("kind", "margin", "shift"),
    [("superiority", 0.0, 0.1), ("superiority", 0.1, 0.0), ("non_inferiority", 0.1, 0.0), ("equivalence", 0.2, 0.05)],
)  # fmt: skip
def test_so_many_questions_more_decide_in_four_runs_of_five(
    kind: str, margin: float, shift: float
) -> None:
    """Runs of the size that an inconclusive one asks for, drawn from its own estimate, are decided
    in about 80 % of 600."""
    claim = Hypothesis(SECONDS, ("b",), ("a",), kind, margin)
    row = verdict(claim, np.full(40, 10.0), 10 + drawn(40, shift))
    assert row["verdict"] == "inconclusive"
    total = 40 + row["further_questions"]
    questions, rng = np.arange(total), np.random.default_rng(1)
    found = estimate_many(
        [(rng.normal(shift, 0.5, total), questions, None) for _ in range(600)], resamples=400
    )
    supported, refuted = np.array([p_values(claim, each) for each in found]).T <= 0.025
    assert 0.75 < (supported | refuted).mean() < 0.85
