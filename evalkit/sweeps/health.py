"""Which launchers and searches can work on this machine, for ``evalkit doctor``."""

from __future__ import annotations

import os
import shutil
import socket
from importlib.util import find_spec
from urllib.parse import urlsplit

from evalkit.doctor import Check
from evalkit.sweeps.launchers import NEEDS, Needs

_PORT = 6379
"""Of a Ray cluster that ``ray start --head`` began."""


def launchers() -> list[Check]:
    """One finding each; a launcher that cannot work is no fault, since `basic` always can."""
    looks = {"slurm": _slurm, "ray": _ray}
    checks = [Check("launcher basic", "ok", "one job after the other")]
    for name, needs in NEEDS.items():
        kind = "search" if name == "optuna" else "launcher"
        checks.append(_absent(f"{kind} {name}", needs) or looks.get(name, _there)(name, needs))
    return checks


def _absent(name: str, needs: Needs) -> Check | None:
    if not (absent := needs.absent):
        return None
    todo = f"for {needs.option}: pip install 'evalkit[{needs.extra}]'"
    return Check(name, "warn", f"{', '.join(absent)} is not installed", todo)


def _there(name: str, needs: Needs) -> Check:
    kind = "search" if name == "optuna" else "launcher"
    return Check(f"{kind} {name}", "ok", needs.versions)


def _slurm(name: str, needs: Needs) -> Check:
    if missing := [command for command in ("sbatch", "srun") if shutil.which(command) is None]:
        detail = f"{needs.versions}; no {' and no '.join(missing)} here"
        todo = "begin sweeps on a login node of the cluster; hydra/launcher=slurm_local tries them here"
        return Check(f"launcher {name}", "warn", detail, todo)
    return Check(f"launcher {name}", "ok", f"{needs.versions}; {shutil.which('sbatch')}")


def _ray(name: str, needs: Needs) -> Check:
    address = os.environ.get("RAY_ADDRESS", "")
    parts = urlsplit(address if "://" in address else f"ray://{address}")
    if not address or not parts.hostname or address in ("auto", "local"):
        return Check(f"launcher {name}", "ok", f"{needs.versions}; a cluster of this machine")
    if address.startswith("ray://") and find_spec("grpc") is None:
        todo = "pip install 'evalkit[ray]', which brings grpcio"
        detail = f"{needs.versions}; RAY_ADDRESS is {address}, and Ray's client is not installed"
        return Check(f"launcher {name}", "warn", detail, todo)
    try:
        socket.create_connection((parts.hostname, parts.port or _PORT), timeout=1).close()
    except (OSError, ValueError) as error:
        todo = (
            "start the cluster or correct RAY_ADDRESS; a cluster of this machine works without it"
        )
        detail = f"{needs.versions}; {address} cannot be reached: {error}"
        return Check(f"launcher {name}", "warn", detail, todo)
    return Check(f"launcher {name}", "ok", f"{needs.versions}; {address} accepts connections")
