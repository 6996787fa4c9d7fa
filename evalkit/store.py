"""Content-addressed artifacts: what was computed once from the same inputs is not computed again.

A key is the hash of everything that can change the artifact; a ``manifest.json`` beside it spells
those inputs out. Large artifacts (an index, an adapter) are folders that are written beside and
renamed into place. Small results (a completion) are rows of a SQLite file in WAL mode, committed
as they come, so that a killed run loses at most the batch in flight.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from evalkit.errors import StoreError, is_disk_problem

log = logging.getLogger(__name__)


def key_of(inputs: Mapping[str, Any]) -> str:
    """A 24-digit hash of ``inputs`` (JSON values), independent of the order of keys."""
    canonical = json.dumps(
        inputs, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str
    )
    return hashlib.sha256(canonical.encode()).hexdigest()[:24]


class Store:
    """Artifacts under one folder, shared by runs and processes.

    Raises:
        StoreError: the folder cannot be created or written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        with self._writing():
            root.mkdir(parents=True, exist_ok=True)

    def artifact(self, kind: str, inputs: Mapping[str, Any], build: Callable[[Path], None]) -> Path:
        """The folder of an artifact, built by ``build(folder)`` if it is not there yet.

        Two processes that ask for the same artifact build it once; a build that fails or is killed
        leaves nothing behind that could be taken for an artifact.
        """
        target = self.root / kind / key_of(inputs)
        if _complete(target):
            return target
        with self._writing():
            target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(str(target) + ".lock"):
            if not _complete(target):
                self._build(target, kind, inputs, build)
        return target

    def rows(self, kind: str, inputs: Mapping[str, Any]) -> Rows:
        """The table of small results that share ``inputs``."""
        folder = self.root / kind / key_of(inputs)
        with self._writing():
            folder.mkdir(parents=True, exist_ok=True)
            _write_manifest(folder, kind, inputs)
        return Rows(folder / "rows.sqlite")

    def _build(
        self, target: Path, kind: str, inputs: Mapping[str, Any], build: Callable[[Path], None]
    ) -> None:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".building-") as scratch:
            folder = Path(scratch) / "artifact"
            folder.mkdir()
            started = time.perf_counter()
            try:
                build(folder)
            except Exception as error:
                if is_disk_problem(error):
                    raise self._unwritable(error) from error
                raise  # not every error in there is the store's
            seconds = round(time.perf_counter() - started, 3)
            with self._writing():
                _write_manifest(folder, kind, inputs, seconds=seconds)
                shutil.rmtree(target, ignore_errors=True)
                os.replace(folder, target)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.OperationalError) as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: Exception) -> StoreError:
        return StoreError(
            f"could not write to the store {self.root}: {error}",
            todo="free disk space, or choose a writable folder with store=DIR; finished work is kept",
        )


class Rows:
    """JSON values by key in one SQLite file. A damaged file is set aside and begun anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._connection = self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise StoreError(
                    f"could not open {path}: {error}", todo="check the folder's permissions"
                ) from error
            self._set_aside(error)
            self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=60, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, value TEXT NOT NULL)"
        )
        return connection

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        """Move the file, its log included, out of the way; it stays there to be looked at."""
        aside = self.path.with_suffix(".damaged")
        for ending in ("", "-wal", "-shm"):
            if (part := Path(f"{self.path}{ending}")).exists():
                os.replace(part, f"{aside}{ending}")
        log.warning(
            "%s is damaged (%s); moved to %s, its rows are computed again",
            self.path,
            error,
            aside.name,
        )

    def get(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values at hand among ``keys``."""
        try:
            return self._read(list(keys))
        except sqlite3.OperationalError as error:
            raise StoreError(f"could not read {self.path}: {error}", todo="run it again") from error
        except (sqlite3.DatabaseError, ValueError) as error:  # damage, or a value that is no JSON
            self._connection.close()
            self._set_aside(sqlite3.DatabaseError(str(error)))
            self._connection = self._open()
            return {}

    def _read(self, wanted: list[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, value FROM rows WHERE key IN ({marks})"  # noqa: S608 (question marks)
            found.update((k, json.loads(v)) for k, v in self._connection.execute(query, part))
        return found

    def put(self, values: Mapping[str, Any]) -> None:
        """Store ``values``, each of them durable when this returns."""
        rows = [(k, json.dumps(v, ensure_ascii=False)) for k, v in values.items()]
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?)", rows)
            self._connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise StoreError(
                f"could not write to {self.path}: {error}",
                todo="free disk space or check permissions, then run the same command again",
            ) from error

    def close(self) -> None:
        self._connection.close()


def _complete(folder: Path) -> bool:
    return (folder / "manifest.json").is_file()


def build_cost(folder: Path) -> tuple[float, int]:
    """Wall seconds that building an artifact took when it was built, and its size in bytes."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    size = sum(
        f.stat().st_size for f in folder.rglob("*") if f.is_file() and f.name != "manifest.json"
    )
    return float(manifest["seconds"]), size


def _write_manifest(folder: Path, kind: str, inputs: Mapping[str, Any], **facts: Any) -> None:
    path = folder / "manifest.json"
    if not path.exists():
        content = {"kind": kind, "inputs": inputs, **facts}
        text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, default=str)
        beside = folder / f".manifest-{os.getpid()}"
        beside.write_text(text + "\n", encoding="utf-8")
        os.replace(beside, path)
