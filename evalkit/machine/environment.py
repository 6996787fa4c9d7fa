"""What a run ran on: versions, hardware, memory, git revision."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from contextlib import suppress
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
        "packages": versions(*PACKAGES),
        "git_revision": _git_revision(),
        # Linux counts in KiB, macOS in bytes.
        "peak_memory_bytes": peak if sys.platform == "darwin" else peak * 1024,
        "implementation": platform.python_implementation(),
    }


def versions(*packages: str) -> dict[str, str]:
    """Of the packages that are installed; none is imported."""
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


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
