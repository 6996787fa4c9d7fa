"""The square: what retrieval does, what tuning does, and whether one changes the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from evalkit.statistics.intervals import FEW_CLUSTERS, Clustered, mean_interval, sign_flip
from evalkit.statistics.tables import ScoresTableError, question_values, typed, value_range

Corner = tuple[bool, bool]
COLUMNS = (
    "metric", "effect", "value", "low", "high", "p_value", "n_pairs", "n_clusters", "note",
)  # fmt: skip
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
        Columns ``metric, effect, value, low, high, p_value, n_pairs`` (questions), ``n_clusters,
        note``; p is the cluster sign-flip's. Values are null where no question is in all corners;
        ``note`` says what the pairs leave out.

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
    settings = {"seed": seed, "resamples": resamples, "confidence": confidence}
    rows = []
    for metric in wanted:
        wide = _wide(values[values["metric"] == metric], corners)
        for effect, contrast, note in _contrasts(wide, square=len(corners) == len(SQUARE)):
            row = _effect(wide, contrast, cluster, metric, settings)
            row["note"] = "; ".join(part for part in (note, row["note"]) if part)
            rows.append({"metric": metric, "effect": effect, **row})
    frame: pd.DataFrame = typed(rows, COLUMNS, ("value", "low", "high", "p_value"))
    return frame


def _wide(table: pd.DataFrame, corners: Mapping[Corner, str]) -> dict[Corner, pd.DataFrame]:
    sides = {}
    for corner, pipeline in corners.items():
        side = table[table["pipeline"] == pipeline].set_index("question")
        if (side["status"] == "scored").any():
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
    metric: str,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    sides = {corner: wide[corner] for corner in contrast}
    value = pd.concat({c: side["value"] for c, side in sides.items()}, axis=1).dropna()
    total = np.zeros(len(value))
    for corner, weight in contrast.items():
        total += weight * value[corner].to_numpy()
    names = cluster.loc[value.index].to_numpy(dtype=str)
    limits, reach = value_range(metric), sum(abs(w) for w in contrast.values()) / 2
    bounds = None if limits is None else (-reach, reach)
    found = mean_interval(total, names, bounds=bounds, **settings)
    data = Clustered.of(total, names)
    seed, resamples = settings["seed"], settings["resamples"]
    return {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "p_value": sign_flip(data, resamples, seed) if data.size else None,
        "n_pairs": len(value),
        "n_clusters": data.size,
        "note": _note(sides, len(value), data.size),
    }


def _note(sides: Mapping[Corner, pd.DataFrame], n_pairs: int, clusters: int) -> str:
    notes = []
    scored: set[Any] = set()
    failed: set[Any] = set()
    for side in sides.values():
        failed |= set(side.index[side["status"] == "failed"])
        scored |= set(side.index[side["status"] == "scored"])
    if failed:
        notes.append(f"{len(failed)} questions left out: failed in at least one corner")
    if clusters == 0:
        return "; ".join([*notes, "no question was scored in every corner"])
    if n_pairs < len(scored):
        some, every = ("either", "both") if len(sides) == 2 else ("some corner", "every corner")
        notes.append(f"{n_pairs} of {len(scored)} questions scored in {some} are scored in {every}")
    if clusters < FEW_CLUSTERS:
        notes.append(f"only {clusters} clusters")
    return "; ".join(notes)
