"""Scores against labels: area under the curve, cross-fitted verdicts, maps to probabilities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.statistics.calibration import (
    CalibrationError,
    apply_map,
    auroc,
    best_threshold,
    fit_calibration,
    reliability,
    verdict_quality,
)

RNG = np.random.default_rng(0)


def sample(n: int, seed: int, noise: float = 0.35) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Labels by a score's own probability, two rows to a cluster."""
    rng = np.random.default_rng(seed)
    scores = rng.random(n)
    labels = (scores + rng.normal(0, noise, n) > 0.5).astype(int)
    return scores, labels, [f"g{i // 2}" for i in range(n)]


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=4, max_size=40))
def test_the_area_is_the_share_of_pairs_in_order(rows: list[tuple[int, bool]]) -> None:
    """Ties count half, whatever the clusters."""
    scores, labels = [s for s, _ in rows], [int(y) for _, y in rows]
    ones = [s for s, y in zip(scores, labels, strict=True) if y]
    zeros = [s for s, y in zip(scores, labels, strict=True) if not y]
    if not ones or not zeros:
        with pytest.raises(CalibrationError, match="one class"):
            auroc(scores, labels, [str(i) for i in range(len(rows))])
        return
    pairs = [(a > b) + (a == b) / 2 for a, b in itertools.product(ones, zeros)]
    found = auroc(scores, labels, [str(i % 3) for i in range(len(rows))])
    assert found.value == pytest.approx(np.mean(pairs))
    if found.low is not None:
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_unclustered_variance_is_that_of_delong() -> None:
    """Worked out from the placement values by hand: ones 3, 5, 6 and zeros 1, 2, 4.

    Areas above: 2/3, 1, 1 and 1, 1, 2/3; both variances are 1/27, so se^2 = 2 * (1/27) / 3.
    """
    from scipy.stats import t

    found = auroc([3, 5, 6, 1, 2, 4], [1, 1, 1, 0, 0, 0], list("abcdef"))
    area, error = 8 / 9, (2 / 81) ** 0.5
    reach = t.ppf(0.975, 2) * error / (area * (1 - area))
    middle = np.log(area / (1 - area))
    assert found.value == pytest.approx(area)
    assert found.low == pytest.approx(1 / (1 + np.exp(reach - middle)))
    assert found.high == pytest.approx(1 / (1 + np.exp(-reach - middle)))


def test_rows_given_twice_in_one_cluster_add_no_certainty() -> None:
    """Each cluster copied within itself: the same interval, where independent rows would narrow it."""
    scores, labels, _ = sample(60, 1)
    names = [f"c{i}" for i in range(60)]
    once = auroc(scores, labels, names)
    twice = auroc(np.tile(scores, 2), np.tile(labels, 2), names * 2)
    loose = auroc(np.tile(scores, 2), np.tile(labels, 2), [f"r{i}" for i in range(120)])
    assert twice.low == pytest.approx(once.low)
    assert twice.high == pytest.approx(once.high)
    assert loose.high - loose.low < twice.high - twice.low


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Clustered scores of a known area (normal, shift 1: 0.760): 95 % of 300 draws, +-4."""
    from scipy.stats import norm

    truth = norm.cdf(1 / 2**0.5)
    hits = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(40), 4)
        labels = rng.integers(0, 2, 160)
        scores = labels + rng.normal(0, 0.6, 40)[groups] + rng.normal(0, 0.8, 160)
        found = auroc(scores, labels, [str(g) for g in groups])
        hits += found.low <= truth <= found.high
    assert 0.91 <= hits / 300 <= 0.99


def test_parted_classes_have_no_interval() -> None:
    """A perfect ranking of four rows says nothing about the next one."""
    found = auroc([1, 2, 3, 4], [0, 0, 1, 1], list("abcd"))
    assert (found.value, found.low, found.high) == (1.0, None, None)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=20))
def test_the_threshold_is_the_best_of_all(rows: list[tuple[int, bool]]) -> None:
    """No other cut has a higher macro F1; found by trying every one."""
    p = np.array([s / 8 for s, _ in rows])
    y = np.array([int(b) for _, b in rows])

    def macro(cut: float) -> float:
        quality = verdict_quality(p >= cut, y)
        return (quality["f1_of_0"] + quality["f1_of_1"]) / 2

    cut = best_threshold(p, y)
    assert 0 <= cut <= 1
    tried = np.unique([0.0, 1.0, *((p[:, None] + p[None, :]) / 2).ravel()])
    assert macro(cut) == pytest.approx(max(macro(each) for each in tried))


def test_quality_of_known_verdicts() -> None:
    """Cohen 1960, by hand: 20 yes-yes, 15 no-no, 5 and 10 apart give kappa 0.4."""
    verdicts = [1] * 25 + [0] * 25
    labels = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    found = verdict_quality(verdicts, labels)
    assert found["kappa"] == pytest.approx(0.4)
    assert found["accuracy"] == pytest.approx(0.7)
    assert found["f1_of_1"] == pytest.approx(40 / 55)
    assert found["f1_of_0"] == pytest.approx(30 / 45)


def test_platts_map_is_his_fit() -> None:
    """The gradient of Platt's own objective, with smoothed targets, is zero at the map."""
    scores, labels, groups = sample(200, 3)
    found = fit_calibration(scores, labels, groups).map
    ones, zeros = labels.sum(), (1 - labels).sum()
    target = np.where(labels == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))
    rest = apply_map(found, scores) - target
    assert abs(rest.sum()) < 1e-2
    assert abs((rest * scores).sum()) < 1e-2


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_a_map_makes_overconfident_scores_honest(kind: str) -> None:
    """Scores pushed to the ends: the cross-fitted Brier score falls, and the map never does."""
    scores, labels, groups = sample(600, 4)
    pushed = np.clip(0.5 + 3 * (scores - 0.5), 0, 1)
    fitted = fit_calibration(pushed, labels, groups, kind=kind)
    assert fitted.quality["brier"] < fitted.quality["brier_raw"] - 0.01
    mapped = apply_map(fitted.map, np.linspace(0, 1, 50))
    assert (np.diff(mapped) >= 0).all()
    assert 0 <= mapped.min() <= mapped.max() <= 1


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_quality_is_of_rows_that_took_no_part(kind: str) -> None:
    """On scores without information cross-fitting finds none; fitting on the same rows would."""
    rng = np.random.default_rng(5)
    kappas = []
    for _ in range(20):
        scores, labels = rng.random(60), rng.integers(0, 2, 60)
        try:
            fitted = fit_calibration(scores, labels, [str(i) for i in range(60)], kind=kind)
        except CalibrationError:
            continue  # a falling map: refused
        kappas.append(fitted.quality["kappa"])
    assert len(kappas) > 3
    assert np.mean(kappas) < 0.1


