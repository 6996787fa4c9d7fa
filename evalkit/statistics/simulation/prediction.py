"""Simulated coverage of prediction-powered intervals: how often they hold the true mean.

Each simulation draws a population anew: the true share from U(0.05, 0.95) (a fixed share would
measure the discreteness of counts, Brown, Cai and DasGupta 2001), for a difference the second
pipeline's within 0.2 of it, with a random correlation between the two; clusters of four with
beta-distributed shares and an intra-class correlation of 0.3; a judge that errs independently.
Human labels are a simple random draw of questions, so that clusters are labelled in part.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.statistics.prediction_powered import prediction_powered

Floats = npt.NDArray[np.float64]
TABLE, FIXED_TABLE = "prediction_powered", "prediction_powered_fixed"
NOMINAL = 0.95
# Chance that the judge marks a right and a wrong answer as right.
JUDGES = {"good": (0.95, 0.05), "poor": (0.6, 0.4), "biased": (0.95, 0.35)}
_SIZES = ((100, 20), (100, 50), (100, 100), (500, 20), (500, 50), (500, 100))
_CLUSTER, _CORRELATION = 4, 0.3
# Where labels alone speak their interval is a bootstrap, which has a table of its own.
_RESAMPLES = 1_000


@dataclass(frozen=True)
class Scenario:
    """One situation: ``labelled`` of ``n`` questions, in clusters of four or alone.

    ``share`` is the true share of right answers; drawn anew for each population when None.
    """

    n: int
    labelled: int
    clustered: bool
    paired: bool
    judge: str
    share: float | None = None

    def __str__(self) -> str:
        what = "paired difference" if self.paired else "mean"
        at = "" if self.share is None else f" of {self.share:g}"
        return f"{what}{at}, {self.judge} judge, {self.labelled} labelled"

    @property
    def clusters(self) -> int:
        return self.n // _CLUSTER if self.clustered else self.n


def scenarios() -> Iterator[Scenario]:
    """Every situation that :func:`rows` reports; a full set of labels leaves no judge to vary.

    The last ones hold the share fixed where intervals have it hardest: few errors of a good judge
    on few labels.
    """
    for (n, labelled), clustered, paired in product(_SIZES, (False, True), (False, True)):
        for judge in JUDGES if labelled < n else ("good",):
            yield Scenario(n, labelled, clustered, paired, judge)
    for share, labelled in product((0.05, 0.5), (20, 50, 100)):
        yield Scenario(500, labelled, False, False, "good", share)


def rows(simulations: int, seed: int) -> list[dict[str, Any]]:
    """Coverage of the 95 % interval in every scenario.

    Args:
        simulations: Populations drawn for each scenario.
        seed: The same seed gives the same rows, whichever scenarios there are.

    Returns:
        One row per scenario with ``table`` (:data:`TABLE`; or :data:`FIXED_TABLE` where the share
        is fixed: counts are discrete, so there coverage is reported and not promised),
        ``scenario, n`` (questions), ``clusters, nominal, coverage, error`` (Monte-Carlo standard
        error of the coverage), ``width`` (mean) and ``simulations``.
    """
    return [simulate(each, simulations, seed) for each in scenarios()]


def simulate(scenario: Scenario, simulations: int, seed: int) -> dict[str, Any]:
    """One row of :func:`rows`."""
    rng = np.random.default_rng([seed, zlib.crc32(repr(scenario).encode())])
    held = width = 0.0
    for _ in range(simulations):
        truth, labels, marks, codes = _population(scenario, rng)
        hidden = rng.permutation(scenario.n)[scenario.labelled :]
        labels[hidden] = np.nan
        found = prediction_powered(
            marks,
            labels,
            codes,
            paired=scenario.paired,
            confidence=NOMINAL,
            resamples=_RESAMPLES,
            seed=seed,
        )
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
        width += found.high - found.low
    coverage = held / simulations
    return {
        "table": TABLE if scenario.share is None else FIXED_TABLE,
        "scenario": str(scenario),
        "n": scenario.n,
        "clusters": scenario.clusters,
        "nominal": NOMINAL,
        "coverage": coverage,
        "error": float(np.sqrt(coverage * (1 - coverage) / simulations)),
        "width": width / simulations,
        "simulations": simulations,
    }


def _population(
    scenario: Scenario, rng: np.random.Generator
) -> tuple[float, Floats, Floats, npt.NDArray[np.int64]]:
    """The true value, labels, marks and cluster codes of one drawn population."""
    codes = np.repeat(np.arange(scenario.clusters), scenario.n // scenario.clusters)
    share = float(rng.uniform(0.05, 0.95)) if scenario.share is None else scenario.share
    a = _answers(share, scenario, rng)
    if not scenario.paired:
        return share, a, _marks(a, scenario.judge, rng), codes
    other = float(np.clip(share + rng.uniform(-0.2, 0.2), 0.03, 0.97))
    alike = float(rng.uniform(0.0, 0.8))
    b = np.where(rng.random(scenario.n) < alike, a, _answers(other, scenario, rng))
    marks = _marks(b, scenario.judge, rng) - _marks(a, scenario.judge, rng)
    return (1 - alike) * (other - share), b - a, marks, codes


def _answers(share: float, scenario: Scenario, rng: np.random.Generator) -> Floats:
    if not scenario.clustered:
        return (rng.random(scenario.n) < share).astype(np.float64)
    spread = (1 - _CORRELATION) / _CORRELATION
    by_cluster = rng.beta(share * spread, (1 - share) * spread, scenario.clusters)
    return (rng.random(scenario.n) < np.repeat(by_cluster, _CLUSTER)).astype(np.float64)


def _marks(answers: Floats, judge: str, rng: np.random.Generator) -> Floats:
    when_right, when_wrong = JUDGES[judge]
    return (rng.random(len(answers)) < np.where(answers == 1, when_right, when_wrong)).astype(
        np.float64
    )
