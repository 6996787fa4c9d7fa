"""Values grouped by cluster: what every estimate over clusters starts from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
TINY = 1e-12


@dataclass(frozen=True)
class Clustered:
    """Sums and counts by cluster, in the order of the sorted cluster names."""

    sums: Floats
    counts: Floats

    @classmethod
    def of(cls, values: npt.ArrayLike, clusters: npt.ArrayLike) -> Clustered:
        """Group ``values`` (n,) by ``clusters`` (n,).

        Raises:
            ValueError: The lengths differ, or a value is not finite.
        """
        x, names = np.asarray(values, dtype=np.float64), np.asarray(clusters)
        if x.shape != names.shape or x.ndim != 1:
            raise ValueError(f"values {x.shape} and clusters {names.shape}: one length expected")
        if not np.isfinite(x).all():
            raise ValueError("values must be finite: leave out questions that were not scored")
        _, codes = np.unique(names, return_inverse=True)
        size = int(codes.max()) + 1 if len(codes) else 0
        counts = np.bincount(codes, minlength=size).astype(np.float64)
        return cls(np.bincount(codes, weights=x, minlength=size).astype(np.float64), counts)

    @property
    def size(self) -> int:
        """The number of clusters."""
        return len(self.sums)

    @property
    def n(self) -> float:
        """The number of values."""
        return float(self.counts.sum())

    @property
    def mean(self) -> float:
        """The mean over values (not over clusters)."""
        return float(self.sums.sum() / self.counts.sum())

    @cached_property
    def residuals(self) -> Floats:
        """What each cluster adds to the sum beyond its share of the mean, (size,)."""
        return self.sums - self.mean * self.counts

    @property
    def alike(self) -> bool:
        """Whether all clusters have the same mean, so that they say nothing about spread."""
        return bool(np.ptp(self.sums / self.counts) < TINY * max(1.0, abs(self.mean)))

    @property
    def effective_size(self) -> float:
        """Clusters of one size that would weigh as much: N^2 / sum n_g^2 (Kish 1965), in [1, G]."""
        return self.n**2 / float((self.counts**2).sum())

    @property
    def standard_error(self) -> float:
        """Cluster-robust standard error of the mean; needs two clusters.

        The sandwich of a regression on a constant with the correction CR2 of Bell and McCaffrey
        2002, which has no bias where questions are independent. With clusters of one size it is
        that of Liang and Zeger 1986 with the factor G / (G - 1); with one value per cluster it is
        s / sqrt(n).
        """
        leverage = 1 - self.counts / self.n
        return float(np.sqrt((self.residuals**2 / leverage).sum())) / self.n

    @property
    def df(self) -> float:
        """Degrees of freedom of :attr:`standard_error` (Bell and McCaffrey 2002), in (0, G - 1].

        Satterthwaite's, under independent questions; G - 1 where clusters are of one size, and
        fewer where one of them outweighs the others.
        """
        counts, n = self.counts, self.n
        scale = 1 / (1 - counts / n)
        own = (counts**2).sum()
        cross = ((scale * counts**2).sum() ** 2 - (scale**2 * counts**4).sum()) / n**2
        return float(n**2 / (own + cross))
