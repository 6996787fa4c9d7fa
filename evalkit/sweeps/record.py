"""What is written down about a sweep's jobs, by the processes that run them and by their parent."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from evalkit.errors import EvalkitError

log = logging.getLogger(__name__)

SCHEMA = 1
FILE = "sweep.json"
HEAD = Path("jobs/head.json")
"""The head of ``sweep.json`` once more, so that either of the two can be lost."""
_MOMENT_S = 1.0
"""Longer than somebody who only looks holds a lock."""
_DELETE = "delete it; jobs/ and sweep.json are made again from each other"
STATUSES = ("waiting", "running", "finished", "failed", "skipped")


@dataclass(frozen=True)
class JobRecord:
    """One job as ``jobs/N.json`` holds it.

    Attributes:
        overrides: By key; secrets are not in there.
        key: Hash of what the job's configuration says is to be computed (:func:`content_key`).
        status: One of :data:`STATUSES`; ``skipped`` is a job with the content of another, whose
            run it names.
        run_dir: Of its run, relative to the sweep's folder where it lies in there.
        reason: Why it failed or was skipped.
        objective: The value of the configured objective; None where there is none.
        attempts: How often it was begun since it was last given to a launcher.
        label: Its overrides in short, for people.
    """

    id: str
    overrides: Mapping[str, Any]
    key: str
    status: str = "waiting"
    run_dir: str | None = None
    reason: str | None = None
    seconds: float | None = None
    objective: float | None = None
    attempts: int = 0
    label: str = ""

    @property
    def ended(self) -> bool:
        return self.status in ("finished", "failed", "skipped")

    @property
    def heading(self) -> str:
        """``job 3 · retriever.k=5``."""
        return f"job {self.id}" + (f" · {self.label}" if self.label else "")


@dataclass(frozen=True)
class Head:
    """What ``sweep.json`` says of the sweep as a whole.

    Attributes:
        swept: The keys that differ between jobs.
        baseline: The job (``ID`` or ``ID/PIPELINE``) that the others are compared with.
        objective: The configuration's key of that name.
        command: The overrides that began the sweep; secrets are not in there.
        folder: Where it was begun: relative paths and the user's ``conf`` start there.
        config_dir: What ``--config-dir`` said.
    """

    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    swept: Sequence[str] = ()
    baseline: str | None = None
    objective: Mapping[str, Any] | None = None
    command: Sequence[str] = ()
    folder: str = ""
    config_dir: str | None = None


class SweepFolder:
    """The folder of a sweep."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def records(self) -> list[JobRecord]:
        """Every job, by number.

        Raises:
            EvalkitError: The record of a job is damaged.
        """
        found = [_record(file) for file in (self.path / "jobs").glob("[0-9]*.json")]
        return sorted(found, key=lambda record: int(record.id))

    def record(self, job: str) -> JobRecord:
        return _record(self._file(job))

    def write(self, record: JobRecord) -> None:
        """Replace a job's record; by its own process, or by the parent while the job does not run."""
        _write_json(self._file(record.id), asdict(record))

    def log_of(self, job: str) -> Path:
        """Where a job that broke leaves its traceback."""
        return self.path / "jobs" / f"{job}.log"

    @contextmanager
    def turn(self, job: str, *, wait: bool = True) -> Iterator[None]:
        """Hold a job, which nobody else runs meanwhile, here or on a machine with the same disk.

        Raises:
            Timeout: Somebody runs it, and ``wait`` is False.
        """
        with FileLock(self._file(job).with_suffix(".lock"), timeout=-1 if wait else 0):
            yield

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Hold the sweep: only one parent gives out its jobs.

        Raises:
            EvalkitError: Another process does, or the folder cannot be written.
        """
        lock = FileLock(self.path / ".lock", thread_local=False)
        try:
            (self.path / "jobs").mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=_MOMENT_S)
        except Timeout:
            raise EvalkitError(
                f"another process runs the sweep {self.path}",
                todo=f"wait for it (`evalkit sweep {self.path}` shows how far it is), or choose another"
                " folder with hydra.sweep.dir=DIR",
            ) from None
        except OSError as error:
            raise EvalkitError(
                f"could not write to the sweep's folder {self.path}: {error.strerror or error}",
                todo="choose a writable folder with hydra.sweep.dir=DIR",
            ) from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def unless_held(self) -> Iterator[bool]:
        """Hold the sweep, if nobody does and its folder can be written; gives whether it is held so."""
        lock = FileLock(self.path / ".lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def head(self) -> Head:
        """The head of ``sweep.json``; of ``jobs/head.json`` where that is gone or damaged; a new one
        where there is neither.

        Raises:
            EvalkitError: What there is is damaged, or of another version.
        """
        problem: EvalkitError | None = None
        for path in (self.path / FILE, self.path / HEAD):
            if not path.is_file():
                continue
            try:
                found = _head(path)
            except _Damaged as error:
                problem = problem or error
                continue
            if problem:
                log.warning("%s; it is made again from jobs/", problem.problem)
            return found
        if problem:
            raise problem
        return Head()

    def restore(self) -> None:
        """Write the records that ``jobs/`` has lost, as ``sweep.json`` has them."""
        try:
            known = [JobRecord(**each) for each in _read_json(self.path / FILE)["jobs"]]
        except (EvalkitError, KeyError, TypeError):
            return
        lost = [record for record in known if not self._file(record.id).is_file()]
        if lost:
            (self.path / "jobs").mkdir(exist_ok=True)
        for record in lost:
            self.write(record)

    def assemble(self, head: Head) -> list[JobRecord]:
        """Write ``sweep.json`` from the head and the records of the jobs, which are returned."""
        records = self.records()
        kept = {"schema": SCHEMA, **asdict(head)}
        _write_json(self.path / HEAD, kept)
        _write_json(self.path / FILE, kept | {"jobs": [asdict(r) for r in records]})
        return records

    def _file(self, job: str) -> Path:
        return self.path / "jobs" / f"{job}.json"


def open_sweep(path: Path) -> SweepFolder:
    """The folder of a sweep that was begun.

    Raises:
        EvalkitError: It is none.
    """
    if not (path / FILE).is_file() and not any((path / "jobs").glob("*.json")):
        raise EvalkitError(
            f"{path} is not the folder of a sweep: it has no {FILE}",
            todo="give the folder that `evalkit run -m ...` printed",
        )
    folder = SweepFolder(path)
    with folder.unless_held() as alone:
        if alone:
            folder.restore()
    return folder


def settled(folder: SweepFolder, record: JobRecord) -> JobRecord:
    """The record as it is true now: a job whose process ended without a word has failed."""
    if record.status != "running":
        return record
    try:
        with folder.turn(record.id, wait=False):
            now = folder.record(record.id)  # it may have ended since
    except (Timeout, OSError):  # or of a folder that cannot be written
        return record
    if now.status != "running":
        return now
    return replace(now, status="failed", reason="its process ended before the job did")


class _Damaged(EvalkitError):
    """A file that was written over or cut off."""


def _head(path: Path) -> Head:
    found = _read_json(path)
    if found.get("schema") != SCHEMA:
        raise EvalkitError(
            f"{path}: schema {found.get('schema')!r}, expected {SCHEMA}",
            todo="use the version of evalkit that made the sweep, or begin another folder",
        )
    names = Head.__dataclass_fields__
    if missing := names.keys() - found.keys():
        raise _Damaged(f"{path} is damaged: no {', '.join(sorted(missing))}", todo=_DELETE)
    return Head(**{name: found[name] for name in names})


def _record(file: Path) -> JobRecord:
    try:
        return JobRecord(**_read_json(file))
    except TypeError as error:
        raise EvalkitError(
            f"{file} is no job's record: {error}",
            todo=_DELETE,
        ) from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _Damaged(
            f"{path} cannot be read: {error}",
            todo=_DELETE,
        ) from error
    if not isinstance(found, dict):
        raise _Damaged(f"{path} is damaged: expected a mapping", todo=_DELETE)
    return found


def _write_json(path: Path, value: Any) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False, default=str)
    beside.write_text(text + "\n", encoding="utf-8")
    os.replace(beside, path)
