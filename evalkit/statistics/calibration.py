"""What scores are worth against labels of 0 and 1: ranking, a map to probabilities, a threshold.

The map and the threshold that are handed on come from all rows. What is said of their quality is
cross-fitted: no row is judged by a map or a threshold that it took part in choosing, and rows of a
cluster stay together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.statistics.clusters import Floats
from evalkit.statistics.intervals import Interval, mean_interval

MAPS = ("platt", "isotonic")
FOLDS = 5
BINS = 10


class CalibrationError(ValueError):
    """The labels do not allow it; the message says why."""


@dataclass(frozen=True)
class Fitted:
    """A map and a threshold from all rows, and what cross-fitting says of them.

    Attributes:
        map: ``{"kind": "platt", "slope", "intercept"}``, or ``{"kind": "isotonic", "scores",
            "probabilities"}`` with the knots of a step-free, never falling line.
        threshold: The probability from which a row is taken for a 1.
        probabilities: Of each row, by the map of the folds that it is not in.
        verdicts: Of each row, by that map and the threshold chosen with it.
        quality: ``f1_of_0``, ``f1_of_1``, ``kappa``, ``accuracy``, ``brier`` (all cross-fitted)
            and ``brier_raw``, of the scores as they are.
    """

    map: Mapping[str, Any]
    threshold: float
    probabilities: Floats
    verdicts: npt.NDArray[np.bool_]
    quality: Mapping[str, float]


def fit_calibration(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    clusters: Sequence[str],
    *,
    kind: str = "platt",
    seed: int = 0,
) -> Fitted:
    """Fit a map from scores to probabilities of a 1, and the threshold of the best macro F1.

    Macro F1, the mean of both classes' F1, has no trivial best verdict whichever class is rarer.
    Platt's map (Platt 1999) is the logistic function with his smoothed targets; the isotonic one
    (Zadrozny and Elkan 2002) needs more labels, some hundreds.

    Args:
        scores: (n,), finite; a 1 should have the higher ones.
        labels: (n,) of 0 and 1.
        clusters: (n,) names; rows of one stay together in a fold.
        kind: One of `MAPS`.

    Raises:
        CalibrationError: One class only, too few clusters to hold any out, or scores that do not
            rise with the labels.
    """
    s, y = _checked(scores, labels)
    if kind not in MAPS:
        raise CalibrationError(f"map {kind!r}: expected one of {', '.join(MAPS)}")
    found = _fit(s, y, kind)
    probabilities, verdicts = np.empty(len(s)), np.empty(len(s), dtype=bool)
    for train, test in _folds(s, y, clusters, seed):
        fold = _fit(s[train], y[train], kind)
        probabilities[test] = apply_map(fold, s[test])
        cut = best_threshold(apply_map(fold, s[train]), y[train])
        verdicts[test] = probabilities[test] >= cut
    threshold = best_threshold(apply_map(found, s), y)
    quality = verdict_quality(verdicts, y)
    quality["brier"] = float(np.mean((probabilities - y) ** 2))
    quality["brier_raw"] = float(np.mean((s - y) ** 2))
    return Fitted(found, threshold, probabilities, verdicts, quality)


def verdict_quality(verdicts: npt.ArrayLike, labels: npt.ArrayLike) -> dict[str, float]:
    """F1 of each class, Cohen's kappa and accuracy of verdicts of 0 and 1; F1 is 0 without a hit."""
    from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

    v, y = np.asarray(verdicts).astype(int), np.asarray(labels).astype(int)
    kappa = cohen_kappa_score(y, v) if len(set(y) | set(v)) > 1 else 1.0
    return {
        "f1_of_0": float(f1_score(y, v, pos_label=0, zero_division=0)),
        "f1_of_1": float(f1_score(y, v, pos_label=1, zero_division=0)),
        "kappa": float(kappa),
        "accuracy": float(accuracy_score(y, v)),
    }


def apply_map(map: Mapping[str, Any], scores: npt.ArrayLike) -> Floats:
    """Probabilities in [0, 1] by a map of `fit_calibration`; it never falls with the score."""
    s = np.asarray(scores, dtype=np.float64)
    if map["kind"] == "platt":
        return np.asarray(1 / (1 + np.exp(-(map["slope"] * s + map["intercept"]))))
    return np.asarray(np.interp(s, map["scores"], map["probabilities"]), dtype=np.float64)


def best_threshold(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """The threshold of the best macro F1; of several the one nearest to a half. In [0, 1].

    Tried are the middles between neighbouring probabilities.
    """
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels).astype(bool)
    order = np.argsort(p, kind="stable")
    p, y = p[order], y[order]
    # With a cut before row i, rows i and later are taken for a 1.
    ones, zeros = y.sum(), (~y).sum()
    lost_ones = np.concatenate([[0], np.cumsum(y)])
    hit_zeros = np.concatenate([[0], np.cumsum(~y)])
    hit_ones = ones - lost_ones
    taken = len(p) - np.arange(len(p) + 1)
    f1_ones = 2 * hit_ones / np.maximum(taken + ones, 1)
    f1_zeros = 2 * hit_zeros / np.maximum(len(p) - taken + zeros, 1)
    cuts = np.concatenate([[0.0], (p[1:] + p[:-1]) / 2, [1.0]])
    possible = np.concatenate([[True], np.diff(p) > 0, [True]])
    macro = np.where(possible, (f1_ones + f1_zeros) / 2, -1.0)
    best = np.flatnonzero(macro >= macro.max() - 1e-12)
    return float(cuts[best[np.argmin(np.abs(cuts[best] - 0.5))]])


