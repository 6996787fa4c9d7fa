"""Send a sweep to MLflow: the sweep is the parent, its jobs are nested in it, pipelines in jobs."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.secrets import Redactor, without_credentials
from evalkit.tracking.evidence import numbers
from evalkit.tracking.log import Outcome, Record, create_run, log_run, page_of, send_numbers
from evalkit.tracking.payload import RunPayload, copy_redacted, cut, legal_key
from evalkit.tracking.store import (
    TrackingError,
    as_tracking_errors,
    mlflow_settings,
    open_store,
    tracking_uri,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

ANALYSIS = "analysis.json"
_FILES = (ANALYSIS, "report.html", "report.md", "sweep.json", "multirun.yaml")
_LONGEST_PARAM, _LONGEST_REASON = 6000, 5000
_UPLOAD_TIMEOUT_S = 60
_PARENT = "mlflow.parentRunId"


@dataclass(frozen=True)
class LoggedSweep:
    """Where a sweep went; ``job_run_ids`` by job, those without a run folder included."""

    uri: str
    experiment: str
    parent_run_id: str
    job_run_ids: dict[str, str] = field(default_factory=dict)
    url_hint: str = ""
    outcome: Outcome = "logged"


def log_sweep(
    sweep_dir: Path,
    *,
    uri: str | None = None,
    experiment: str = "evalkit",
    timeout_s: float = 5.0,
    redactor: Redactor | None = None,
) -> LoggedSweep:
    """Log a sweep and its jobs, once: what was logged before is updated and nested, not duplicated.

    Args:
        sweep_dir: The folder of the sweep, with its report (``analysis.json``).
        uri: See :func:`~evalkit.tracking.store.tracking_uri`.
        experiment: The MLflow experiment, created where absent.
        timeout_s: Seconds to wait for a first answer.
        redactor: Takes secrets out of all that is sent.

    Raises:
        TrackingError: The store could not be reached or refused, or the sweep has no report.
    """
    sweep_dir = Path(sweep_dir)
    redactor = Redactor.collect() if redactor is None else redactor
    analysis = redactor.redact_data(_read(sweep_dir, ANALYSIS))
    head = redactor.redact_data(_read(sweep_dir, "sweep.json"))
    jobs = head["jobs"]
    store = tracking_uri(uri)
    settings = {"uri": uri, "experiment": experiment, "timeout_s": timeout_s, "redactor": redactor}
    with as_tracking_errors(store, redactor, None):
        client, experiment_id = open_store(store, experiment, timeout_s)
        with mlflow_settings(_UPLOAD_TIMEOUT_S, retries=2):
            record = Record.find(sweep_dir, client, without_credentials(store), experiment_id)
            content = _content(analysis, jobs)
            outcome = record.outcome(content)
            if outcome == "logged":
                begun = _milliseconds(head.get("created"))
                record.runs[""] = create_run(client, _payload(sweep_dir, analysis), record, begun)
                record.save()
            found = _log_jobs(client, sweep_dir, jobs, record, settings)
            if outcome != "unchanged":
                _send(client, sweep_dir, analysis, record, redactor)
                record.content = content
            record.save()
    return LoggedSweep(record.uri, experiment, record.runs[""], found, page_of(record), outcome)


def _read(sweep_dir: Path, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((sweep_dir / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrackingError(
            f"{sweep_dir / name} cannot be read: {error}",
            todo=f"`evalkit sweep {sweep_dir} --report` writes the report that is logged",
        ) from error
    return found


def _milliseconds(date: Any) -> int | None:
    try:
        return round(datetime.fromisoformat(str(date)).timestamp() * 1000)
    except ValueError:
        return None


def _content(analysis: Mapping[str, Any], jobs: Any) -> str:
    """What was found, whenever the report was written."""
    kept = {k: v for k, v in analysis.items() if k != "created"}
    return hashlib.sha256(json.dumps([kept, jobs], sort_keys=True).encode()).hexdigest()


def _log_jobs(
    client: MlflowClient,
    sweep_dir: Path,
    jobs: list[dict[str, Any]],
    record: Record,
    settings: Mapping[str, Any],
) -> dict[str, str]:
    """Each job's run, nested in the sweep; a job that cannot be logged does not stop the others."""
    found: dict[str, str] = {}
    for job in jobs:
        name, folder = str(job["id"]), sweep_dir / str(job.get("run_dir") or "")
        if job["status"] == "finished" and (folder / "results.json").is_file():
            try:
                found[name] = log_run(folder, **settings).parent_run_id
            except TrackingError as error:
                log.warning("job %s was not logged: %s", name, error.problem)
                continue
            if failed := record.runs.pop(f"job {name}", None):  # which it was when last logged
                client.delete_run(failed)
            client.set_tag(found[name], _PARENT, record.runs[""])
            client.set_tag(found[name], "evalkit.sweep.job", name)
            for key, value in _levels(job).items():
                client.set_tag(found[name], legal_key(f"evalkit.sweep.{key}"), value)
        elif job["status"] == "failed":
            found[name] = _log_failed(client, job, record)
    return found


