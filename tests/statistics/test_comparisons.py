"""Paired comparisons: who is compared on what, and when nothing may be said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evalkit.statistics import ScoresTableError, compare

METRIC = "correctness/generation/correct"


def two(a: list, b: list, *, clusters: list | None = None, metric: str = METRIC) -> pd.DataFrame:
    """Scores of pipelines a and b; a string instead of a number is a status."""
    rows = []
    for pipeline, values in (("a", a), ("b", b)):
        for i, value in enumerate(values):
            status = value if isinstance(value, str) else "scored"
            rows.append(
                {
                    "question": f"q{i:03d}", "pipeline": pipeline, "repeat": 0, "metric": metric,
                    "status": status, "value": None if status == value else float(value),
                    "cluster": clusters[i] if clusters else f"c{i:03d}",
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def test_the_difference_is_b_minus_a_on_pairs() -> None:
    """Only the questions scored on both sides count, on both sides."""
    scores = two([0, 0, 0, 0, 1, 1, "abstained"], [1, 1, 1, 1, 1, 0, 0])
    found = compare(scores, "a", "b").iloc[0]
    assert found["difference"] == pytest.approx(3 / 6)
    assert (found["n_pairs"], found["n_clusters"], found["failed_share"]) == (6, 6, 0.0)
    assert found["p_method"] == "mcnemar_exact"
    assert found["p_value"] == pytest.approx(2 * 6 / 32)
    assert found["decidable"]
    assert found["reason"] == "6 of 7 questions scored in either are scored in both"
    assert found["worst_low"] is pd.NA


def test_swapping_sides_mirrors_the_result() -> None:
    """compare(b, a) is compare(a, b) with the signs turned, p unchanged."""
    rng = np.random.default_rng(0)
    scores = two(list(rng.random(30)), list(rng.random(30)))
    there, back = compare(scores, "a", "b").iloc[0], compare(scores, "b", "a").iloc[0]
    assert back["difference"] == pytest.approx(-there["difference"])
    assert (back["low"], back["high"]) == pytest.approx((-there["high"], -there["low"]), abs=0.02)
    assert back["p_value"] == pytest.approx(there["p_value"])


def test_pairing_is_used() -> None:
    """Values that differ much by question but always by about 0.05 between sides are told apart."""
    rng = np.random.default_rng(1)
    base = rng.uniform(0, 0.9, 40)
    found = compare(two(list(base), list(base + rng.uniform(0.04, 0.06, 40))), "a", "b").iloc[0]
    assert 0.045 < found["low"] < found["high"] < 0.055
    assert found["correlation"] > 0.99
    assert found["p_value"] == pytest.approx(1 / 10_001)


def test_clustered_binary_values_are_not_given_to_mcnemar() -> None:
    """Questions on one document are flipped together."""
    scores = two([0] * 12, [1] * 12, clusters=[f"c{i // 6}" for i in range(12)])
    found = compare(scores, "a", "b").iloc[0]
    assert found["p_method"] == "sign_flip"
    assert found["p_value"] == pytest.approx(0.5, abs=0.02)
    assert found["reason"] == "only 2 clusters"


def test_failures_bound_the_difference_and_stop_the_verdict() -> None:
    """One failure in ten: worst 0 - 1 and best 1 - 1 in its place, and no verdict above 2 %."""
    scores = two([1] * 5 + [0] * 5, ["failed"] + [1] * 9)
    found = compare(scores, "a", "b").iloc[0]
    assert found["difference"] == pytest.approx(5 / 9)
    assert found["failed_share"] == pytest.approx(0.1)
    assert (found["worst_low"], found["worst_high"]) == pytest.approx((0.4, 0.5))
    assert not found["decidable"]
    assert "10.0% of the questions failed" in found["reason"]


def test_two_percent_failures_can_still_be_decided() -> None:
    """The limit is above 2 %, not at it."""
    scores = two([0] * 50, ["failed"] + [1] * 49)
    assert compare(scores, "a", "b").iloc[0]["decidable"]


def test_failures_of_an_unbounded_metric_have_no_worst_case() -> None:
    """Seconds could be anything: the bound is null and not invented."""
    metric = "cost/generation/seconds"
    found = compare(two([3, 4, 5], [5, "failed", 7], metric=metric), "a", "b").iloc[0]
    assert found["difference"] == 2.0
    assert found["worst_low"] is pd.NA


def test_no_common_question_is_said() -> None:
    """Nothing to compare gives nulls and a reason, not an error and not 0."""
    found = compare(two([1, "not_applicable"], ["not_applicable", 1]), "a", "b").iloc[0]
    assert found["difference"] is pd.NA
    assert found["p_value"] is pd.NA
    assert (found["n_pairs"], found["decidable"]) == (0, False)
    assert found["reason"] == "no question was scored in both pipelines"


def test_unknown_names_are_refused() -> None:
    """The complaint says what there is."""
    scores = two([1], [1])
    with pytest.raises(ScoresTableError, match=r"no pipeline 'c'; the table has a, b"):
        compare(scores, "a", "c")
    with pytest.raises(ScoresTableError, match=r"no metric x/y/z; both have correctness"):
        compare(scores, "a", "b", ["x/y/z"])
