"""The store itself: artifacts and tables of rows by the hash of their inputs."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from evalkit.errors import StoreError, is_disk_problem
from evalkit.store.locks import take
from evalkit.store.rows import Rows
from evalkit.store.sessions import session_of

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
BUILDING = ".building-"


def key_of(inputs: Mapping[str, Any]) -> str:
    """A 24-digit hash of ``inputs`` (JSON values), independent of the order of keys."""
    canonical = json.dumps(
        inputs, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str
    )
    return hashlib.sha256(canonical.encode()).hexdigest()[:24]


class Store:
    """Artifacts under one folder, shared by runs and processes.

    Raises:
        StoreError: The folder cannot be created or written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if root.exists() and not root.is_dir():
            raise StoreError(f"the store {root} is a file", todo="choose a folder with store=DIR")
        with self._writing():
            root.mkdir(parents=True, exist_ok=True)
        self._session = session_of(self, root)

    @property
    def used(self) -> frozenset[str]:
        """What this run asked of the store so far, each as ``kind/key``."""
        return frozenset(self._session.used)

    def artifact(self, kind: str, inputs: Mapping[str, Any], build: Callable[[Path], None]) -> Path:
        """The folder of an artifact, built by ``build(folder)`` if it is not there yet.

        Two processes that ask for the same artifact build it once; a build that fails or is killed
        leaves nothing behind that could be taken for an artifact. One whose files are not as long
        as they were is built again.

        Raises:
            StoreError: The store cannot be written. What ``build`` raises comes out as it is.
        """
        with self._held(kind, inputs) as target:
            if found := damage(target):
                if (target / MANIFEST).exists():
                    log.warning("%s is damaged (%s); it is built again", target, found)
                self._build(target, kind, inputs, build)
            _touch(target)
        return target

    def rows(self, kind: str, inputs: Mapping[str, Any]) -> Rows:
        """The table of small results that share ``inputs``."""
        with self._held(kind, inputs) as folder:
            with self._writing():
                folder.mkdir(parents=True, exist_ok=True)
                if manifest_of(folder) is None:
                    _write_manifest(folder, kind, inputs)
            _touch(folder)
            return Rows(folder / "rows.sqlite", holds=self)

    @contextmanager
    def _held(self, kind: str, inputs: Mapping[str, Any]) -> Iterator[Path]:
        """The place of an artifact, which nobody else builds or removes meanwhile."""
        target = self.root / kind / key_of(inputs)
        # Noted before the lock is taken, and looked at by whoever removes while holding it: so
        # nothing is removed between being found and being used.
        self._session.use(f"{kind}/{target.name}")
        lock = FileLock(f"{target}.lock")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            take(lock, f"{kind}/{target.name}")
        except OSError as error:
            if damage(target):
                raise self._unwritable(error) from error
            yield target  # a store that can only be read: nobody removes anything there
            return
        try:
            yield target
        finally:
            lock.release()

    def _build(
        self, target: Path, kind: str, inputs: Mapping[str, Any], build: Callable[[Path], None]
    ) -> None:
        prefix = f"{BUILDING}{target.name}-"
        for left in target.parent.glob(f"{prefix}*"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        with self._writing():
            scratch = tempfile.TemporaryDirectory(
                dir=target.parent, prefix=prefix, ignore_cleanup_errors=True
            )
        with scratch as within:
            folder = Path(within) / "artifact"
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
                _sync(folder)
                _write_manifest(folder, kind, inputs, seconds=seconds, files=_sizes(folder))
                if target.exists():
                    os.replace(target, Path(within) / "replaced")
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
            todo="choose a writable folder with store=DIR, or free disk space (evalkit store gc);"
            " finished work is kept",
        )


def damage(folder: Path) -> str | None:
    """Why a folder is no whole artifact; None where it is one."""
    manifest = manifest_of(folder)
    if manifest is None:
        return f"no readable {MANIFEST}"
    for name, size in manifest.get("files", {}).items():
        try:
            found = (folder / name).stat().st_size
        except OSError:
            return f"{name} is missing"
        if found != size:
            return f"{name} has {found} bytes of {size}"
    return None


def build_cost(folder: Path) -> tuple[float, int]:
    """Wall seconds that building an artifact took when it was built, and its size in bytes."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return float(manifest["seconds"]), sum(_sizes(folder).values())


def manifest_of(folder: Path) -> dict[str, Any] | None:
    """The manifest of an artifact or a table; None where there is none that can be read."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _write_manifest(folder: Path, kind: str, inputs: Mapping[str, Any], **facts: Any) -> None:
    content = {"kind": kind, "inputs": inputs, **facts}
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, default=str)
    beside = folder / f".manifest-{os.getpid()}"
    beside.write_text(text + "\n", encoding="utf-8")
    os.replace(beside, folder / MANIFEST)


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of every file of an artifact, by its path in there."""
    files = (f for f in sorted(folder.rglob("*")) if f.is_file() and f.name != MANIFEST)
    return {f.relative_to(folder).as_posix(): f.stat().st_size for f in files}


def _sync(folder: Path) -> None:
    """On the disk before the rename is: a power cut must not leave whole names on empty files."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())


def _touch(folder: Path) -> None:
    """Note the time of use, by which ``evalkit store gc --older-than`` goes."""
    with suppress(OSError):
        os.utime(folder / MANIFEST)
