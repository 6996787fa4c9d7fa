"""What a run can see, and how many questions it takes: against statsmodels and by simulation."""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from evalkit.statistics.power import (
    detectable,
    questions_needed,
    questions_within,
)

SOLVE = TTestPower().solve_power


def planned(effect: float, sd: float, *, alpha: float = 0.025, power: float = 0.8) -> int | None:
    """Questions, each in a cluster of its own, that find a paired difference of so much."""
    return questions_needed(effect, 0.0, sd / 10, 100, alpha=alpha, power=power)


@pytest.mark.parametrize(("size", "questions"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_cohens_small_medium_and_large_effects(size: float, questions: int) -> None:
    """The sizes that G*Power and Cohen's tables give for paired t-tests at 5 % and power .80."""
    assert planned(size, 1.0) == questions


@pytest.mark.parametrize("effect", [0.01, 0.03, 0.1, 0.4, 1.0])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("alpha", [0.05, 0.025, 0.005])
def test_planning_is_statsmodels(effect: float, power: float, alpha: float) -> None:
    """The whole number at or above statsmodels' solution (normal beyond 10,000: within .1 %)."""
    exact = SOLVE(effect_size=effect / 0.5, power=power, alpha=alpha, alternative="larger")
    found = planned(effect, 0.5, power=power, alpha=alpha)
    assert found == pytest.approx(ceil(exact - 1e-6), rel=1e-3, abs=0.5)


@pytest.mark.parametrize("n", [3, 10, 50, 400])
def test_the_detectable_effect_is_statsmodels(n: int) -> None:
    """Standard error times the effect, in standard errors, that the t-test of so many finds."""
    size = SOLVE(nobs=n, power=0.8, alpha=0.05)
    assert detectable(0.3 / sqrt(n), n - 1) == pytest.approx(size * 0.3, rel=1e-6)


def test_the_detectable_effect_of_many_is_the_normal_one() -> None:
    """2.80 standard errors: 1.96 + 0.84; infinite degrees of freedom are allowed."""
    assert detectable(1.0, float("inf")) == pytest.approx(1.95996 + 0.84162, abs=1e-4)
    assert detectable(1.0, 20_000) == pytest.approx(2.8016, abs=1e-3)


@given(st.floats(0.01, 0.5), st.integers(2, 300), st.floats(0.55, 0.9))
def test_more_power_and_more_confidence_need_a_larger_effect(
    error: float, df: int, power: float
) -> None:
    """And fewer degrees of freedom do too."""
    base = detectable(error, df, power=power)
    assert base is not None
    assert base < detectable(error, df, power=power + 0.05)
    assert base < detectable(error, df, power=power, confidence=0.99)
    assert base > detectable(error, df + 50, power=power)


def test_questions_needed_is_the_one_sided_t_test() -> None:
    """With every question in a cluster of its own: statsmodels' one-sided solution."""
    n, error = 100, 0.03
    exact = SOLVE(effect_size=0.05 / (error * 10), power=0.8, alpha=0.025, alternative="larger")
    assert questions_needed(0.08, 0.03, error, n, alpha=0.025) == ceil(exact)
    assert questions_needed(-0.02, 0.03, error, n, alpha=0.025) == ceil(exact)


def test_questions_needed_grow_with_the_error_squared_and_with_fewer_clusters() -> None:
    """Twice the standard error is four times the questions; few large clusters need more."""
    once = questions_needed(0.02, 0.0, 0.02, 100, alpha=0.025)
    twice = questions_needed(0.02, 0.0, 0.04, 100, alpha=0.025)
    assert once is not None
    assert twice == pytest.approx(4 * once, rel=0.02)
    few = questions_needed(0.05, 0.0, 0.03, 100, alpha=0.025, clusters=5)
    many = questions_needed(0.05, 0.0, 0.03, 100, alpha=0.025, clusters=100)
    assert few > many
    assert questions_needed(0.02, 0.0, 0.02, 100, alpha=0.005) > once


@pytest.mark.parametrize("error", [None, 0.0, float("nan"), float("inf")])
def test_without_information_there_is_no_number(error: float | None) -> None:
    """Nothing is known of the variance: no plan, and no detectable effect of 0."""
    assert detectable(error, 10) is None
    assert questions_needed(0.1, 0.0, error, 20, alpha=0.025) is None
    assert questions_within(0.0, 0.1, error, 20, alpha=0.025) is None
    assert detectable(0.1, 0) is None


def test_on_the_threshold_no_number_decides() -> None:
    """Nor where the estimate is so near it that the number would be no plan."""
    assert questions_needed(0.05, 0.05, 0.1, 50, alpha=0.025) is None
    assert questions_needed(0.05 + 1e-9, 0.05, 0.1, 50, alpha=0.025) is None
    assert questions_within(0.1, 0.1, 0.1, 50, alpha=0.025) is None
    assert planned(0.0, 1.0) is None


def test_the_number_has_the_power_it_promises() -> None:
    """4,000 simulated runs of clusters of 4: the bound leaves the threshold out in about 80 %."""
    rng = np.random.default_rng(7)
    between, within, effect = 0.2, 0.4, 0.06
    error = sqrt((between**2 + within**2 / 4) / 25)  # of 25 clusters of 4
    total = questions_needed(effect, 0.0, error, 100, alpha=0.025, clusters=25)
    clusters = ceil(total / 4)
    means = rng.normal(effect, sqrt(between**2 + within**2 / 4), (4_000, clusters))
    p = stats.ttest_1samp(means, 0.0, axis=1, alternative="greater").pvalue
    assert 0.77 < (p <= 0.025).mean() < 0.83


@pytest.mark.parametrize("effect", [0.0, 0.03])
def test_equivalence_needs_both_bounds(effect: float) -> None:
    """4,000 simulated runs: both bounds are inside the margin in about 80 %."""
    rng = np.random.default_rng(3)
    margin, sd = 0.1, 0.5
    total = questions_within(effect, margin, sd / 10, 100, alpha=0.025)
    x = rng.normal(effect, sd, (4_000, total))
    above = stats.ttest_1samp(x, -margin, axis=1, alternative="greater").pvalue
    below = stats.ttest_1samp(x, margin, axis=1, alternative="less").pvalue
    assert 0.77 < ((above <= 0.025) & (below <= 0.025)).mean() < 0.83
