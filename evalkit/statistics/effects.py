"""The square: what retrieval does, what tuning does, and whether one changes the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from evalkit.statistics.adjust import benjamini_hochberg
from evalkit.statistics.clusters import Clustered
from evalkit.statistics.contrasts import FAILURE_LIMIT, Contrast, Wide
from evalkit.statistics.intervals import Confidence, estimate_many
from evalkit.statistics.power import spread
from evalkit.statistics.resampling import sign_flips
from evalkit.statistics.tables import ScoresTableError, question_values, typed

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
    wanted = sorted(values["metric"].unique()) if metrics is None else metrics
    found = [each for metric in wanted for each in _effects(Wide.of(values, metric), corners)]
    estimates = estimate_many(
        [each.contrast.sample for each in found], resamples=resamples, seed=seed
    )
    flipped = sign_flips(
        [Clustered.of(each.contrast.difference, each.contrast.clusters) for each in found],
        resamples,
        seed,
    )
    p = [
        value if each.contrast.n and each.contrast.failed_share <= FAILURE_LIMIT else None
        for each, value in zip(found, flipped, strict=True)
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
    """One effect on one metric; ``note`` says which it is, where it is a simple one."""

    effect: str
    contrast: Contrast
    note: str


def _effects(table: Wide, corners: Mapping[Corner, str]) -> list[_Effect]:
    """The effects that the corners in which the metric is defined allow."""
    measured = table.status.isin(("scored", "failed")).any()
    defined = {corner: name for corner, name in corners.items() if measured.get(name, False)}
    if len(defined) == len(SQUARE):
        return [
            _Effect(effect, table.contrast({defined[c]: w for c, w in weights.items()}), "")
            for effect, weights in CONTRASTS.items()
        ]
    square = len(corners) == len(SQUARE)
    why = "the metric is not defined in every corner" if square else "a corner was not run"
    found: dict[str, _Effect] = {}
    for effect, base, changed, where in _SIMPLE:
        if base in defined and changed in defined and effect not in found:
            contrast = table.contrast({defined[changed]: 1.0, defined[base]: -1.0})
            found[effect] = _Effect(effect, contrast, f"simple effect, {where}: {why}")
    return list(found.values())


def _row(each: _Effect, estimated: Confidence, confidence: float) -> dict[str, Any]:
    contrast = each.contrast
    told = [contrast.undecided()] if contrast.undecided() else contrast.left_out()
    return {
        "metric": contrast.metric,
        "effect": each.effect,
        "value": estimated.value,
        **spread(estimated, confidence),
        "n_pairs": contrast.n,
        "n_clusters": estimated.size,
        "note": "; ".join([each.note, *told] if each.note else told),
    }
