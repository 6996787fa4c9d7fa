"""A sweep in MLflow: parent, jobs and pipelines nested, once, failed jobs with their reason."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "sweeps"))

from invented_sweeps import World, grid, write_sweep

from evalkit.cli import main
from evalkit.sweeps.analysis import report
from evalkit.tracking import TrackingError, ensure_experiment
from evalkit.tracking.sweep import log_sweep

SECRET = "s3cr3t-value-of-a-token"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    uri = f"sqlite:///{tmp_path_factory.mktemp('store').as_posix()}/mlflow.db"
    ensure_experiment(uri)
    return uri


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "sweep-of-k"
    world = World(lambda levels, _: 0.3 + 0.1 * levels["retriever.k"], ("rag", "hybrid"), 30)
    write_sweep(folder, world, grid(retriever__k=[1, 3, 5]),
                failed_jobs={1: f"ServerError: refused {SECRET}"})  # fmt: skip
    report(folder)
    return folder


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("SOME_TOKEN", SECRET)


def _client(store: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=store)


def test_nested_once_and_updated(store: str, sweep: Path, capsys: Any) -> None:
    """Three levels of runs; logging again sends nothing, and the command does the same."""
    logged = log_sweep(sweep, uri=store)
    client = _client(store)
    parent = client.get_run(logged.parent_run_id)
    assert logged.outcome == "logged"
    assert (parent.info.run_name, parent.info.status) == ("sweep-of-k", "FINISHED")
    assert parent.data.tags["evalkit.swept.retriever.k"] == "1, 3, 5"
    assert parent.info.start_time == 1772359200000  # when the sweep began
    assert parent.data.tags["evalkit.winner"].split("/")[0] in "02"
    metrics = parent.data.metrics
    assert metrics["winner/corrected"] <= metrics["winner/naive"]
    assert metrics["winner/optimism"] == pytest.approx(
        metrics["winner/naive"] - metrics["winner/corrected"]
    )
    assert "effects/retriever.k/5/rag" in metrics
    assert (metrics["jobs/finished"], metrics["jobs/failed"]) == (2, 1)
    files = {f.path for f in client.list_artifacts(logged.parent_run_id)}
    assert {"report.html", "report.md", "analysis.json", "sweep.json", "figures"} <= files

    assert set(logged.job_run_ids) == {"0", "1", "2"}
    for job in ("0", "2"):
        run = client.get_run(logged.job_run_ids[job])
        assert run.data.tags["mlflow.parentRunId"] == logged.parent_run_id
        assert run.data.tags["evalkit.sweep.retriever.k"] in ("1", "5")
        below = client.search_runs(
            [run.info.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}'"
        )
        assert {r.info.run_name for r in below} == {"rag", "hybrid"}

    failed = client.get_run(logged.job_run_ids["1"])
    assert failed.info.status == "FAILED"
    assert failed.data.tags["mlflow.parentRunId"] == logged.parent_run_id
    assert "refused" in failed.data.tags["evalkit.reason"]
    assert SECRET not in str(failed.data.tags)
    path = client.download_artifacts(logged.parent_run_id, "sweep.json", str(sweep.parent))
    assert SECRET not in Path(path).read_text()

    experiment = [parent.info.experiment_id]
    count = len(client.search_runs(experiment))
    again = log_sweep(sweep, uri=store)
    assert again.outcome == "unchanged"
    assert again.job_run_ids == logged.job_run_ids
    assert main(["log", str(sweep), "--uri", store]) == 0
    assert "unchanged: 3 jobs nested" in capsys.readouterr().out
    assert len(client.search_runs(experiment)) == count == 7 + 1


def test_a_job_that_failed_and_then_finished(store: str, tmp_path: Path) -> None:
    """Its run without numbers makes room for the run of the job."""
    world = World(lambda *_: 0.5, ("rag",), 20)
    write_sweep(
        tmp_path / "sweep", world, grid(retriever__k=[1, 3]), failed_jobs={1: "out of memory"}
    )
    report(tmp_path / "sweep")
    before = log_sweep(tmp_path / "sweep", uri=store)
    write_sweep(tmp_path / "again", world, grid(retriever__k=[1, 3]))
    for name in ("1", "sweep.json"):
        (tmp_path / "again" / name).rename(tmp_path / "sweep" / name)
    report(tmp_path / "sweep")
    after = log_sweep(tmp_path / "sweep", uri=store)
    client = _client(store)
    assert after.outcome == "updated"
    assert after.parent_run_id == before.parent_run_id
    assert client.get_run(before.job_run_ids["1"]).info.lifecycle_stage == "deleted"
    assert client.get_run(after.job_run_ids["1"]).info.status == "FINISHED"
    assert log_sweep(tmp_path / "sweep", uri=store).job_run_ids == after.job_run_ids


def test_a_sweep_without_report_says_how_to_get_one(store: str, tmp_path: Path) -> None:
    """The report is what is logged."""
    write_sweep(tmp_path, World(lambda *_: 0.5), [{}])
    with pytest.raises(TrackingError, match=r"analysis\.json") as caught:
        log_sweep(tmp_path, uri=store)
    assert "--report" in str(caught.value)