def test_clusters_are_held_out_whole() -> None:
    """Copies of one row in a cluster are never in the training and the test part at once."""
    scores, labels, _ = sample(40, 6)
    many, copies = np.repeat(scores, 5), np.repeat(labels, 5)
    groups = [f"g{i // 5}" for i in range(200)]
    fitted = fit_calibration(many, copies, groups)
    for i in range(0, 200, 5):
        assert np.ptp(fitted.probabilities[i : i + 5]) == 0


def test_what_cannot_be_calibrated_is_refused() -> None:
    """One class, one group, a class in one group, scores that fall with the labels."""
    scores, labels, groups = sample(40, 7)
    with pytest.raises(CalibrationError, match="one class only"):
        fit_calibration(scores, np.ones(40), groups)
    with pytest.raises(CalibrationError, match="one group"):
        fit_calibration(scores, labels, ["g"] * 40)
    with pytest.raises(CalibrationError, match="too few groups"):
        fit_calibration(scores, [1] + [0] * 39, groups)
    for kind in ("platt", "isotonic"):
        with pytest.raises(CalibrationError, match="nothing to calibrate"):
            fit_calibration(-scores, labels, groups, kind=kind)
    with pytest.raises(CalibrationError, match="expected one of platt, isotonic"):
        fit_calibration(scores, labels, groups, kind="beta")
    with pytest.raises(CalibrationError, match="finite"):
        fit_calibration([np.nan] * 40, labels, groups)


def test_reliability_rows_hold_every_label_once() -> None:
    """At most ten bins, in order, with intervals around what was found."""
    scores, labels, groups = sample(300, 8)
    rows = reliability(scores, labels, groups)
    assert sum(row["n"] for row in rows) == 300
    assert len(rows) <= 10
    assert [row["said"] for row in rows] == sorted(row["said"] for row in rows)
    assert sum(row["n"] * row["found"] for row in rows) == pytest.approx(labels.sum())
    assert all(row["low"] <= row["found"] <= row["high"] for row in rows)


def test_two_scores_make_two_bins() -> None:
    """A judge that only says yes or no has a curve of two points."""
    rows = reliability([0.1] * 30 + [0.9] * 10, [0] * 30 + [1] * 10, [str(i) for i in range(40)])
    assert [row["n"] for row in rows] == [30, 10]
    assert [row["found"] for row in rows] == [0.0, 1.0]
