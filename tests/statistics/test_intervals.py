"""Intervals: published values, scipy's own, the defined corner cases, and coverage."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evalkit.statistics import Interval, mean_interval
from evalkit.statistics.comparisons import mcnemar_exact
from evalkit.statistics.intervals import Clustered, sign_flip, wilson

SHARE = (0.0, 1.0)


@pytest.fixture(scope="module")
def published() -> dict:
    """Published values kept outside the repository."""
    folder = os.environ.get("EVALKIT_DATA")
    if not folder:
        pytest.skip("set EVALKIT_DATA to the folder that holds stats/reference_values.json")
    return json.loads((Path(folder) / "stats" / "reference_values.json").read_text())


def test_bca_agrees_with_r(published: dict) -> None:
    """R's boot gives (32.31, 91.43) for this sample with a million resamples."""
    reference = published[
        "bootstrap_mean_R_boot(n=1e6 resamples, 95% CI; scipy "
        "test_resampling.py test_bootstrap_against_R, rtol .005)"
    ]
    x = np.array(reference["x"])
    found = mean_interval(x, np.arange(len(x)), resamples=200_000)
    assert found.method == "bca"
    assert (found.low, found.high) == pytest.approx(reference["bca"], rel=0.01)


def test_mcnemar_agrees_with_published_values(published: dict) -> None:
    """The exact p of tables printed by statsmodels, R and the Vassar calculator."""
    tables = next(v for k, v in published.items() if k.startswith("mcnemar_exact"))
    cases = [(t["table"], t["p"], 1e-6) for t in tables]
    r = published["mcnemar_table0_R"]
    for ((_, b), (c, _)), p, tolerance in [*cases, (r["table"], r["exact_p"], 1e-12)]:
        x = np.array([1.0] * b + [0.0] * c)
        assert mcnemar_exact(x, 1 - x) == pytest.approx(p, abs=tolerance)


def test_mcnemar_by_hand() -> None:
    """One against five discordant pairs: 2 * (1 + 6) / 2**6."""
    x = np.array([1, 0, 0, 0, 0, 0, 1.0])
    y = np.array([0, 1, 1, 1, 1, 1, 1.0])
    assert mcnemar_exact(x, y) == pytest.approx(14 / 64)
    assert mcnemar_exact(y, y) == 1.0


def test_wilson_published_value() -> None:
    """Newcombe 1998, table 1: 81 of 263 gives (0.2553, 0.3662), 0 of 20 gives (0, 0.1611)."""
    assert wilson(81, 263, 0.95) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20, 0.95) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_unclustered_bca_agrees_with_scipy() -> None:
    """One question per cluster is the ordinary BCa bootstrap of a mean."""
    x = np.random.default_rng(1).lognormal(size=40)
    theirs = stats.bootstrap((x,), np.mean, method="BCa", n_resamples=20_000, rng=2)
    ours = mean_interval(x, np.arange(40), resamples=20_000)
    expected = tuple(theirs.confidence_interval)
    assert (ours.low, ours.high) == pytest.approx(expected, rel=0.02)


def test_binary_one_question_per_cluster_is_wilson() -> None:
    """The interval of 7 of 10 is Wilson's: (0.3968, 0.8922)."""
    x = [1.0] * 7 + [0.0] * 3
    found = mean_interval(x, range(10), bounds=SHARE)
    assert found.method == "wilson"
    assert (found.value, found.low, found.high) == pytest.approx((0.7, 0.3968, 0.8922), abs=1e-4)


def test_clusters_that_move_together_widen_the_interval() -> None:
    """Ten copies of each of 20 values know no more than 20 values do."""
    x = np.random.default_rng(3).normal(size=20)
    single = mean_interval(x, np.arange(20))
    copied = mean_interval(np.repeat(x, 10), np.repeat(np.arange(20), 10))
    naive = mean_interval(np.repeat(x, 10), np.arange(200))
    assert (copied.low, copied.high) == pytest.approx((single.low, single.high))
    assert naive.high - naive.low < 0.5 * (copied.high - copied.low)


@pytest.mark.parametrize(
    ("values", "clusters", "bounds", "expected"),
    [
        ([], [], SHARE, Interval(None, None, None, "none")),
        ([3.0], ["a"], None, Interval(3.0, None, None, "one_cluster")),
        ([3.0, 5.0], ["a", "a"], None, Interval(4.0, None, None, "one_cluster")),
        ([7.0, 7.0], ["a", "b"], None, Interval(7.0, 7.0, 7.0, "degenerate")),
    ],
)
def test_cases_without_information(values, clusters, bounds, expected: Interval) -> None:
    """No values, one cluster and constants have a defined outcome that is never NaN."""
    assert mean_interval(values, clusters, bounds=bounds) == expected


