"""Paired comparisons: who is compared on what, and when nothing may be said."""

from __future__ import annotations

import time
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evalkit.statistics import ScoresTableError, compare, compare_all
from evalkit.statistics.adjust import benjamini_hochberg
from evalkit.statistics.comparisons import COLUMNS, mcnemar_exact

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


def test_paired_items_get_a_paired_test() -> None:
    """A peer compares paired items as if unpaired: here that would see nothing.

    Values differ much by question but always by about 0.05 between sides.
    """
    rng = np.random.default_rng(1)
    base = rng.uniform(0, 0.9, 40)
    other = base + rng.uniform(0.04, 0.06, 40)
    found = compare(two(list(base), list(other)), "a", "b").iloc[0]
    assert stats.ttest_ind(base, other).pvalue > 0.3
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
    """A peer lets failing rows leave the denominator, and the mean rises: here nothing is decided.

    One failure in ten: worst 0 - 1 and best 1 - 1 in its place, and no verdict above 2 %.
    """
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


def test_mcnemar_by_hand() -> None:
    """One against five discordant pairs: 2 * (1 + 6) / 2**6."""
    x = np.array([1, 0, 0, 0, 0, 0, 1.0])
    y = np.array([0, 1, 1, 1, 1, 1, 1.0])
    assert mcnemar_exact(x, y) == pytest.approx(14 / 64)
    assert mcnemar_exact(y, y) == 1.0


@pytest.mark.parametrize(
    ("a", "b", "clusters", "expected"),
    [
        pytest.param([1], [0], None, (-1, 1.0, False), id="one question"),
        pytest.param([1, 0], [1, 1], None, (0.5, 1.0, True), id="two questions"),
        pytest.param([1] * 8, [1] * 8, None, (0, 1.0, True), id="perfect"),
        pytest.param([0, 1, 0, 1], [0, 1, 0, 1], None, (0, 1.0, True), id="all equal"),
        pytest.param([0.5] * 6, [0.7] * 6, None, (0.2, 2 / 64, True), id="constant"),
        pytest.param([0, 1], [1, 1], ["c", "c"], (0.5, 1.0, False), id="one cluster"),
        pytest.param(["failed"], ["failed"], None, (None, None, False), id="failed"),
    ],
)
def test_corner_cases_are_defined(a, b, clusters, expected) -> None:
    """Never NaN, never a p of 0: a number, or null with a reason."""
    found = compare(two(a, b, clusters=clusters), "a", "b").iloc[0]
    difference, p, decidable = expected
    for name in COLUMNS:
        assert found[name] is pd.NA or not pd.isna(found[name])
    if difference is None:
        assert found["difference"] is pd.NA
        assert found["p_value"] is pd.NA
    else:
        assert found["difference"] == pytest.approx(difference)
        assert found["p_value"] == pytest.approx(p, abs=0.01)
        assert found["low"] <= found["difference"] <= found["high"]
    assert found["decidable"] == decidable
    assert found["decidable"] or found["reason"]


def test_constant_differences_have_no_detectable_effect() -> None:
    """Without spread nothing is known about power: null, and not an effect of 0."""
    found = compare(two([1, 0, 1, 1], [1, 0, 1, 1]), "a", "b").iloc[0]
    assert found["standard_error"] is pd.NA
    assert found["mde"] is pd.NA


def test_error_and_detectable_effect() -> None:
    """Differences of sd s on n questions: s / sqrt(n), and (1.96 + 0.84) times that for large n."""
    rng = np.random.default_rng(3)
    a, b = rng.random(400), rng.random(400)
    found = compare(two(list(a), list(b)), "a", "b", resamples=200).iloc[0]
    error = (b - a).std(ddof=1) / 20
    assert found["standard_error"] == pytest.approx(error)
    assert found["mde"] == pytest.approx(2.8 * error, rel=0.01)


def many(pipelines: int = 3, questions: int = 24) -> pd.DataFrame:
    """Scores of several pipelines on three metrics; one pipeline lacks the last."""
    rng, rows = np.random.default_rng(0), []
    for p in range(pipelines):
        for m in range(3 if p else 2):
            for i in range(questions):
                row = {"question": f"q{i:02d}", "pipeline": f"p{p}", "repeat": 0}
                row |= {"metric": f"correctness/generation/m{m}", "status": "scored"}
                rows.append(row | {"value": rng.random(), "cluster": f"c{i // 2}"})
    return pd.DataFrame(rows)


def test_many_pairs_at_once_are_each_pair_alone() -> None:
    """Only the adjusted p knows of the others; it is Benjamini and Hochberg's over the table."""
    scores, pairs = many(), [("p0", "p1"), ("p0", "p2"), ("p1", "p2")]
    found = compare_all(scores, pairs, resamples=300)
    assert len(found) == 2 + 2 + 3
    alone = pd.concat([compare(scores, a, b, resamples=300) for a, b in pairs], ignore_index=True)
    rest = [c for c in COLUMNS if c != "p_adjusted"]
    pd.testing.assert_frame_equal(found[rest], alone[rest])
    assert found["p_adjusted"].tolist() == pytest.approx(benjamini_hochberg(list(found["p_value"])))
    assert (found["p_adjusted"] >= found["p_value"]).all()


def test_metrics_come_in_the_order_wanted_where_both_have_them() -> None:
    """A pair that lacks one goes without it."""
    wanted = ["correctness/generation/m2", "correctness/generation/m0"]
    found = compare_all(many(), [("p0", "p1"), ("p1", "p2")], wanted, resamples=100)
    assert found["metric"].tolist() == [wanted[1], *wanted]
    assert compare_all(many(), []).empty


def test_a_large_run_is_compared_in_seconds() -> None:
    """10,000 resamples for 20 metrics, 6 pairs and 1,000 questions: under 10 s on one core."""
    rng, frames = np.random.default_rng(0), []
    names = [f"q{i:04d}" for i in range(1_000)]
    for pipeline in "abcd":
        for m in range(20):
            row = {"question": names, "cluster": names, "pipeline": pipeline, "repeat": 0}
            row |= {"metric": f"correctness/generation/m{m}", "status": "scored"}
            frames.append(pd.DataFrame(row | {"value": rng.random(1_000)}))
    scores, start = pd.concat(frames), time.perf_counter()
    assert len(compare_all(scores, combinations("abcd", 2))) == 120
    assert time.perf_counter() - start < 10
