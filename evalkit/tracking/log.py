"""Send a finished run folder to MLflow: one parent run, a nested run for each pipeline.

``evalkit run`` and ``evalkit log RUN_DIR`` both call :func:`log_run`, so that a tracker which
could not be reached during the run costs nothing. Only :class:`mlflow.MlflowClient` is used:
nothing global of the caller's (active run, tracking URI) is touched.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evalkit.secrets import Redactor, without_credentials
from evalkit.tracking import payload as payloads
from evalkit.tracking.payload import LONGEST_DIGEST, Payload, RunPayload
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

RECORD = "tracking.json"
MOST_METRICS, MOST_PARAMS = 1000, 100
"""MLflow's limits for one batch."""
_UPLOAD_TIMEOUT_S = 60
Outcome = Literal["logged", "updated", "unchanged"]


@dataclass(frozen=True)
class Logged:
    """Where a run went. ``uri`` and ``url_hint`` carry no credentials.

    ``outcome`` is ``logged`` (new runs), ``updated`` (the folder had been logged there before and
    has changed since, or logging had been cut short) or ``unchanged`` (nothing was sent).
    """

    uri: str
    experiment: str
    parent_run_id: str
    pipeline_run_ids: dict[str, str]
    url_hint: str
    outcome: Outcome = "logged"


def log_run(
    run_dir: Path,
    *,
    uri: str | None = None,
    experiment: str = "evalkit",
    timeout_s: float = 5.0,
    redactor: Redactor | None = None,
) -> Logged:
    """Log a finished run folder, once: a folder that was logged before is updated, not duplicated.

    Args:
        run_dir: the folder that ``evalkit run`` wrote; ``tracking.json`` in it remembers the runs.
        uri: see :func:`tracking_uri`.
        experiment: the MLflow experiment, created where absent.
        timeout_s: seconds to wait for a first answer; tried twice. ``MLFLOW_HTTP_REQUEST_TIMEOUT``
            and ``MLFLOW_HTTP_REQUEST_MAX_RETRIES`` have the last word where they are set.
        redactor: takes secrets out of all that is sent; by default one that knows the environment.

    Raises:
        TrackingError: the store could not be reached or refused, or ``run_dir`` is not a finished
            run. The run folder is left as it was and can be logged later.
    """
    run_dir = Path(run_dir)
    redactor = Redactor.collect() if redactor is None else redactor
    payload = payloads.read(run_dir, redactor)
    if not os.access(run_dir, os.W_OK):
        raise TrackingError(
            f"{run_dir} cannot be written, so logging it twice would not be noticed",
            todo="make the folder writable, or log a copy of it",
        )
    store = tracking_uri(uri)
    with as_tracking_errors(store, redactor, run_dir):
        client, experiment_id = open_store(store, experiment, timeout_s)
        with mlflow_settings(_UPLOAD_TIMEOUT_S, retries=2):
            record = Record.find(run_dir, client, without_credentials(store), experiment_id)
            outcome = record.outcome(payload.content)
            if outcome != "unchanged":
                _send(client, payload, record, redactor)
    logged = Logged(
        uri=record.uri,
        experiment=experiment,
        parent_run_id=record.runs[""],
        pipeline_run_ids={p.name: record.runs[p.name] for p in payload.pipelines},
        url_hint=page_of(record),
        outcome=outcome,
    )
    said = {"logged": "logged to", "updated": "updated in", "unchanged": "was already logged to"}
    log.info("%s %s %s: %s", run_dir.name, said[outcome], logged.uri, logged.url_hint)
    return logged


# --- what was logged before --------------------------------------------------------------------


@dataclass
class Record:
    """One entry of ``tracking.json``; ``runs``: run ids by pipeline, the parent under ``""``."""

    path: Path
    uri: str
    experiment_id: str
    runs: dict[str, str] = field(default_factory=dict)
    content: str = ""

    @classmethod
    def find(cls, run_dir: Path, client: MlflowClient, uri: str, experiment_id: str) -> Record:
        new = cls(run_dir / RECORD, uri, experiment_id)
        for entry in new._entries():
            if new._same_place(entry):
                old = cls(new.path, uri, experiment_id, dict(entry["runs"]), entry["content"])
                return old if old._exists(client) else new
        return new

    def outcome(self, content: str) -> Outcome:
        if not self.runs:
            return "logged"
        return "unchanged" if self.content == content else "updated"

    def save(self) -> None:
        others = [entry for entry in self._entries() if not self._same_place(entry)]
        own = {k: v for k, v in asdict(self).items() if k != "path"}
        text = json.dumps({"schema": 1, "logged": [*others, own]}, indent=2)
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        beside.write_text(text + "\n", encoding="utf-8")
        beside.replace(self.path)

    def _entries(self) -> list[dict[str, Any]]:
        try:
            return list(json.loads(self.path.read_text(encoding="utf-8"))["logged"])
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _same_place(self, entry: Mapping[str, Any]) -> bool:
        return (entry["uri"], entry["experiment_id"]) == (self.uri, self.experiment_id)

    def _exists(self, client: MlflowClient) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            runs = [client.get_run(run_id) for run_id in self.runs.values()]
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False
        return all(run.info.lifecycle_stage == "active" for run in runs)


