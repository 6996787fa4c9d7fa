"""``results.json``: every number of a run with its interval, its denominators and its signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import TYPE_CHECKING, Any

from evalkit import __version__
from evalkit.assemble import Experiment
from evalkit.pipelines import Pipeline
from evalkit.records import Sample
from evalkit.scoring import METRICS, Judge, signature
from evalkit.stages import Adapter
from evalkit.statistics import class_table, compare, estimate_table, factorial_effects, records
from evalkit.tables import latencies

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1


def build(
    experiment: Experiment,
    scores: pd.DataFrame,
    samples: Sequence[Sample],
    judge: Judge,
    adapter: Adapter | None,
    environment: Mapping[str, Any],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """The whole of ``results.json`` except the timings, which are not over yet."""
    benchmark, pipelines = experiment.benchmark, experiment.pipelines
    settings = {**experiment.config["statistics"], "seed": experiment.seed}
    corners = {p.corner: p.name for p in pipelines if p.corner is not None}
    estimates = _signed(records(estimate_table(scores, **settings)), experiment, judge, adapter)
    return {
        "schema": SCHEMA,
        "evalkit": __version__,
        "experiment": experiment.config["name"],
        "title": experiment.config.get("title"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "benchmark": {
            "name": benchmark.name,
            "fingerprint": benchmark.fingerprint,
            "questions": len(benchmark.questions),
            "categories": benchmark.categories,
            "license": benchmark.license,
        },
        "model": experiment.config["model"]["name"],
        "pipelines": [_pipeline(p, adapter) for p in pipelines],
        "notes": notes(pipelines),
        "estimates": estimates,
        "by_category": _by_category(scores, settings),
        "comparisons": _comparisons(scores, pipelines, settings),
        "effects": records(factorial_effects(scores, corners, **settings)) if len(corners) > 1 else [],
        "classes": records(class_table(scores, "freshness/generation/outdated")),
        "costs": _costs(samples, adapter, environment),
        "timings": [],
        "environment": dict(environment),
        "judge": {"name": judge.name, "version": judge.version, "blind_to": list(judge.blind_to)},
        "training": dict(adapter.report) if adapter else None,
        "warnings": list(warnings),
    }


def notes(pipelines: Sequence[Pipeline]) -> list[str]:
    """What a reader must know about how the corners differ."""
    corners = [p for p in pipelines if p.corner is not None]
    found = []
    if len({p.template.identity for p in corners}) > 1:
        listed = ", ".join(f"{p.name}: {p.template.name} {p.template.identity}" for p in corners)
        found.append(f"The corners differ in more than one thing: their prompt templates are not the same ({listed}).")
    seen: dict[Any, str] = {}
    for p in corners:
        if p.corner in seen:
            found.append(f"{seen[p.corner]} and {p.name} stand on the same corner; the effects use {p.name}.")
        seen[p.corner] = p.name
    return found


def _pipeline(pipeline: Pipeline, adapter: Adapter | None) -> dict[str, Any]:
    return {
        "name": pipeline.name,
        "retrieval": pipeline.retrieval,
        "tuning": pipeline.tuned,
        "description": pipeline.description,
        "prompt": f"{pipeline.template.name}:{pipeline.template.identity}",
        "shots": len(pipeline.shots),
        "adapter": adapter.identity if adapter and pipeline.tuned else None,
    }


def _signed(
    estimates: list[dict[str, Any]], experiment: Experiment, judge: Judge, adapter: Adapter | None
) -> list[dict[str, Any]]:
    """Each estimate with what produced it, so that two tables can be told apart years later."""
    tuned = {p.name for p in experiment.pipelines if p.tuned}
    template = {p.name: p.template.identity for p in experiment.pipelines}
    common = f"evalkit={__version__}|benchmark={experiment.benchmark.name}@{experiment.benchmark.fingerprint[:12]}"
    model = experiment.config["model"]["name"]
    for row in estimates:
        name = row["pipeline"]
        used = adapter.identity if adapter and name in tuned else "none"
        row["signature"] = (
            f"{common}|model={model}|adapter={used}|prompt={template[name]}"
            f"|{signature(row['metric'], judge)}|seed={experiment.seed}"
        )
    return estimates


def _by_category(scores: pd.DataFrame, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    kept = ("pipeline", "metric", "category", "value", "low", "high", "n_scored")
    chosen = scores[scores["axis"] != "cost"]
    table = estimate_table(chosen, by=("pipeline", "metric", "category"), **settings)
    return records(table[table["n_scored"] > 0][list(kept)])


def _comparisons(
    scores: pd.DataFrame, pipelines: Sequence[Pipeline], settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Every pair of pipelines on every metric that both were scored on at least once."""
    scored = scores[scores["status"].isin(("scored", "failed"))]
    has = {name: set(part["metric"]) for name, part in scored.groupby("pipeline")}
    rows: list[dict[str, Any]] = []
    for a, b in combinations([p.name for p in pipelines], 2):
        shared = [m for m in METRICS if m in has.get(a, ()) and m in has.get(b, ())]
        rows += records(compare(scores, a, b, metrics=shared, **settings))
    return rows


def _costs(
    samples: Sequence[Sample], adapter: Adapter | None, environment: Mapping[str, Any]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    traces = [s.trace for s in samples]
    for name, (median, p95) in latencies(traces).items():
        mine = [t for t in traces if t.pipeline == name]
        rows += [
            {"pipeline": name, "name": "prompt tokens", "value": sum(t.prompt_tokens for t in mine), "unit": "tokens"},
            {"pipeline": name, "name": "output tokens", "value": sum(t.output_tokens for t in mine), "unit": "tokens"},
            {"pipeline": name, "name": "seconds per answer, median", "value": median, "unit": "seconds"},
            {"pipeline": name, "name": "seconds per answer, 95th percentile", "value": p95, "unit": "seconds"},
        ]
    if adapter:
        rows.append({"stage": "train", "name": "training", "value": adapter.report["seconds"], "unit": "seconds"})
        rows.append({"stage": "train", "name": "adapter size", "value": _size(adapter), "unit": "bytes"})
    rows.append({"stage": "run", "name": "peak memory", "value": environment["peak_memory_bytes"], "unit": "bytes"})
    return rows


def _size(adapter: Adapter) -> int:
    return sum(f.stat().st_size for f in adapter.folder.glob("*.safetensors"))
