"""Reach an MLflow store quickly or say why not: its URI, its experiment, its waiting times."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from evalkit.errors import EvalkitError
from evalkit.secrets import Redactor, without_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient

_DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}

_NOISY = {
    "mlflow.store.db.utils": logging.WARNING,  # each migration
    "urllib3.connectionpool": logging.ERROR,  # each retry; the failure is reported once
}


class TrackingError(EvalkitError):
    """The tracker could not be reached or refused; the run folder is complete all the same."""


def tracking_uri(uri: str | None = None) -> str:
    """The store: the argument, else ``MLFLOW_TRACKING_URI``, else ``mlflow.db`` in this folder."""
    chosen = uri or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    file = sqlite_file(chosen)
    return chosen if file is None else f"sqlite:///{file.absolute().as_posix()}"


def sqlite_file(uri: str) -> Path | None:
    """The database file of a SQLite URI, None for any other store."""
    path = re.sub(r"^sqlite(\+\w+)?:///", "", uri)
    return None if path == uri or path in ("", ":memory:") else Path(path)


def ensure_experiment(
    uri: str | None = None, experiment: str = "evalkit", *, timeout_s: float = 5.0
) -> str:
    """Create store and experiment where absent, and return the experiment's id.

    Safe to call from several processes at once, and cheap before a parallel sweep.

    Raises:
        TrackingError: the store could not be reached, or the experiment was deleted.
    """
    store = tracking_uri(uri)
    with as_tracking_errors(store, Redactor.collect(), None):
        return open_store(store, experiment, timeout_s)[1]


@contextmanager
def as_tracking_errors(
    store: str, redactor: Redactor, run_dir: Path | None, doing: str = "log to"
) -> Iterator[None]:
    """Turn whatever MLflow and its drivers raise into a TrackingError without credentials."""
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:  # mlflow, requests, sqlalchemy and drivers raise unrelated types
        shown = without_credentials(store)
        reason = _reason(error)
        text = redactor.redact(f"{type(reason).__name__}: {reason}".replace(store, shown))
        later = "" if run_dir is None else f", then `evalkit log {run_dir}`; the run is complete"
        # The cause is dropped, since its message can carry the credentials of the URI.
        raise TrackingError(
            f"could not {doing} the tracking store {shown}: {text.splitlines()[0][:300]}",
            todo=f"check MLFLOW_TRACKING_URI and that the store is up{later}",
        ) from None


def _reason(error: BaseException) -> BaseException:
    """The system's error beneath the layers of client libraries, where there is one."""
    chain: list[BaseException] = [error]
    while (below := chain[-1].__cause__ or chain[-1].__context__) and below not in chain:
        chain.append(below)
    systems = (e for e in reversed(chain) if isinstance(e, OSError))
    return next((e for e in systems if e.errno or isinstance(e, TimeoutError)), error)


@contextmanager
def mlflow_settings(timeout_s: float, retries: int) -> Iterator[None]:
    """MLflow reads these at each request; what the user set is kept."""
    ours = {
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, round(timeout_s))),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(retries),
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        # It would print the server's address with its credentials.
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    }
    ours = {k: v for k, v in ours.items() if k.endswith("STDOUT") or k not in os.environ}
    before = {name: os.environ.get(name) for name in ours}
    levels = {name: logging.getLogger(name).level for name in _NOISY}
    os.environ.update(ours)
    for name, level in _NOISY.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def open_store(store: str, experiment: str, timeout_s: float) -> tuple[MlflowClient, str]:
    """A client and the experiment's id; store and experiment are created where absent."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    _probe_database(store, timeout_s)
    with mlflow_settings(timeout_s, retries=1), _one_at_a_time(store):
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=store)
        return client, _experiment_id(client, store, experiment)


def _probe_database(store: str, timeout_s: float) -> None:
    """Fail at once where a database is out of reach; MLflow would retry for 100 seconds."""
    scheme = urlsplit(store).scheme.partition("+")[0]
    if scheme not in ("sqlite", *_DATABASE_PORTS):
        return
    import sqlalchemy

    if file := sqlite_file(store):
        file.parent.mkdir(parents=True, exist_ok=True)
    if (host := urlsplit(store).hostname) and scheme != "sqlite":
        port = urlsplit(store).port or _DATABASE_PORTS[scheme]
        socket.create_connection((host, port), timeout=timeout_s).close()
    engine = sqlalchemy.create_engine(store)
    try:
        with engine.connect() as connection:
            if scheme == "sqlite":
                connection.execute(sqlalchemy.text("PRAGMA schema_version"))
    finally:
        engine.dispose()


def _one_at_a_time(store: str) -> AbstractContextManager[object]:
    """A lock for a SQLite file: creating its tables from two processes at once crashes one."""
    file = sqlite_file(store)
    if file is None:
        return nullcontext()
    from filelock import FileLock

    return FileLock(file.with_name(f".{file.name}.lock"), timeout=60)


def _experiment_id(client: MlflowClient, store: str, name: str) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        file = sqlite_file(store)
        # MLflow's default is ./mlruns of whichever folder the command ran in.
        slug = re.sub(r"[^\w.-]+", "-", name)
        beside = None if file is None else (file.absolute().parent / "mlartifacts" / slug).as_uri()
        try:
            return str(client.create_experiment(name, artifact_location=beside))
        except MlflowException:  # another process was faster
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        raise TrackingError(
            f"the MLflow experiment {name!r} was deleted",
            todo=f"`mlflow experiments restore -x {found.experiment_id}`, or choose another name",
        )
    return str(found.experiment_id)
