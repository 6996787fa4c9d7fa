"""A run's folder: whose it is while the run lasts, and what became of the run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import evalkit
from evalkit.errors import ConfigError, EvalkitError
from evalkit.run_folder import new_folder, occupied, state_of, write_json


def same(text: str) -> str:
    return text


def test_a_folder_says_what_became_of_its_run(tmp_path: Path) -> None:
    """Nothing yet, running, stopped with the reason, finished: in words and in its manifest."""
    assert state_of(tmp_path) == "no run"
    with occupied(tmp_path, same):
        assert state_of(tmp_path) == "running"
        assert json.loads((tmp_path / "manifest.json").read_text())["status"] == "running"
    with pytest.raises(EvalkitError), occupied(tmp_path, lambda text: text.replace("key", "***")):
        raise EvalkitError("no key", todo="give one")
    assert state_of(tmp_path) == "stopped: no ***"
    with pytest.raises(KeyboardInterrupt), occupied(tmp_path, same):
        raise KeyboardInterrupt
    assert state_of(tmp_path) == "stopped: KeyboardInterrupt"
    write_json(tmp_path / "results.json", {})
    assert state_of(tmp_path) == "finished"
    assert {f.name for f in tmp_path.iterdir()} == {"manifest.json", "results.json"}


def test_a_killed_run_is_told_from_a_running_one(tmp_path: Path) -> None:
    """Both say that they run; nobody holds the folder of the killed one, and it can be used again."""
    script = (
        "import os, signal, sys; from pathlib import Path; from evalkit.run_folder import occupied\n"
        "with occupied(Path(sys.argv[1]), str):\n    print('in', flush=True); sys.stdin.read(1)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdin
    assert child.stdout
    child.stdout.readline()
    assert state_of(tmp_path) == "running"
    with (
        pytest.raises(ConfigError, match=r"another process is writing the run in .*\n.*wait"),
        occupied(tmp_path, same),
    ):
        raise AssertionError("two in one folder")
    child.communicate("x", timeout=60)
    assert state_of(tmp_path) == "killed"
    with pytest.raises(EvalkitError, match="the run is killed"):
        evalkit.open_run(tmp_path)
    assert new_folder({"run_dir": str(tmp_path), "name": "x"}) == tmp_path
    with occupied(tmp_path, same):
        assert state_of(tmp_path) == "running"


def test_json_is_whole_or_not_there(tmp_path: Path) -> None:
    """What cannot be written leaves the file as it was; half of a surrogate pair can be written."""
    path = tmp_path / "a.json"
    write_json(path, {"text": "half \ud83d"})
    assert json.loads(path.read_text()) == {"text": "half \ud83d"}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, float("nan"))
    assert json.loads(path.read_text()) == {"text": "half \ud83d"}


def test_a_folder_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("evalkit.run_folder.FileLock.acquire", refuse)
    with (
        pytest.raises(ConfigError, match=r"could not write into the run folder .*: Permission"),
        occupied(tmp_path, str),
    ):
        pass
