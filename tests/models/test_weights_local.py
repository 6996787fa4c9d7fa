"""Weights from a folder or a hub: used as they are, known by their contents, never unpickled."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.errors import WeightsError
from evalkit.models import weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "config.json").write_text("{}")
    (made / "model.safetensors").write_bytes(b"one")
    (made / "tokenizer.json").write_text("{}")
    return made


def path_identity(folder: Path) -> str:
    return weights.obtain({"source": "path", "path": str(folder)}).identity


def test_a_folder_is_used_as_it_is(folder: Path) -> None:
    obtained = weights.obtain({"source": "path", "path": str(folder)})
    assert obtained.folder == folder
    assert obtained.identity.startswith("path:")
    assert weights.at_hand({"source": "path", "path": str(folder)})
    assert not weights.at_hand({"source": "path", "path": str(folder / "none")})


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "chat_template.jinja",
        "generation_config.json",
    ],
)
def test_the_identity_changes_with_the_contents(folder: Path, name: str) -> None:
    """Weights, tokenizer and chat template all change what a model says, so they change every key;
    the place does not."""
    before = path_identity(folder)
    assert path_identity(folder) == before
    (folder / name).write_bytes(b"two")
    changed = path_identity(folder)
    assert changed != before
    moved = folder.rename(folder.with_name("moved"))
    assert path_identity(moved) == changed


def test_a_folder_that_is_no_model_is_refused(folder: Path, tmp_path: Path) -> None:
    """No config, no safetensors, and pickled weights alone: each says what was expected."""
    with pytest.raises(WeightsError, match=r"no config\.json in .*none.*\n.*save_pretrained"):
        path_identity(tmp_path / "none")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(
        WeightsError, match=r"no \*\.safetensors.*\n.*pickled weights .* are not loaded"
    ):
        path_identity(folder)


def test_python_files_count_where_they_are_run(folder: Path) -> None:
    """With ``trust_remote_code`` the model's own code is part of its identity, and else it is not."""
    source = {"source": "path", "path": str(folder)}
    (folder / "modeling_mine.py").write_text("one = 1")
    plain, trusted = (weights.obtain(source | {"trust_remote_code": t}) for t in (False, True))
    assert plain == weights.obtain(source)
    assert plain.identity != trusted.identity
    (folder / "modeling_mine.py").write_text("two = 2")
    assert weights.obtain(source) == plain
    assert weights.obtain(source | {"trust_remote_code": True}) != trusted


# --- hub and the rest --------------------------------------------------------------------------


def test_the_hub_offline_says_what_to_do() -> None:
    """With HF_HUB_OFFLINE=1 and an empty cache nothing is tried and the way out is named."""
    source = {"source": "hub", "id": "nobody/no-such-model", "revision": "main"}
    assert not weights.at_hand(source)
    with pytest.raises(WeightsError) as caught:
        weights.obtain(source)
    assert "could not download 'nobody/no-such-model' at revision 'main'" in str(caught.value)
    assert "HF_HUB_OFFLINE=1 forbids downloads" in str(caught.value)


def test_a_hub_model_without_safetensors_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(folder))
    with pytest.raises(
        WeightsError, match="'a/b' has no safetensors; pickled weights are not loaded"
    ):
        weights.obtain({"source": "hub", "id": "a/b"})


def test_a_hub_identity_names_the_revision_that_was_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snapshot's folder is the commit, so that ``main`` of today and of next month differ."""
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(folder))
    assert weights.obtain({"source": "hub", "id": "a/b"}).identity == "hub:a/b@model"


@pytest.mark.parametrize("trusted", [False, True])
def test_a_hubs_python_files_are_fetched_only_where_they_are_trusted(
    trusted: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def download(*_: object, allow_patterns: list[str], **__: object) -> str:
        asked.extend(allow_patterns)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    weights.obtain({"source": "hub", "id": "a/b", "trust_remote_code": trusted})
    assert ("*.py" in asked) is trusted
    assert {"*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"} == set(asked) - {"*.py"}


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(
        WeightsError, match=r"weights\.source is 'ftp', expected one of 'hub', 'path', 'wheel'"
    ):
        weights.obtain({"source": "ftp"})
