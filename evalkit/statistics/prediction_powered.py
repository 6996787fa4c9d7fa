"""A judge's mean corrected with human labels for some of its questions.

A judge marks every question and errs; people mark a few and are taken to be right. The
prediction-powered mean keeps the labels' mean and moves it by what the judge saw of the questions
without a label: ``mean(Y, labelled) + w (mean(F, unlabelled) - mean(F, labelled))`` with labels Y,
marks F and a weight w (lambda in the paper) in [0, 1] that makes the variance smallest; so a
useless judge gets weight 0 and does no harm (Angelopoulos, Duchi and Zrnic 2023, PPI++, arXiv
2311.01453; it is the regression estimator of survey sampling, Cochran 1977, chapter 12).

What differs from the paper is for small and clustered samples: variances are by cluster and the
quantile is Student's (:mod:`evalkit.statistics.labelled`), and pseudo-questions are added before
the bounds are computed, as Agresti and Coull (1998) do for a proportion and Agresti and Min (2005)
for a paired difference. Without them twenty labels on which the judge happens not to err would make
its errors impossible. Their number is chosen by simulation (:mod:`..simulation.prediction`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from evalkit.plurals import counted
from evalkit.statistics.intervals import Interval, mean_interval
from evalkit.statistics.labelled import TINY, Floats, Labelled, Prior

ASSUMPTION = (
    "The labelled questions are taken to be a random draw from all questions, made without regard"
    " to the answers or to the judge's marks. Where they were picked otherwise (only doubtful ones,"
    " say) the corrected values are biased, and the labels alone cannot show it."
)
FEW = 5
"""Fewer clusters than this with a label, or without one, and no weight can be estimated."""
# Judge and people toss fair coins on pseudo-questions, and agree on nine in ten. A mean gets more of
# them than a difference, whose two coins cancel half of the time.
_PSEUDO_MEAN, _PSEUDO_DIFFERENCE, _PSEUDO_AGREEMENT = 1.5, 0.4, 0.9
_NOT_RANDOM = 0.001


@dataclass(frozen=True)
class Corrected:
    """A judge's mean, corrected.

    Attributes:
        judged: Mean of the judge's marks over all questions, as if it never erred.
        corrected: The prediction-powered mean; null without labels.
        low: Lower bound of ``corrected``; null where the labels give none.
        high: Upper bound.
        judge_weight: The paper's lambda, in [0, 1]; 0 where the labels alone speak.
        n_labelled: Questions with a mark and a label.
        n_unlabelled: Questions with a mark alone.
        n_clusters: Clusters of both together.
        gain: Variance of the labels' mean over the variance of ``corrected``: how many times as
            many labels would be as good without a judge. At least 1; null without an interval.
        method: ``prediction_powered``; ``labels_only:`` and the method of its interval (``t`` where
            the judge's weight came out as 0, else see :class:`Interval`); or ``none``.
        note: Why the labels alone speak, or a sign that the labelled questions are no random draw.
    """

    judged: float | None
    corrected: float | None
    low: float | None
    high: float | None
    judge_weight: float
    n_labelled: int
    n_unlabelled: int
    n_clusters: int
    gain: float | None
    method: str
    note: str


def prediction_powered(
    judged: npt.ArrayLike,
    labels: npt.ArrayLike,
    clusters: npt.ArrayLike,
    *,
    paired: bool = False,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Corrected:
    """Correct the mean of ``judged`` with the labels that there are.

    The labelled questions must be a random draw from all (see :data:`ASSUMPTION`); a draw of whole
    clusters is one too. For a difference of two pipelines give ``b - a`` of marks and of labels,
    labelled where both are, and ``paired=True``.

    Args:
        judged: The judge's mark of each question, shape (n,), in [0, 1] (paired: [-1, 1]).
        labels: The human label in the same range, shape (n,); NaN where there is none.
        clusters: The cluster of each question, shape (n,).
        paired: Whether values are differences of two shares.
        confidence: Coverage wanted, in (0, 1).
        resamples: Bootstrap resamples, where the labels alone speak.
        seed: Its seed.

    Raises:
        ValueError: The shapes differ, a mark is not finite, a value is out of range, or
            ``confidence`` is.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence}: expected a number in (0, 1), such as 0.95")
    low = -1.0 if paired else 0.0
    marks, human = _checked(judged, labels, clusters, low)
    sample = Labelled.of(marks, human, clusters)
    if note := _no_weight_because(sample):
        return _labels_only(sample, note, low, confidence, resamples, seed)
    prior = _prior(sample, paired)
    nothing = replace(prior, count=0.0)
    moments = sample.moments(prior)
    constant = bool(np.ptp(sample.all_marks) < TINY)
    weight = 0.0 if constant else moments.weight
    variance = moments.variance(weight)
    quantile = float(special.stdtrit(sample.freedom(prior, weight), (1 + confidence) / 2))
    reach = quantile * float(np.sqrt(variance))
    value = float(np.clip(sample.corrected(nothing, weight), low, 1.0))
    centre = sample.corrected(prior, weight)
    found = Interval(
        value,
        min(value, max(low, centre - reach)),
        max(value, min(1.0, centre + reach)),
        "prediction_powered" if weight > 0 else "labels_only:t",
    )
    note = _useless(weight, constant) or _not_random(sample, nothing)
    return _result(sample, found, weight=weight, gain=moments.labels / variance, note=note)


