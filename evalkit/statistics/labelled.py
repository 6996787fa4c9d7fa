"""Marks of a judge and human labels for some of them: what the corrected mean is computed from.

Influence values are summed within clusters, of which labelled and unlabelled questions may share
some (Liang and Zeger 1986), with a factor G / (G - 2) for the labelled part, of which a mean and a
weight are estimated, and G / (G - 1) for the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
TINY = 1e-12


@dataclass(frozen=True)
class Prior:
    """Pseudo-questions that are added to the labelled ones.

    ``count`` of them have mean ``middle`` and ``variance`` for judge and people alike, with
    ``covariance`` between the two. Each is a cluster of its own.
    """

    count: float
    middle: float
    variance: float
    covariance: float


@dataclass(frozen=True)
class Moments:
    """Variance of the labels' mean, of the marks' gap (labelled - unlabelled), their covariance."""

    labels: float
    gap: float
    shared: float

    @property
    def weight(self) -> float:
        """The judge's weight in [0, 1] that makes :meth:`variance` smallest."""
        return float(np.clip(self.shared / self.gap, 0.0, 1.0)) if self.gap > TINY else 0.0

    def variance(self, weight: float) -> float:
        """Variance of the corrected mean."""
        return self.labels - 2 * weight * self.shared + weight**2 * self.gap


@dataclass(frozen=True)
class Labelled:
    """Questions with a label, and the ``other`` questions, which have a mark alone.

    ``codes`` number the clusters from 0; ``seen`` counts each cluster's questions.
    """

    labels: Floats
    marks: Floats
    codes: Codes
    seen: Codes
    other_marks: Floats
    other_codes: Codes
    other_seen: Codes

    @classmethod
    def of(cls, marks: Floats, labels: Floats, clusters: npt.ArrayLike) -> Labelled:
        """Part the questions by whether their label is NaN; all arrays have shape (n,)."""
        names, codes = np.unique(np.asarray(clusters), return_inverse=True)
        has = ~np.isnan(labels)
        known, other = codes[has], codes[~has]
        seen, other_seen = (np.bincount(each, minlength=len(names)) for each in (known, other))
        return cls(labels[has], marks[has], known, seen, marks[~has], other, other_seen)

    @property
    def clusters(self) -> int:
        """Clusters with a labelled question."""
        return int(np.count_nonzero(self.seen))

    @property
    def other_clusters(self) -> int:
        """Clusters with a question without a label."""
        return int(np.count_nonzero(self.other_seen))

    @property
    def all_marks(self) -> Floats:
        return np.concatenate([self.marks, self.other_marks])

    def centres(self, prior: Prior) -> tuple[float, float, float]:
        """Means of labels, of marks that have a label, and of marks that have none."""
        total, added = len(self.labels) + prior.count, prior.count * prior.middle
        labels, marks = ((x.sum() + added) / total for x in (self.labels, self.marks))
        return float(labels), float(marks), float(self.other_marks.mean())

    def corrected(self, prior: Prior, weight: float) -> float:
        """The corrected mean with that ``weight`` of the judge."""
        labels, marks, others = self.centres(prior)
        return labels + weight * (others - marks)

    def moments(self, prior: Prior) -> Moments:
        """Cluster-robust second moments; three clusters of each kind at least."""
        labels, marks, others = self.centres(prior)
        total, size = len(self.labels) + prior.count, len(self.seen)
        small = np.sqrt(self.clusters / (self.clusters - 2)) / total
        large = np.sqrt(self.other_clusters / (self.other_clusters - 1)) / len(self.other_marks)
        a = np.bincount(self.codes, (self.labels - labels) * small, size)
        b = np.bincount(self.codes, (self.marks - marks) * small, size)
        b -= np.bincount(self.other_codes, (self.other_marks - others) * large, size)
        off_a, off_b, scale = prior.middle - labels, prior.middle - marks, prior.count / total**2
        return Moments(
            labels=float(a @ a + scale * (prior.variance + off_a**2)),
            gap=float(b @ b + scale * (prior.variance + off_b**2)),
            shared=float(a @ b + scale * (prior.covariance + off_a * off_b)),
        )

    def freedom(self, prior: Prior, weight: float) -> float:
        """Degrees of freedom of the corrected mean: clusters in effect less two, at least 1.

        Satterthwaite's (1946), with each cluster's share of the variance as it would be if its
        questions were independent, as Bell and McCaffrey (2002) have it.
        """
        total = len(self.labels) + prior.count
        rest = self.labels - weight * self.marks
        added = prior.variance * (1 + weight**2) - 2 * weight * prior.covariance
        noise = (((rest - rest.mean()) ** 2).sum() + prior.count * added) / total
        other = weight**2 * self.other_marks.var() / len(self.other_marks) ** 2
        shares = self.seen * noise / total**2 + self.other_seen * other
        return max(1.0, float(shares.sum() ** 2 / (shares @ shares)) - 2)
