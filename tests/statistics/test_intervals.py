"""Confidence in a mean: what intervals and p-values promise, and every defined corner case."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import stats

from evalkit.statistics import Interval, estimate, estimate_many, mean_interval
from evalkit.statistics.clusters import Clustered
from evalkit.statistics.intervals import wilson

SHARE, CONTRAST = (0.0, 1.0), (-1.0, 1.0)
ALPHAS = (0.4, 0.1, 0.025, 0.003, 1e-4, 1e-9)
FEW = {"resamples": 200}


@st.composite
def samples(draw: st.DrawFn) -> tuple:
    """Values, clusters and bounds such that every method is met: ties, constants, one cluster."""
    bounds = draw(st.sampled_from([SHARE, CONTRAST, None]))
    if draw(st.booleans()):
        value = st.sampled_from([0.0, 1.0] if bounds == SHARE else [-1.0, 0.0, 1.0])
    else:
        low, high = bounds or (-50.0, 50.0)
        value = st.floats(low, high).map(lambda x: round(x, 3))
    values = draw(st.lists(value, min_size=1, max_size=60))
    most = draw(st.sampled_from([0, 3, 12, 1000]))
    cluster = st.integers(0, most)
    clusters = draw(st.lists(cluster, min_size=len(values), max_size=len(values)))
    return values, clusters if most < 1000 else list(range(len(values))), bounds


@given(samples(), st.sampled_from(ALPHAS), st.floats(-1.2, 1.2))
@example(([1.0, 1.0], [0, 1], None), 0.025, 0.0)
@example(([0.0] * 30, list(range(30)), CONTRAST), 0.025, -0.1)
def test_p_and_bound_never_disagree(sample: tuple, alpha: float, null: float) -> None:
    """p_greater(null) <= alpha exactly when the lower bound at 1 - 2 alpha is above null."""
    values, clusters, bounds = sample
    found = estimate(values, clusters, bounds=bounds, **FEW)
    interval = found.interval(1 - 2 * alpha)
    greater, less = found.p_greater(null), found.p_less(null)
    assert (greater is None) == (less is None) == (found.method in ("one_cluster", "none"))
    if greater is None:
        assert interval.low is None
        assert interval.high is None
        return
    assume(all(abs(p - alpha) > 1e-6 * alpha for p in (greater, less)))
    assert (greater <= alpha) == (interval.low is not None and interval.low > null)
    assert (less <= alpha) == (interval.high is not None and interval.high < null)


@given(samples(), st.floats(-60, 60))
def test_p_is_never_0_nor_nan(sample: tuple, null: float) -> None:
    """Not even for a share above -1, which is certain; and above one half on the wrong side."""
    values, clusters, bounds = sample
    found = estimate(values, clusters, bounds=bounds, **FEW)
    greater, less = found.p_greater(null), found.p_less(null)
    if found.method == "one_cluster":
        assert (greater, less) == (None, None)
        return
    for p, wrong in ((greater, found.value <= null), (less, found.value >= null)):
        assert 0 < p <= 1
        assert p >= 0.5 - 1e-12 or not wrong


@given(samples())
def test_bounds_hold_the_mean_lie_in_range_and_nest(sample: tuple) -> None:
    """A higher confidence is never a narrower interval, and none leaves the range of values."""
    values, clusters, bounds = sample
    found = estimate(values, clusters, bounds=bounds, **FEW)
    assert found.value == pytest.approx(np.mean(values))
    low, high = bounds or (-math.inf, math.inf)
    inner = found.value, found.value
    for confidence in (0.05, 0.5, 0.9, 0.95, 0.999, 1 - 1e-9):
        interval = found.interval(confidence)
        outer = (
            -math.inf if interval.low is None else interval.low,
            math.inf if interval.high is None else interval.high,
        )
        assert outer[0] <= inner[0] + 1e-9
        assert outer[1] >= inner[1] - 1e-9
        assert bounds is None or low - 1e-9 <= outer[0] <= outer[1] <= high + 1e-9
        inner = outer


@given(samples(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_the_names_of_clusters_are_nothing(sample: tuple, random) -> None:
    """Shuffled rows give the same answer to the last digits."""
    values, clusters, bounds = sample
    found = estimate(values, clusters, bounds=bounds, **FEW).interval(0.95)
    rows = list(zip(values, clusters, strict=True))
    random.shuffle(rows)
    again = estimate(*zip(*rows, strict=True), bounds=bounds, **FEW).interval(0.95)
    assert again.method == found.method
    for a, b in ((found.low, again.low), (found.high, again.high)):
        assert (a is None) == (b is None)
        assert a is None or a == pytest.approx(b, abs=1e-6)


@given(st.lists(samples(), max_size=6))
def test_many_at_once_are_what_each_is_alone(many: list) -> None:
    """Sharing resamples changes nothing: neither company nor order leaves a trace."""
    together = estimate_many(many, **FEW)
    for sample, found in zip(many, together, strict=True):
        alone = estimate(sample[0], sample[1], bounds=sample[2], **FEW)
        assert found == alone
        assert found.interval(0.9) == alone.interval(0.9)


@given(samples(), st.floats(-1.1, 1.1))
def test_turning_signs_turns_the_answer(sample: tuple, null: float) -> None:
    """For contrasts and open values: what is greater becomes less, with the same p."""
    values, clusters, bounds = sample
    assume(bounds != SHARE)
    found = estimate(values, clusters, bounds=bounds, **FEW)
    turned = estimate(-np.array(values), clusters, bounds=bounds, **FEW)
    p, q = found.p_greater(null), turned.p_less(-null)
    assert (p is None) == (q is None)
    if p is not None and p > 1e-6:
        assert p == pytest.approx(q, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(
    ("values", "clusters", "bounds", "expected"),
    [
        ([], [], SHARE, Interval(None, None, None, "none")),
        ([3.0], ["a"], None, Interval(3.0, None, None, "one_cluster")),
        ([3.0, 5.0], ["a", "a"], None, Interval(4.0, None, None, "one_cluster")),
        ([7.0, 7.0], ["a", "b"], None, Interval(7.0, None, None, "degenerate")),
        ([7.0] * 6, list("abcdef"), None, Interval(7.0, 7.0, 7.0, "degenerate")),
    ],
)
def test_cases_without_information(values, clusters, bounds, expected: Interval) -> None:
    """No values, one cluster and constants have a defined outcome that is never NaN."""
    found = estimate(values, clusters, bounds=bounds)
    assert found.interval(0.95) == expected
    assert (found.standard_error, found.df) == (None, 0.0)


def test_a_constant_without_limits_says_what_signs_say() -> None:
    """Six clusters all 7 ahead: a chance of 2 ** -6 if ahead were as likely as behind."""
    found = estimate([7.0] * 6, range(6))
    assert found.p_greater(0.0) == pytest.approx(1 / 64)
    assert found.p_greater(7.0) == found.p_less(7.0) == pytest.approx(0.5)
    assert found.p_less(0.0) == pytest.approx(1 - 1 / 64)


def test_all_right_is_not_certain() -> None:
    """20 right in 10 clusters: the lower bound is Wilson's for 10 of 10, not 1 and not for 20."""
    found = mean_interval(np.ones(20), np.repeat(np.arange(10), 2), bounds=SHARE)
    assert found.method == "constant"
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(wilson(10, 10, 0.95)[0])


