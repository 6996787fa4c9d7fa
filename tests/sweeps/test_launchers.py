"""Each launcher for real: processes, submitit's local executor, a Ray cluster of this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sweeping import Invented, records, statuses, sweep

from evalkit import cli
from evalkit.sweeps import launchers
from evalkit.sweeps.launchers import NEEDS, check, needs_of

OPTIONS = {"joblib": "joblib", "slurm_local": "slurm", "ray": "ray"}


def needs(launcher: str) -> None:
    extra = NEEDS[OPTIONS[launcher]]
    if extra.absent:
        pytest.skip(f"{', '.join(extra.absent)} is absent: pip install 'evalkit[{extra.extra}]'")


@pytest.mark.slow
@pytest.mark.parametrize("launcher", OPTIONS)
def test_a_launcher_runs_all_jobs_though_one_fails(
    launcher: str, tiny_overrides: list[str], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Relative folders and a reason come back from where the jobs ran, and each is said when it
    ends; the tracker, made once, has sweep, jobs and pipelines nested, once; the job that failed, and
    it alone, is run again.
    """
    needs(launcher)
    tiny = [o for o in tiny_overrides if not o.startswith("model.decoding")]
    arguments = [
        *tiny, "pipeline=[prompt_only]", "model.decoding.max_new_tokens=3,0,4",
        f"hydra/launcher={launcher}", "tracking=mlflow", "store=store",
    ]  # fmt: skip
    assert sweep(*arguments) == 1
    assert list(statuses().values()) == ["finished", "failed", "finished"]
    found = records()
    assert "max_new_tokens is 0" in str(found["1"].reason)
    assert all((Path("sweep") / i / "report.html").exists() for i in "02")
    assert {p.name for p in home.iterdir()} >= {"store", "sweep", "mlflow.db"}
    said = capfd.readouterr().out
    assert "not logged" not in said
    assert re.search(r"job 0 · model.decoding.max_new_tokens=3: finished in \d+ s\n", said)
    assert "job 1 · model.decoding.max_new_tokens=0: failed: model.decoding.max_new_tokens" in said
    assert "report: sweep/report.html" in said
    nested = {"0": "FINISHED", "1": "FAILED", "2": "FINISHED"}, {"0", "2"}
    assert logged(home / "mlflow.db") == nested
    before = {i: (home / "sweep" / i / "results.json").stat().st_mtime for i in "02"}
    assert cli.main(["sweep", "sweep", "--resume"]) == 1
    assert {i: (home / "sweep" / i / "results.json").stat().st_mtime for i in "02"} == before
    assert logged(home / "mlflow.db") == nested


def logged(store: Path) -> tuple[dict[str, str], set[str]]:
    """The jobs nested in the one sweep of a store, and those with a pipeline nested in them."""
    from mlflow import MlflowClient

    runs = MlflowClient(f"sqlite:///{store}").search_runs(["1"])
    (sweep,) = [r.info.run_id for r in runs if r.data.tags.get("evalkit.kind") == "sweep"]
    parents = {r.info.run_id: r.data.tags.get("mlflow.parentRunId") for r in runs}
    jobs = {r.info.run_id: r for r in runs if parents[r.info.run_id] == sweep}
    numbers = {run: job.data.tags["evalkit.sweep.job"] for run, job in jobs.items()}
    below = {
        numbers[parents[r.info.run_id] or ""] for r in runs if r.info.run_name == "prompt_only"
    }
    assert len(runs) == 1 + len(jobs) + len(below)
    return {numbers[run]: job.info.status for run, job in jobs.items()}, below


