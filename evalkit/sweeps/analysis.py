"""The report of a sweep: what its jobs found, compared, and what the best of them is worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit import __version__
from evalkit.errors import EvalkitError
from evalkit.reporting.labels import HEADLINES
from evalkit.statistics import unit_of
from evalkit.sweeps.candidates import COST_METRICS, Candidate, measure, merged, settings_of
from evalkit.sweeps.comparing import Objective, beside, compared
from evalkit.sweeps.jobs import Job, Run, is_seed, load_runs, read_sweep

SCHEMA = 1
_DEFAULTS = {"confidence": 0.95, "resamples": 10_000, "seed": 0}


def report(sweep_dir: Path | str, baseline: str | None = None) -> Path:
    """Analyse a sweep and write ``report.html``, ``report.md``, ``analysis.json`` and ``figures/``.

    Args:
        sweep_dir: The folder of the sweep.
        baseline: See :func:`analyse`.

    Returns:
        The HTML page.

    Raises:
        EvalkitError: The folder holds no sweep, or the baseline or the objective is not in it.
    """
    from evalkit.reporting.sweep import write_sweep

    folder = Path(sweep_dir)
    return write_sweep(analyse(folder, baseline), folder)["report.html"]


def analyse(sweep_dir: Path, baseline: str | None = None) -> dict[str, Any]:
    """Everything that the report of a sweep says, as plain mappings and numbers.

    Args:
        sweep_dir: The folder that holds ``sweep.json``.
        baseline: ``JOB`` or ``JOB/PIPELINE``; that of ``sweep.json`` when None, else the first.

    Returns:
        ``keys`` with their levels; ``objective``; ``baseline``; ``candidates``, the best first, each
        with its estimate, paired ``difference``, other ``metrics``, ``costs`` per question and
        signature; ``selection`` (:class:`~evalkit.statistics.selection.Selection`); ``effects``
        (:func:`~evalkit.statistics.main_effects.main_effects`) and the keys ``untouched`` by
        pipeline; ``fronts`` by cost; ``seeds`` and ``variation`` of candidates with several;
        ``apart`` and ``unfinished``, the jobs left out, each with its reason; ``notes``.

    Raises:
        EvalkitError: As :func:`report`.
    """
    head, jobs = read_sweep(sweep_dir)
    asked = head.get("objective") or {}
    metrics = [*HEADLINES, *COST_METRICS, *([str(asked["metric"])] if asked else [])]
    runs, others = load_runs(jobs, metrics)
    found = _frame(head, jobs, sweep_dir) | {"unfinished": [_left_out(*each) for each in others]}
    if not runs:
        return found
    objective = _objective(asked, runs)
    first = _first(baseline or head.get("baseline"), runs, jobs)
    runs, apart = _comparable(runs, first, objective)
    keys = [str(key["key"]) for key in found["keys"]]
    statistics = _DEFAULTS | dict(first.results.get("statistics") or {})
    read = [m for m in metrics if any(m in run.scored for run in runs)]
    measured = measure(settings_of(runs, keys), objective.metric, read, statistics)
    found["unfinished"] += [_left_out(run.job, why) for run, why in measured.broken]
    if measured.candidates:
        candidates = merged(measured, objective.metric)
        chosen = _baseline(baseline or head.get("baseline"), candidates, objective)
        found |= compared(candidates, chosen, measured, objective, statistics, sweep_dir)
        found["notes"] += _notes(runs, chosen, baseline or head.get("baseline"))
    return found | {
        "objective": {**vars(objective), "unit": unit_of(objective.metric), "named": bool(asked)},
        "benchmark": first.results["benchmark"],
        "model": first.results.get("model"),
        "judge": first.judge,
        "statistics": statistics,
        "pipelines": list(dict.fromkeys(name for run in runs for name in run.pipelines)),
        "currency": next((c for run in runs for _, c in run.results["money"].values()), ""),
        "apart": apart,
    }


def _frame(head: Mapping[str, Any], jobs: Sequence[Job], sweep_dir: Path) -> dict[str, Any]:
    """What is known before any job is read; the lists are empty until then."""
    given = {key for job in jobs for key in job.levels}
    swept = [key for key in map(_plain, head.get("swept") or ()) if key in given]
    keys = list(dict.fromkeys([*swept, *_varying(jobs)]))
    statuses = [job.status for job in jobs]
    lists = ("candidates", "effects", "untouched", "seeds", "apart", "notes")
    return {name: [] for name in lists} | {
        "schema": SCHEMA,
        "kind": "sweep",
        "evalkit": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "title": sweep_dir.resolve().name,
        "keys": [_key(key, jobs) for key in keys],
        "jobs": {name: statuses.count(name) for name in dict.fromkeys(statuses)},
        "n_jobs": len(jobs),
        "fronts": {},
        "selection": None,
        "baseline": None,
        "objective": None,
        "statistics": dict(_DEFAULTS),
    }


def _plain(key: Any) -> str:
    return str(key).lstrip("+~")


def _key(key: str, jobs: Iterable[Job]) -> dict[str, Any]:
    levels = list(dict.fromkeys(job.levels.get(key, "default") for job in jobs))
    return {"key": key, "levels": levels, "seed": is_seed(key)}


def _varying(jobs: Sequence[Job]) -> list[str]:
    every = dict.fromkeys(key for job in jobs for key in job.levels)
    return [key for key in every if len({job.levels.get(key) for job in jobs}) > 1]


def _left_out(job: Job, reason: str) -> dict[str, Any]:
    return {"job": job.id, "levels": dict(job.levels), "status": job.status, "reason": reason}


def _objective(asked: Mapping[str, Any], runs: Sequence[Run]) -> Objective:
    from evalkit.scoring import METRICS

    scored = {metric for run in runs for metric in run.scored}
    metric = str(asked["metric"]) if asked else next((m for m in HEADLINES if m in scored), "")
    if not metric or (asked and metric not in scored):
        listed = ", ".join(sorted(scored)) or "none"
        raise EvalkitError(
            f"objective.metric: {metric!r} was scored in no finished job of the sweep",
            todo=f"name one of these: {listed}",
        )
    direction = METRICS[metric].direction if metric in METRICS else "higher"
    if direction not in ("higher", "lower"):
        raise EvalkitError(
            f"objective.metric: neither way of {metric} is better, so nothing can be chosen by it",
            todo="name a metric that has a better direction",
        )
    pipeline = asked.get("pipeline") if asked else None
    return Objective(metric, None if pipeline is None else str(pipeline), direction)


def _first(named: Any, runs: Sequence[Run], jobs: Sequence[Job]) -> Run:
    """The run that others must be comparable with: the baseline's, else the first."""
    if named is None:
        return runs[0]
    wanted = str(named).partition("/")[0]
    if wanted not in {job.id for job in jobs}:
        raise EvalkitError(
            f"baseline: the sweep has no job {wanted!r}",
            todo=f"name one of {', '.join(run.job.id for run in runs)}, or one of its pipelines as"
            f" {runs[0].job.id}/{runs[0].pipelines[0]}",
        )
    return next((run for run in runs if run.job.id == wanted), runs[0])


