"""A store that cannot be used: how soon that is known, and what is said about it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evalkit.errors import EvalkitError
from evalkit.tracking import TrackingError, log_run
from evalkit.tracking.store import tracking_uri

SECRET = "s3cr3t-value-of-a-token"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRACKING_URI", "HTTP_REQUEST_TIMEOUT", "HTTP_REQUEST_MAX_RETRIES"):
        monkeypatch.delenv(f"MLFLOW_{name}", raising=False)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "a-run"
    folder.mkdir()
    (folder / "results.json").write_text(json.dumps({"pipelines": [], "estimates": []}))
    return folder


def test_store_is_argument_then_environment_then_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default is MLflow's own, made absolute."""
    monkeypatch.chdir(tmp_path)
    assert tracking_uri() == f"sqlite:///{tmp_path.as_posix()}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000")
    assert tracking_uri() == "http://tracker:5000"
    assert tracking_uri("sqlite:///other.db") == f"sqlite:///{tmp_path.as_posix()}/other.db"


@pytest.mark.slow
def test_database_created_by_two_processes_at_once(tmp_path: Path) -> None:
    """Two processes that find no database both succeed and share one experiment."""
    uri = f"sqlite:///{tmp_path.as_posix()}/mlflow.db"
    code = f"from evalkit.tracking import ensure_experiment as e; print(e({uri!r}))"
    command = [sys.executable, "-c", code]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    ids = [process.communicate()[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert ids == ["1", "1"]


def _closed_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def test_refused_connection(run_dir: Path) -> None:
    """A server that is down is named without its credentials, soon, with what to do later."""
    port = _closed_port()
    began = time.monotonic()
    with pytest.raises(TrackingError) as caught:
        log_run(run_dir, uri=f"http://someone:{SECRET}@127.0.0.1:{port}")
    assert time.monotonic() - began < 15
    assert isinstance(caught.value, EvalkitError)
    assert f"http://127.0.0.1:{port}: ConnectionRefusedError" in str(caught.value)
    assert f"evalkit log {run_dir}" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "someone" not in str(caught.value)
    assert not (run_dir / "tracking.json").exists()


def test_silent_server(run_dir: Path) -> None:
    """A server that accepts and never answers costs two waiting times."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        began = time.monotonic()
        with pytest.raises(TrackingError, match="timed out"):
            log_run(run_dir, uri=f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=1)
    assert time.monotonic() - began < 15


def test_unreachable_database(run_dir: Path) -> None:
    """A database that is down fails at once, and not after MLflow's hundred seconds of retries."""
    began = time.monotonic()
    uri = f"postgresql://someone:{SECRET}@127.0.0.1:{_closed_port()}/mlflow"
    with pytest.raises(TrackingError, match="ConnectionRefusedError") as caught:
        log_run(run_dir, uri=uri)
    assert time.monotonic() - began < 5
    assert SECRET not in str(caught.value)


def test_file_that_is_no_database(run_dir: Path, tmp_path: Path) -> None:
    """A SQLite file with other contents is refused at once."""
    (tmp_path / "mlflow.db").write_text("no database " * 100)
    with pytest.raises(TrackingError, match="not a database"):
        log_run(run_dir, uri=f"sqlite:///{tmp_path}/mlflow.db")


def test_unfinished_run(tmp_path: Path) -> None:
    """A folder without results is no run, and no server is asked."""
    with pytest.raises(TrackingError, match=r"no results\.json"):
        log_run(tmp_path, uri=f"http://127.0.0.1:{_closed_port()}")


def test_users_waiting_times_are_kept(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's HTTP settings win over ours, and ours do not outlive the call."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    before = dict(os.environ) | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        began = time.monotonic()
        with pytest.raises(TrackingError):
            log_run(run_dir, uri=f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=60)
    assert time.monotonic() - began < 15
    assert dict(os.environ) == before
