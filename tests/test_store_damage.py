"""A table that is damaged: no wrong value comes out, what can be read is kept, the rest is made again."""

from __future__ import annotations

import errno
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import StoreError
from evalkit.store import Rows, Store

VALUES = {f"key {i}": {"text": f"answer {i} " * 40} for i in range(60)}


def table(folder: Path, values: dict[str, Any] = VALUES) -> Path:
    """A table of these values, closed; its file."""
    rows = Store(folder).rows("generations", {})
    rows.put(values)
    rows.close()
    for extra in rows.path.parent.glob("rows.sqlite-*"):
        extra.unlink()
    return rows.path


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


@pytest.mark.parametrize("where", ["os.link", "os.replace"])
def test_what_could_be_read_can_be_read_again_after_a_kill_in_the_middle_of_mending(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table(tmp_path)
    content = bytearray(path.read_bytes())
    content[4096 * 5 : 4096 * 7] = b"\xff" * (4096 * 2)
    path.write_bytes(content)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(where, killed)
        with pytest.raises(KeyboardInterrupt):
            Rows(path).get(VALUES)
    with closing(Rows(path)) as rows:
        assert 30 < len(rows.get(VALUES)) < len(VALUES)


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("evalkit.store.rows._insert", sqlite3.OperationalError("database or disk is full")),
        ("evalkit.store.rows.FileLock", PermissionError(errno.EACCES, "Permission denied")),
    ],
)
def test_a_damaged_table_that_cannot_be_mended_is_said_and_left_alone(
    place: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a full disk or a folder that cannot be written; with room for it, it is mended."""
    path = table(tmp_path)
    damaged = b"\xff" * 100 + path.read_bytes()[100:]
    path.write_bytes(damaged)

    def refuse(*_: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(place, refuse)
        with pytest.raises(StoreError, match=r"is damaged .* and could not be mended: "):
            Rows(path)
    assert path.read_bytes() == damaged
    with closing(Rows(path)) as rows:
        rows.put({"a": 1})
        assert rows.get(["a"]) == {"a": 1}


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
