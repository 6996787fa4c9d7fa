"""What a run ran on: versions, hardware, memory, git revision."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from evalkit.machine import hardware

PACKAGES = (
    "ragas", "datasets", "transformers", "peft", "torch", "faiss-cpu", "faiss-gpu", "pandas", "hydra-core", "mlflow",
)  # fmt: skip


def describe_environment() -> dict[str, Any]:
    """Versions, hardware and git revision, for the manifest and the report."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        **hardware.describe(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "git_revision": _git_revision(),
        # Linux counts in KiB, macOS in bytes.
        "peak_memory_bytes": peak if sys.platform == "darwin" else peak * 1024,
        "implementation": platform.python_implementation(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    """The revision of the working directory (the user's configuration and data), with ``+changes``
    where files differ from it.
    """
    try:
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=5
        )
        status = subprocess.run(
            ["git", "status", "--porcelain"], capture_output=True, text=True, check=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() + ("+changes" if status.stdout.strip() else "")
