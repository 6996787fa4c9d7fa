"""What was not chosen: the same samples under simpler intervals, each alone."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

from evalkit.statistics.bounds import Bounds, constant, degenerate, student, symmetric
from evalkit.statistics.clusters import Clustered, Floats
from evalkit.statistics.resampling import bca, bootstrap_means
from evalkit.statistics.simulation.coverage import NOMINAL, covered
from evalkit.statistics.simulation.populations import DESIGNS, FORMS, Scenario, draw

_BATCH = 250


def _expanded(data: Clustered, draws: Floats) -> Bounds:
    """BCa read at the quantiles of Student's t, as Hesterberg 2015 expands the percentiles."""
    ratio, quantile = np.sqrt(data.size / (data.size - 1)), student(data.size - 1)
    return bca(data, draws, lambda alpha: ratio * quantile(alpha))


METHODS: dict[str, Callable[[Clustered, Floats], Bounds]] = {
    "BCa": bca,
    "BCa, expanded": _expanded,
    "Student's t": lambda data, draws: symmetric(data),
}


def scenarios() -> Iterator[Scenario]:
    """Means and paired differences at the two smaller sizes, where methods differ."""
    for form, contrast, design, n in product(
        FORMS, ("mean", "paired difference"), DESIGNS, (20, 100)
    ):
        yield Scenario(form, contrast, design, n)


def rows(simulations: int, resamples: int, seed: int) -> list[dict[str, Any]]:
    """One row per scenario and method; as :func:`~.coverage.rows`, with ``method``."""
    return [row for each in scenarios() for row in simulate(each, simulations, resamples, seed)]


def simulate(
    scenario: Scenario, simulations: int, resamples: int, seed: int
) -> list[dict[str, Any]]:
    """The rows of one scenario."""
    rng = np.random.default_rng([seed, zlib.crc32(repr(scenario).encode())])
    ends: dict[str, list[tuple[float, float]]] = {name: [] for name in METHODS}
    truth: list[float] = []
    for start in range(0, simulations, _BATCH):
        values, true = draw(scenario, min(_BATCH, simulations - start), rng)
        columns = [Clustered.of(each, scenario.clusters) for each in values]
        draws = bootstrap_means(columns, resamples, int(rng.integers(2**31)))
        truth += true.tolist()
        for name, method in METHODS.items():
            ends[name] += [
                _ends(method, *each, scenario) for each in zip(columns, draws, strict=True)
            ]
    return [
        {
            "table": "alternatives",
            "scenario": str(scenario),
            "method": name,
            "n": scenario.n,
            "clusters": columns[0].size,
            "nominal": NOMINAL,
            **covered(np.array(found), np.array(truth)),
        }
        for name, found in ends.items()
    ]


def _ends(
    method: Callable[[Clustered, Floats], Bounds],
    data: Clustered,
    draws: Floats,
    scenario: Scenario,
) -> tuple[float, float]:
    if not data.alike:
        found = method(data, draws).within(scenario.bounds)
    elif scenario.bounds is None:
        found = degenerate(data.mean, data.size)
    else:
        found = constant(data.mean, data.effective_size, scenario.bounds)
    alpha = (1 - NOMINAL) / 2
    return found.lower(alpha), found.upper(alpha)
