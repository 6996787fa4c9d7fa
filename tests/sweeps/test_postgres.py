"""MLflow on PostgreSQL with several writers at once, for real where PostgreSQL is at hand."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

from invented_sweeps import write_head

from evalkit.sweeps.analysis import report

WRITERS = 4


def programs() -> Path | None:
    """Where the distribution has PostgreSQL's programs."""
    places = [Path(p).parent for p in (shutil.which("initdb"), shutil.which("pg_ctl")) if p]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    needed = ("initdb", "pg_ctl", "postgres")
    return next((p for p in places if all((p / name).is_file() for name in needed)), None)


def owner() -> str | None:
    """The user to run it as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    import pwd

    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    pytest.skip("root alone cannot run PostgreSQL: there is no user postgres or nobody")


@pytest.fixture
def postgres() -> Iterator[str]:
    """The address of an empty database of a server of its own."""
    pytest.importorskip("psycopg2", reason="psycopg2 is absent: pip install 'evalkit[postgres]'")
    if (at := programs()) is None:
        pytest.skip("PostgreSQL is absent: install the distribution's package postgresql")
    user = owner()
    with tempfile.TemporaryDirectory(prefix="evalkit-pg-") as name:
        folder = Path(name)
        if user is not None:
            shutil.chown(folder, user)

        def call(*command: str) -> None:
            done = subprocess.run(
                [str(at / command[0]), *command[1:]], user=user, cwd=folder, capture_output=True,
                text=True, timeout=120, env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr

        data, port = str(folder / "data"), _free_port()
        call("initdb", "-D", data, "-U", "evalkit", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        call("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg2://evalkit@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _log(run: str, uri: str, results: Any) -> None:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from evalkit.tracking import log_run

    try:
        results.put(log_run(Path(run), uri=uri, experiment="sweep").parent_run_id)
    except Exception as error:
        results.put(error)


@pytest.fixture(params=["database", "server"])
def tracker(request: pytest.FixtureRequest, postgres: str, tmp_path: Path) -> Iterator[str]:
    """The database itself, or MLflow's tracking server on it."""
    if request.param == "database":
        yield postgres
        return
    port = _free_port()
    command = [
        sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "2",
        "--backend-store-uri", postgres, "--artifacts-destination", str(tmp_path / "artifacts"),
    ]  # fmt: skip
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (tmp_path / "server.txt").open("wb") as said:
        server = subprocess.Popen(
            command, env={**os.environ, **quiet}, stdout=said, stderr=said, start_new_session=True
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", server, tmp_path / "server.txt")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=60)


def _wait_for(address: str, server: subprocess.Popen[bytes], said: Path) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(said.read_text())


@pytest.mark.slow
def test_several_jobs_log_to_postgresql_at_once(
    tracker: str, quartet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parent makes the store; then every writer's runs are there, whole and told apart; and last
    the parent nests them in the sweep. (Each writer is a process that imports MLflow.)
    """
    from mlflow import MlflowClient

    from evalkit.tracking import ensure_experiment
    from evalkit.tracking.sweep import log_sweep

    monkeypatch.chdir(tmp_path)
    experiment = ensure_experiment(tracker, "sweep")
    context = get_context("spawn")
    results = context.Queue()
    folder = tmp_path / "sweep"
    jobs = [str(i) for i in range(WRITERS)]
    for job in jobs:
        shutil.copytree(quartet.result.folder, folder / job)
    writers = [
        context.Process(target=_log, args=(str(folder / job), tracker, results)) for job in jobs
    ]
    for writer in writers:
        writer.start()
    parents = [results.get(timeout=240) for _ in writers]
    for writer in writers:
        writer.join()
    assert not [p for p in parents if isinstance(p, Exception)]
    assert len(set(parents)) == WRITERS
    client = MlflowClient(tracking_uri=tracker)
    runs = client.search_runs([experiment], max_results=1000)
    nested = [r for r in runs if "mlflow.parentRunId" in r.data.tags]
    assert {r.info.run_id for r in runs} - {r.info.run_id for r in nested} == set(parents)
    assert len(nested) == WRITERS * 4
    metrics = [len(client.get_run(p).data.metrics) for p in parents]
    assert metrics == [metrics[0]] * WRITERS
    assert metrics[0] > 0
    assert {r.info.status for r in runs} == {"FINISHED"}

    write_head(folder, [{"seed": i} for i in range(WRITERS)])
    report(folder)
    logged = log_sweep(folder, uri=tracker, experiment="sweep")
    assert set(logged.job_run_ids.values()) == set(parents)
    below = client.search_runs(
        [experiment], f"tags.`mlflow.parentRunId` = '{logged.parent_run_id}'"
    )
    assert {r.info.run_id for r in below} == set(parents)
    kept = {file.path for file in client.list_artifacts(logged.parent_run_id)}
    assert {"report.html", "analysis.json"} <= kept