def auroc(
    scores: npt.ArrayLike, labels: npt.ArrayLike, clusters: Sequence[str], confidence: float = 0.95
) -> Interval:
    """Area under the ROC curve with its interval over clusters.

    The variance is Obuchowski's (1997, Biometrics 53:567), which is that of DeLong et al. 1988
    where every row is its own cluster; the bounds are Student's on the logit scale. There are none
    where the classes are parted without fault, or one of them is in a single cluster.

    Raises:
        CalibrationError: One class only.
    """
    from scipy.stats import rankdata, t

    s, y = _checked(scores, labels)
    _, codes = np.unique(np.asarray(clusters), return_inverse=True)
    ones, zeros = y == 1, y == 0
    m, n = int(ones.sum()), int(zeros.sum())
    ranks = rankdata(s)
    of_ones = (ranks[ones] - rankdata(s[ones])) / n
    of_zeros = 1 - (ranks[zeros] - rankdata(s[zeros])) / m
    area = float(of_ones.mean())
    size = int(codes.max()) + 1
    a = np.bincount(codes[ones], weights=of_ones - area, minlength=size)
    b = np.bincount(codes[zeros], weights=of_zeros - area, minlength=size)
    with_ones, with_zeros = len(set(codes[ones])), len(set(codes[zeros]))
    few = min(with_ones, with_zeros)
    if few < 2 or not 0 < area < 1:
        return Interval(area, None, None, "degenerate")
    variance = (
        with_ones / (with_ones - 1) * (a**2).sum() / m**2
        + with_zeros / (with_zeros - 1) * (b**2).sum() / n**2
        + 2 * size / (size - 1) * (a * b).sum() / (m * n)
    )
    error = float(np.sqrt(max(variance, 0.0))) / (area * (1 - area))
    reach = float(t.ppf((1 + confidence) / 2, few - 1)) * error
    middle = np.log(area / (1 - area))
    low, high = (float(1 / (1 + np.exp(-x))) for x in (middle - reach, middle + reach))
    return Interval(area, low, high, "obuchowski")


def reliability(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, clusters: Sequence[str]
) -> list[dict[str, Any]]:
    """At most ten bins of about as many rows each: what was said, and what was so.

    Returns:
        Rows with ``n``, ``said`` (mean probability), ``found`` (share of ones), ``low``, ``high``
        (95 % over clusters; None where one cluster is alone in a bin). Equal probabilities are in
        one bin.
    """
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    names = np.asarray(clusters)
    edges = np.unique(np.quantile(p, np.linspace(0, 1, BINS + 1)[1:-1], method="inverted_cdf"))
    places = np.searchsorted(edges, p, side="left")
    rows = []
    for place in np.unique(places):
        inside = places == place
        found = mean_interval(y[inside], names[inside], bounds=(0.0, 1.0), confidence=0.95)
        rows.append(
            {
                "n": int(inside.sum()),
                "said": float(p[inside].mean()),
                "found": float(y[inside].mean()),
                "low": found.low,
                "high": found.high,
            }
        )
    return rows


def _fit(s: Floats, y: Floats, kind: str) -> dict[str, Any]:
    made: Callable[[Floats, Floats], dict[str, Any]] = _platt if kind == "platt" else _isotonic
    return made(s, y)


def _platt(s: Floats, y: Floats) -> dict[str, Any]:
    """Each row is given twice, as a 1 and as a 0, with the weights of Platt's smoothed targets."""
    from sklearn.linear_model import LogisticRegression

    ones, zeros = y.sum(), (1 - y).sum()
    target = np.where(y == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))
    twice = np.concatenate([s, s])[:, None]
    classes = np.repeat([1, 0], len(s))
    model = LogisticRegression(C=1e6, max_iter=1000, tol=1e-8)
    model.fit(twice, classes, sample_weight=np.concatenate([target, 1 - target]))
    slope = float(model.coef_[0, 0])
    if slope <= 0:
        raise CalibrationError(
            "higher scores do not go with more ones: there is nothing to calibrate"
        )
    return {"kind": "platt", "slope": slope, "intercept": float(model.intercept_[0])}


def _isotonic(s: Floats, y: Floats) -> dict[str, Any]:
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0.0, y_max=1.0, increasing=True).fit(s, y)
    knots = {"scores": model.X_thresholds_, "probabilities": model.y_thresholds_}
    if np.ptp(knots["probabilities"]) == 0:
        raise CalibrationError(
            "higher scores do not go with more ones: there is nothing to calibrate"
        )
    return {"kind": "isotonic", **{name: [float(v) for v in k] for name, k in knots.items()}}


def _folds(
    s: Floats, y: Floats, clusters: Sequence[str], seed: int
) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Train and test rows, clusters whole; every training part holds both classes."""
    import warnings

    from sklearn.model_selection import StratifiedGroupKFold

    names = np.asarray(clusters)
    folds = min(FOLDS, len(set(names)))
    if folds < 2:
        raise CalibrationError("all rows are of one group: none can be held out")
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class rarer than the folds; looked at below
        parts = list(splitter.split(s[:, None], y.astype(int), names))
    if any(len(set(y[train])) < 2 for train, _ in parts):
        raise CalibrationError("one of the classes is in too few groups: label more of them")
    return parts


def _checked(scores: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Floats, Floats]:
    s, y = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if s.shape != y.shape or s.ndim != 1 or not np.isfinite(s).all():
        raise CalibrationError(f"scores {s.shape} and labels {y.shape}: finite, of one length")
    if set(np.unique(y)) != {0.0, 1.0}:
        raise CalibrationError("the labels are of one class only: label some of the other, too")
    return s, y
