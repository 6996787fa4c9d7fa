"""What the doctor finds, and that each thing missing comes with something to do."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from evalkit import doctor
from evalkit.doctor import Check


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*doctor.OFFLINE_FLAGS, "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def _named(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_everything_is_looked_at() -> None:
    """One finding each: packages, machine, weights, stores, switches; in under 5 CPU seconds."""
    began = time.process_time()
    checks = _named(doctor.diagnose({"smol": lambda: True}))
    assert time.process_time() - began < 5
    assert list(checks) == [
        "python", "evalkit", "ragas", "datasets", "transformers", "peft", "torch", "pandas",
        "hydra-core", "mlflow", "faiss", "processor", "memory", "device", "weights smol",
        "working folder", "artifact store", "weights cache", "disk, working folder",
        "disk, weights cache", "tracking", "launcher basic", "launcher joblib", "launcher slurm",
        "launcher ray", "search optuna", "network", "telemetry ragas", "telemetry mlflow",
    ]  # fmt: skip
    assert checks["python"].detail == ".".join(map(str, sys.version_info[:3]))
    assert "auto chooses" in checks["device"].detail


def test_whatever_is_not_ok_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """No finding leaves the reader without a next step."""
    monkeypatch.setattr(doctor, "_version", lambda name: None)
    monkeypatch.setattr(sys, "version_info", (3, 9, 0, "final", 0))
    checks = doctor.diagnose({"smol": lambda: False})
    assert sum(check.status == "missing" for check in checks) == 2 + len(doctor.PACKAGES)
    assert all(check.todo for check in checks if check.status != "ok")


def test_packages_are_not_imported() -> None:
    """Looking at versions imports none of the heavy packages."""
    code = (
        "import sys; from evalkit import doctor; doctor.packages();"
        "print([m for m in ('torch', 'transformers', 'mlflow', 'faiss') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# --- faiss -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("installed", "status"),
    [
        ({}, "missing"),
        ({"faiss-cpu": "1.15.1"}, "ok"),
        ({"faiss-gpu": "1.15.1"}, "ok"),
        ({"faiss-cpu": "1.15.1", "faiss-gpu": "1.15.1"}, "missing"),
    ],
)
def test_exactly_one_faiss(installed: dict[str, str], status: str) -> None:
    """None is a fault, and so are two, which share one import name."""
    check = doctor.faiss(installed.get)
    assert check.status == status
    for name, version in installed.items():
        assert f"{name} {version}" in check.detail


def test_two_faiss_are_both_removed() -> None:
    """After removing one of two the other is damaged: both go."""
    todo = doctor.faiss({"faiss-cpu": "1", "faiss-gpu": "1"}.get).todo
    assert "pip uninstall -y faiss-cpu faiss-gpu" in todo


@pytest.mark.parametrize(("gib", "status"), [(8.0, "ok"), (5.0, "warn")])
def test_memory(gib: float, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's measured peak is 5.5 GiB."""
    import psutil

    memory = SimpleNamespace(available=int(gib * 2**30), total=16 * 2**30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    check = next(c for c in doctor.devices() if c.name == "memory")
    assert (check.status, check.detail) == (status, f"{gib:.1f} of 16.0 GiB free")
    assert ("about 6 GiB" in check.todo) is (status == "warn")


# --- weights -----------------------------------------------------------------------------------


def test_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Absent weights are a warning, but missing where nothing may be downloaded."""
    functions = {"here": lambda: True, "absent": lambda: False}
    assert [c.status for c in doctor.model_weights(functions)] == ["ok", "warn"]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    here, absent = doctor.model_weights(functions)
    assert (here.status, absent.status) == ("ok", "missing")
    assert "HF_HUB_OFFLINE" in absent.todo


def test_weights_that_cannot_be_looked_at() -> None:
    """An error in one model's configuration is that model's finding."""

    def broken() -> bool:
        raise KeyError("package")

    broken_one, other = doctor.model_weights({"broken": broken, "other": lambda: True})
    assert broken_one.status == "missing"
    assert broken_one.detail == "KeyError: 'package'"
    assert other.status == "ok"


# --- stores ------------------------------------------------------------------------------------


def test_folders_that_do_not_exist_are_not_made(tmp_path: Path) -> None:
    """The doctor looks where the folder will be, and leaves nothing behind."""
    check = doctor.writable("store", tmp_path / "a" / "b", "todo")
    assert check.status == "ok"
    assert "will be made" in check.detail
    doctor.stores()
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    """What cannot hold files is named with its reason."""
    (tmp_path / "file").write_text("")
    check = doctor.writable("store", tmp_path / "file" / "store", "choose another")
    assert (check.status, check.todo) == ("missing", "choose another")
    assert str(tmp_path / "file" / "store") in check.detail


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_permission(tmp_path: Path) -> None:
    """A read-only folder is found out by writing."""
    (tmp_path / "closed").mkdir(mode=0o500)
    assert doctor.writable("store", tmp_path / "closed", "todo").status == "missing"


@pytest.mark.parametrize(("gib", "status"), [(10, "ok"), (1, "warn"), (0.1, "missing")])
def test_disk_space(
    gib: float, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enough, little, and too little to begin."""
    usage = SimpleNamespace(free=int(gib * 2**30))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    check = doctor.disk_space("disk", tmp_path)
    assert check.status == status
    assert check.detail == f"{gib:.1f} GiB free"


def test_tracking_database(tmp_path: Path) -> None:
    """By default the store is a database in the working folder, which need not exist yet."""
    check = doctor.tracking()
    assert check.status == "ok"
    assert str(tmp_path / "mlflow.db") in check.detail


def test_tracking_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server out of reach is a warning without credentials: a run does not need it."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:hunter22@127.0.0.1:{port}")
        there = doctor.tracking()
    gone = doctor.tracking()
    assert there == Check("tracking", "ok", f"http://127.0.0.1:{port} accepts connections")
    assert gone.status == "warn"
    assert "evalkit log RUN_DIR" in gone.todo
    assert "hunter22" not in gone.detail


# --- switches and table ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "statuses"),
    [
        ({"RAGAS_DO_NOT_TRACK": "true"}, ["ok", "ok"]),
        ({"RAGAS_DO_NOT_TRACK": "1"}, ["warn", "ok"]),
        ({}, ["warn", "ok"]),
        ({"RAGAS_DO_NOT_TRACK": "True", "MLFLOW_DISABLE_TELEMETRY": "false"}, ["ok", "warn"]),
    ],
)
def test_telemetry(environ: dict[str, str], statuses: list[str]) -> None:
    """ragas reads only the word "true"; evalkit turns MLflow's off unless told otherwise."""
    assert [check.status for check in doctor.telemetry(environ)] == statuses


def test_network_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switches against the network are named."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "0")
    assert _named(doctor.environment())["network"].detail == "off for HF_HUB_OFFLINE"


def test_table_and_exit_code() -> None:
    """Only something missing fails, and brackets in a path are not read as markup."""
    fine = [Check("a", "ok", "/data/[old]"), Check("b", "warn", "little", "add more")]
    console = Console(file=io.StringIO(), width=100)
    assert doctor.print_checks(fine, console) == 0
    assert doctor.print_checks([*fine, Check("c", "missing", "gone", "install c")], console) == 1
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for text in ("/data/[old]", "add more", "install c"):
        assert text in shown
