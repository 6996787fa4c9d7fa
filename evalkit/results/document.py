"""``results.json``: every number of a run with its interval, its denominators and its signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from evalkit import __version__
from evalkit.configuration.assemble import Experiment
from evalkit.pipelines import Pipeline
from evalkit.prompts import PromptTemplate
from evalkit.reporting.write import PAGE_QUESTIONS
from evalkit.results.costs import Prices, cost_rows
from evalkit.results.measures import Measured, Rows
from evalkit.results.signatures import Signer
from evalkit.scoring import Judge
from evalkit.scoring.judges.base import describe_judge
from evalkit.stages.preparing import Adapter, Answered

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1


@dataclass(frozen=True)
class Found:
    """What a run leaves: ``results.json`` but for the timings; the tables that are still to be
    written, by file name; its questions with their answers (those that a page shows, where all of
    them are written already).
    """

    results: dict[str, Any]
    tables: Mapping[str, pd.DataFrame]
    questions: Sequence[Mapping[str, Any]]
    written: bool = False


def build(
    experiment: Experiment,
    measured: Measured,
    answered: Answered,
    judge: Judge,
    environment: Mapping[str, Any],
    blamed: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The whole of ``results.json`` except the timings, which are not over yet."""
    benchmark, pipelines, adapter = experiment.benchmark, experiment.pipelines, answered.adapter
    signer = Signer(experiment, answered, judge)
    return {
        **opening(experiment),
        "pipelines": [_pipeline(p, adapter) | {"setup": signer.setups[p.name]} for p in pipelines],
        "notes": [
            *notes(pipelines, experiment.training_template),
            *_untested(experiment),
            *_unseen(len(benchmark.questions)),
        ],
        **_signed(experiment, measured, signer),
        "variation": measured["variation"],
        "classes": measured["classes"],
        "blame": list(blamed),
        "costs": cost_rows(
            answered,
            pipelines,
            environment["peak_memory_bytes"],
            Prices.of(experiment.config.get("prices")),
        ),
        "timings": [],
        "environment": dict(environment),
        "judge": describe_judge(judge),
        "training": dict(adapter.report) if adapter and adapter.report else None,
        "warnings": answered.tally.warnings(experiment.decoding.max_new_tokens),
    }


def opening(experiment: Experiment) -> dict[str, Any]:
    """What ``results.json`` begins with, of a run and of a study over time."""
    benchmark = experiment.benchmark
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
        "statistics": dict(experiment.statistics),
        "repeats": experiment.repeats,
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


def _untested(experiment: Experiment) -> list[str]:
    return [
        f"Not tested, since {lacking} did not run: {hypothesis.claim}."
        for hypothesis, lacking in experiment.untested.items()
    ]


def _unseen(questions: int) -> list[str]:
    if questions <= PAGE_QUESTIONS:
        return []
    return [
        f"The page shows the answers to the first {PAGE_QUESTIONS:,} of {questions:,} questions;"
        " questions.json has all of them."
    ]


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


def _signed(experiment: Experiment, measured: Measured, signer: Signer) -> dict[str, Rows]:
    """The tables whose rows say what produced them."""
    corners = {p.corner: p.name for p in experiment.pipelines if p.corner is not None}
    sides = [[*each.than, *each.better] for each in experiment.hypotheses]
    by_table: dict[str, list[list[str]]] = {
        "hypotheses": sides,
        "by_category": [[row["pipeline"]] for row in measured["by_category"]],
        "comparisons": [[row["a"], row["b"]] for row in measured["comparisons"]],
        "effects": [list(corners.values()) for _ in measured["effects"]],
    }
    signed = {
        table: [
            {**row, "signature": signer.several(names, row["metric"])}
            for row, names in zip(measured[table], pipelines, strict=True)
        ]
        for table, pipelines in by_table.items()
    }
    estimates = [
        {**row, "signature": signer.estimate(row["pipeline"], row["metric"])}
        for row in measured["estimates"]
    ]
    return {"estimates": estimates, **signed}
