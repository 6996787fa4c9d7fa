"""Code as an input of a key: what other code computed is not taken for this code's."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path


def source_of(target: str) -> str | None:
    """A hash of the file in which a dotted name of somebody's own is defined.

    None for what is evalkit's own, whose stages have versions, and for what has no file.
    """
    parts = target.split(".")
    if parts[0] == "evalkit":
        return None
    for end in range(len(parts) - 1, 0, -1):
        if (file := _file(".".join(parts[:end]))) is not None:
            return _hash([file])
    return None


@cache
def package_source(package: str) -> str:
    """A hash of every Python file of a package, so that no version has to be raised by hand."""
    file = _file(package)
    assert file is not None, package
    return _hash(sorted(file.parent.glob("*.py")))


def _file(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.has_location and spec.origin else None


def _hash(files: list[Path]) -> str:
    digest = sha256()
    for file in files:
        digest.update(f"{file.name}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
