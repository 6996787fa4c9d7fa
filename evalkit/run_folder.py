"""The folder of one run: whose it is while it lasts, and what became of the run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from evalkit import __version__
from evalkit.errors import ConfigError, EvalkitError

MANIFEST, RESULTS = "manifest.json", "results.json"
_LOCK = ".run.lock"


def new_folder(config: Mapping[str, Any]) -> Path:
    """A folder of its own for this run; two runs that start at once get two folders.

    One that is given may hold an unfinished run, which is replaced.

    Raises:
        ConfigError: ``run_dir`` holds a finished run, or cannot be made.
    """
    given = config.get("run_dir")
    stem = (
        Path(given) if given else Path("runs") / f"{config['name']}-{datetime.now():%Y%m%d-%H%M%S}"
    )
    for attempt in range(1, 100):
        folder = stem if attempt == 1 else stem.with_name(f"{stem.name}-{attempt}")
        try:
            folder.mkdir(parents=True, exist_ok=given is not None)
        except OSError as error:
            if given is None and isinstance(error, FileExistsError):
                continue
            raise ConfigError(
                f"could not make the run folder {folder}: {error.strerror or error}",
                todo="choose a writable place with run_dir=DIR",
            ) from error
        if given and (folder / RESULTS).exists():
            raise ConfigError(
                f"run_dir={folder} holds a finished run",
                todo=f"choose another run_dir, or delete it; `evalkit log {folder}` sends it to MLflow where"
                " that was not reached",
            )
        return folder
    raise ConfigError(
        f"no free name for a run folder beside {stem}", todo="give one with run_dir=DIR"
    )


@contextmanager
def occupied(folder: Path, redact: Callable[[str], str]) -> Iterator[None]:
    """Hold a run's folder while the run lasts, and write down what becomes of it.

    ``manifest.json`` says ``running`` from the start, and ``stopped`` with the reason where the run
    ended with an error; a killed run is one that says ``running`` and that nobody holds.

    Raises:
        ConfigError: Another process holds it.
    """
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ConfigError(
            f"another process is writing the run in {folder}",
            todo="wait for it, or choose another run_dir",
        ) from error
    except PermissionError as error:
        raise ConfigError(
            f"could not write into the run folder {folder}: {error.strerror}",
            todo="choose a writable place with run_dir=DIR",
        ) from error
    started = {"evalkit": __version__, "started": datetime.now(UTC).isoformat(timespec="seconds")}
    try:
        write_json(folder / MANIFEST, {**started, "status": "running"})
        yield
    except BaseException as error:
        problem = error.problem if isinstance(error, EvalkitError) else type(error).__name__
        if not (folder / RESULTS).exists():
            with suppress(OSError):  # a full disk: it then looks killed
                stopped = {**started, "status": "stopped", "reason": redact(problem)}
                write_json(folder / MANIFEST, stopped)
        raise
    finally:
        with suppress(OSError):
            (folder / _LOCK).unlink(missing_ok=True)
        lock.release()


def state_of(folder: Path) -> str:
    """What became of the run in a folder, in words: ``finished``, ``running`` in another process,
    ``stopped: REASON``, ``killed``, or ``no run``.
    """
    if (folder / RESULTS).is_file():
        return "finished"
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "no run"
    if manifest.get("status") == "stopped":
        return f"stopped: {manifest.get('reason')}"
    return "running" if _is_held(folder / _LOCK) else "killed"


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


def write_json(path: Path, value: Any) -> None:
    """Write JSON beside and rename it into place."""
    beside = path.with_name(f"{path.name}.part")
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    beside.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    os.replace(beside, path)
