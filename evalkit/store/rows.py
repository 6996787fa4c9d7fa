"""Small results by key: JSON values in one SQLite file, each with a checksum."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

from filelock import FileLock

from evalkit.errors import StoreError
from evalkit.store.locks import take

log = logging.getLogger(__name__)

T = TypeVar("T")

_AT_ONCE = 500
"""Keys in one query."""

_PARTS = ("-wal", "-shm", "")
"""How the names of a table's files end; the table itself last."""


class Rows:
    """JSON values by key. A damaged file is set aside, and what can be read of it is kept.

    SQLite itself does not notice a changed letter; a row whose checksum is wrong counts as absent.
    Threads may share it; they take turns.

    Args:
        holds: Whatever has to stay as long as this is in use.
    """

    def __init__(self, path: Path, holds: object = None) -> None:
        self.path = path
        self._holds = holds
        self._turn = threading.Lock()
        try:
            self._connection = _open(path)
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"could not open {path}: {error}",
                todo="check the folder's permissions and the disk's free space, or choose another folder"
                " with store=DIR",
            ) from error
        except sqlite3.DatabaseError as error:
            self._begin_anew(error)

    def get(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values at hand among ``keys``."""
        wanted = list(keys)
        try:
            with self._turn:
                return self._mended(lambda: self._read(wanted))
        except sqlite3.OperationalError as error:
            raise StoreError(f"could not read {self.path}: {error}", todo="run it again") from error

    def put(self, values: Mapping[str, Any]) -> None:
        """Store ``values``, each of them durable when this returns.

        Raises:
            StoreError: The disk is full or cannot be written; what was stored before is kept.
        """
        rows = [_row(key, value) for key, value in values.items()]
        try:
            with self._turn:
                self._mended(lambda: _insert(self._connection, rows))
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"could not write to {self.path}: {error}",
                todo="free disk space or check permissions, then run the same command again",
            ) from error

    @contextmanager
    def turn(self, keys: Iterable[str]) -> Iterator[None]:
        """Hold the work on ``keys``: of processes that are about to make the very same rows, one
        makes them, and the others find them when it is their turn.
        """
        digest = sha256("\n".join(sorted(keys)).encode()).hexdigest()[:16]
        lock = FileLock(f"{self.path}.{digest}.lock")
        try:
            take(lock, f"the same rows of {self.path.parent}")
        except OSError:  # a store that can only be read: nobody makes anything there
            yield
            return
        try:
            yield
        finally:
            with suppress(OSError):
                Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()

    def close(self) -> None:
        self._connection.close()

    def _mended(self, work: Callable[[], T]) -> T:
        """Do the work; where the file turns out to be damaged, mend it and do the work again."""
        try:
            return work()
        except sqlite3.OperationalError:  # the disk, a lock: nothing is wrong with the file
            raise
        except sqlite3.DatabaseError as error:
            self._begin_anew(error)
            return work()

    def _read(self, wanted: list[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        altered = 0
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, value, crc FROM rows WHERE key IN ({marks})"  # noqa: S608 (question marks)
            for key, text, crc in self._connection.execute(query, part):
                if _is_whole(key, text, crc):
                    found[key] = json.loads(text)
                else:
                    altered += 1
        if altered:
            log.warning("%s: %d rows are damaged; they are computed again", self.path, altered)
        return found

    def _begin_anew(self, error: sqlite3.DatabaseError) -> None:
        """Go on with what can be read of a damaged file, which stays beside to be looked at.

        Raises:
            StoreError: The disk is full or cannot be written; the damaged file is as it was.
        """
        with suppress(AttributeError):  # it could not even be opened
            self._connection.close()
        try:
            with FileLock(f"{self.path}.lock"):
                if not _is_sound(self.path):  # else another process was first
                    _mend(self.path, error)
                self._connection = _open(self.path)
        except (OSError, sqlite3.OperationalError) as problem:
            raise StoreError(
                f"{self.path} is damaged ({error}) and could not be mended: {problem}",
                todo="free disk space or check permissions, then run the same command again",
            ) from problem


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
    connection.text_factory = _text
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER)"
        )
        columns = [row[1] for row in connection.execute("PRAGMA table_info(rows)")]
        if "crc" not in columns:
            _add_checksums(connection)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _text(read: bytes) -> str:
    """A damaged text is one whose checksum is wrong, and no error of the whole query."""
    return read.decode("utf-8", "replace")


def _add_checksums(connection: sqlite3.Connection) -> None:
    """A table of before there were checksums: what is in it is believed."""
    try:
        connection.execute("ALTER TABLE rows ADD COLUMN crc INTEGER")
    except sqlite3.OperationalError as error:
        if "duplicate column" not in str(error):  # another process was first
            raise


def _row(key: str, value: Any) -> tuple[str, str, int]:
    text = json.dumps(value, ensure_ascii=False)
    if not _is_utf8(text):  # half of a surrogate pair, which SQLite does not take
        text = json.dumps(value)
    return key, text, _checksum(key, text)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _checksum(key: str, text: str) -> int:
    return crc32(f"{key}\n{text}".encode())


def _is_whole(key: Any, text: Any, crc: Any) -> bool:
    if not isinstance(key, str) or not isinstance(text, str):
        return False
    if crc is not None:
        return bool(crc == _checksum(key, text))
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _is_sound(path: Path) -> bool:
    try:
        with closing(_open(path)) as connection:
            return [row[0] for row in connection.execute("PRAGMA quick_check(1)")] == ["ok"]
    except sqlite3.DatabaseError:
        return False


def _mend(path: Path, error: sqlite3.DatabaseError) -> None:
    """Replace a damaged file by one of the rows that can be read of it.

    That one is made beside and renamed into place: whatever ends this on the way, all that could be
    read can be read again.
    """
    fresh = path.with_suffix(".mending")
    left = fresh if fresh.exists() else None  # by one that was killed
    saved = {row[0]: row for file in (left, path) if file for row in _salvaged(file)}
    for ending in _PARTS:
        Path(f"{fresh}{ending}").unlink(missing_ok=True)
    with closing(_open(fresh)) as connection:
        _insert(connection, list(saved.values()))
    aside = _free_name(path.with_suffix(".damaged"))
    for ending in _PARTS:
        if (part := Path(f"{path}{ending}")).exists():
            _also(part, Path(f"{aside}{ending}"))
            if ending:  # a log of the old file, which would be read as one of the new
                part.unlink()
    os.replace(fresh, path)
    log.warning(
        "%s is damaged (%s); moved to %s; %d of its rows could be read, the others are computed again",
        path, error, aside.name, len(saved),
    )  # fmt: skip


def _also(file: Path, name: Path) -> None:
    """The same file under another name, too."""
    try:
        os.link(file, name)
    except OSError:  # a file system without links
        shutil.copy2(file, name)


def _insert(connection: sqlite3.Connection, rows: list[tuple[str, str, int]]) -> None:
    """All of the rows or none."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")
    except sqlite3.DatabaseError:
        if connection.in_transaction:
            with suppress(sqlite3.DatabaseError):
                connection.execute("ROLLBACK")
        raise


def _salvaged(path: Path) -> Iterator[tuple[str, str, int]]:
    """The rows of a damaged file that can be read and whose checksums are right."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.text_factory = _text
        try:
            last = connection.execute("SELECT max(rowid) FROM rows").fetchone()[0] or 0
        except sqlite3.DatabaseError:
            return
        query = "SELECT key, value, crc FROM rows NOT INDEXED WHERE rowid = ?"
        for number in range(1, last + 1):
            try:
                row = connection.execute(query, (number,)).fetchone()
            except sqlite3.DatabaseError:
                continue
            if row is not None and row[2] is not None and _is_whole(*row):
                yield row


def _free_name(path: Path) -> Path:
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found