def test_all_right_is_not_certain() -> None:
    """20 right in 10 clusters: the lower bound is Wilson's for 10 of 10, not 1 and not for 20."""
    found = mean_interval(np.ones(20), np.repeat(np.arange(10), 2), bounds=SHARE)
    assert found.method == "constant"
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(wilson(10, 10, 0.95)[0])


def test_no_difference_seen_is_not_no_difference() -> None:
    """Differences that are all 0 leave room on both sides: 0 of 20 gives 0.1611."""
    found = mean_interval(np.zeros(20), np.arange(20), bounds=(-1.0, 1.0))
    assert (found.low, found.high) == pytest.approx((-0.1611, 0.1611), abs=5e-5)


def test_one_binary_question() -> None:
    """One right answer: Wilson's (0.2065, 1)."""
    found = mean_interval([1.0], ["a"], bounds=SHARE)
    assert (found.low, found.high) == pytest.approx((0.2065, 1.0), abs=1e-4)


def test_few_clusters_of_unbounded_values_use_t() -> None:
    """Means 1, 2, 3 of three clusters: 2 +/- 4.3027 / sqrt(3)."""
    found = mean_interval([1.0, 2.0, 3.0], ["a", "b", "c"])
    assert found.method == "t_clusters"
    assert (found.low, found.high) == pytest.approx((-0.4841, 4.4841), abs=1e-4)


def test_few_clusters_of_shares_count_as_clusters() -> None:
    """Four clusters half right: Wilson for 2 of 4, however many questions they hold."""
    found = mean_interval([1, 1, 0, 0] * 5, ["a", "b", "c", "d"] * 5, bounds=SHARE)
    assert found.method == "wilson_clusters"
    assert (found.low, found.high) == pytest.approx(wilson(2, 4, 0.95))


def test_sign_flip_by_hand() -> None:
    """Six clusters that all gained: both extreme signs of 64, so p is about 2 / 64, never 0."""
    data = Clustered.of(np.ones(6), np.arange(6))
    assert sign_flip(data, 20_000, 0) == pytest.approx(2 / 64, abs=0.004)
    assert sign_flip(Clustered.of(np.ones(60), np.arange(60)), 999, 0) == 1 / 1000


def test_sign_flip_agrees_with_scipy() -> None:
    """Unclustered it is scipy's paired permutation test."""
    x = np.random.default_rng(5).normal(0.4, 1, 25)
    zero = np.zeros(25)
    theirs = stats.permutation_test(
        (x, zero),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        vectorized=True,
        rng=6,
    ).pvalue
    assert sign_flip(Clustered.of(x, np.arange(25)), 20_000, 0) == pytest.approx(theirs, abs=0.01)


def test_bca_covers_about_as_often_as_it_says() -> None:
    """95 % intervals of 30 clusters of 3 with a shared part hold the truth 9 times in 10."""
    rng, inside, trials = np.random.default_rng(7), 0, 200
    clusters = np.repeat(np.arange(30), 3)
    for _ in range(trials):
        shared = np.repeat(rng.exponential(size=30), 3)
        found = mean_interval(shared + rng.normal(size=90), clusters, resamples=600)
        inside += found.low <= 1.0 <= found.high
    assert 0.89 <= inside / trials <= 0.985


@given(
    st.lists(
        st.tuples(st.floats(0, 1).map(lambda v: round(v, 3)), st.integers(0, 7)),
        min_size=1,
        max_size=40,
    ),
    st.randoms(use_true_random=False),
)
def test_bounds_hold_the_mean_stay_in_range_and_ignore_order(rows, random) -> None:
    """The mean is inside its bounds, those lie in [0, 1], and the order of rows is nothing."""
    x, c = zip(*rows, strict=True)
    found = mean_interval(x, c, bounds=SHARE, resamples=200)
    assert -1e-9 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1 + 1e-9
    shuffled = list(rows)
    random.shuffle(shuffled)
    x, c = zip(*shuffled, strict=True)
    again = mean_interval(x, c, bounds=SHARE, resamples=200)
    assert (again.low, again.high) == pytest.approx((found.low, found.high), abs=1e-9)


def test_values_that_are_not_numbers_are_refused() -> None:
    """NaN is never averaged away."""
    with pytest.raises(ValueError, match="must be finite"):
        mean_interval([1.0, np.nan], ["a", "b"])
    with pytest.raises(ValueError, match="one length"):
        mean_interval([1.0, 2.0], ["a"])
