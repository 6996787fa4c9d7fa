"""The swept keys of each pipeline: which of them reach it, and the settings to estimate effects from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from evalkit.statistics.contrasts import FAILURE_LIMIT
from evalkit.statistics.main_effects import Panel
from evalkit.sweeps.candidates import SIGNATURES, Candidate, Measured

if TYPE_CHECKING:
    import pandas as pd

MOST_LEVELS = 6
"""A numeric key with more levels than this is compared in halves: above and below its median."""


def panels_of(
    candidates: Sequence[Candidate], measured: Measured, baseline: Candidate
) -> list[Panel]:
    """One panel per pipeline and metric, over the keys that reach the pipeline.

    Settings in which too many questions failed are left out.
    """
    import pandas as pd

    idle = {(row["pipeline"], row["key"]) for row in untouched(candidates, measured)}
    panels = []
    for pipeline, mine in by_pipeline(measured.candidates).items():
        kept = [c for c in mine if _failed_share(measured, c.name) <= FAILURE_LIMIT]
        keys = [key for key in (kept[0].levels if kept else ()) if (pipeline, key) not in idle]
        if len(kept) < 2 or not keys:
            continue
        bands = {key: banded([str(c.levels[key]) for c in kept]) for key in keys}
        settings = pd.DataFrame(
            [{key: bands[key][str(c.levels[key])] for key in keys} for c in kept],
            index=[c.name for c in kept],
        )
        references = {
            key: bands[key][str(baseline.levels[key])]
            for key in keys
            if str(baseline.levels.get(key)) in bands[key]
        }
        panels += _of_metrics(pipeline, settings, references, measured)
    return panels


def untouched(candidates: Sequence[Candidate], measured: Measured) -> list[dict[str, str]]:
    """The keys that do not reach a pipeline: changed alone, they left its signature as it was.

    A setting of which some seeds are missing has some of the signatures.
    """
    home = {name: c.name for c in candidates for name in _names(c)}
    found = []
    for pipeline, mine in by_pipeline(measured.candidates).items():
        for key in mine[0].levels:
            groups: dict[Any, list[set[str]]] = {}
            for c in mine:
                others = tuple(level for name, level in c.levels.items() if name != key)
                signed = set(c.signature.split(SIGNATURES)) if c.signature else {home[c.name]}
                groups.setdefault(others, []).append(signed)
            changed = [group for group in groups.values() if len(group) > 1]
            if changed and all(set.union(*group) in group for group in changed):
                found.append({"pipeline": pipeline, "key": key})
    return found


def by_pipeline(candidates: Sequence[Candidate]) -> dict[str, list[Candidate]]:
    """Candidates by their pipeline, in order."""
    found: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        found.setdefault(candidate.pipeline, []).append(candidate)
    return found


def banded(levels: Sequence[str]) -> dict[str, str]:
    """Each level under the name that effects give it: its own, or its half of a long numeric scale."""
    distinct = list(dict.fromkeys(levels))
    numbers = {level: number_of(level) for level in distinct}
    known = [n for n in numbers.values() if n is not None]
    if len(distinct) <= MOST_LEVELS or len(known) < len(distinct):
        return {level: level for level in distinct}
    middle = median(known)
    below, above = f"up to {middle:.4g}", f"above {middle:.4g}"
    return {level: below if (n or 0.0) <= middle else above for level, n in numbers.items()}


def number_of(level: str | None) -> float | None:
    """The level as a finite number; None where it is none."""
    try:
        found = float(level) if level is not None else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _of_metrics(
    pipeline: str, settings: pd.DataFrame, references: Mapping[str, str], measured: Measured
) -> list[Panel]:
    panels = []
    for metric, table in measured.values.items():
        values = table.reindex(columns=settings.index).dropna(how="all")
        if len(values):
            clusters = measured.clusters.reindex(values.index).to_numpy(dtype=str)
            panels.append(Panel(pipeline, metric, values, settings, clusters, references))
    return panels


def _failed_share(measured: Measured, name: str) -> float:
    if name not in measured.statuses.columns:
        return 0.0
    status = measured.statuses[name]
    failed, scored = int((status == "failed").sum()), int((status == "scored").sum())
    return failed / (failed + scored) if failed + scored else 0.0


def _names(candidate: Candidate) -> list[str]:
    return [candidate.name, *(f"{job}/{candidate.pipeline}" for job in candidate.same)]
