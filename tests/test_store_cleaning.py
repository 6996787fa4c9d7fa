"""Cleaning up a store: what is needed, used or being built stays; the rest goes when told to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from evalkit.errors import StoreError
from evalkit.store import Store
from evalkit.store.cleaning import DAY_S, Plan, plan, references, remove
from evalkit.store.inventory import items, leftovers

NOW = time.time() + 3600  # later than anything that this file makes, however late in the suite


def make(root: Path, kind: str, number: int, size: int = 1000) -> Path:
    """An artifact that this process does not use any more."""
    store = Store(root)
    return store.artifact(
        kind, {"n": number}, lambda f: (f / "x").write_bytes(b"x" * size) and None
    )


def make_rows(root: Path, count: int) -> Path:
    rows = Store(root).rows("generations", {"model": "m"})
    rows.put({str(i): i for i in range(count)})
    rows.close()
    return rows.path.parent


def run_folder(path: Path, *needed: Path, finished: bool = True) -> Path:
    path.mkdir(parents=True)
    (path / "config.yaml").write_text("name: x\n")
    if finished:
        names = [f"{p.parent.name}/{p.name}" for p in needed]
        (path / "manifest.json").write_text(json.dumps({"evalkit": "1", "artifacts": names}))
    return path


def names(planned: Any) -> set[str]:
    return {item.path.name for item in planned.items}


def whole(root: Path) -> set[str]:
    return {str(p.relative_to(root)) for p in root.rglob("*")}


CHILD = """
import sys, time
from pathlib import Path
from evalkit.store import Store
root, what = Path(sys.argv[1]), sys.argv[2]
store = Store(root)
def build(folder):
    (folder / "x").write_text("half")
    print("ready", flush=True)
    sys.stdin.readline()
    (folder / "x").write_text("whole")
if what == "building":
    print(store.artifact("index", {"n": 9}, build))
else:
    rows = store.rows("generations", {"model": "m"})
    print("ready", flush=True)
    sys.stdin.readline()
    rows.put({"late": 1})
"""


@contextmanager
def another_process(root: Path, what: str) -> Iterator[subprocess.Popen[str]]:
    """One that builds an artifact, or has a table open, until it is told to go on."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(root), what],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


# --- what is there -----------------------------------------------------------------------------


def test_the_inventory_says_what_is_there(tmp_path: Path) -> None:
    """Kind, size, rows, inputs; and of an accident, what is wrong."""
    index, rows = make(tmp_path, "index", 1, size=5000), make_rows(tmp_path, 7)
    damaged = make(tmp_path, "index", 2)
    (damaged / "x").write_bytes(b"")
    os.utime(index / "manifest.json", (NOW - 9, NOW - 9))
    found = {item.path: item for item in items(tmp_path)}
    assert list(found) == [rows, index, damaged] or list(found) == [rows, damaged, index]
    assert (found[index].inputs, found[index].rows) == ({"n": 1}, None)
    assert 5000 < found[index].bytes < 6000
    assert found[index].used == pytest.approx(NOW - 9, abs=1)
    assert (found[rows].rows, found[rows].problem) == (7, None)
    times = {item.name: item.used for item in items(tmp_path)}
    assert times == {item.name: item.used for item in items(tmp_path)}  # looking is not using
    assert found[damaged].problem == "x has 0 bytes of 1000"
    with pytest.raises(StoreError, match=r"no store at .*nowhere[\s\S]*--store DIR"):
        items(tmp_path / "nowhere")


def test_a_foreign_folder_is_nobodys_business(tmp_path: Path) -> None:
    """Only what is named as the store names it is counted, or ever removed."""
    make(tmp_path, "index", 1)
    for path in ("index/notes/x", "papers/2024/x", "index/0123/manifest.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("mine")
    assert len(items(tmp_path)) == 1
    assert leftovers(tmp_path) == []
    remove(tmp_path, plan(tmp_path, older_than_days=0, now=NOW))
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} >= {"x", "manifest.json"}
    assert items(tmp_path) == []


