"""How often an interval holds the truth, and how wide it is."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from evalkit.statistics.clusters import Floats
from evalkit.statistics.intervals import Confidence, estimate_many
from evalkit.statistics.simulation.populations import CONTRASTS, DESIGNS, FORMS, Scenario, draw

SIZES = (20, 100, 500)
NOMINAL = 0.95
# Simulations that share the bootstrap's draws; each batch has its own.
_BATCH = 250
# Bounds are rounded, and so is the truth.
_ROUNDING = 1e-9


def scenarios() -> Iterator[Scenario]:
    """The promise: these must be covered."""
    for form, contrast, design, n in product(FORMS, CONTRASTS, DESIGNS, SIZES):
        yield Scenario(form, contrast, design, n)


def hard_scenarios() -> Iterator[Scenario]:
    """Where intervals are known to fall short: shares near 0 and 1, heavy tails, few clusters."""
    for share, contrast, design, n in product(
        (0.02, 0.5, 0.98), ("mean", "paired difference"), ("no clusters", "clusters of 4"), SIZES
    ):
        for form in ("binary", "bounded"):
            yield Scenario(form, contrast, design, n, share=share)
    for contrast, n in product(("mean", "paired difference"), SIZES):
        yield replace(Scenario("seconds", contrast, "no clusters", n), spread=1.0)
    for form, contrast, n in product(FORMS, ("mean", "paired difference"), (8, 12, 16)):
        yield Scenario(form, contrast, "clusters of 4", n)


def rows(
    table: str, cases: Iterator[Scenario], simulations: int, resamples: int, seed: int
) -> list[dict[str, Any]]:
    """One row per scenario.

    Returns:
        ``table, scenario, n`` (questions), ``clusters, nominal, coverage, error`` (Monte-Carlo
        standard error of the coverage), ``width`` (mean), ``simulations``, ``below`` and ``above``
        (share of simulations whose truth lay below and above the interval) and ``methods`` (share
        of each method, such as ``{"wilson": 1.0}``).
    """
    return [simulate(table, case, simulations, resamples, seed) for case in cases]


def simulate(
    table: str, scenario: Scenario, simulations: int, resamples: int, seed: int
) -> dict[str, Any]:
    """One row of :func:`rows`; it depends on the seed and the scenario alone."""
    rng = np.random.default_rng([seed, zlib.crc32(repr(scenario).encode())])
    clusters, found, truths = scenario.clusters, list[Confidence](), list[float]()
    for start in range(0, simulations, _BATCH):
        values, true = draw(scenario, min(_BATCH, simulations - start), rng)
        samples = [(each, clusters, scenario.bounds) for each in values]
        found += estimate_many(samples, resamples=resamples, seed=int(rng.integers(2**31)))
        truths += true.tolist()
    methods = [each.method for each in found]
    return {
        "table": table,
        "scenario": str(scenario),
        "n": scenario.n,
        "clusters": int(clusters.max()) + 1,
        "nominal": NOMINAL,
        **covered(np.array([_ends(each) for each in found]), np.array(truths)),
        "methods": {name: methods.count(name) / simulations for name in sorted(set(methods))},
    }


def covered(ends: Floats, truth: Floats) -> dict[str, Any]:
    """How often intervals hold the truth.

    Args:
        ends: Lower and upper bounds, (simulations, 2).
        truth: What they should hold, (simulations,).

    Returns:
        ``coverage, error, width, simulations, below`` and ``above``, see :func:`rows`.
    """
    low, high = ends.T
    below, above = truth < low - _ROUNDING, truth > high + _ROUNDING
    coverage = 1 - float(np.mean(below | above))
    return {
        "coverage": coverage,
        "error": monte_carlo_error(coverage, len(truth)),
        "width": float((high - low).mean()),
        "simulations": len(truth),
        "below": float(below.mean()),
        "above": float(above.mean()),
    }


def monte_carlo_error(share: float, simulations: int) -> float:
    """Standard error of a simulated share; with one hit and one miss more, so that it is not 0."""
    smoothed = (share * simulations + 1) / (simulations + 2)
    return float(np.sqrt(smoothed * (1 - smoothed) / simulations))


def _ends(found: Confidence) -> tuple[float, float]:
    interval = found.interval(NOMINAL)
    assert interval.low is not None
    assert interval.high is not None
    return interval.low, interval.high