@pytest.mark.slow
@pytest.mark.parametrize("launcher", OPTIONS)
def test_a_job_whose_process_is_killed_takes_no_other_with_it(
    launcher: str,
    tiny_overrides: list[str],
    home: Path,
    faulty: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the system does when memory is short: the others finish, and its reason says so. Another
    launcher can go on with it.
    """
    needs(launcher)
    monkeypatch.setenv("EVALKIT_TEST_FAIL", "3")
    tiny = [o for o in tiny_overrides if not o.startswith("model.decoding")]
    arguments = [
        *tiny, "pipeline=[prompt_only]", "model.engine._target_=faulty_engines.Mortal",
        "model.decoding.max_new_tokens=3,4", f"hydra/launcher={launcher}", "store=store",
    ]  # fmt: skip
    assert sweep(*arguments) == 1
    assert list(statuses().values()) == ["failed", "finished"]
    assert "its process ended before the job did, twice" in str(records()["0"].reason)
    monkeypatch.delenv("EVALKIT_TEST_FAIL")
    assert cli.main(["sweep", "sweep", "--resume", "hydra/launcher=basic"]) == 0
    assert set(statuses().values()) == {"finished"}


@pytest.mark.slow
def test_a_ray_cluster_without_room_says_so(
    home: Path, invented: Invented, capfd: pytest.CaptureFixture[str]
) -> None:
    """Ray itself would wait for ever."""
    needs("ray")
    assert sweep("retriever.k=1,2", "hydra/launcher=ray", "hydra.launcher.num_cpus=4096") == 2
    assert "num_cpus is too much: a job wants 4096 CPU" in capfd.readouterr().err


def test_slurm_without_slurm_says_so(
    invented: Invented, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the sweep can be gone on with by another launcher."""
    needs("slurm_local")
    monkeypatch.setenv("PATH", "/nowhere")
    assert sweep("retriever.k=1,2", "hydra/launcher=slurm", "hydra.launcher.partition=gpu") == 2
    assert "SlurmLauncher began none of 2 jobs" in capsys.readouterr().err
    assert cli.main(["sweep", "sweep", "--resume", "hydra/launcher=basic"]) == 0
    assert invented.ran == [1, 2]


def test_what_slurm_would_write_to_the_disk_holds_no_secret(
    invented: Invented, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """submitit pickles the overrides of its jobs; a variable's name may be in there."""
    needs("slurm_local")
    secret = "+model.api_key=sk-0123456789"
    assert sweep("retriever.k=1,2", "hydra/launcher=slurm_local", secret) == 2
    said = capsys.readouterr().err
    assert "writes the overrides of its jobs to the disk, and model.api_key holds a secret" in said
    assert "sk-0123456789" not in said
    assert not Path("sweep").exists()
    check({"_target_": f"{NEEDS['slurm'].modules[1]}.submitit_launcher.SlurmLauncher"}, [])


@pytest.mark.parametrize(
    "option",
    ["hydra/launcher=joblib", "hydra/launcher=slurm", "hydra/launcher=ray", "hydra/sweeper=optuna"],
)
def test_a_package_that_is_absent_is_named_with_its_extra(
    option: str,
    invented: Invented,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In place of Hydra's words about plugins."""
    monkeypatch.setattr(launchers, "find_spec", lambda name: None)
    assert sweep("retriever.k=1,2", option) == 2
    said = capsys.readouterr().err
    assert f"{option} needs " in said
    assert f"pip install 'evalkit[{option.partition('=')[2]}]'" in said


def test_other_peoples_launchers_are_let_be() -> None:
    """What we do not know we do not refuse."""
    assert needs_of("hydra_plugins.hydra_rq_launcher.rq_launcher.RQLauncher") is None
    assert needs_of("hydra._internal.core_plugins.basic_launcher.BasicLauncher") is None


def test_the_doctor_looks_at_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is absent is a warning with an extra, since `basic` always works."""
    from evalkit.sweeps import health

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    names = ["launcher basic", "launcher joblib", "launcher slurm", "launcher ray", "search optuna"]
    assert [c.name for c in health.launchers()] == names
    monkeypatch.setattr(launchers, "find_spec", lambda name: None)
    found: dict[str, Any] = {c.name: c for c in health.launchers()}
    assert [found[name].status for name in names] == ["ok"] + ["warn"] * 4
    assert all("pip install 'evalkit[" in found[name].todo for name in names[1:])


def test_the_doctor_tries_a_cluster_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection and no more; and whether Ray's client is there, where one is needed."""
    from evalkit.sweeps import health

    needs("ray")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    (ray,) = [c for c in health.launchers() if c.name == "launcher ray"]
    assert (ray.status, "cannot be reached" in ray.detail) == ("warn", True)
    monkeypatch.setenv("RAY_ADDRESS", "ray://127.0.0.1:9")
    monkeypatch.setattr(health, "find_spec", lambda name: None)
    (ray,) = [c for c in health.launchers() if c.name == "launcher ray"]
    assert (ray.status, "Ray's client is not installed" in ray.detail) == ("warn", True)
    assert "evalkit[ray]" in ray.todo
