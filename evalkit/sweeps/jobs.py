"""A sweep's folder as it is read for its report: which jobs there are, and what they ran."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.secrets import REDACTED, looks_secret

FILE = "sweep.json"
SCHEMA = 1
_FINISHED = ("finished", "skipped")
_KEPT = ("pipelines", "benchmark", "judge", "model", "statistics", "repeats", "warnings")


@dataclass(frozen=True)
class Job:
    """One job: ``levels`` are its overrides as text, ``status`` and ``reason`` as it left them."""

    id: str
    levels: Mapping[str, str]
    status: str
    folder: Path | None
    reason: str = ""
    key: str = ""

    @property
    def finished(self) -> bool:
        return self.status in _FINISHED and self.folder is not None


@dataclass(frozen=True)
class Run:
    """A finished job with what of its ``results.json`` a sweep compares."""

    job: Job
    results: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        assert self.job.folder is not None
        return self.job.folder

    @property
    def fingerprint(self) -> str:
        return str(self.results["benchmark"]["fingerprint"])

    @property
    def pipelines(self) -> list[str]:
        return [str(p["name"]) for p in self.results["pipelines"]]

    @property
    def judge(self) -> str:
        judge = self.results.get("judge") or {}
        return f"{judge.get('name', 'none')} {judge.get('version', '')}".strip()

    def estimate(self, pipeline: str, metric: str) -> Mapping[str, Any] | None:
        found: Mapping[tuple[str, str], Mapping[str, Any]] = self.results["estimates"]
        return found.get((pipeline, metric))

    @property
    def scored(self) -> list[str]:
        """The metrics that were scored on some question of some pipeline."""
        return list(self.results["scored"])

    def version(self, metric: str) -> str:
        """The version of a metric as the run's signatures give it; empty where they do not."""
        for (_, name), row in self.results["estimates"].items():
            if name == metric:
                _, found, rest = str(row.get("signature") or "").partition(f"|{metric}@")
                return rest.partition("|")[0] if found else ""
        return ""


def read_sweep(sweep_dir: Path) -> tuple[dict[str, Any], list[Job]]:
    """The head of ``sweep.json`` and its jobs, in order.

    Raises:
        EvalkitError: There is no such file, or it is not one that this version reads.
    """
    path = sweep_dir / FILE
    if not path.is_file():
        raise EvalkitError(
            f"{sweep_dir} is not the folder of a sweep: it has no {FILE}",
            todo="give the folder that `evalkit run -m ...` printed",
        )
    try:
        head = json.loads(path.read_text(encoding="utf-8"))
        if head["schema"] != SCHEMA:
            raise EvalkitError(
                f"{path}: schema {head['schema']!r}, expected {SCHEMA}",
                todo="report with the version of evalkit that made the sweep",
            )
        jobs = [_job(entry, sweep_dir) for entry in head.pop("jobs")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvalkitError(
            f"{path} is damaged: {type(error).__name__}: {error}",
            todo=f"`evalkit sweep {sweep_dir}` writes it anew from its jobs",
        ) from error
    return head, jobs


def level_text(key: str, value: Any) -> str:
    """A level as text; what is named like a secret stays out of every report."""
    if looks_secret(key):
        return REDACTED
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def is_seed(key: str) -> bool:
    """Whether a key is a seed: its levels are repeats, not settings to choose from."""
    return key.rsplit(".", 1)[-1] == "seed"


def load_runs(
    jobs: Iterable[Job], metrics: Collection[str]
) -> tuple[list[Run], list[tuple[Job, str]]]:
    """The finished jobs as runs, with their estimates of ``metrics``; the others each with why not."""
    runs: list[Run] = []
    others: list[tuple[Job, str]] = []
    seen: dict[str, Run] = {}
    for job in jobs:
        if not job.finished:
            others.append((job, job.reason or _unsaid(job.status)))
            continue
        twins = [str(job.folder)] + ([job.key] if job.key else [])
        first = next((seen[t] for t in twins if t in seen), None)
        if first is not None and _setting(job) == _setting(first.job):
            others.append((job, f"the same as job {first.job.id}"))
            continue
        try:
            run = Run(job, _results(job, metrics) if first is None else first.results)
        except EvalkitError as error:
            others.append((job, error.problem))
            continue
        runs.append(run)
        seen = dict.fromkeys(twins, run) | seen
    return runs, others


def _setting(job: Job) -> dict[str, str]:
    return {key: level for key, level in job.levels.items() if not is_seed(key)}


def _job(entry: Mapping[str, Any], sweep_dir: Path) -> Job:
    overrides = entry.get("overrides") or {}
    folder = entry.get("run_dir")
    return Job(
        id=str(entry["id"]),
        levels={str(k).lstrip("+~"): level_text(str(k), v) for k, v in overrides.items()},
        status=str(entry["status"]),
        folder=sweep_dir / str(folder) if folder is not None else None,
        reason=" ".join(str(entry.get("reason") or "").split()),
        key=str(entry.get("key") or ""),
    )


def _unsaid(status: str) -> str:
    going_on = status in ("running", "waiting")
    return "it had not ended when this was written" if going_on else "no reason was kept"


def _results(job: Job, metrics: Collection[str]) -> dict[str, Any]:
    assert job.folder is not None
    path = job.folder / "results.json"
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
        if loaded.get("kind") == "timeline":
            raise EvalkitError("a study over time, which has no single value to compare")
        if not loaded["benchmark"]["fingerprint"]:
            raise EvalkitError(f"{path} does not say which benchmark it is of")
        kept = {name: loaded.get(name) for name in _KEPT}
        kept["pipelines"] = [{"name": p["name"]} for p in loaded["pipelines"]]
        rows = {(str(e["pipeline"]), str(e["metric"])): e for e in loaded["estimates"]}
        kept["scored"] = sorted({m for (_, m), e in rows.items() if e["value"] is not None})
        kept["estimates"] = {key: e for key, e in rows.items() if key[1] in metrics}
        kept["money"] = _money(loaded.get("costs") or ())
    except FileNotFoundError:
        raise EvalkitError("its run folder has no results.json") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvalkitError(f"results.json is damaged: {type(error).__name__}: {error}") from error
    if not (job.folder / "scores.parquet").is_file():
        raise EvalkitError("its run folder has no scores.parquet")
    return kept


def _money(costs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, str]]:
    """What answering cost each pipeline, with the currency; only where it was priced."""
    found: dict[str, tuple[float, str]] = {}
    for row in costs:
        if row.get("pipeline") and str(row["name"]).startswith("price of"):
            name = str(row["pipeline"])
            before = found.get(name, (0.0, ""))[0]
            found[name] = (before + float(row["value"]), str(row["unit"]))
    return found
