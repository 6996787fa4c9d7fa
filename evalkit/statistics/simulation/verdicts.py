"""How often a gate is wrong: verdicts on hypotheses whose truth is known.

The rates of error are those of a family: the share of simulations with any wrong verdict. A
one-sided test at half of 1 - confidence may be wrong in 2.5 % of them. Verdicts are made as
:func:`~evalkit.statistics.hypotheses.test_hypotheses` makes them, without its tables.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evalkit.plurals import counted
from evalkit.statistics.adjust import holm
from evalkit.statistics.clusters import Clustered
from evalkit.statistics.deciding import p_values
from evalkit.statistics.hypotheses import Hypothesis
from evalkit.statistics.intervals import Confidence, estimate_many
from evalkit.statistics.power import questions_needed
from evalkit.statistics.simulation.coverage import monte_carlo_error
from evalkit.statistics.simulation.populations import (
    DESIGNS,
    Floats,
    Generator,
    answers,
    clusters_of,
)

CONFIDENCE = 0.95
ALPHA = (1 - CONFIDENCE) / 2
POWER = 0.8
MARGIN = 0.1
BOUNDS = (-1.0, 1.0)
# Simulations that share the bootstrap's draws; each batch has its own.
_BATCH = 250
# Questions, and samples of as many, that the standard error of a power study is taken from.
_PILOT, _POPULATIONS = 1_000, 200


@dataclass(frozen=True)
class Claim:
    """What is claimed of a difference, and the verdict that is counted."""

    kind: str
    margin: float
    verdict: str

    def __str__(self) -> str:
        margin = f", margin {self.margin:g}" if self.margin else ""
        return f"{self.kind.replace('_', '-')}{margin} {self.verdict}"

    @property
    def hypothesis(self) -> Hypothesis:
        """The claim as a gate states it."""
        return Hypothesis(
            metric="correctness/generation/correct",
            better=("b",),
            than=("a",),
            kind=self.kind,
            margin=self.margin,
            direction="higher",
        )


@dataclass(frozen=True)
class Family:
    """Independent differences with one true effect, all claimed together.

    Attributes:
        effect: The true difference.
        size: How many there are.
        design: A key of ``DESIGNS``.
        n: Questions.
        base: The true share of the pipeline compared with; drawn anew where None.
    """

    effect: float
    size: int
    design: str
    n: int
    base: float | None = None

    def __str__(self) -> str:
        claims = counted(self.size, "hypothesis", "hypotheses")
        return f"true difference {self.effect:g}, {claims}, {self.design}"

    def draw(self, count: int, rng: Generator) -> Floats:
        """``count`` samples of binary paired differences, (count, n)."""
        reach = abs(self.effect)
        base = rng.uniform(0.05 + reach, 0.95 - reach, count)
        if self.base is not None:
            base[:] = self.base
        shares = np.stack([base, base + self.effect])
        before, after = answers(shares, clusters_of(self.design, self.n), rng)
        return np.asarray(after - before)


# A claim may not be supported where it is just not true, nor refuted where it is.
WRONG: dict[float, tuple[Claim, ...]] = {
    0.0: (
        Claim("superiority", 0.0, "supported"),
        Claim("superiority", 0.0, "refuted"),
        Claim("non_inferiority", MARGIN, "refuted"),
        Claim("equivalence", MARGIN, "refuted"),
    ),
    -MARGIN: (Claim("non_inferiority", MARGIN, "supported"),),
    MARGIN: (Claim("equivalence", MARGIN, "supported"),),
}
FAMILIES = ((1, "no clusters", 100), (1, "clusters of 4", 100),
            (8, "no clusters", 100), (8, "clusters of 4", 200))  # fmt: skip
POWERED = (
    (Claim("superiority", 0.0, "supported"), 0.15),
    (Claim("superiority", 0.05, "supported"), 0.2),
    (Claim("non_inferiority", MARGIN, "supported"), -0.02),
)


def rows(simulations: int, resamples: int, seed: int) -> list[dict[str, Any]]:
    """The rates of wrong verdicts, then of right ones where ``questions_needed`` promises them.

    Returns:
        ``table`` (``verdicts`` or ``power``), ``scenario, n, clusters, nominal`` (the rate that is
        promised: at most, and about), ``rate, error`` (Monte-Carlo standard error) and
        ``simulations``.
    """
    found = []
    for effect, claims in WRONG.items():
        for size, design, n in FAMILIES:
            family = Family(effect, size, design, n)
            found += simulate("verdicts", family, claims, ALPHA, simulations, resamples, seed)
    for claim, family in powered():
        found += simulate("power", family, [claim], POWER, simulations, resamples, seed)
    return found


def simulate(
    table: str,
    family: Family,
    claims: Sequence[Claim],
    nominal: float,
    simulations: int,
    resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    """The rows of one family, a row for each claim that is made of it."""
    rng = np.random.default_rng([seed, zlib.crc32(repr(family).encode())])
    clusters, hits = clusters_of(family.design, family.n), np.zeros(len(claims))
    for start in range(0, simulations, _BATCH):
        count = min(_BATCH, simulations - start)
        samples = [(each, clusters, BOUNDS) for each in family.draw(count * family.size, rng)]
        found = estimate_many(samples, resamples=resamples, seed=int(rng.integers(2**31)))
        together = [found[i : i + family.size] for i in range(0, len(found), family.size)]
        hits += [sum(any_verdict(claim, each) for each in together) for claim in claims]
    return [
        {
            "table": table,
            "scenario": f"{claim}; {family}",
            "n": family.n,
            "clusters": int(clusters.max()) + 1,
            "nominal": nominal,
            "rate": rate,
            "error": monte_carlo_error(rate, simulations),
            "simulations": simulations,
        }
        for claim, rate in zip(claims, (hits / simulations).tolist(), strict=True)
    ]


def any_verdict(claim: Claim, found: Sequence[Confidence]) -> bool:
    """Whether any of a family gets the claim's verdict, after Holm's adjustment."""
    which = ("supported", "refuted").index(claim.verdict)
    adjusted = holm([p_values(claim.hypothesis, each)[which] for each in found])
    return any(p is not None and p <= ALPHA for p in adjusted)


def powered() -> Iterator[tuple[Claim, Family]]:
    """Claims that are true, with as many questions as should support them with ``POWER``.

    The standard error is that of many questions, so that the rule is tested and not a guess from
    few.
    """
    for claim, effect in POWERED:
        for design in ("no clusters", "clusters of 4"):
            pilot = Family(effect, 1, design, _PILOT, base=0.5)
            error, clusters = _standard_error(pilot)
            threshold = claim.margin if claim.kind == "superiority" else -claim.margin
            settings: dict[str, Any] = {"alpha": ALPHA, "power": POWER, "clusters": clusters}
            total = questions_needed(effect, threshold, error, _PILOT, **settings)
            assert total is not None
            size = DESIGNS[design][0]
            yield claim, replace(pilot, n=-(-total // size) * size)


def _standard_error(pilot: Family) -> tuple[float, int]:
    """Of a sample of the pilot's size, over many populations; and its clusters."""
    clusters = clusters_of(pilot.design, pilot.n)
    values = pilot.draw(_POPULATIONS, np.random.default_rng(0))
    found = [Clustered.of(each, clusters) for each in values]
    return float(np.sqrt(np.mean([each.standard_error**2 for each in found]))), found[0].size
