"""Prediction-powered means: ppi-python's numbers, the defined corner cases, and invariants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evalkit.statistics import mean_interval
from evalkit.statistics.labelled import Labelled, Prior
from evalkit.statistics.prediction_powered import ASSUMPTION, FEW, prediction_powered

SHARE = (0.0, 1.0)
NOTHING = Prior(0.0, 0.5, 0.25, 0.2)


def sample(n: int, labelled: int, right: float = 0.9, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Marks, labels (NaN from ``labelled`` on) and truth; the judge is right that often."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.6).astype(float)
    marks = np.where(rng.random(n) < right, truth, 1 - truth)
    labels = np.where(np.arange(n) < labelled, truth, np.nan)
    return marks, labels, truth


def published(n: int, others: int) -> tuple[np.ndarray, np.ndarray]:
    """The data that ppi-python was given: n with labels, then the others."""
    i, j = np.arange(n), np.arange(others)
    labels = ((i * 7) % 10 < 6).astype(float)
    marks = np.where(i % 9 == 0, 1 - labels, labels)
    other_marks = ((j * 13) % 100 < 57).astype(float)
    return np.concatenate([marks, other_marks]), np.concatenate([labels, np.full(others, np.nan)])


# ppi_mean_pointestimate and ppi_mean_ci of ppi-python 0.2.3, alpha 0.05, on published(40, 400).
@pytest.mark.parametrize(
    ("weight", "point", "low", "high"),
    [
        (0.0, 0.6, 0.4481818425742008, 0.7518181574257992),
        (0.5, 0.5975, 0.48696548129744344, 0.7080345187025564),
        (1.0, 0.595, 0.47542412487054037, 0.7145758751294595),
    ],
)
def test_the_estimate_is_ppi_pythons(weight: float, point: float, low: float, high: float) -> None:
    """For a given weight, one question per cluster and no pseudo-questions: the same value, and
    the same variance but for our factors of small samples."""
    marks, labels = published(40, 400)
    data = Labelled.of(marks, labels, np.arange(440))
    assert data.corrected(NOTHING, weight) == pytest.approx(point, abs=1e-12)
    theirs = ((high - low) / 2 / 1.959963984540054) ** 2
    imputed = weight**2 * 0.57 * 0.43 / 400
    expected = (theirs - imputed) * 40 / 38 + imputed * 400 / 399
    assert data.moments(NOTHING).variance(weight) == pytest.approx(expected, rel=1e-9)


def test_on_large_samples_the_interval_is_ppi_pythons() -> None:
    """With 2,000 labels of 22,000 our corrections vanish: ppi-python 0.2.3, weight tuned."""
    marks, labels = published(2_000, 20_000)
    found = prediction_powered(marks, labels, np.arange(22_000))
    assert found.corrected == pytest.approx(0.59481016, abs=2e-4)
    assert (found.low, found.high) == pytest.approx((0.580244259, 0.609376051), abs=3e-4)


def test_no_labels() -> None:
    """Nothing is corrected, and it says so; the judge's mean is still told."""
    marks, _, _ = sample(30, 0)
    found = prediction_powered(marks, np.full(30, np.nan), np.arange(30))
    assert found.judged == marks.mean()
    assert (found.corrected, found.low, found.high, found.gain) == (None, None, None, None)
    assert (found.method, found.note) == ("none", "no question is labelled")
    assert (found.n_labelled, found.n_unlabelled) == (0, 30)


def test_no_questions() -> None:
    found = prediction_powered([], [], [])
    assert (found.judged, found.corrected, found.method) == (None, None, "none")
    assert found.note == "no question was marked"


@pytest.mark.parametrize("paired", [False, True])
def test_all_labelled(paired: bool) -> None:
    """The judge has nothing to add: the classical interval on the labels."""
    marks, labels, truth = sample(60, 60)
    clusters = np.arange(60) // 3
    found = prediction_powered(marks, labels, clusters, paired=paired)
    bounds = (-1.0, 1.0) if paired else SHARE
    classical = mean_interval(truth, clusters, bounds=bounds)
    assert (found.corrected, found.low, found.high) == (
        classical.value, classical.low, classical.high,
    )  # fmt: skip
    assert found.method == f"labels_only:{classical.method}"
    assert (found.note, found.judge_weight, found.gain) == ("every question is labelled", 0.0, 1.0)


