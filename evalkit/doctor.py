"""What this machine has for evalkit, and what to do about each thing that is missing.

A check is ``ok``, ``warn`` (evalkit works, with less) or ``missing`` (something will fail). Nothing
is created, downloaded or repaired, and no server is asked for more than a connection.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from evalkit import __version__
from evalkit.machine import hardware
from evalkit.machine.environment import versions
from evalkit.models.weights import cache_folder
from evalkit.secrets import without_credentials
from evalkit.tracking.store import sqlite_file, tracking_uri

if TYPE_CHECKING:
    from rich.console import Console

Status = Literal["ok", "warn", "missing"]

OLDEST_PYTHON = (3, 11)
PACKAGES = ("ragas", "datasets", "transformers", "peft", "torch", "pandas", "hydra-core", "mlflow")
FAISS = ("faiss-cpu", "faiss-gpu", "faiss-gpu-cu11", "faiss-gpu-cu12")
OFFLINE_FLAGS = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE", "PIP_NO_INDEX")
_GIB = 2**30
_ENOUGH_MEMORY, _ENOUGH_DISK, _LEAST_DISK = 6 * _GIB, 3 * _GIB, _GIB // 2
_YES = frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True)
class Check:
    """One finding; ``todo`` is empty where there is nothing to do."""

    name: str
    status: Status
    detail: str
    todo: str = ""


def diagnose(weights: Mapping[str, Callable[[], bool]] | None = None) -> list[Check]:
    """Look at everything a run needs; takes about two seconds, most of it importing torch.

    Args:
        weights: for each model, a function that says whether its weights are on this machine.
    """
    from evalkit.sweeps.health import launchers  # which gives checks like those here

    machine = [*packages(), *devices(), *model_weights(weights or {})]
    return [*machine, *stores(), *launchers(), *environment()]


def exit_code(checks: Iterable[Check]) -> int:
    """0 where nothing is missing, else 1."""
    return int(any(check.status == "missing" for check in checks))


# --- packages ----------------------------------------------------------------------------------


def packages() -> list[Check]:
    """Python and the packages; none is imported."""
    found, oldest = (".".join(map(str, v)) for v in (sys.version_info[:3], OLDEST_PYTHON))
    python = Check("python", "ok", found)
    if sys.version_info[:2] < OLDEST_PYTHON:
        todo = f"install Python {oldest} or newer and make the environment with it"
        python = Check("python", "missing", found, todo)
    own = Check("evalkit", "ok", _version("evalkit") or f"{__version__} (from source)")
    return [python, own, *map(_package, PACKAGES), faiss(_version)]


def _version(distribution: str) -> str | None:
    return versions(distribution).get(distribution)


def _package(name: str) -> Check:
    if (version := _version(name)) is not None:
        return Check(name, "ok", version)
    todo = f"pip install {name}, or `make demo`, which installs the tested set"
    return Check(name, "missing", "not installed", todo)


def faiss(version: Callable[[str], str | None]) -> Check:
    """Exactly one of the faiss packages may be there: they share one import name."""
    found = {name: number for name in FAISS if (number := version(name))}
    detail = ", ".join(f"{name} {number}" for name, number in found.items())
    if not found:
        todo = "pip install 'evalkit[cpu]', or 'evalkit[gpu]' on a machine with CUDA"
        return Check("faiss", "missing", "neither faiss-cpu nor faiss-gpu is installed", todo)
    if len(found) > 1:
        todo = (
            f"pip uninstall -y {' '.join(found)}, then pip install 'evalkit[cpu]' or 'evalkit[gpu]'"
        )
        detail += ": they overwrite each other's files, since both are imported as `faiss`"
        return Check("faiss", "missing", detail, todo)
    return Check("faiss", "ok", detail)


# --- the machine -------------------------------------------------------------------------------


def devices() -> list[Check]:
    """Processor, memory, accelerators, and what ``device=auto`` and ``dtype=auto`` become."""
    flags = [f for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f in hardware.cpu_flags()]
    cores = hardware.usable_cores()
    processor = f"{hardware.cpu_name()}, {cores} cores, {', '.join(flags) or 'no features known'}"
    return [Check("processor", "ok", processor), _memory(), *_accelerators()]


def _memory() -> Check:
    try:
        import psutil
    except ImportError:
        return Check("memory", "warn", "unknown, psutil is not installed", "pip install psutil")
    memory = psutil.virtual_memory()
    detail = f"{memory.available / _GIB:.1f} of {memory.total / _GIB:.1f} GiB free"
    if memory.available >= _ENOUGH_MEMORY:
        return Check("memory", "ok", detail)
    return Check("memory", "warn", detail, "close other programs: the demo needs about 6 GiB")


def _accelerators() -> list[Check]:
    try:
        import torch

        device = hardware.resolve_device("auto")
        dtype = hardware.resolve_dtype("auto", device)
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    except Exception as error:  # a broken torch raises OSError, ImportError, RuntimeError ...
        text = f"torch cannot be used: {type(error).__name__}: {error}".splitlines()[0]
        return [Check("device", "missing", text, "pip install --force-reinstall torch")]
    found = ", ".join(names) or ("Apple GPU (mps)" if device == "mps" else "no GPU")
    chosen = Check("device", "ok", f"{found}; auto chooses {device} with {dtype}")
    if names or shutil.which("nvidia-smi") is None:
        return [chosen]
    detail = f"{chosen.detail}; nvidia-smi is there, but torch {torch.__version__} sees no GPU"
    todo = "if there is a GPU: check `nvidia-smi`, and install a torch built for its CUDA"
    return [Check("device", "warn", detail, todo)]


def model_weights(weights: Mapping[str, Callable[[], bool]]) -> list[Check]:
    """Whether each model's weights are here; absent ones count as missing when offline."""
    offline = [name for name in OFFLINE_FLAGS if _is_on(name)]
    checks = []
    for name, at_hand in weights.items():
        try:
            here = at_hand()
        except Exception as error:  # one damaged model must not hide the other checks
            detail = f"{type(error).__name__}: {error}".splitlines()[0]
            todo = "check the model's configuration file (weights:)"
            checks.append(Check(f"weights {name}", "missing", detail, todo))
            continue
        if here:
            checks.append(Check(f"weights {name}", "ok", "on this machine"))
        elif offline:
            todo = f"unset {' '.join(offline)} for the first run, or set weights.source=path"
            checks.append(Check(f"weights {name}", "missing", "absent, and offline is set", todo))
        else:
            todo = "nothing: the first run downloads them (it needs a network)"
            checks.append(Check(f"weights {name}", "warn", "not on this machine yet", todo))
    return checks


