"""What each key of a sweep changes, the other keys held fixed: contrasts paired within questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from evalkit.plurals import counted
from evalkit.statistics.adjust import benjamini_hochberg
from evalkit.statistics.clusters import Clustered, Floats
from evalkit.statistics.intervals import FEW_CLUSTERS, Confidence, estimate_many
from evalkit.statistics.power import spread
from evalkit.statistics.resampling import sign_flips
from evalkit.statistics.tables import typed, value_range

COLUMNS = (
    "pipeline", "metric", "key", "level", "reference", "effect", "low", "high", "standard_error",
    "mde", "p_value", "p_adjusted", "n_settings", "n_reference", "balanced", "n_pairs",
    "n_clusters", "note",
)  # fmt: skip
_NULLABLE = ("effect", "low", "high", "standard_error", "mde", "p_value", "p_adjusted")
_SAME = 1e-9


@dataclass(frozen=True)
class Panel:
    """One metric of one pipeline under every setting of a sweep.

    Attributes:
        pipeline: Its name.
        metric: The metric id.
        values: One row per question, one column per setting; NaN where it was not scored.
        settings: One row per column of ``values``, one column per key, levels as text.
        clusters: The cluster of each question, in the order of the rows of ``values``.
        references: The level of each key that the others are compared with; the first where a key
            is not named, or no setting has that level.
    """

    pipeline: str
    metric: str
    values: pd.DataFrame
    settings: pd.DataFrame
    clusters: npt.NDArray[np.str_]
    references: Mapping[str, str] = field(default_factory=dict)


def main_effects(
    panels: Sequence[Panel],
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """The main effect of every level of every key against the key's reference level.

    Within each question an additive model of the keys is fitted to the settings by least squares. In
    a full grid its coefficients are the plain differences of means over the other keys (Box, Hunter
    and Hunter 2005, chapter 5); where settings are missing, the other keys are adjusted for. The
    effect is the mean over questions, with an interval over clusters: it is about these settings,
    and other questions like these.

    Args:
        panels: What to look at; keys with one level in a panel are left out of it.
        confidence: Coverage of the intervals.
        resamples: Bootstrap resamples and sign flips, shared by all.
        seed: Their seed.

    Returns:
        One row per panel, key and level but the reference. ``effect`` is level minus reference in
        the metric's unit, null where the settings cannot tell it apart from other keys. ``p_value``
        is the cluster sign-flip's, ``p_adjusted`` Benjamini and Hochberg's over the rows of its
        metric: what a key does to the number of tokens says nothing about its other effects.
        ``n_settings`` and ``n_reference`` count settings with either level; ``balanced`` says
        whether the settings are a full grid; ``n_pairs`` are the questions.
    """
    found = [contrast for panel in panels for contrast in _contrasts(panel)]
    estimates = estimate_many(
        [(each.values, each.clusters, each.bounds) for each in found],
        resamples=resamples,
        seed=seed,
    )
    columns = [Clustered.of(each.values, each.clusters) for each in found]
    flipped = sign_flips(columns, resamples, seed)
    p = [value if data.size > 1 else None for value, data in zip(flipped, columns, strict=True)]
    metrics = [each.row["metric"] for each in found]
    rows = [
        each.row | _numbers(estimated, confidence) | {"p_value": value, "p_adjusted": adjusted}
        for each, estimated, value, adjusted in zip(
            found, estimates, p, _adjusted(p, metrics), strict=True
        )
    ]
    frame: pd.DataFrame = typed(rows, COLUMNS, _NULLABLE)
    return frame


@dataclass(frozen=True)
class _Contrast:
    row: dict[str, Any]
    values: Floats
    clusters: npt.NDArray[np.str_]
    bounds: tuple[float, float] | None


def _adjusted(p: Sequence[float | None], families: Sequence[str]) -> list[float | None]:
    """Adjusted within each family."""
    found: list[float | None] = [None] * len(p)
    for family in dict.fromkeys(families):
        places = [i for i, name in enumerate(families) if name == family]
        for i, value in zip(places, benjamini_hochberg([p[i] for i in places]), strict=True):
            found[i] = value
    return found


def levels_of(settings: pd.DataFrame, references: Mapping[str, str]) -> dict[str, list[str]]:
    """The levels of every key with more than one, in order of appearance, the reference first."""
    found = {}
    for key in settings.columns:
        levels = list(dict.fromkeys(map(str, settings[key])))
        first = references.get(str(key))
        if first in levels:
            levels = [first, *(level for level in levels if level != first)]
        if len(levels) > 1:
            found[str(key)] = levels
    return found


def _contrasts(panel: Panel) -> list[_Contrast]:
    levels = levels_of(panel.settings, panel.references)
    terms = [(key, level) for key, names in levels.items() for level in names[1:]]
    if not terms:
        return []
    design = np.column_stack(
        [np.ones(len(panel.settings))]
        + [(panel.settings[key].astype(str) == level).to_numpy(float) for key, level in terms]
    )
    x = panel.values.to_numpy(dtype=np.float64)
    effects, reaches = _fitted(x, design)
    balanced = _is_grid(panel.settings, levels)
    return [
        _contrast(panel, key, level, levels[key][0], balanced, effects[:, i + 1], reaches[i + 1])
        for i, (key, level) in enumerate(terms)
    ]


def _fitted(x: Floats, design: Floats) -> tuple[Floats, Floats]:
    """Coefficients by question, NaN where they cannot be told, and how far each can reach.

    Questions that were scored under the same settings share one pseudo-inverse.
    """
    scored = np.isfinite(x)
    found = np.full((len(x), design.shape[1]), np.nan)
    reaches = np.zeros(design.shape[1])
    patterns, which = np.unique(scored, axis=0, return_inverse=True)
    for i, pattern in enumerate(patterns):
        if not pattern.any():
            continue
        part = design[pattern]
        weights = np.linalg.pinv(part)
        # A coefficient is told apart where the rows that are there determine it alone.
        alone = np.abs(weights @ part - np.eye(design.shape[1])).max(axis=1) < _SAME
        rows = np.flatnonzero(which.ravel() == i)
        fit = x[np.ix_(rows, np.flatnonzero(pattern))] @ weights.T
        found[np.ix_(rows, np.flatnonzero(alone))] = fit[:, alone]
        reaches = np.where(alone, np.maximum(reaches, np.abs(weights).sum(axis=1) / 2), reaches)
    found[np.abs(found) < _SAME] = 0.0
    return found, reaches


def _contrast(
    panel: Panel,
    key: str,
    level: str,
    reference: str,
    balanced: bool,
    values: Floats,
    reach: float,
) -> _Contrast:
    known = np.isfinite(values)
    has = panel.settings[key].astype(str)
    row = {
        "pipeline": panel.pipeline,
        "metric": panel.metric,
        "key": key,
        "level": level,
        "reference": reference,
        "n_settings": int((has == level).sum()),
        "n_reference": int((has == reference).sum()),
        "balanced": balanced,
        "n_pairs": int(known.sum()),
        "note": _note(panel, known),
    }
    limits = value_range(panel.metric)
    bounds = None if limits is None else (-max(1.0, reach), max(1.0, reach))
    return _Contrast(row, values[known], panel.clusters[known], bounds)


def _note(panel: Panel, known: npt.NDArray[np.bool_]) -> str:
    if not np.isfinite(panel.values.to_numpy(dtype=np.float64)).any():
        return "nothing was scored"
    if not known.any():
        return "cannot be told apart from other keys: it never changes alone"
    notes = []
    asked = int(panel.values.notna().any(axis=1).sum())
    if known.sum() < asked:
        notes.append(f"{int(known.sum())} of {counted(asked, 'question')}")
    if (clusters := len(np.unique(panel.clusters[known]))) < FEW_CLUSTERS:
        notes.append(f"only {counted(clusters, 'cluster')}")
    return "; ".join(notes)


def _is_grid(settings: pd.DataFrame, levels: Mapping[str, Sequence[str]]) -> bool:
    """Whether every combination of levels is there, and all equally often."""
    counts = settings[list(levels)].astype(str).value_counts()
    return len(counts) == prod(map(len, levels.values())) and counts.nunique() == 1


def _numbers(estimated: Confidence, confidence: float) -> dict[str, Any]:
    return {
        "effect": estimated.value,
        **spread(estimated, confidence),
        "n_clusters": estimated.size,
    }