def test_one_labelled() -> None:
    """One label is a sample of one: its own wide interval, and no weight for the judge."""
    marks, labels, truth = sample(50, 1)
    found = prediction_powered(marks, labels, np.arange(50))
    classical = mean_interval(truth[:1], [0], bounds=SHARE)
    assert (found.corrected, found.low, found.high) == (
        classical.value, classical.low, classical.high,
    )  # fmt: skip
    assert found.judge_weight == 0
    assert found.note == f"only 1 cluster with a label: fewer than {FEW}"


def test_a_constant_judge_gets_no_weight() -> None:
    """Marks that never differ say nothing: about the labels' own interval."""
    _, labels, truth = sample(200, 60)
    found = prediction_powered(np.ones(200), labels, np.arange(200))
    assert found.judge_weight == 0
    assert found.corrected == pytest.approx(truth[:60].mean())
    assert (found.method, found.gain) == ("labels_only:t", 1.0)
    assert found.note == "the judge gave every question the same mark"


def test_a_perfect_judge_is_about_as_good_as_labels_on_all() -> None:
    """With 200 labels that a judge always meets, nearly the interval of all 1,000 labels; with 20
    the interval is wider, since twenty meetings do not make a judge perfect."""
    clusters = np.arange(1_000)
    widths = {}
    for n in (20, 200):
        marks, labels, truth = sample(1_000, n, right=1.0)
        found = prediction_powered(marks, labels, clusters)
        whole = mean_interval(truth, clusters, bounds=SHARE)
        widths[n] = (found.high - found.low) / (whole.high - whole.low)
        assert found.corrected == pytest.approx(truth.mean(), abs=0.03)
    assert 0.95 < widths[200] < 1.15
    assert widths[20] > 1.5 * widths[200]


def test_a_useless_judge_does_no_harm() -> None:
    """Marks unrelated, or contrary, to the labels leave about the labels' own interval."""
    marks, labels, truth = sample(400, 80, right=0.5)
    classical = mean_interval(truth[:80], np.arange(80), bounds=SHARE)
    unrelated = prediction_powered(marks, labels, np.arange(400))
    assert unrelated.judge_weight < 0.2
    contrary = prediction_powered(1 - truth, labels, np.arange(400))
    assert (contrary.judge_weight, contrary.method) == (0.0, "labels_only:t")
    assert contrary.note == "the judge's marks do not go with the labels"
    for found in (unrelated, contrary):
        assert found.high - found.low == pytest.approx(classical.high - classical.low, rel=0.1)
        assert (found.low, found.high) == pytest.approx((classical.low, classical.high), abs=0.04)


def test_a_biased_judge_is_corrected() -> None:
    """A judge that passes a third of the wrong answers reads high; the corrected value does not."""
    rng = np.random.default_rng(3)
    truth = (rng.random(2_000) < 0.4).astype(float)
    marks = np.where(rng.random(2_000) < 0.35, 1.0, truth)
    labels = np.where(np.arange(2_000) < 300, truth, np.nan)
    found = prediction_powered(marks, labels, np.arange(2_000))
    assert found.judged > 0.55
    assert found.low < truth.mean() < found.high < found.judged
    assert found.gain > 1.2


@pytest.mark.parametrize("labelled", [3, 57])
def test_few_clusters(labelled: int) -> None:
    """Fewer than five clusters with a label, or without one: no weight, and it says which."""
    marks, labels, _ = sample(60, labelled)
    found = prediction_powered(marks, labels, np.arange(60))
    side = "with" if labelled == 3 else "without"
    assert found.note == f"only 3 clusters {side} a label: fewer than {FEW}"
    assert found.judge_weight == 0
    assert found.method.startswith("labels_only:")