# --- stores ------------------------------------------------------------------------------------


def stores() -> list[Check]:
    """Folders that a run writes to, their free space, and the tracking store."""
    cwd, cache = Path.cwd(), cache_folder()
    return [
        writable("working folder", cwd, "change to a folder that you may write to"),
        writable("artifact store", cwd / ".evalkit" / "store", "mend the folder's permissions"),
        writable("weights cache", cache, "set EVALKIT_CACHE to a folder that you may write to"),
        disk_space("disk, working folder", cwd),
        disk_space("disk, weights cache", cache),
        tracking(),
    ]


def writable(name: str, folder: Path, todo: str) -> Check:
    """Whether files can be written in ``folder`` or, before it exists, in what will hold it."""
    place = _nearest(folder)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        return Check(name, "missing", f"{folder} cannot be written: {reason}", todo)
    return Check(name, "ok", str(folder) + ("" if folder == place else " (will be made)"))


def disk_space(name: str, folder: Path) -> Check:
    """Free space where ``folder`` is or will be."""
    free = shutil.disk_usage(_nearest(folder)).free
    detail = f"{free / _GIB:.1f} GiB free"
    if free >= _ENOUGH_DISK:
        return Check(name, "ok", detail)
    status: Status = "warn" if free >= _LEAST_DISK else "missing"
    return Check(name, status, detail, "free some space: weights and a run take about 2 GiB")


def _nearest(folder: Path) -> Path:
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def tracking() -> Check:
    """The tracking store; one that is out of reach never stops a run."""
    uri = tracking_uri()
    if (file := sqlite_file(uri)) is not None:
        check = writable("tracking", file.parent, "set MLFLOW_TRACKING_URI to another store")
        if check.status == "ok" and file.exists() and not os.access(file, os.W_OK):
            return Check("tracking", "missing", f"{file} cannot be written", "mend its permissions")
        return Check("tracking", check.status, f"{file}: {check.detail}", check.todo)
    shown, parts = without_credentials(uri), urlsplit(uri)
    if not parts.hostname:
        return Check("tracking", "ok", f"{shown} (not tried)")
    try:
        port = parts.port or {"http": 80, "postgresql": 5432, "mysql": 3306}.get(parts.scheme, 443)
        socket.create_connection((parts.hostname, port), timeout=1).close()
    except (OSError, ValueError) as error:
        todo = "start the server or check MLFLOW_TRACKING_URI; until then runs finish without it,"
        todo += " and `evalkit log RUN_DIR` sends them later"
        return Check("tracking", "warn", f"{shown} cannot be reached: {error}", todo)
    return Check("tracking", "ok", f"{shown} accepts connections")


# --- environment -------------------------------------------------------------------------------


def environment() -> list[Check]:
    """Switches for network use and telemetry."""
    offline = [name for name in OFFLINE_FLAGS if _is_on(name)]
    return [
        Check("network", "ok", f"off for {', '.join(offline)}" if offline else "may be used"),
        *telemetry(os.environ),
    ]


def telemetry(environ: Mapping[str, str]) -> list[Check]:
    """Whether packages may report their use. ragas reads the word ``true`` and nothing else."""
    said = environ.get("RAGAS_DO_NOT_TRACK", "")
    if said.lower() == "true":
        ragas = Check("telemetry ragas", "ok", "off")
    else:
        detail = f"RAGAS_DO_NOT_TRACK is {said!r}, and only 'true' counts" if said else "on"
        ragas = Check("telemetry ragas", "warn", detail, "export RAGAS_DO_NOT_TRACK=true")
    # evalkit sets it before it imports mlflow, unless the user has said otherwise.
    if environ.get("MLFLOW_DISABLE_TELEMETRY", "true").lower() in _YES:
        return [ragas, Check("telemetry mlflow", "ok", "off")]
    return [ragas, Check("telemetry mlflow", "warn", "on", "export MLFLOW_DISABLE_TELEMETRY=true")]


def _is_on(name: str) -> bool:
    return os.environ.get(name, "").lower() in _YES


def print_checks(checks: Iterable[Check], console: Console | None = None) -> int:
    """Print a table of the checks and return the exit code."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    checks = list(checks)
    colours = {"ok": "green", "warn": "yellow", "missing": "bold red"}
    table = Table(title="evalkit doctor", title_justify="left")
    for heading in ("what", "", "found", "what to do"):
        table.add_column(heading, overflow="fold")
    for check in checks:
        # Text, and not markup: paths and messages may hold square brackets.
        status = Text(check.status, style=colours[check.status])
        table.add_row(Text(check.name), status, Text(check.detail), Text(check.todo))
    (console or Console()).print(table)
    return exit_code(checks)
