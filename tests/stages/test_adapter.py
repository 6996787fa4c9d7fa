"""What an adapter is: its weights, and how they are to be added."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import WeightsError
from evalkit.stages.preparing import contents_of

SETTINGS = {"lora_alpha": 16, "target_modules": ["q", "v"], "base_model_name_or_path": "/here"}


def adapter(folder: Path, weights: bytes = b"weights", **changed: Any) -> Path:
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(weights)
    (folder / "adapter_config.json").write_text(json.dumps(SETTINGS | changed))
    return folder


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({}, True),
        ({"base_model_name_or_path": "/elsewhere"}, True),
        ({"target_modules": ["v", "q"]}, True),  # a set, written in any order
        ({"weights": b"others"}, False),
        ({"lora_alpha": 32}, False),  # the same weights, added twice as strongly
        ({"target_modules": ["q", "k"]}, False),
        ({"target_modules": "qv"}, False),  # a pattern
    ],
)
def test_adapters_are_one_exactly_where_they_do_the_same(
    changed: dict[str, Any], same: bool, tmp_path: Path
) -> None:
    one, other = adapter(tmp_path / "one"), adapter(tmp_path / "other", **changed)
    assert (contents_of(one) == contents_of(other)) == same


def test_an_adapter_without_safetensors_is_refused(tmp_path: Path) -> None:
    """All such would be one and the same, and what they hold is code."""
    (tmp_path / "adapter_model.bin").write_bytes(b"pickled")
    with pytest.raises(WeightsError, match=r"has no \*\.safetensors") as caught:
        contents_of(tmp_path)
    assert "tuning.train" in str(caught.value.todo)