def test_no_difference_seen_is_not_no_difference() -> None:
    """Differences that are all 0 leave room on both sides: Clopper and Pearson's 0 of 20, 0.1684."""
    found = mean_interval(np.zeros(20), np.arange(20), bounds=CONTRAST)
    assert (found.low, found.high) == pytest.approx((-0.1684, 0.1684), abs=5e-5)


@pytest.mark.parametrize("n", [4, 5, 7, 8, 10, 15, 19])
def test_a_few_questions_prove_nothing_by_chance(n: int) -> None:
    """Binary differences of few questions, enumerated: where both sides are as good and at most
    nine questions in ten move, fewer than 1 in 40 is found better (exact, by the multinomial).
    """
    better = {
        (gains, losses): estimate(
            np.repeat([1.0, -1.0, 0.0], [gains, losses, n - gains - losses]),
            range(n),
            bounds=CONTRAST,
        ).p_greater(0.0)
        <= 0.025
        for gains in range(n + 1)
        for losses in range(n + 1 - gains)
    }
    for moved in np.linspace(0.05, 0.9, 18):
        chances = [moved / 2, moved / 2, 1 - moved]
        wrong = sum(
            stats.multinomial.pmf([gains, losses, n - gains - losses], n, chances)
            for (gains, losses), found in better.items()
            if found
        )
        assert wrong <= 0.025


def test_one_binary_question() -> None:
    """One right answer: Wilson's (0.2065, 1)."""
    found = mean_interval([1.0], ["a"], bounds=SHARE)
    assert (found.low, found.high) == pytest.approx((0.2065, 1.0), abs=1e-4)