def _checked(judged: Any, labels: Any, clusters: Any, low: float) -> tuple[Floats, Floats]:
    marks, human = (np.asarray(x, dtype=np.float64) for x in (judged, labels))
    shapes = {marks.shape, human.shape, np.shape(clusters)}
    if len(shapes) > 1 or marks.ndim != 1:
        raise ValueError(f"judged, labels and clusters have shapes {shapes}; expected one length")
    if not np.isfinite(marks).all():
        raise ValueError("judged must be finite: leave out questions that the judge did not mark")
    slack = 1e-9
    for name, values in (("judged", marks), ("labels", human[~np.isnan(human)])):
        if ((values < low - slack) | (values > 1 + slack)).any():
            raise ValueError(f"{name}: a value is outside [{low:g}, 1]")
    return marks, human


def _no_weight_because(sample: Labelled) -> str:
    """Why no weight can be estimated; empty where one can."""
    others = len(sample.other_marks)
    if len(sample.labels) == 0:
        return "no question is labelled" if others else "no question was marked"
    if others == 0:
        return "every question is labelled"
    counts = (sample.clusters, "with"), (sample.other_clusters, "without")
    for found, what in counts:
        if found < FEW:
            return f"only {counted(found, 'cluster')} {what} a label: fewer than {FEW}"
    return ""


def _labels_only(
    sample: Labelled, note: str, low: float, confidence: float, resamples: int, seed: int
) -> Corrected:
    found = mean_interval(
        sample.labels,
        sample.codes,
        bounds=(low, 1.0),
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )
    method = "none" if found.value is None else f"labels_only:{found.method}"
    gain = None if found.low is None else 1.0
    return _result(sample, replace(found, method=method), weight=0.0, gain=gain, note=note)


def _result(
    sample: Labelled, found: Interval, *, weight: float, gain: float | None, note: str
) -> Corrected:
    marks = sample.all_marks
    return Corrected(
        judged=float(marks.mean()) if len(marks) else None,
        corrected=found.value,
        low=found.low,
        high=found.high,
        judge_weight=weight,
        n_labelled=len(sample.labels),
        n_unlabelled=len(sample.other_marks),
        n_clusters=len(sample.seen),
        gain=gain,
        method=found.method,
        note=note,
    )


def _prior(sample: Labelled, paired: bool) -> Prior:
    """A pseudo-question weighs as much as the labelled questions of a typical cluster do."""
    count, middle, variance = (
        (_PSEUDO_DIFFERENCE, 0.0, 0.5) if paired else (_PSEUDO_MEAN, 0.5, 0.25)
    )
    per_cluster = len(sample.labels) / sample.clusters
    return Prior(count * per_cluster, middle, variance, variance * (2 * _PSEUDO_AGREEMENT - 1))


def _useless(weight: float, constant: bool) -> str:
    if constant:
        return "the judge gave every question the same mark"
    return "" if weight > 0 else "the judge's marks do not go with the labels"


def _not_random(sample: Labelled, nothing: Prior) -> str:
    """A sign that the labelled questions were picked: the judge's marks differ on them."""
    _, marks, others = sample.centres(nothing)
    error = max(float(np.sqrt(sample.moments(nothing).gap)), TINY)
    p_value = 2 * special.stdtr(sample.clusters - 1, -abs(marks - others) / error)
    if p_value >= _NOT_RANDOM:
        return ""
    return (
        f"the judge's mean is {marks:.2f} on labelled and {others:.2f} on other questions: more"
        " than chance allows, so the labelled ones may be no random draw"
    )
