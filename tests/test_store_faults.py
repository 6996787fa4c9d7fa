"""Accidents of the store: detected, said clearly, rebuilt or refused, and nothing lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import StoreError
from evalkit.store import Rows, Store
from evalkit.store.cleaning import plan
from evalkit.store.inventory import items

VALUES = {f"key {i}": {"text": f"answer {i} " * 40} for i in range(60)}


def write(name: str, text: str) -> Any:
    return lambda folder: (folder / name).write_text(text) and None


def table(folder: Path, values: dict[str, Any] = VALUES) -> Path:
    """A table of these values, closed; its file."""
    rows = Store(folder).rows("generations", {})
    rows.put(values)
    rows.close()
    for extra in rows.path.parent.glob("rows.sqlite-*"):
        extra.unlink()
    return rows.path


# --- a corrupted database ----------------------------------------------------------------------


def test_a_file_that_is_no_database_is_set_aside_and_begun_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = table(tmp_path)
    path.write_bytes(b"this is no database at all, but long enough to be read as one" * 20)
    again = Rows(path)
    assert again.get(VALUES) == {}
    assert "is damaged" in caplog.text
    assert path.with_suffix(".damaged").exists()
    again.put(VALUES)
    assert again.get(VALUES) == VALUES


@settings(max_examples=25)
@given(
    start=st.floats(0, 1),
    length=st.integers(1, 20_000),
    byte=st.integers(0, 255),
    cut=st.booleans(),
)
def test_whatever_is_damaged_no_wrong_value_comes_out(
    start: float, length: int, byte: int, cut: bool
) -> None:
    """Bytes overwritten or the end cut off, anywhere: a value is right or absent, and the table
    works again."""
    with tempfile.TemporaryDirectory() as folder:
        path = table(Path(folder))
        content = bytearray(path.read_bytes())
        at = int(start * (len(content) - 1))
        path.write_bytes(
            content[:at] if cut else content[:at] + bytes([byte]) * length + content[at + length :]
        )
        with closing(Rows(path)) as rows:
            found = rows.get(VALUES)
            assert {key: VALUES[key] for key in found} == found
            rows.put(VALUES)
            assert rows.get(VALUES) == VALUES


def test_what_can_be_read_of_a_damaged_file_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two garbled pages cost the rows on them, and no others."""
    path = table(tmp_path)
    content = bytearray(path.read_bytes())
    content[4096 * 5 : 4096 * 7] = b"\xff" * (4096 * 2)
    path.write_bytes(content)
    with closing(Rows(path)) as rows:
        found = rows.get(VALUES)
    assert 30 < len(found) < len(VALUES)
    assert f"{len(found)} of its rows could be read" in caplog.text
    assert path.with_suffix(".damaged").exists()


def test_a_changed_letter_that_sqlite_does_not_notice_is_noticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = table(tmp_path)
    content = path.read_bytes()
    assert content.count(b"answer 7 answer 7") > 0
    path.write_bytes(content.replace(b"answer 7 answer 7", b"answer 7 answer 8", 1))
    with closing(Rows(path)) as rows:
        assert rows.get(VALUES) == {k: v for k, v in VALUES.items() if k != "key 7"}
        assert "1 rows are damaged" in caplog.text
        rows.put({"key 7": VALUES["key 7"]})
        assert rows.get(VALUES) == VALUES


def test_damage_met_while_writing_is_mended_and_the_writing_done(tmp_path: Path) -> None:
    path = table(tmp_path)
    rows = Rows(path)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    rows.put({"new": 1})
    assert rows.get(["new"]) == {"new": 1}


def test_of_two_who_meet_the_damage_one_mends_it(tmp_path: Path) -> None:
    """The second takes over what the first made, and does not set that aside too."""
    path = table(tmp_path)
    first, second = Rows(path), Rows(path)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    first.put({"a": 1})
    second.put({"b": 2})
    assert first.get(["a", "b"]) == second.get(["a", "b"]) == {"a": 1, "b": 2}
    assert len(list(path.parent.glob("rows.damaged*"))) <= 3  # the file, its log and its index


def test_a_second_damage_does_not_overwrite_the_first(tmp_path: Path) -> None:
    path = table(tmp_path)
    for content in (b"first", b"second"):
        path.write_bytes(content * 500)
        Rows(path).close()
    aside = [path.with_name(name).read_bytes()[:5] for name in ("rows.damaged", "rows.damaged-2")]
    assert aside == [b"first", b"secon"]


def test_a_table_of_before_there_were_checksums_is_taken_over(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "rows.sqlite")) as old:
        old.execute("CREATE TABLE rows (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        old.execute("INSERT INTO rows VALUES ('a', '1'), ('b', 'no JSON')")
        old.commit()
    rows = Rows(tmp_path / "rows.sqlite")
    assert rows.get(["a", "b"]) == {"a": 1}
    rows.put({"b": 2})
    assert rows.get(["a", "b"]) == {"a": 1, "b": 2}


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