# --- what goes ---------------------------------------------------------------------------------


def test_a_plan_removes_nothing(tmp_path: Path) -> None:
    make(tmp_path, "index", 1)
    (tmp_path / "index" / ".building-abc").mkdir()
    before = whole(tmp_path)
    planned = plan(tmp_path, older_than_days=0, now=NOW)
    assert (len(planned.items), len(planned.leftovers)) == (1, 1)
    assert whole(tmp_path) == before


def test_without_a_reason_no_artifact_goes(tmp_path: Path) -> None:
    make(tmp_path, "index", 1)
    assert plan(tmp_path, now=NOW) == Plan([], [], [])


def test_what_no_run_refers_to_goes(tmp_path: Path) -> None:
    """Runs are found below the folders that are named."""
    root = tmp_path / "store"
    kept, also, going = make(root, "index", 1), make_rows(root, 3), make(root, "index", 2)
    run_folder(tmp_path / "runs" / "a", kept)
    run_folder(tmp_path / "runs" / "sweep" / "0", also)
    planned = plan(root, runs=[tmp_path / "runs"], now=NOW)
    assert names(planned) == {going.name}
    done = remove(root, planned)
    assert (names(done), done.kept, done.bytes) == ({going.name}, [], planned.bytes)
    assert {item.path for item in items(root)} == {kept, also}
    assert not Path(f"{going}.lock").exists()


def test_what_was_not_used_for_long_goes(tmp_path: Path) -> None:
    """Being found again is being used."""
    old, used = make(tmp_path, "index", 1), make(tmp_path, "index", 2)
    for folder in (old, used):
        os.utime(folder / "manifest.json", (NOW - 40 * DAY_S, NOW - 40 * DAY_S))
    make(tmp_path, "index", 2)
    assert names(plan(tmp_path, older_than_days=30, now=NOW)) == {old.name}
    assert names(plan(tmp_path, older_than_days=50, now=NOW)) == set()


def test_with_both_reasons_both_must_hold(tmp_path: Path) -> None:
    root = tmp_path / "store"
    folders = [make(root, "index", n) for n in range(4)]
    for folder in folders[:2]:
        os.utime(folder / "manifest.json", (1, 1))
    run_folder(tmp_path / "runs" / "a", folders[0], folders[2])
    planned = plan(root, runs=[tmp_path / "runs"], older_than_days=30, now=NOW)
    assert names(planned) == {folders[1].name}


