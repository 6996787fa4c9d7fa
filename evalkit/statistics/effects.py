"""The square: what retrieval does, what tuning does, and whether one changes the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from evalkit.statistics.adjust import benjamini_hochberg
from evalkit.statistics.clusters import Clustered, Floats
from evalkit.statistics.comparisons import FAILURE_LIMIT
from evalkit.statistics.intervals import FEW_CLUSTERS, Confidence, estimate_many
from evalkit.statistics.power import detectable
from evalkit.statistics.resampling import sign_flips
from evalkit.statistics.tables import ScoresTableError, question_values, typed, value_range

Corner = tuple[bool, bool]
COLUMNS = (
    "metric", "effect", "value", "low", "high", "standard_error", "mde", "p_value", "p_adjusted",
    "n_pairs", "n_clusters", "note",
)  # fmt: skip
_NULLABLE = ("value", "low", "high", "standard_error", "mde", "p_value", "p_adjusted")
SQUARE: tuple[Corner, ...] = ((False, False), (True, False), (False, True), (True, True))
# Weights of the corners in the order of SQUARE (Box, Hunter and Hunter 2005, chapter 5): main
# effects average over the other factor; the interaction is a difference of simple effects.
CONTRASTS: dict[str, dict[Corner, float]] = {
    "retrieval": dict(zip(SQUARE, (-0.5, 0.5, -0.5, 0.5), strict=True)),
    "tuning": dict(zip(SQUARE, (-0.5, -0.5, 0.5, 0.5), strict=True)),
    "interaction": dict(zip(SQUARE, (1.0, -1.0, -1.0, 1.0), strict=True)),
}
_SIMPLE: tuple[tuple[str, Corner, Corner, str], ...] = (
    ("retrieval", (False, False), (True, False), "base weights only"),
    ("retrieval", (False, True), (True, True), "tuned weights only"),
    ("tuning", (True, False), (True, True), "with retrieval only"),
    ("tuning", (False, False), (False, True), "without retrieval only"),
)


def factorial_effects(
    scores: pd.DataFrame,
    corners: Mapping[Corner, str],
    *,
    metrics: list[str] | None = None,
    seed: int = 0,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Effects of retrieval and tuning and their interaction, paired within questions.

    With all four corners: ``retrieval`` is the mean of (rag - prompt_only) and (hybrid - lora),
    ``tuning`` the mean of (lora - prompt_only) and (hybrid - rag), ``interaction`` is
    (hybrid - rag) - (lora - prompt_only), on the questions scored in all four. A metric that is
    not defined in all four corners (or a square that lacks one) gets the simple effects that its
    corners allow, and a note that says which.

    Args:
        scores: The long scores table (see :func:`question_values`).
        corners: The pipeline of each corner, keyed ``(retrieval, tuning)``; two at least.
        metrics: Metric ids; all when None.
        seed: Seed of bootstrap and permutation.
        resamples: Resamples of each.
        confidence: Coverage of the intervals.

    Returns:
        Columns ``metric, effect, value, low, high, standard_error, mde, p_value, p_adjusted,
        n_pairs`` (questions), ``n_clusters, note``. p is the cluster sign-flip's, adjusted by
        Benjamini and Hochberg over the table; ``mde`` is the effect that a two-sided test at this
        confidence finds with a power of 80 %. Values are null where no question is in all
        corners, and p above 2 % failed questions, where nothing is decided; ``note`` says what the
        pairs leave out.

    Raises:
        ScoresTableError: The table cannot be trusted, or a corner's pipeline is not in it.
    """
    values = question_values(scores)
    present = set(values["pipeline"])
    if lacking := sorted(set(corners.values()) - present):
        raise ScoresTableError(
            f"effects: no pipeline {', '.join(lacking)}; the table has {', '.join(sorted(present))}"
        )
    cluster = values.drop_duplicates("question").set_index("question")["cluster"]
    wanted = sorted(values["metric"].unique()) if metrics is None else metrics
    found = []
    for metric in wanted:
        wide = _wide(values[values["metric"] == metric], corners)
        for effect, contrast, note in _contrasts(wide, square=len(corners) == len(SQUARE)):
            found.append(_effect(wide, contrast, cluster, (metric, effect, note)))
    estimates = estimate_many(
        [(each.values, each.clusters, each.bounds) for each in found],
        resamples=resamples,
        seed=seed,
    )
    columns = [Clustered.of(each.values, each.clusters) for each in found]
    flipped = sign_flips(columns, resamples, seed)
    p = [
        value if data.size and each.failed_share <= FAILURE_LIMIT else None
        for each, value, data in zip(found, flipped, columns, strict=True)
    ]
    rows = [
        _row(each, estimated, confidence) | {"p_value": value, "p_adjusted": adjusted}
        for each, estimated, value, adjusted in zip(
            found, estimates, p, benjamini_hochberg(p), strict=True
        )
    ]
    frame: pd.DataFrame = typed(rows, COLUMNS, _NULLABLE)
    return frame


