"""``results.json``: every number of a run with its interval, its denominators and its signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import TYPE_CHECKING, Any

from evalkit import __version__
from evalkit.assemble import Experiment
from evalkit.costs import Prices, cost_rows
from evalkit.pipelines import Pipeline
from evalkit.scoring import METRICS, Judge, signature
from evalkit.stages import Adapter, Answered
from evalkit.statistics import class_table, compare, estimate_table, factorial_effects, records

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1


def build(
    experiment: Experiment,
    scores: pd.DataFrame,
    answered: Answered,
    judge: Judge,
    environment: Mapping[str, Any],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """The whole of ``results.json`` except the timings, which are not over yet."""
    benchmark, pipelines, adapter = experiment.benchmark, experiment.pipelines, answered.adapter
    settings = experiment.statistics
    corners = {p.corner: p.name for p in pipelines if p.corner is not None}
    estimates = _signed(records(estimate_table(scores, **settings)), experiment, judge, adapter)
    _explain(estimates, scores)
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
        "effects": records(factorial_effects(scores, corners, **settings))
        if len(corners) > 1
        else [],
        "classes": records(class_table(scores, "freshness/generation/outdated")),
        "costs": cost_rows(
            answered.traces,
            answered.indexed,
            adapter,
            environment["peak_memory_bytes"],
            Prices.of(experiment.config.get("prices")),
        ),
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
        found.append(
            f"The corners differ in more than one thing: their prompt templates are not the same ({listed})."
        )
    seen: dict[Any, str] = {}
    for p in corners:
        if p.corner in seen:
            found.append(
                f"{seen[p.corner]} and {p.name} stand on the same corner; the effects use {p.name}."
            )
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


def _context(pipeline: Pipeline, experiment: Experiment) -> str:
    """Where the passages of a pipeline came from."""
    if pipeline.context != "retrieved":
        return pipeline.context
    visible, part = experiment.visibility, experiment.config["retriever"]
    built = f"@{visible.built_at}" if visible.built_at else ""
    return f"{part['name']},k={experiment.k},{visible.view}{built},{experiment.embedder_identity}"


def _signed(
    estimates: list[dict[str, Any]], experiment: Experiment, judge: Judge, adapter: Adapter | None
) -> list[dict[str, Any]]:
    """Each estimate with what produced it, so that two tables can be told apart years later."""
    tuned = {p.name for p in experiment.pipelines if p.tuned}
    template = {p.name: p.template.identity for p in experiment.pipelines}
    common = f"evalkit={__version__}|benchmark={experiment.benchmark.name}@{experiment.benchmark.fingerprint[:12]}"
    model = f"{experiment.config['model']['name']}@{experiment.model_weights.identity}"
    context = {p.name: _context(p, experiment) for p in experiment.pipelines}
    for row in estimates:
        name = row["pipeline"]
        used = adapter.identity if adapter and name in tuned else "none"
        row["signature"] = (
            f"{common}|model={model}|adapter={used}|context={context[name]}|prompt={template[name]}"
            f"|{signature(row['metric'], judge)}|seed={experiment.seed}"
        )
    return estimates


def _explain(estimates: list[dict[str, Any]], scores: pd.DataFrame) -> None:
    """Why nothing was scored, where nothing was: the commonest reason among the scores."""
    unscored = scores[scores["status"] != "scored"]
    commonest = unscored.groupby(["pipeline", "metric"])["reason"].agg(
        lambda r: r.value_counts().index[0]
    )
    for row in estimates:
        if row["n_scored"] == 0:
            row["reason"] = str(commonest.get((row["pipeline"], row["metric"]), ""))


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
