"""Accidents of the store: detected, said clearly, rebuilt or refused, and nothing lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from evalkit.errors import StoreError
from evalkit.store import Store
from evalkit.store.cleaning import plan
from evalkit.store.inventory import items

VALUES = {f"key {i}": {"text": f"answer {i} " * 40} for i in range(60)}


def write(name: str, text: str) -> Any:
    return lambda folder: (folder / name).write_text(text) and None


# --- a truncated artifact ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accident", "said"),
    [
        (lambda f: (f / "x").write_text("12"), "x has 2 bytes of 5"),
        (lambda f: (f / "x").unlink(), "x is missing"),
        (
            lambda f: (f / "manifest.json").write_text('{"kind": "ind'),
            r"no readable manifest\.json",
        ),
    ],
)
def test_a_truncated_artifact_is_built_again(
    accident: Any, said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import re

    store = Store(tmp_path)
    folder = store.artifact("index", {"a": 1}, write("x", "whole"))
    accident(folder)
    assert (store.artifact("index", {"a": 1}, write("x", "whole")) / "x").read_text() == "whole"
    assert re.search(rf"is damaged \({said}\); it is built again", caplog.text)
    caplog.clear()
    store.artifact("index", {"a": 1}, lambda _: 1 / 0)
    assert caplog.text == ""


def test_a_rebuild_that_fails_leaves_the_damaged_one_to_be_seen(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.artifact("index", {"a": 1}, write("x", "whole"))
    (folder / "x").write_text("12")
    with pytest.raises(ZeroDivisionError):
        store.artifact("index", {"a": 1}, lambda _: 1 / 0)
    assert (folder / "x").read_text() == "12"


# --- a full disk -------------------------------------------------------------------------------


def test_a_full_disk_is_said_clearly_and_loses_nothing(tmp_path: Path) -> None:
    """SQLite is let have no more pages than it has: earlier rows survive, and when there is room
    again the same call goes through."""
    rows = Store(tmp_path).rows("generations", {})
    rows.put({"k": 1})
    pages = rows._connection.execute("PRAGMA page_count").fetchone()[0]
    rows._connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreError, match=r"disk is full[\s\S]*free disk space"):
        rows.put(VALUES)
    assert rows.get(["k", *VALUES]) == {"k": 1}
    rows._connection.execute("PRAGMA max_page_count=1000000")
    rows.put(VALUES)
    assert rows.get(["k", *VALUES]) == {"k": 1, **VALUES}


def test_a_disk_that_fills_up_when_an_artifact_is_finished_loses_no_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step, putting the new one in place of a damaged one, fails: that one stays."""
    store = Store(tmp_path)
    other = store.artifact("index", {"a": 2}, write("x", "other"))

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match=r"No space left[\s\S]*evalkit store gc"):
            store.artifact("index", {"a": 1}, write("x", "new"))
    assert (other / "x").read_text() == "other"
    assert [p.name for p in (tmp_path / "index").glob(".building-*")] == []
    assert (store.artifact("index", {"a": 1}, write("x", "new")) / "x").read_text() == "new"


# --- a folder that can only be read ------------------------------------------------------------


@pytest.fixture
def readonly() -> Iterator[Path]:
    """A store with one artifact and one table that this process may only read."""
    root = Path(tempfile.mkdtemp())  # not tmp_path, whose parents are closed to other users
    store = Store(root / "store")
    store.artifact("index", {"a": 1}, write("x", "whole"))
    store.rows("generations", {}).close()
    del store
    for path in [root, *root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    user = os.geteuid()
    if user == 0:  # permissions mean nothing to the superuser
        os.seteuid(65534)
    try:
        yield root / "store"
    finally:
        if user == 0:
            os.seteuid(0)
        for path in [root, *root.rglob("*")]:
            path.chmod(0o700)
        shutil.rmtree(root)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions are a matter of POSIX")
def test_a_store_that_can_only_be_read_gives_what_it_has_and_refuses_the_rest(
    readonly: Path,
) -> None:
    store = Store(readonly)
    found = store.artifact("index", {"a": 1}, lambda _: 1 / 0)
    assert (found / "x").read_text() == "whole"
    with pytest.raises(StoreError, match=r"could not write to the store[\s\S]*store=DIR"):
        store.artifact("index", {"a": 2}, write("x", "new"))
    with pytest.raises(StoreError, match=r"could not (open|write)[\s\S]*store=DIR"):
        store.rows("generations", {})
    with pytest.raises(StoreError, match=r"could not (open|write)[\s\S]*store=DIR"):
        store.rows("generations", {"b": 1})
    assert len(items(readonly)) == 2
    with pytest.raises(StoreError, match=rf"could not clean up {readonly}: .*denied"):
        plan(readonly, older_than_days=0, now=time.time() + 9)


def test_the_manifest_is_whole_whoever_reads_it(tmp_path: Path) -> None:
    """It is renamed into place: readable JSON with kind, inputs, seconds and the files' sizes."""
    built = Store(tmp_path).artifact("index", {"a": 1}, write("x", "12345"))
    manifest = json.loads((built / "manifest.json").read_text())
    assert (manifest["kind"], manifest["inputs"], manifest["files"]) == (
        "index",
        {"a": 1},
        {"x": 5},
    )
    with FileLock(f"{built}.lock", timeout=0):  # nobody holds it afterwards
        pass