@dataclass(frozen=True)
class _Effect:
    """One contrast of one metric on the questions that have it."""

    metric: str
    effect: str
    values: Floats
    clusters: npt.NDArray[np.str_]
    bounds: tuple[float, float] | None
    failed_share: float
    note: str


def _wide(table: pd.DataFrame, corners: Mapping[Corner, str]) -> dict[Corner, pd.DataFrame]:
    sides = {}
    for corner, pipeline in corners.items():
        side = table[table["pipeline"] == pipeline].set_index("question")
        if side["status"].isin(("scored", "failed")).any():
            sides[corner] = side[["status", "value"]]
    return sides


def _contrasts(
    wide: Mapping[Corner, Any], *, square: bool
) -> list[tuple[str, dict[Corner, float], str]]:
    if len(wide) == len(SQUARE):
        return [(effect, weights, "") for effect, weights in CONTRASTS.items()]
    why = "the metric is not defined in every corner" if square else "a corner was not run"
    found: dict[str, tuple[str, dict[Corner, float], str]] = {}
    for effect, base, changed, where in _SIMPLE:
        if base in wide and changed in wide and effect not in found:
            note = f"simple effect, {where}: {why}"
            found[effect] = (effect, {base: -1.0, changed: 1.0}, note)
    return list(found.values())


def _effect(
    wide: Mapping[Corner, pd.DataFrame],
    contrast: Mapping[Corner, float],
    cluster: pd.Series,
    named: tuple[str, str, str],
) -> _Effect:
    metric, effect, note = named
    sides = {corner: wide[corner] for corner in contrast}
    value = pd.concat({c: side["value"] for c, side in sides.items()}, axis=1).dropna()
    total = np.zeros(len(value))
    for corner, weight in contrast.items():
        total += weight * value[corner].to_numpy()
    names = np.asarray(cluster.loc[value.index], dtype=str)
    limits, reach = value_range(metric), sum(abs(w) for w in contrast.values()) / 2
    bounds = None if limits is None else (-reach, reach)
    status = pd.concat({c: side["status"] for c, side in sides.items()}, axis=1)
    failed = (status == "failed").any(axis=1)
    counted = status.isin(("scored", "failed")).all(axis=1)
    share = float(failed[counted].mean()) if counted.any() else 0.0
    left_out = _note(status, share, len(value), len(np.unique(names)))
    note = "; ".join(part for part in (note, left_out) if part)
    return _Effect(metric, effect, total, names, bounds, share, note)


def _row(each: _Effect, estimated: Confidence, confidence: float) -> dict[str, Any]:
    interval = estimated.interval(confidence)
    return {
        "metric": each.metric,
        "effect": each.effect,
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "standard_error": estimated.standard_error,
        "mde": detectable(estimated.standard_error, estimated.df, confidence=confidence),
        "n_pairs": len(each.values),
        "n_clusters": estimated.size,
        "note": each.note,
    }


def _note(status: pd.DataFrame, failed_share: float, n_pairs: int, clusters: int) -> str:
    """What the pairs leave out; ``status`` by question and corner."""
    notes = []
    if n := int((status == "failed").any(axis=1).sum()):
        plural = "s" if n > 1 else ""
        notes.append(f"{n} question{plural} left out: failed in at least one corner")
    if failed_share > FAILURE_LIMIT:
        notes.append(f"above {FAILURE_LIMIT:.0%} failed nothing is decided")
    if clusters == 0:
        return "; ".join([*notes, "no question was scored in every corner"])
    scored = int((status == "scored").any(axis=1).sum())
    if n_pairs < scored:
        some, every = (
            ("either", "both") if status.shape[1] == 2 else ("some corner", "every corner")
        )
        notes.append(f"{n_pairs} of {scored} questions scored in {some} are scored in {every}")
    if clusters < FEW_CLUSTERS:
        notes.append(f"only {clusters} clusters")
    return "; ".join(notes)