def _log_failed(client: MlflowClient, job: Mapping[str, Any], record: Record) -> str:
    """A run without numbers that says why."""
    name = f"job {job['id']}"
    reason = cut(str(job.get("reason") or "no reason was kept"), _LONGEST_REASON)
    tags = {"evalkit.sweep.job": str(job["id"]), "evalkit.reason": reason,
            "mlflow.note.content": reason}  # fmt: skip
    run = RunPayload(name, _params(_levels(job)), {}, tags)
    if name not in record.runs:
        record.runs[name] = create_run(client, run, record, None)
        record.save()
    send_numbers(client, record.runs[name], run)
    client.set_terminated(record.runs[name], status="FAILED")
    return record.runs[name]


def _levels(job: Mapping[str, Any]) -> dict[str, str]:
    levels = job.get("overrides") or {}
    return {str(k): v if isinstance(v, str) else json.dumps(v) for k, v in levels.items()}


def _params(levels: Mapping[str, str]) -> dict[str, str]:
    return {legal_key(key): cut(value, _LONGEST_PARAM) for key, value in levels.items()}


def _payload(sweep_dir: Path, analysis: Mapping[str, Any]) -> RunPayload:
    benchmark, objective = analysis.get("benchmark") or {}, analysis.get("objective") or {}
    tags = {
        "evalkit.kind": "sweep",
        "evalkit.version": analysis.get("evalkit"),
        "evalkit.benchmark": benchmark.get("name"),
        "evalkit.fingerprint": benchmark.get("fingerprint"),
        "evalkit.objective": objective.get("metric"),
        "evalkit.baseline": analysis.get("baseline"),
        "evalkit.winner": (analysis.get("selection") or {}).get("chosen"),
        "mlflow.source.name": "evalkit",
    }
    return RunPayload(
        name=sweep_dir.resolve().name,
        params={},  # which cannot be changed, while a sweep can get more levels
        metrics=_metrics(analysis),
        tags={key: str(value) for key, value in tags.items() if value} | _swept(analysis),
    )


def _swept(analysis: Mapping[str, Any]) -> dict[str, str]:
    levels = {f"evalkit.swept.{key['key']}": ", ".join(key["levels"]) for key in analysis["keys"]}
    return {legal_key(key): cut(text, _LONGEST_REASON) for key, text in levels.items()}


def _metrics(analysis: Mapping[str, Any]) -> dict[str, float]:
    """The winner before and after correction, main effects on the objective, and counts of jobs."""
    metrics = {f"jobs/{status}": float(n) for status, n in analysis["jobs"].items()}
    selection, objective = analysis.get("selection") or {}, analysis.get("objective") or {}
    for name in ("naive", "corrected", "difference", "corrected_difference"):
        if row := selection.get(name):
            metrics |= numbers(f"winner/{name}", row, ("low", "high"))
    metrics |= numbers("winner/optimism", {"value": selection.get("optimism")}, ())
    for row in analysis["effects"]:
        if row["metric"] == objective.get("metric"):
            name = f"effects/{row['key']}/{row['level']}/{row['pipeline']}"
            metrics |= numbers(name, row, ("low", "high", "p_adjusted"), value="effect")
    return {legal_key(key): value for key, value in metrics.items()}


def _send(
    client: MlflowClient,
    sweep_dir: Path,
    analysis: Mapping[str, Any],
    record: Record,
    redactor: Redactor,
) -> None:
    run = _payload(sweep_dir, analysis)
    note = sweep_dir / "report.md"
    if note.is_file():
        # MLflow shows a note on the run's page; a long leaderboard is in the report.
        text = redactor.redact(note.read_text(encoding="utf-8"))
        run.tags["mlflow.note.content"] = cut(text, _LONGEST_REASON)
    send_numbers(client, record.runs[""], run)
    with tempfile.TemporaryDirectory(prefix="evalkit-") as folder:
        files = [sweep_dir / name for name in _FILES] + sorted((sweep_dir / "figures").glob("*"))
        for path in files:
            if path.is_file():
                copy = Path(folder) / path.relative_to(sweep_dir)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy_redacted(path, copy, redactor)
        client.log_artifacts(record.runs[""], folder)
    client.set_terminated(record.runs[""], status="FINISHED")
