"""Remove from a store what nobody needs; what a running process uses or builds stays."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from evalkit.errors import StoreError
from evalkit.store.inventory import TRASH, Item, Leftover, items, leftovers
from evalkit.store.sessions import in_use

DAY_S = 24 * 60 * 60


@dataclass(frozen=True)
class Plan:
    """What would go, and what would go but for a process that uses it."""

    items: list[Item]
    leftovers: list[Leftover]
    busy: list[Item]

    @property
    def bytes(self) -> int:
        return _bytes(self.items, self.leftovers)


@dataclass(frozen=True)
class Removed:
    """What went, and what somebody had begun to use in the meantime."""

    items: list[Item]
    leftovers: list[Leftover]
    kept: list[Item]

    @property
    def bytes(self) -> int:
        return _bytes(self.items, self.leftovers)


def _bytes(found: Iterable[Item], left: Iterable[Leftover]) -> int:
    return sum(item.bytes for item in found) + sum(each.bytes for each in left)


def plan(
    root: Path,
    *,
    runs: Sequence[Path] | None = None,
    older_than_days: float | None = None,
    now: float = 0.0,
) -> Plan:
    """What can go.

    Args:
        runs: Run folders, or folders that hold some: what none of them refers to can go.
        older_than_days: What was not used for so long can go; with ``runs``, both must hold.
            Without either, only leftovers go.
        now: Seconds since 1970.

    Raises:
        StoreError: There is no store, or it can only be read; or a run does not say what it uses.
    """
    found = items(root)
    chosen = found if runs is not None or older_than_days is not None else []
    if runs is not None:
        needed = references(runs)
        chosen = [item for item in chosen if item.name not in needed]
    if older_than_days is not None:
        latest = now - older_than_days * DAY_S
        chosen = [item for item in chosen if item.used < latest]
    live = in_use(root)
    with _refusing(root):  # a lock can only be looked at where it could be taken
        going = [item for item in chosen if item.name not in live and _is_free(_lock_of(item))]
        within = {item.path for item in going}
        left = [each for each in leftovers(root) if each.path.parent not in within]
        swept = [each for each in left if _is_free(each.lock)]
    return Plan(going, swept, [item for item in chosen if item not in going])


def references(paths: Iterable[Path]) -> frozenset[str]:
    """The ``kind/key`` of everything that the runs in ``paths`` are made of.

    Raises:
        StoreError: There is no run, or one that does not say what it uses: it is unfinished, and
            the same command would go on from what is in the store, or it is of an older version.
    """
    needed: set[str] = set()
    for path in paths:
        folders = [config.parent for config in _configs(path)]
        if not folders:
            raise StoreError(
                f"there is no run folder in {path}, so everything would go",
                todo="name run folders, or a folder that holds them, such as runs/",
            )
        for folder in folders:
            needed |= _needed_by(folder)
    return frozenset(needed)


def _configs(path: Path) -> Iterator[Path]:
    """``config.yaml`` of every run; a run writes it first."""
    return path.rglob("config.yaml")


def _needed_by(folder: Path) -> set[str]:
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return {str(name) for name in manifest["artifacts"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"the run {folder} does not say what it uses: it is unfinished, or of an older version",
            todo="finish it (the same command goes on where it stopped), delete it, or go by age alone"
            " with --older-than DAYS",
        ) from error


def remove(root: Path, planned: Plan) -> Removed:
    """Remove what was planned, but for what somebody uses by now.

    Raises:
        StoreError: A file cannot be removed.
    """
    gone: list[Item] = []
    for item in planned.items:
        with _refusing(item.path), _free(_lock_of(item)) as free:
            # Looked at while the lock is held: who comes now waits, and then finds nothing.
            if free and item.name not in in_use(root):
                trash = item.path.with_name(f"{TRASH}{item.key}-{uuid.uuid4().hex[:8]}")
                os.replace(item.path, trash)
                shutil.rmtree(trash)
                _lock_of(item).unlink(missing_ok=True)
                gone.append(item)
    swept: list[Leftover] = []
    for left in planned.leftovers:
        with _refusing(left.path), _free(left.lock) as free:
            if free:
                _delete(left.path)
                swept.append(left)
    kept = [item for item in planned.items if item not in gone]
    return Removed(gone, swept, kept)


def _lock_of(item: Item) -> Path:
    return item.path.with_name(f"{item.key}.lock")


def _is_free(lock: Path) -> bool:
    """Whether nobody holds a lock; asking makes no file."""
    if not lock.exists():
        return True
    with _free(lock) as free:
        return free


@contextmanager
def _free(lock: Path) -> Iterator[bool]:
    """Hold a lock where nobody does; else False."""
    held = FileLock(lock)
    existed = lock.exists()
    try:
        held.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        if not existed:  # made by asking; removed while held, so that who waits starts over
            with suppress(OSError):
                lock.unlink(missing_ok=True)
        held.release()


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _refusing(path: Path) -> Iterator[Any]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"could not clean up {path}: {error}",
            todo="mend the permissions of the store; what was removed before stays removed",
        ) from error
