"""An interpreter for a library that we are measured against, in an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

SAME = ("torch", "transformers")
"""Packages that both environments have in one version, so that the libraries above them are compared."""


def python_with(package: str, wanted: str, given: str | None, folder: Path) -> str | None:
    """An interpreter that has a package, and our versions of `SAME`; None where there is none.

    Args:
        package: Its name on the index, such as ``lm-eval``.
        wanted: What pip is asked for, such as ``lm-eval[hf]==0.4.13``.
        given: An interpreter; "none" leaves the package out; None makes an environment by pip.
        folder: Where that environment is made, and found the next time.
    """
    if given == "none":
        return None
    if given is None:
        home = folder / package
        given = str(home / "bin" / "python")
        if not Path(given).exists():
            venv.create(home, with_pip=True)
            same = [f"{name}=={version(name).split('+')[0]}" for name in SAME]
            subprocess.run([given, "-m", "pip", "install", "-q", wanted, *same], check=False)
    if version_of(package, given) is None:
        print(f"without {package}: {given} does not have it", file=sys.stderr)
        return None
    return given


def version_of(package: str, python: str) -> str | None:
    """The version of a package in another interpreter; None where it has none."""
    asked = f"import importlib.metadata as m; print(m.version({package!r}))"
    done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