def test_a_run_that_does_not_say_what_it_uses_is_refused(tmp_path: Path) -> None:
    """An unfinished run goes on from the store, so nothing is taken for superfluous."""
    run_folder(tmp_path / "runs" / "a")
    unfinished = run_folder(tmp_path / "runs" / "b", finished=False)
    with pytest.raises(StoreError, match=r"runs/b does not say what it uses[\s\S]*--older-than"):
        references([tmp_path / "runs"])
    (unfinished / "manifest.json").write_text('{"evalkit": "0.1"}')
    with pytest.raises(StoreError, match="older version"):
        references([tmp_path / "runs"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match=r"no run folder in .*empty, so everything would go"):
        references([tmp_path / "empty"])


# --- leftovers ---------------------------------------------------------------------------------


def test_leftovers_are_swept_whatever_accident_left_them(tmp_path: Path) -> None:
    """A killed build, locks of nothing, half-removed artifacts, damaged rows that were set aside."""
    kept, rows = make(tmp_path, "index", 1), make_rows(tmp_path, 3)
    kind, key = kept.parent, "0" * 24
    for name in (f".building-{key}-abc", ".building-old", f".trash-{key}-abc"):
        (kind / name).mkdir()
        (kind / name / "part").write_bytes(b"x" * 10)
    (kind / f"{key}.lock").write_text("")
    (rows / "rows.damaged").write_bytes(b"x" * 10)
    (rows / f"rows.sqlite.{'0' * 16}.lock").write_text("")
    planned = plan(tmp_path, now=NOW)
    assert sorted(left.what for left in planned.leftovers) == [
        "damaged rows, set aside", "half removed", "lock of nothing", "lock of nothing", "unfinished build",
        "unfinished build",
    ]  # fmt: skip
    assert (planned.bytes, planned.items) == (40, [])
    remove(tmp_path, planned)
    assert leftovers(tmp_path) == []
    assert {item.path for item in items(tmp_path)} == {kept, rows}
    assert sorted(p.name for p in kind.iterdir()) == [kept.name, f"{kept.name}.lock"]


# --- while others are at it --------------------------------------------------------------------


def test_what_another_process_builds_is_left_alone(tmp_path: Path) -> None:
    """Its scratch folder and its lock stay, and the build comes to its end."""
    with another_process(tmp_path, "building") as child:
        (tmp_path / "index" / ".building-old").mkdir()
        planned = plan(tmp_path, older_than_days=0, now=NOW)
        assert [left.path.name for left in planned.leftovers] == [".building-old"]
        remove(tmp_path, planned)
        told, _ = child.communicate("go on\n", timeout=20)
    assert (Path(told.strip()) / "x").read_text() == "whole"
    assert len(items(tmp_path)) == 1


def test_a_held_lock_keeps_an_artifact_and_its_leftovers(tmp_path: Path) -> None:
    folder = make(tmp_path, "index", 1)
    (folder.parent / f".building-{folder.name}-x").mkdir()
    with FileLock(f"{folder}.lock"):
        planned = plan(tmp_path, older_than_days=0, now=NOW)
        assert (planned.items, planned.leftovers) == ([], [])
        assert [item.path for item in planned.busy] == [folder]
    assert len(plan(tmp_path, older_than_days=0, now=NOW).items) == 1


def test_what_another_process_has_open_is_left_alone(tmp_path: Path) -> None:
    """Also when nothing has been written for long: its rows must not go into a file that is gone.
    When it has been killed, its table can go, and its list is swept."""
    table = make_rows(tmp_path, 3)
    with another_process(tmp_path, "using") as child:
        planned = plan(tmp_path, older_than_days=0, now=NOW)
        assert ([item.path for item in planned.busy], planned.items) == ([table], [])
        child.send_signal(signal.SIGKILL)
        child.wait()
    planned = plan(tmp_path, older_than_days=0, now=NOW)
    assert [item.path for item in planned.items] == [table]
    assert list((tmp_path / ".sessions").iterdir()) == []


def test_what_somebody_begins_to_use_after_the_plan_is_kept(tmp_path: Path) -> None:
    make_rows(tmp_path, 3)
    planned = plan(tmp_path, older_than_days=0, now=NOW)
    with another_process(tmp_path, "using") as child:
        done = remove(tmp_path, planned)
        assert (done.items, len(done.kept)) == ([], 1)
        child.communicate("go on\n", timeout=20)
    rows = Store(tmp_path).rows("generations", {"model": "m"})
    assert rows.get(["0", "late"]) == {"0": 0, "late": 1}


def test_what_was_removed_is_built_again_when_asked_for(tmp_path: Path) -> None:
    folder = make(tmp_path, "index", 1)
    remove(tmp_path, plan(tmp_path, older_than_days=0, now=NOW))
    assert not folder.exists()
    assert make(tmp_path, "index", 1) == folder
    assert (folder / "x").stat().st_size == 1000


def test_a_file_that_cannot_be_removed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path, "index", 1)

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(StoreError, match=rf"could not clean up {folder}.*Permission denied"):
        remove(tmp_path, plan(tmp_path, older_than_days=0, now=NOW))
    monkeypatch.undo()
    assert [left.what for left in leftovers(tmp_path)] == ["half removed", "lock of nothing"]