def test_clusters_widen_the_interval() -> None:
    """Four identical copies of each question are no more than one: as wide, not half as wide."""
    marks, labels, _ = sample(100, 40)
    alone = prediction_powered(marks, labels, np.arange(100))
    copies = prediction_powered(*(np.repeat(x, 4) for x in (marks, labels, np.arange(100))))
    blind = prediction_powered(np.repeat(marks, 4), np.repeat(labels, 4), np.arange(400))
    assert copies.n_clusters == 100
    assert copies.high - copies.low == pytest.approx(alone.high - alone.low, rel=0.03)
    assert blind.high - blind.low < 0.6 * (copies.high - copies.low)


def test_a_picked_subset_is_noticed_where_the_marks_show_it() -> None:
    """Labelling only what the judge passed breaks the assumption; a random draw is no cause."""
    marks, _, truth = sample(400, 0)
    passed = np.flatnonzero(marks == 1)[:60]
    labels = np.full(400, np.nan)
    labels[passed] = truth[passed]
    assert "no random draw" in prediction_powered(marks, labels, np.arange(400)).note
    assert prediction_powered(*sample(400, 60)[:2], np.arange(400)).note == ""
    assert "random draw" in ASSUMPTION


def test_wrong_input_is_refused() -> None:
    """Marks or labels out of range, lengths that differ, a question without a mark."""
    fine = np.array([0.0, 1.0, 1.0])
    for judged, labels, paired, complaint in (
        (fine[:2], fine, False, "one length"),
        ([0.0, np.nan, 1.0], fine, False, "judged must be finite"),
        ([0.0, 2.0, 1.0], fine, False, "judged: a value is outside"),
        (fine, fine - 1, False, "labels: a value is outside"),
        (fine, fine - 3, True, "labels: a value is outside"),
    ):
        with pytest.raises(ValueError, match=complaint):
            prediction_powered(judged, labels, np.arange(3), paired=paired)
    with pytest.raises(ValueError, match="confidence 95"):
        prediction_powered(fine, fine, np.arange(3), confidence=95)


shares = st.sampled_from([0.0, 0.25, 0.5, 1.0])
question = st.tuples(shares, st.one_of(st.just(np.nan), shares), st.integers(0, 12))


@given(st.lists(question, min_size=1, max_size=60), st.booleans())
def test_what_always_holds(questions: list[tuple[float, float, int]], paired: bool) -> None:
    """Bounds hold the value and lie in range, nothing is NaN, and the judge is never a loss."""
    marks, labels, clusters = (np.array(x) for x in zip(*questions, strict=True))
    found = prediction_powered(marks, labels, clusters, paired=paired, resamples=50)
    assert found.n_labelled + found.n_unlabelled == len(questions)
    assert found.n_clusters == len(set(clusters))
    assert 0 <= found.judge_weight <= 1
    assert (found.corrected is None) == (found.n_labelled == 0)
    if found.low is not None:
        assert (-1 if paired else 0) <= found.low <= found.corrected <= found.high <= 1
        assert found.gain >= 1 - 1e-12
    if found.method == "prediction_powered":
        assert found.low < found.high


@given(st.lists(question, min_size=12, max_size=40), st.randoms())
def test_the_order_of_questions_does_not_matter(
    questions: list[tuple[float, float, int]], random: object
) -> None:
    shuffled = list(questions)
    random.shuffle(shuffled)
    results = []
    for rows in (questions, shuffled):
        marks, labels, clusters = (np.array(x) for x in zip(*rows, strict=True))
        results.append(prediction_powered(marks, labels, clusters, resamples=50))
    first, second = results
    assume(first.low is not None)
    for name in ("judged", "corrected", "low", "high", "judge_weight"):
        assert getattr(first, name) == pytest.approx(getattr(second, name), abs=1e-9)


@given(st.lists(question, min_size=12, max_size=40))
def test_a_difference_changes_sign_with_its_direction(
    questions: list[tuple[float, float, int]],
) -> None:
    """b - a is the mirror of a - b."""
    marks, labels, clusters = (np.array(x) for x in zip(*questions, strict=True))
    forth = prediction_powered(marks, labels, clusters, paired=True, resamples=50)
    assume(forth.method == "prediction_powered")
    back = prediction_powered(-marks, -labels, clusters, paired=True, resamples=50)
    assert (back.low, back.high) == pytest.approx((-forth.high, -forth.low), abs=1e-12)