# --- sending -----------------------------------------------------------------------------------


def _send(client: MlflowClient, payload: Payload, record: Record, redactor: Redactor) -> None:
    for key, run in [("", payload.parent), *((p.name, p) for p in payload.pipelines)]:
        if key not in record.runs:
            record.runs[key] = create_run(client, run, record, payload.started)
            # At once: after a crash the same command goes on with this run.
            record.save()
        send_numbers(client, record.runs[key], run)
        _send_benchmark(client, record.runs[key], payload.benchmark)
    with tempfile.TemporaryDirectory(prefix="evalkit-") as folder:
        payloads.stage(record.path.parent, payload, Path(folder), redactor)
        client.log_artifacts(record.runs[""], folder)
    ended = payload.started and payload.started + round(payload.seconds * 1000)
    for run_id in record.runs.values():
        client.set_terminated(run_id, status="FINISHED", end_time=ended)
    record.content = payload.content
    record.save()


def create_run(client: MlflowClient, run: RunPayload, record: Record, started: int | None) -> str:
    parent = {"mlflow.parentRunId": record.runs[""]} if record.runs else {}
    created = client.create_run(
        record.experiment_id, start_time=started, tags=parent, run_name=run.name
    )
    return str(created.info.run_id)


def send_numbers(client: MlflowClient, run_id: str, run: RunPayload) -> None:
    from mlflow.entities import Metric, Param, RunTag

    known = client.get_run(run_id).data
    if changed := sorted(k for k, v in run.params.items() if known.params.get(k, v) != v):
        log.warning(
            "MLflow cannot change parameters: run %s keeps its old %s", run.name, ", ".join(changed)
        )
    sent = run.metrics.keys() | run.curves.keys()
    gone = dict.fromkeys(known.metrics.keys() - sent, float("nan"))
    now = int(time.time() * 1000)
    metrics = [Metric(k, v, now, 0) for k, v in (run.metrics | gone).items()]
    metrics += [Metric(k, v, now, step) for k, points in run.curves.items() for step, v in points]
    params = [Param(k, v) for k, v in run.params.items() if k not in known.params]
    for batch in _batches(metrics, MOST_METRICS):
        client.log_batch(run_id, metrics=batch)
    for batch in _batches(params, MOST_PARAMS):
        client.log_batch(run_id, params=batch)
    client.log_batch(run_id, tags=[RunTag(k, v) for k, v in run.tags.items()])


def _batches(rows: list[Any], most: int) -> Iterator[list[Any]]:
    yield from (rows[start : start + most] for start in range(0, len(rows), most))


def _send_benchmark(client: MlflowClient, run_id: str, benchmark: Mapping[str, Any]) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random

    name = str(benchmark.get("name") or "benchmark")
    facts = {k: benchmark[k] for k in ("questions", "categories", "license") if benchmark.get(k)}
    dataset = Dataset(
        name=name,
        digest=str(benchmark.get("fingerprint") or "unknown")[:LONGEST_DIGEST],
        source_type="code",
        source=json.dumps({"tags": {"evalkit.benchmark": name}}),
        profile=json.dumps(facts),
    )
    given = DatasetInput(dataset, [InputTag("mlflow.data.context", "evaluation")])
    # Of several writers that first name a dataset at the same moment MLflow refuses all but one.
    again = Retrying(
        retry=retry_if_exception(_is_refused),
        stop=stop_after_attempt(5),
        wait=wait_random(0.05, 0.5),
        reraise=True,
    )
    again(client.log_inputs, run_id, datasets=[given])


def _is_refused(error: BaseException) -> bool:
    """Whether the database refused a row, and not that it cannot be reached, which takes long enough."""
    return getattr(error, "error_code", None) == "BAD_REQUEST"


def page_of(record: Record) -> str:
    page = f"#/experiments/{record.experiment_id}/runs/{record.runs['']}"
    if record.uri.startswith(("http://", "https://")):
        return f"{record.uri.rstrip('/')}/{page}"
    return f"`mlflow ui --backend-store-uri {record.uri}`, then http://127.0.0.1:5000/{page}"
