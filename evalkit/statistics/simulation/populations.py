"""Populations with a known mean, and samples of questions drawn from them.

A population is drawn anew for every simulation (its true share from U(0.05, 0.95)): coverage at
one fixed share is a sawtooth of n for any interval of counts (Brown, Cai and DasGupta 2001). Fixed
shares are there for the hard cases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
Generator = np.random.Generator

# Questions per cluster, repeated until n is reached.
DESIGNS: dict[str, tuple[int, ...]] = {
    "no clusters": (1,),
    "clusters of 4": (4,),
    "clusters of 1 to 9": (1, 2, 3, 5, 9),
}
CONTRASTS: dict[str, tuple[float, ...]] = {
    "mean": (1.0,),
    "paired difference": (-1.0, 1.0),
    "main effect": (-0.5, 0.5, -0.5, 0.5),
    "interaction": (1.0, -1.0, -1.0, 1.0),
}
FORMS = ("binary", "bounded", "seconds")
SHARES = (0.05, 0.95)
CORRELATIONS = (0.2, 0.4)
SECONDS = 0.5
"""Standard deviation of the logarithm of seconds; the skewness is 1.75."""
# Chance that a bounded value is 0 or 1 and nothing between.
_TIES = 0.4
_GRADED = 4.0
# Chance that two pipelines meet the same luck with a question, and with a cluster.
_SHARED = 0.5


@dataclass(frozen=True)
class Scenario:
    """What is estimated, from how many questions in which clusters.

    Attributes:
        form: ``binary``, ``bounded`` (skewed shares with many 0 and 1) or ``seconds`` (lognormal).
        contrast: A key of ``CONTRASTS``.
        design: A key of ``DESIGNS``.
        n: Questions.
        share: The true share of every pipeline; drawn anew where None.
        spread: Standard deviation of the logarithm of seconds.
    """

    form: str
    contrast: str
    design: str
    n: int
    share: float | None = None
    spread: float = SECONDS

    def __str__(self) -> str:
        fixed = "" if self.share is None else f", true share {self.share}"
        heavy = "" if self.spread == SECONDS else f", log sd {self.spread:g}"
        return f"{self.form}{fixed}{heavy}, {self.contrast}, {self.design}"

    @property
    def clusters(self) -> npt.NDArray[np.int64]:
        """The cluster of each question, (n,)."""
        return clusters_of(self.design, self.n)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The range of the values that are averaged."""
        weights = CONTRASTS[self.contrast]
        if self.form == "seconds":
            return None
        if len(weights) == 1:
            return 0.0, 1.0
        reach = sum(abs(w) for w in weights) / 2
        return -reach, reach


def clusters_of(design: str, n: int) -> npt.NDArray[np.int64]:
    """The cluster of each of ``n`` questions, numbered from 0."""
    return np.repeat(np.arange(n), np.resize(DESIGNS[design], n))[:n]


def draw(scenario: Scenario, count: int, rng: Generator) -> tuple[Floats, Floats]:
    """``count`` samples of the contrast, (count, n), and the true mean of each, (count,)."""
    weights = np.array(CONTRASTS[scenario.contrast])
    if scenario.form == "seconds":
        scale = rng.uniform(0.5, 2.0, (len(weights), count))
        true = scale * np.exp(scenario.spread**2 / 2)
        values = seconds(scale, scenario.clusters, rng, scenario.spread)
    else:
        true = rng.uniform(*SHARES, (len(weights), count))
        if scenario.share is not None:
            true[:] = scenario.share
        values = answers(true, scenario.clusters, rng, form=scenario.form)
    return np.einsum("k,kcn->cn", weights, values), weights @ true


def answers(
    shares: Floats, clusters: npt.NDArray[np.int64], rng: Generator, *, form: str = "binary"
) -> Floats:
    """Values in [0, 1] of k pipelines with the given means.

    Clusters differ by a beta-distributed share; a question meets the same luck in two pipelines
    half of the time. A bounded value is 0 or 1 in four of ten cases, else beta-distributed with
    mean m and a variance of m (1 - m) / 5.

    Args:
        shares: True means (k, count), in (0, 1).
        clusters: The cluster of each question, (n,); one value each means that there are none.
        rng: Source of random numbers.
        form: ``binary`` or ``bounded``.

    Returns:
        Values (k, count, n).
    """
    mean = _cluster_shares(shares, clusters, rng)
    luck = _shared_luck(rng, (*shares.shape, len(clusters)))
    right = (luck < mean).astype(np.float64)
    if form == "binary":
        return right
    graded = rng.beta(_GRADED * mean, _GRADED * (1 - mean), right.shape)
    return np.where(rng.random(luck.shape[1:]) < _TIES, right, graded)


def seconds(
    scale: Floats, clusters: npt.NDArray[np.int64], rng: Generator, spread: float = SECONDS
) -> Floats:
    """Lognormal values of median ``scale`` (k, count): (k, count, n)."""
    k, count = scale.shape
    own = special.ndtri(_shared_luck(rng, (k, count, len(clusters))))
    shape = (k, count, int(clusters.max()) + 1)
    common = special.ndtri(_shared_luck(rng, shape))[..., clusters]
    part = _correlation(clusters, rng, count)[None, :, None]
    logarithm = spread * (np.sqrt(1 - part) * own + np.sqrt(part) * common)
    return np.asarray(scale[..., None] * np.exp(logarithm))


def _cluster_shares(shares: Floats, clusters: npt.NDArray[np.int64], rng: Generator) -> Floats:
    part = _correlation(clusters, rng, shares.shape[1])
    if not part.any():
        return shares[..., None]
    weight = ((1 - part) / part)[None, :, None]
    luck = _shared_luck(rng, (*shares.shape, int(clusters.max()) + 1))
    each = special.betaincinv(shares[..., None] * weight, (1 - shares[..., None]) * weight, luck)
    return np.asarray(np.clip(each, 1e-9, 1 - 1e-9)[..., clusters])


def _correlation(clusters: npt.NDArray[np.int64], rng: Generator, count: int) -> Floats:
    """The intra-class correlation of each simulation; 0 where each question is alone."""
    if clusters.max() + 1 == len(clusters):
        return np.zeros(count)
    return rng.uniform(*CORRELATIONS, count)


def _shared_luck(rng: Generator, shape: tuple[int, ...]) -> Floats:
    """Uniform numbers (k, ...) that pipelines share with the first half of the time."""
    luck = rng.random(shape)
    shared = rng.random(shape) < _SHARED
    return np.where(shared, luck[:1], luck)