def test_binary_one_question_per_cluster_is_wilson() -> None:
    """7 of 10 is (0.3968, 0.8922); p of "at most one half" is the score test's, z = 0.4 * sqrt(10)."""
    found = estimate([1.0] * 7 + [0.0] * 3, range(10), bounds=SHARE)
    interval = found.interval(0.95)
    assert interval.method == "wilson"
    assert (interval.value, interval.low, interval.high) == pytest.approx(
        (0.7, 0.3968, 0.8922), abs=1e-4
    )
    assert found.p_greater(0.5) == pytest.approx(0.10295, abs=1e-5)
    assert found.standard_error == pytest.approx(np.sqrt(0.21 / 9))
    assert found.df == pytest.approx(9)


def test_few_clusters_of_unbounded_differences_use_t() -> None:
    """Means -1, 2, 3 of three clusters: 4/3 +/- 4.3027 * sqrt(13 / 9), and p of that t (two degrees)."""
    found = estimate([-1.0, 2.0, 3.0], ["a", "b", "c"])
    interval = found.interval(0.95)
    assert interval.method == "t_clusters"
    assert (interval.low, interval.high) == pytest.approx((-3.8378, 6.5045), abs=1e-4)
    t = (4 / 3) / np.sqrt(13 / 9)
    assert found.p_greater(0.0) == pytest.approx(0.5 - t / (2 * np.sqrt(2 + t * t)))
    assert (found.standard_error, found.df) == pytest.approx((1.20185, 2.0), abs=1e-5)


def test_few_clusters_of_amounts_reach_further_to_the_long_side() -> None:
    """Seconds with a long tail: the upper bound is beyond t's, the lower is no nearer than t's."""
    values = [1.0, 1.1, 1.2, 1.3, 4.0]
    found, t = mean_interval(values, range(5)), 2.7764 * np.std(values, ddof=1) / np.sqrt(5)
    assert found.high > 1.72 + 1.2 * t
    assert found.low == pytest.approx(1.72 - t, abs=1e-3)


def test_few_clusters_of_shares_never_reach_beyond_wilson_on_clusters() -> None:
    """Four clusters half right each: no wider than 2 of 4, however many questions they hold."""
    found = mean_interval([1, 1, 0, 0] * 5, ["a", "b", "c", "d"] * 5, bounds=SHARE)
    low, high = wilson(2, 4, 0.95)
    assert found.method == "wilson_clusters"
    assert low <= found.low < 0.5 < found.high <= high


def test_one_heavy_cluster_costs_degrees_of_freedom() -> None:
    """Of five clusters one holds most questions: fewer than 4 degrees, and not the size of 5."""
    sizes = [1, 1, 1, 2, 15]
    data = Clustered(np.arange(5.0), np.array(sizes, dtype=float))
    assert 1 < data.df < 2
    assert data.effective_size == pytest.approx(400 / 232)
    assert Clustered(np.arange(5.0), np.full(5, 4.0)).df == pytest.approx(4)


def test_what_cannot_be_averaged_is_refused() -> None:
    """NaN is never averaged away, and a level is a probability."""
    with pytest.raises(ValueError, match="must be finite"):
        mean_interval([1.0, np.nan], ["a", "b"])
    with pytest.raises(ValueError, match="one length"):
        mean_interval([1.0, 2.0], ["a"])
    with pytest.raises(ValueError, match=r"confidence 95: expected a number in \(0, 1\)"):
        mean_interval([1.0, 2.0], ["a", "b"], confidence=95)


@pytest.mark.parametrize(("n", "gains"), [(53, 1), (53, 3), (60, 1), (24, 2)])
def test_a_loss_that_was_not_seen_is_still_possible(n: int, gains: int) -> None:
    """One-sided changes prove no more than "0 losses of n" do: 53 questions cannot exclude 5 %.

    Exact: at a true loss rate of 7 %, 0 losses of 53 have probability .93 ** 53 = .021; p must not
    be far below what 0 losses would say of the rate that brings the mean to the margin.
    """
    values = [1.0] * gains + [0.0] * (n - gains)
    found = estimate(values, range(n), bounds=CONTRAST)
    mean = gains / n
    needed = (mean + 0.05) / (1 + mean)  # share of losses that brings the mean to -.05
    assert found.p_greater(-0.05) >= (1 - needed) ** n * (1 - 1e-9)
    mirrored = estimate([-v for v in values], range(n), bounds=CONTRAST)
    assert mirrored.p_less(0.05) == pytest.approx(found.p_greater(-0.05))
