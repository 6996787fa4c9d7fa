"""Builds the folder of a sweep from invented numbers, as ``evalkit run -m`` leaves it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from evalkit.statistics import estimate_table, records

CORRECT = "correctness/generation/correct"
TOKENS = ("cost/generation/prompt_tokens", "cost/generation/output_tokens")
SECONDS = "cost/generation/seconds"
Levels = Mapping[str, Any]


@dataclass(frozen=True)
class World:
    """What jobs answer: ``truth`` gives the chance of a right answer under a setting.

    ``reaches`` names the keys that matter to a pipeline; answers of one pipeline under settings
    that agree in them are the same answers, as they are with a store. Without ``resamples``, runs
    say two standard errors for intervals, which takes no time.
    """

    truth: Callable[[Levels, str], float]
    pipelines: Sequence[str] = ("rag",)
    questions: int = 60
    cluster: int = 1
    reaches: Mapping[str, Sequence[str]] = field(default_factory=dict)
    extra: Sequence[str] = ()
    resamples: int = 300
    seed: int = 0
    fingerprint: str = "a" * 64
    judge: str = "offline"

    def draw(self, levels: Levels, pipeline: str) -> tuple[npt.NDArray[np.float64], str]:
        """The answers of a pipeline, and what they depend on in words."""
        kept = {k: v for k, v in levels.items() if k in self.reaches.get(pipeline, levels)}
        words = f"{pipeline}:{json.dumps(kept, sort_keys=True)}"
        rng = np.random.default_rng([self.seed, *words.encode()])
        ease = np.random.default_rng([self.seed, 99]).normal(0, 0.15, self.questions)
        chance = np.clip(self.truth(levels, pipeline) + ease, 0, 1)
        return (rng.random(self.questions) < chance).astype(float), words


def grid(**keys: Iterable[Any]) -> list[dict[str, Any]]:
    """Every combination of levels; ``__`` in a name stands for a dot."""
    names = [name.replace("__", ".") for name in keys]
    return [dict(zip(names, levels, strict=True)) for levels in product(*keys.values())]


def scores_of(world: World, levels: Levels, failed: int = 0) -> pd.DataFrame:
    """The table of scores of one job; the first ``failed`` questions failed in its first pipeline."""
    count, parts, values, lost = world.questions, [], [], []
    for place, pipeline in enumerate(world.pipelines):
        right, words = world.draw(levels, pipeline)
        rng = np.random.default_rng([1, *words.encode()])
        size = 100.0 * (1 + float(levels.get("retriever.k", 1) or 1))
        columns = {CORRECT: right, TOKENS[0]: size + rng.integers(0, 20, count),
                   TOKENS[1]: rng.integers(5, 9, count), SECONDS: rng.gamma(4, size / 4e3, count)}  # fmt: skip
        columns |= {metric: (rng.random(count) < 0.5).astype(float) for metric in world.extra}
        parts += [(pipeline, metric) for metric in columns]
        values += list(columns.values())
        lost += [(np.arange(count) < failed) & (place == 0)] * len(columns)
    pipelines, metrics = np.repeat(np.array(parts, dtype=object), count, axis=0).T
    gone, number = np.concatenate(lost), np.tile(np.arange(count), len(parts))
    return pd.DataFrame({
        "question": [f"q{i:03d}" for i in number], "pipeline": pipelines, "repeat": 0,
        "metric": metrics, "status": np.where(gone, "failed", "scored"),
        "value": np.where(gone, np.nan, np.concatenate(values)),
        "cluster": [f"d{i // world.cluster}" for i in number], "reason": "", "category": "all",
    })  # fmt: skip


def estimates_of(scores: pd.DataFrame, resamples: int) -> list[dict[str, Any]]:
    """What a run says of its scores."""
    if resamples:
        return records(estimate_table(scores, resamples=resamples))
    cells = scores.groupby(["pipeline", "metric"])["value"]
    table = cells.agg(value="mean", spread="sem", n_total="size", n_scored="count").reset_index()
    table["low"], table["high"] = (table["value"] + z * table["spread"] for z in (-2, 2))
    return records(table.assign(n_failed=table["n_total"] - table["n_scored"]))


def write_run(folder: Path, world: World, levels: Levels, failed: int = 0) -> None:
    """A finished run folder."""
    folder.mkdir(parents=True, exist_ok=True)
    scores = scores_of(world, levels, failed)
    scores.to_parquet(folder / "scores.parquet")
    estimates = estimates_of(scores, world.resamples)
    for row in estimates:
        words = world.draw(levels, row["pipeline"])[1]
        row["signature"] = f"setup={words}|{row['metric']}@1|judge={world.judge}@1"
    results = {
        "schema": 1,
        "evalkit": "0.1.0",
        "created": "2026-03-01T10:00:00+00:00",
        "experiment": "invented",
        "model": "tiny",
        "benchmark": {"name": "handbook", "fingerprint": world.fingerprint,
                      "questions": world.questions, "categories": {}, "license": "CC0-1.0"},
        "judge": {"name": world.judge, "version": "1"},
        "statistics": {"confidence": 0.95, "resamples": world.resamples or 100, "seed": 0},
        "repeats": 1,
        "pipelines": [{"name": p, "retrieval": p == "rag", "tuning": False} for p in world.pipelines],
        "estimates": estimates,
        "costs": [{"pipeline": p, "name": "price of the tokens", "unit": "EUR",
                   "value": 0.001 * world.questions * float(levels.get("retriever.k", 1) or 1)}
                  for p in world.pipelines],
        "timings": [{"stage": "generate", "seconds": 3.0, "detail": ""}],
    }  # fmt: skip
    (folder / "results.json").write_text(json.dumps(results))


def write_sweep(
    folder: Path,
    world: World | Callable[[int], World],
    settings: Sequence[Levels],
    *,
    failed_jobs: Mapping[int, str] | None = None,
    failed_questions: Mapping[int, int] | None = None,
    baseline: str | None = None,
    objective: Mapping[str, Any] | None = None,
) -> Path:
    """The folder of a sweep, one job per setting."""
    for i, levels in enumerate(settings):
        if i not in (failed_jobs or {}):
            mine = world(i) if callable(world) and not isinstance(world, World) else world
            assert isinstance(mine, World)
            write_run(folder / str(i), mine, levels, (failed_questions or {}).get(i, 0))
    return write_head(folder, settings, failed_jobs, baseline, objective)


def write_head(
    folder: Path,
    settings: Sequence[Levels],
    failed_jobs: Mapping[int, str] | None = None,
    baseline: str | None = None,
    objective: Mapping[str, Any] | None = None,
) -> Path:
    """``sweep.json`` for runs that are there."""
    jobs = []
    for i, levels in enumerate(settings):
        reason = (failed_jobs or {}).get(i)
        jobs.append({"id": str(i), "overrides": dict(levels), "key": f"key-{i}",
                     "status": "finished" if reason is None else "failed", "run_dir": str(i),
                     "reason": reason, "seconds": 4.0})  # fmt: skip
    swept = list(dict.fromkeys(key for levels in settings for key in levels))
    head = {"schema": 1, "created": "2026-03-01T10:00:00+00:00", "swept": swept,
            "baseline": baseline, "objective": objective, "jobs": jobs}  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sweep.json").write_text(json.dumps(head))
    return folder


PIPELINES = ("prompt_only", "rag")
REACHES = {"prompt_only": ["prompt"], "rag": ["prompt", "retriever.k"]}


def _truth(levels: Any, pipeline: str) -> float:
    k = {1: 0.0, 3: 0.2}[levels.get("retriever.k", 1)] if pipeline == "rag" else 0.0
    return (0.5 if pipeline == "rag" else 0.25) + k


WORLD = World(_truth, PIPELINES, reaches=REACHES)
FOUR = grid(retriever__k=[1, 3], prompt=["a", "b"])
"""Two keys with two levels each, of which one does not reach prompt_only."""
