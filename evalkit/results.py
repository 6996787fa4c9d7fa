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
from evalkit.prompts import PromptTemplate
from evalkit.scoring import METRICS, Judge
from evalkit.signatures import Signer
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
    signer = Signer(experiment, answered, judge)
    estimates = records(estimate_table(scores, **settings))
    for row in estimates:
        row["signature"] = signer.estimate(row["pipeline"], row["metric"])
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
        "statistics": dict(settings),
        "pipelines": [_pipeline(p, adapter) | {"setup": signer.setups[p.name]} for p in pipelines],
        "notes": notes(pipelines, experiment.training_template),
        "estimates": estimates,
        "by_category": _by_category(scores, settings, signer),
        "comparisons": _comparisons(scores, pipelines, settings, signer),
        "effects": _effects(scores, corners, settings, signer),
        "classes": records(class_table(scores, "freshness/generation/outdated")),
        "costs": cost_rows(
            answered,
            pipelines,
            environment["peak_memory_bytes"],
            Prices.of(experiment.config.get("prices")),
        ),
        "timings": [],
        "environment": dict(environment),
        "judge": {"name": judge.name, "version": judge.version, "blind_to": list(judge.blind_to)},
        "training": dict(adapter.report) if adapter else None,
        "warnings": list(warnings),
    }


def notes(pipelines: Sequence[Pipeline], trained_on: PromptTemplate | None = None) -> list[str]:
    """What a reader must know about how the corners differ."""
    corners = [p for p in pipelines if p.corner is not None]
    found = []
    if len({p.template.identity for p in corners}) > 1:
        listed = ", ".join(f"{p.name}: {p.template.name} {p.template.identity}" for p in corners)
        found.append(
            f"The corners differ in more than one thing: their prompt templates are not the same ({listed})."
        )
    strangers = [p.name for p in pipelines if p.tuned and trained_on not in (None, p.template)]
    if strangers:
        found.append(f"The adapter was not trained on the prompt of {', '.join(strangers)}.")
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


def _explain(estimates: list[dict[str, Any]], scores: pd.DataFrame) -> None:
    """Why nothing was scored, where nothing was: the commonest reason among the scores."""
    unscored = scores[scores["status"] != "scored"]
    commonest = unscored.groupby(["pipeline", "metric"])["reason"].agg(
        lambda r: r.value_counts().index[0]
    )
    for row in estimates:
        if row["n_scored"] == 0:
            row["reason"] = str(commonest.get((row["pipeline"], row["metric"]), ""))


def _by_category(
    scores: pd.DataFrame, settings: Mapping[str, Any], signer: Signer
) -> list[dict[str, Any]]:
    chosen = scores[scores["axis"] != "cost"]
    table = estimate_table(chosen, by=("pipeline", "metric", "category"), **settings)
    rows = records(table[(table["n_scored"] > 0) | (table["n_failed"] > 0)])
    return [r | {"signature": signer.several([r["pipeline"]], r["metric"])} for r in rows]


def _comparisons(
    scores: pd.DataFrame,
    pipelines: Sequence[Pipeline],
    settings: Mapping[str, Any],
    signer: Signer,
) -> list[dict[str, Any]]:
    """Every pair of pipelines on every metric that both were scored on at least once."""
    scored = scores[scores["status"].isin(("scored", "failed"))]
    has = {name: set(part["metric"]) for name, part in scored.groupby("pipeline")}
    rows: list[dict[str, Any]] = []
    for a, b in combinations([p.name for p in pipelines], 2):
        shared = [m for m in METRICS if m in has.get(a, ()) and m in has.get(b, ())]
        rows += records(compare(scores, a, b, metrics=shared, **settings))
    return [r | {"signature": signer.several([r["a"], r["b"]], r["metric"])} for r in rows]


def _effects(
    scores: pd.DataFrame, corners: Mapping[Any, str], settings: Mapping[str, Any], signer: Signer
) -> list[dict[str, Any]]:
    if len(corners) < 2:
        return []
    rows = records(factorial_effects(scores, corners, **settings))
    names = list(corners.values())
    return [r | {"signature": signer.several(names, r["metric"])} for r in rows]
