"""What is in a store: its artifacts and tables, and what accidents left behind."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import StoreError
from evalkit.store.artifacts import BUILDING, damage, manifest_of
from evalkit.store.sessions import SESSIONS

TRASH = ".trash-"
_KEY = re.compile(r"[0-9a-f]{24}")
_TABLE = "rows.sqlite"


@dataclass(frozen=True)
class Item:
    """An artifact or a table of rows.

    Attributes:
        inputs: What it was made of; None where the manifest cannot be read.
        bytes: Of all its files.
        used: When it was last used, in seconds since 1970.
        rows: Rows of a table; None for an artifact, and for a table that cannot be read.
        seconds: What building an artifact took; None for a table.
        problem: What is wrong with it; None where nothing is.
    """

    kind: str
    key: str
    path: Path
    inputs: Mapping[str, Any] | None
    bytes: int
    used: float
    rows: int | None = None
    seconds: float | None = None
    problem: str | None = None

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.key}"


@dataclass(frozen=True)
class Leftover:
    """What no artifact needs: a build that was killed, a lock, a damaged file that was set aside.

    ``lock`` is the lock file that says whether somebody is at it.
    """

    path: Path
    what: str
    bytes: int
    lock: Path


def items(root: Path) -> list[Item]:
    """Every artifact and table of a store, by kind and then the latest used first.

    Raises:
        StoreError: There is no store.
    """
    found = [_item(folder) for folder in _folders(root)]
    return sorted(found, key=lambda item: (item.kind, -item.used, item.key))


def leftovers(root: Path) -> list[Leftover]:
    """What could be swept, whether or not somebody is at it."""
    found = [left for kind in _kinds(root) for left in _leftovers(kind)]
    return sorted(found, key=lambda left: str(left.path))


def _kinds(root: Path) -> list[Path]:
    if not root.is_dir():
        raise StoreError(
            f"there is no store at {root}", todo="name the folder of the store with --store DIR"
        )
    return sorted(p for p in root.iterdir() if p.is_dir() and p.name != SESSIONS)


def _folders(root: Path) -> Iterator[Path]:
    """Folders that are named as the store names them; any other is not its own."""
    for kind in _kinds(root):
        for folder in kind.iterdir():
            if folder.is_dir() and _KEY.fullmatch(folder.name):
                yield folder


def _item(folder: Path) -> Item:
    manifest = manifest_of(folder) or {}
    table = folder / _TABLE
    rows, problem = (None, damage(folder)) if not table.exists() else _count(table)
    # Not the log beside a table: looking into the table touches it.
    used = max(_changed(folder / name) for name in ("manifest.json", _TABLE))
    return Item(
        kind=folder.parent.name,
        key=folder.name,
        path=folder,
        inputs=manifest.get("inputs"),
        bytes=size(folder),
        used=used,
        rows=rows,
        seconds=manifest.get("seconds"),
        problem=problem,
    )


def _count(table: Path) -> tuple[int | None, str | None]:
    problem = None
    # The second for a folder that cannot be written, in which SQLite cannot make a table's log.
    for how in ("mode=ro", "immutable=1"):
        try:
            with closing(sqlite3.connect(f"{table.resolve().as_uri()}?{how}", uri=True)) as rows:
                return int(rows.execute("SELECT count(*) FROM rows").fetchone()[0]), None
        except sqlite3.DatabaseError as error:
            problem = problem or str(error)
    return None, problem


def _leftovers(kind: Path) -> Iterator[Leftover]:
    for path in kind.iterdir():
        name = path.name
        if name.startswith((BUILDING, TRASH)):
            # The key is in the name, so that only a build of that very key keeps it.
            key = name.removeprefix(BUILDING).removeprefix(TRASH).partition("-")[0]
            what = "unfinished build" if name.startswith(BUILDING) else "half removed"
            yield Leftover(path, what, size(path), kind / f"{key}.lock")
        elif path.suffix == ".lock" and _KEY.fullmatch(path.stem):
            if not (kind / path.stem).exists():
                yield Leftover(path, "lock of nothing", 0, path)
        elif path.is_dir() and _KEY.fullmatch(name):
            for aside in path.glob("rows.damaged*"):
                lock = kind / f"{name}.lock"
                yield Leftover(aside, "damaged rows, set aside", size(aside), lock)
            for turn in path.glob(f"{_TABLE}.{'?' * 16}.lock"):  # of a process that was killed
                yield Leftover(turn, "lock of nothing", 0, turn)


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; what vanishes meanwhile counts 0."""
    if not path.is_dir():
        return _bytes(path)
    return sum(_bytes(file) for file in path.rglob("*") if not file.is_dir())


def _bytes(file: Path) -> int:
    try:
        return file.lstat().st_size
    except OSError:
        return 0


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