def _comparable(
    runs: Sequence[Run], first: Run, objective: Objective
) -> tuple[list[Run], list[dict[str, Any]]]:
    """The runs that asked and measured what ``first`` did, and the others with how they differ."""
    kept: list[Run] = []
    apart: list[dict[str, Any]] = []
    for run in runs:
        mine, its = first.version(objective.metric), run.version(objective.metric)
        reason = ""
        if run.fingerprint != first.fingerprint:
            reason = (
                f"its benchmark {_benchmark(run)} is not {_benchmark(first)} of job {first.job.id}"
            )
        elif mine and its and mine != its:
            reason = f"version {its} of {objective.metric}, not {mine} of job {first.job.id}"
        if reason:
            apart.append(_left_out(run.job, reason) | {"values": _values(run, objective.metric)})
        else:
            kept.append(run)
    return kept, apart


def _benchmark(run: Run) -> str:
    return f"{run.results['benchmark'].get('name', '')}@{run.fingerprint[:12]}"


def _values(run: Run, metric: str) -> dict[str, dict[str, Any]]:
    rows = {name: run.estimate(name, metric) for name in run.pipelines}
    return {name: beside(row) for name, row in rows.items() if row is not None}


def _baseline(named: Any, candidates: Sequence[Candidate], objective: Objective) -> Candidate:
    """The candidate that was named, or the first of its job that the objective is about."""
    job, _, pipeline = str(named if named is not None else "").partition("/")
    mine = [c for c in candidates if job in (*c.jobs, *c.same)] or list(candidates)
    if pipeline and any(job in (*c.jobs, *c.same) for c in candidates):
        exact = [c for c in mine if c.pipeline == pipeline]
        if not exact:
            raise EvalkitError(
                f"baseline: job {job} has no pipeline {pipeline!r}",
                todo=f"name one of {', '.join(c.pipeline for c in mine)}",
            )
        return exact[0]
    return next((c for c in mine if c.pipeline == objective.pipeline), mine[0])


def _notes(runs: Sequence[Run], baseline: Candidate, named: Any) -> list[str]:
    found = []
    if named is not None and str(named).partition("/")[0] not in (*baseline.jobs, *baseline.same):
        found.append(
            f"The baseline that was named, {named}, has no numbers here; {baseline.name} stands in."
        )
    judges: dict[str, list[str]] = {}
    for run in runs:
        judges.setdefault(run.judge, []).append(run.job.id)
    if len(judges) > 1:
        listed = "; ".join(f"{judge}: {', '.join(jobs)}" for judge, jobs in judges.items())
        found.append(
            "The jobs were judged by different judges, so a difference in a judged metric may be"
            f" the judge's ({listed})."
        )
    return [*found, *_warnings(runs)]


def _warnings(runs: Sequence[Run]) -> list[str]:
    """What the jobs warn of, each once with its jobs, those of many jobs first."""
    from evalkit.reporting.sweep import jobs_words

    found: dict[str, list[str]] = {}
    for run in runs:
        for text in run.results["warnings"] or ():
            found.setdefault(str(text), []).append(run.job.id)
    ordered = sorted(found.items(), key=lambda each: -len(each[1]))
    return [f"{jobs_words(jobs).capitalize()}: {text}" for text, jobs in ordered]
