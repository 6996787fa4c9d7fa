"""Candidates of a sweep against each other: leaderboard, winner, effects of keys, fronts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.statistics import compare_all, records
from evalkit.statistics.contrasts import FAILURE_LIMIT
from evalkit.statistics.main_effects import main_effects
from evalkit.statistics.selection import pareto_front, select
from evalkit.statistics.tables import value_range
from evalkit.sweeps.candidates import Candidate, Measured
from evalkit.sweeps.keys import panels_of, untouched

if TYPE_CHECKING:
    import pandas as pd

_BESIDE = ("value", "low", "high", "n_scored", "n_failed", "n_total")


@dataclass(frozen=True)
class Objective:
    """What candidates are chosen by; ``pipeline`` is None where any may win."""

    metric: str
    pipeline: str | None
    direction: str

    @property
    def higher(self) -> bool:
        return self.direction == "higher"


def compared(
    candidates: Sequence[Candidate],
    baseline: Candidate,
    measured: Measured,
    objective: Objective,
    statistics: Mapping[str, Any],
    sweep_dir: Path,
) -> dict[str, Any]:
    """What the report of a sweep says of its candidates, the best first."""
    differences = _differences(candidates, baseline, measured, objective.metric, statistics)
    rows = [_row(each, differences.get(each.name), objective, sweep_dir) for each in candidates]
    rows.sort(key=lambda row: _order(row, objective))
    fronts = _fronts(rows, objective)
    panels = panels_of(candidates, measured, baseline)
    return {
        "baseline": baseline.name,
        "candidates": rows,
        "selection": _selection(rows, baseline, measured, objective, statistics),
        "effects": records(main_effects(panels, **statistics)),
        "untouched": untouched(candidates, measured),
        "fronts": fronts,
        "seeds": measured.repeats,
        "variation": measured.variation,
    }


def _differences(
    candidates: Sequence[Candidate],
    baseline: Candidate,
    measured: Measured,
    metric: str,
    statistics: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    """Paired differences to the baseline, adjusted over the table."""
    names = [c.name for c in candidates if c.name in measured.statuses.columns]
    if baseline.name not in names:
        return {}
    scores = _long(measured, names, metric)
    pairs = [(baseline.name, name) for name in names if name != baseline.name]
    return {row["b"]: row for row in records(compare_all(scores, pairs, [metric], **statistics))}


def _long(measured: Measured, names: Sequence[str], metric: str) -> pd.DataFrame:
    """The values of one metric as a table of scores in which a candidate is a pipeline."""
    status = measured.statuses[list(names)].stack().rename("status")
    value = measured.values[metric].reindex(columns=list(names)).stack().rename("value")
    table = status.to_frame().join(value).rename_axis(["question", "pipeline"]).reset_index()
    cluster = table["question"].map(measured.clusters)
    return table.assign(metric=metric, repeat=0, cluster=cluster)


def _row(
    candidate: Candidate,
    difference: Mapping[str, Any] | None,
    objective: Objective,
    sweep_dir: Path,
) -> dict[str, Any]:
    estimate = candidate.estimates.get(objective.metric) or {}
    counted = (estimate.get("n_scored") or 0) + (estimate.get("n_failed") or 0)
    failed_share = (estimate.get("n_failed") or 0) / counted if counted else 0.0
    return {
        "name": candidate.name,
        "pipeline": candidate.pipeline,
        "jobs": list(candidate.jobs),
        "same": list(candidate.same),
        "levels": dict(candidate.levels),
        **beside(estimate),
        "failed_share": failed_share,
        "eligible": estimate.get("value") is not None
        and failed_share <= FAILURE_LIMIT
        and objective.pipeline in (None, candidate.pipeline),
        "difference": difference,
        "metrics": {m: beside(row) for m, row in candidate.estimates.items()},
        "costs": dict(candidate.costs),
        "signature": candidate.signature,
        "report": _page(candidate.folder, sweep_dir),
    }


def _page(folder: Path, sweep_dir: Path) -> str | None:
    """The page of a job's run, from the sweep's folder; None where it has none inside of it."""
    page = folder / "report.html"
    if not page.is_file() or not page.is_relative_to(sweep_dir):
        return None
    return page.relative_to(sweep_dir).as_posix()


def _order(row: Mapping[str, Any], objective: Objective) -> tuple[bool, float]:
    value = row["value"]
    return value is None, 0.0 if value is None else -value if objective.higher else value


def _selection(
    rows: Sequence[Mapping[str, Any]],
    baseline: Candidate,
    measured: Measured,
    objective: Objective,
    statistics: Mapping[str, Any],
) -> dict[str, Any]:
    values = measured.values[objective.metric]
    names = [row["name"] for row in rows if row["eligible"] and row["name"] in values.columns]
    found = select(
        values[names],
        measured.clusters.reindex(values.index).to_numpy(dtype=str),
        higher=objective.higher,
        baseline=values.get(baseline.name),
        limits=value_range(objective.metric),
        **statistics,
    )
    intervals = ("naive", "corrected", "difference", "corrected_difference")
    return {**vars(found)} | {
        name: None if getattr(found, name) is None else vars(getattr(found, name))
        for name in intervals
    }


def _fronts(rows: Sequence[Mapping[str, Any]], objective: Objective) -> dict[str, list[str]]:
    """By kind of cost, the names of the candidates on the front; only where two have that cost."""
    found = {}
    for cost in ("money", "tokens", "seconds"):
        known = [row for row in rows if row["value"] is not None and cost in row["costs"]]
        known = [row for row in known if row["failed_share"] <= FAILURE_LIMIT]
        if len(known) > 1:
            front = pareto_front([row["value"] for row in known],
                                 [row["costs"][cost] for row in known],
                                 higher=objective.higher)  # fmt: skip
            found[cost] = [row["name"] for row, on in zip(known, front, strict=True) if on]
    return found


def beside(row: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of an estimate that a report shows beside others."""
    return {name: row.get(name) for name in _BESIDE}
