"""Simulated coverage of prediction-powered intervals: a fast slice, and the shape of its rows."""

from __future__ import annotations

import pytest

from evalkit.statistics.simulation.prediction import (
    FIXED_TABLE,
    JUDGES,
    TABLE,
    Scenario,
    rows,
    scenarios,
    simulate,
)

SLICE = [
    Scenario(100, 20, clustered=True, paired=False, judge="biased"),
    Scenario(100, 50, clustered=True, paired=True, judge="good"),
    Scenario(500, 100, clustered=False, paired=True, judge="poor"),
    Scenario(500, 20, clustered=False, paired=False, judge="good"),
]


@pytest.mark.parametrize("scenario", SLICE, ids=str)
def test_coverage_is_as_promised(scenario: Scenario) -> None:
    """95 % intervals hold the truth in 93 to 97 % of 2,000 simulations."""
    row = simulate(scenario, 2_000, seed=5)
    assert 0.93 <= row["coverage"] <= 0.97
    assert row["error"] < 0.006


def test_what_would_be_promised_without_labels_is_not_kept() -> None:
    """The simulation can tell: an interval around the judge's own mean would fail it."""
    from evalkit.statistics.simulation import prediction

    def naive(marks, labels, codes, *, paired, **options):  # type: ignore[no-untyped-def]
        return prediction_powered(marks, marks, codes, paired=paired, **options)

    prediction_powered = prediction.prediction_powered
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prediction, "prediction_powered", naive)
        row = simulate(Scenario(500, 50, clustered=False, paired=False, judge="biased"), 100, 1)
    assert row["coverage"] < 0.5


def test_every_situation_has_a_row() -> None:
    """Two sizes, three numbers of labels, with and without clusters, mean and difference, three
    judges; where everything is labelled the judge does not matter."""
    found = rows(2, seed=1)
    assert len({(r["scenario"], r["n"], r["clusters"]) for r in found}) == len(found)
    main = [r for r in found if r["table"] == TABLE]
    assert len(main) == 5 * 4 * len(JUDGES) + 4
    assert {r["table"] for r in found} == {TABLE, FIXED_TABLE}
    keys = "table scenario n clusters nominal coverage error width simulations"
    assert all(list(r) == keys.split() for r in found)
    assert {(r["n"], r["clusters"]) for r in main} == {
        (100, 100),
        (100, 25),
        (500, 500),
        (500, 125),
    }


def test_a_row_does_not_depend_on_the_others() -> None:
    """The same seed gives the same row, alone or among all."""
    scenario = next(scenarios())
    assert simulate(scenario, 3, seed=2) == rows(3, seed=2)[0]
