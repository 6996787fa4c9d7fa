"""The simulation: populations with the truth they claim, verdicts as a gate gives them, the page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evalkit.statistics import estimate
from evalkit.statistics.hypotheses import test_hypotheses as decide
from evalkit.statistics.simulation import alternatives, coverage, verdicts
from evalkit.statistics.simulation.__main__ import main
from evalkit.statistics.simulation.page import BAND
from evalkit.statistics.simulation.populations import (
    CONTRASTS,
    DESIGNS,
    FORMS,
    Scenario,
    answers,
    clusters_of,
    draw,
)

REPORT = Path(__file__).parents[2] / "reports" / "statistics"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("contrast", CONTRASTS)
def test_populations_have_the_mean_they_claim(form: str, contrast: str) -> None:
    """Over many samples the mean of what is drawn is the truth that intervals are held against."""
    scenario = Scenario(form, contrast, "clusters of 1 to 9", 200)
    values, truth = draw(scenario, 300, np.random.default_rng(1))
    error = values.mean(axis=1) - truth
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(300)
    if scenario.bounds:
        assert scenario.bounds[0] <= values.min() <= values.max() <= scenario.bounds[1]


def test_clusters_move_together_as_much_as_they_say() -> None:
    """The correlation within clusters of binary answers lies between .2 and .4."""
    clusters = clusters_of("clusters of 4", 4_000)
    values = answers(np.full((1, 40), 0.5), clusters, np.random.default_rng(2))[0]
    by_cluster = values.reshape(40, 1_000, 4)
    between = by_cluster.mean(axis=2).var()
    assert 0.2 < (between / 0.25 - 1 / 4) / (3 / 4) < 0.4
    assert clusters_of("clusters of 1 to 9", 20).max() + 1 == 5
    assert clusters_of("no clusters", 20).max() + 1 == 20


def test_the_promise_is_simulated_in_full() -> None:
    """Means, differences and contrasts of every form, with and without clusters, n 20, 100, 500."""
    found = list(coverage.scenarios())
    assert {s.n for s in found} == {20, 100, 500}
    assert {(s.form, s.contrast, s.design) for s in found} == {
        (f, c, d) for f in FORMS for c in CONTRASTS for d in DESIGNS
    }


def test_covered_by_hand() -> None:
    """Truth 0.5 in one of three intervals, below one and above one."""
    found = coverage.covered(np.array([[0.4, 0.6], [0.6, 0.9], [0.1, 0.3]]), np.full(3, 0.5))
    assert found["coverage"] == pytest.approx(1 / 3)
    assert (found["below"], found["above"]) == pytest.approx((1 / 3, 1 / 3))
    assert found["width"] == pytest.approx(0.7 / 3)
    assert found["error"] == pytest.approx(np.sqrt(0.4 * 0.6 / 3))


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario("binary", "mean", "no clusters", 20),
        Scenario("bounded", "paired difference", "clusters of 4", 100),
        Scenario("seconds", "interaction", "clusters of 1 to 9", 20),
    ],
)
def test_intervals_cover(scenario: Scenario) -> None:
    """A first look at the promise; reports/statistics has all of it."""
    found = coverage.simulate("coverage", scenario, 600, 300, 0)
    assert 0.92 < found["coverage"] < 0.985


def test_a_row_depends_on_its_seed_and_scenario_alone() -> None:
    """Simulated again, or after others, it is the same."""
    scenario = Scenario("bounded", "mean", "no clusters", 20)
    first = coverage.simulate("coverage", scenario, 20, 50, 3)
    assert coverage.simulate("coverage", scenario, 20, 50, 3) == first
    assert coverage.simulate("coverage", scenario, 20, 50, 4) != first


def test_alternatives_are_worse_where_it_is_said() -> None:
    """Plain BCa falls far short in five clusters."""
    scenario = Scenario("binary", "paired difference", "clusters of 4", 20)
    found = {row["method"]: row for row in alternatives.simulate(scenario, 300, 300, 0)}
    assert found["BCa"]["coverage"] < 0.91
    assert found["BCa"]["width"] < found["Student's t"]["width"]


@pytest.mark.parametrize("design", ["no clusters", "clusters of 4"])
def test_verdicts_are_those_of_the_gate(design: str) -> None:
    """On tables of scores, `test_hypotheses` supports and refutes what the simulation counts."""
    rng, clusters = np.random.default_rng(5), clusters_of(design, 60)
    claims = [claim for each in verdicts.WRONG.values() for claim in each]
    counted = []
    for effect in (-0.3, -0.1, 0.0, 0.25):
        values = answers(np.array([[0.5], [0.5 + effect]]), clusters, rng)[:, 0]
        scores = pd.concat(
            pd.DataFrame(
                {
                    "question": range(60), "pipeline": name, "repeat": 0, "status": "scored",
                    "metric": claims[0].hypothesis.metric, "value": side, "cluster": clusters,
                }
            )
            for name, side in zip("ab", values, strict=True)
        )  # fmt: skip
        for claim in claims:
            verdict = decide(scores, [claim.hypothesis], resamples=200)["verdict"].item()
            found = estimate(
                values[1] - values[0], clusters.astype(str), bounds=(-1.0, 1.0), resamples=200
            )
            assert verdicts.any_verdict(claim, [found]) == (verdict == claim.verdict)
            counted.append(verdict)
    assert set(counted) == {"supported", "refuted", "inconclusive"}


def test_power_is_about_what_was_planned() -> None:
    """With as many questions as `questions_needed` says, a true claim is supported 4 times in 5."""
    claim, family = next(verdicts.powered())
    (found,) = verdicts.simulate("power", family, [claim], verdicts.POWER, 400, 200, 0)
    assert 0.7 < found["rate"] < 0.88


def test_the_command_writes_page_and_numbers(tmp_path: Path) -> None:
    """Few simulations, every table; and the JSON has one schema for what is covered."""
    assert main(["--simulations", "2", "--resamples", "20", "--out", str(tmp_path)]) == 0
    document = json.loads((tmp_path / "coverage.json").read_text())
    tables = {row["table"] for row in document["rows"]}
    assert tables == {
        "coverage", "hard", "verdicts", "power", "prediction_powered", "prediction_powered_fixed",
        "alternatives",
    }  # fmt: skip
    shared = {"table", "scenario", "n", "clusters", "nominal", "coverage", "error", "width"}
    for row in document["rows"]:
        if row["table"] not in ("verdicts", "power"):
            assert shared | {"simulations"} <= set(row)
    page = (tmp_path / "coverage.md").read_text()
    assert "2 simulations of each line" in page
    assert "nan" not in page.lower()


def test_the_committed_report_keeps_the_promise() -> None:
    """Every promised coverage lies in the band, on 2,000 simulations or more; no gate errs more."""
    rows = json.loads((REPORT / "coverage.json").read_text())["rows"]
    promised = [row for row in rows if row["table"] == "coverage"]
    assert len(promised) == len(list(coverage.scenarios()))
    for row in promised:
        assert row["simulations"] >= 2_000
        assert BAND[0] <= row["coverage"] <= BAND[1], row
    for row in rows:
        if row["table"] == "verdicts":
            assert row["rate"] <= row["nominal"] + 3 * row["error"], row
