"""The winner's optimism: that choosing flatters, and that estimating on held-out halves does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.statistics.selection import pareto_front, select


def _frame(x: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(x, columns=[f"c{i:02d}" for i in range(x.shape[1])])


def _select(x: np.ndarray, clusters: np.ndarray | None = None, **settings: object):
    labels = np.arange(len(x)) if clusters is None else clusters
    return select(_frame(x), labels.astype(str), resamples=50, **{"splits": 20, **settings})


@pytest.mark.parametrize(("correlation", "size"), [(0.0, 1), (0.8, 1), (0.4, 4)])
def test_no_difference_the_winner_is_flattered_and_the_correction_is_not(
    correlation: float, size: int
) -> None:
    """Twelve candidates of one truth (0.5), alone, correlated, in clusters: the naive mean of the best
    is far above it, the corrected one is not, nor is its difference to a fixed baseline."""
    rng, worlds, n = np.random.default_rng(5), 400, 80
    naive, corrected, differences = [], [], []
    clusters = np.arange(n) // size
    for _ in range(worlds):
        shared = np.repeat(rng.standard_normal((n // size, 1)), size, axis=0)
        own = rng.standard_normal((n, 12))
        x = (np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own > 0).astype(float)
        baseline = pd.Series((rng.standard_normal(n) > 0).astype(float))
        found = _select(x, clusters, baseline=baseline, limits=(0.0, 1.0))
        assert found.naive is not None
        assert found.corrected is not None
        assert found.corrected_difference is not None
        naive.append(found.naive.value)
        corrected.append(found.corrected.value)
        differences.append(found.corrected_difference.value)
    for values, truth, flattered in ((naive, 0.5, True), (corrected, 0.5, False),
                                     (differences, 0.0, False)):  # fmt: skip
        error = np.mean(values) - truth
        noise = np.std(values, ddof=1) / np.sqrt(worlds)
        assert (error > 6 * noise) if flattered else (abs(error) < 3 * noise)


def test_the_corrected_interval_holds_the_truth() -> None:
    """Under no difference 95 % intervals of the corrected mean hold it in 90 % or more; those of the
    naive mean do not."""
    rng, held, naive = np.random.default_rng(6), 0, 0
    for _ in range(100):
        x = (rng.standard_normal((60, 12)) > 0).astype(float)
        found = _select(x, limits=(0.0, 1.0))
        assert found.corrected is not None
        assert found.naive is not None
        held += found.corrected.low <= 0.5 <= found.corrected.high
        naive += found.naive.low <= 0.5 <= found.naive.high
    assert held >= 90
    assert naive < 80


def test_one_that_is_always_best_loses_nothing() -> None:
    """Where every half chooses the same candidate, there is no luck to correct."""
    rng = np.random.default_rng(0)
    x = rng.random((40, 5)) * 0.3
    x[:, 3] += 0.5
    found = _select(x, limits=(0.0, 1.0))
    assert found.chosen == "c03"
    assert found.shares == {"c03": 1.0}
    assert found.optimism == pytest.approx(0.0, abs=1e-12)
    assert found.corrected is not None
    assert found.naive is not None
    assert (found.corrected.low, found.corrected.high) == pytest.approx(
        (found.naive.low, found.naive.high)
    )


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(2, 15))
def test_optimism_is_never_negative_and_has_a_mirror(
    seed: int, candidates: int, pairs: int
) -> None:
    """With halves of one size no winner is worth more elsewhere than the best of all looks; where lower
    is better everything is the same upside down."""
    x = np.random.default_rng(seed).integers(0, 4, (2 * pairs, candidates)) / 3
    found, mirrored = _select(x), _select(1 - x, higher=False)
    if 2 * pairs < 4:
        assert found.corrected is None
        return
    assert found.optimism is not None
    assert found.optimism >= -1e-12
    assert mirrored.chosen == found.chosen
    assert mirrored.optimism == pytest.approx(found.optimism)
    assert sum(found.shares.values()) == pytest.approx(1.0)


def test_twins_change_nothing_and_the_first_stands_for_both() -> None:
    """A candidate listed twice is no more often chosen, and adds no luck."""
    x = np.random.default_rng(1).integers(0, 2, (30, 3)).astype(float)
    once, twice = _select(x), _select(np.column_stack([x, x]))
    assert once.corrected is not None
    assert twice.corrected is not None
    assert twice.corrected.value == pytest.approx(once.corrected.value)
    assert set(twice.shares) == set(once.shares)


def test_questions_that_were_not_scored_are_left_out() -> None:
    """A candidate is chosen and estimated on the questions that it has."""
    x = np.full((20, 2), 0.2)
    x[:, 1] = 0.9
    x[:5, 1] = np.nan
    found = _select(x)
    assert found.chosen == "c01"
    assert found.corrected is not None
    assert found.corrected.value == pytest.approx(0.9)


def test_a_winner_that_is_the_baseline_has_no_difference_to_it() -> None:
    """Not 0 with an interval of no width."""
    x = np.random.default_rng(2).integers(0, 2, (30, 3)).astype(float)
    best = int(x.mean(axis=0).argmax())
    found = _select(x, baseline=pd.Series(x[:, best]))
    assert (found.difference, found.corrected_difference) == (None, None)
    assert found.corrected is not None


def test_what_cannot_be_corrected_says_why() -> None:
    """No candidate, one candidate, and too few clusters to halve."""
    assert _select(np.full((9, 2), np.nan)).reason == "no candidate was scored"
    alone = _select(np.ones((9, 1)))
    assert (alone.chosen, alone.corrected) == ("c00", None)
    assert "nothing to choose" in alone.reason
    few = _select(np.eye(6, 2), np.arange(6) // 2)
    assert few.corrected is None
    assert "3 clusters" in few.reason


def test_front_by_hand() -> None:
    """Dearer must be better; twins are both on the front; a dominated point is not."""
    quality, cost = [0.5, 0.7, 0.7, 0.6, 0.9, 0.5], [1.0, 2.0, 2.0, 2.0, 5.0, 3.0]
    assert pareto_front(quality, cost, higher=True) == [True, True, True, False, True, False]
    assert pareto_front([0.1, 0.2], [1.0, 2.0], higher=False) == [True, False]
    with pytest.raises(ValueError, match="finite"):
        pareto_front([float("nan")], [1.0], higher=True)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=25))
def test_front_is_what_nothing_dominates(points: list[tuple[int, int]]) -> None:
    """The definition, by comparing every pair."""
    found = pareto_front([float(q) for q, _ in points], [float(c) for _, c in points], higher=True)
    for (q, c), on in zip(points, found, strict=True):
        dominated = any(q2 >= q and c2 <= c and (q2 > q or c2 < c) for q2, c2 in points)
        assert on is not dominated
