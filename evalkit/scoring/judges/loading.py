"""Weights of judges through transformers: safetensors only, and no code of the model's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evalkit.errors import WeightsError


def load_weights(auto: str, what: str, folder: Path, dtype: str, device: str) -> Any:
    """A model that answers and does not learn.

    Args:
        auto: The class of transformers that reads it, such as ``AutoModelForCausalLM``.
        what: The same in words, for the error.
        folder: What ``from_pretrained`` reads.
        dtype: A name of torch's.
        device: ``cpu``, ``cuda`` or ``mps``.

    Raises:
        WeightsError: The folder holds no such model.
    """
    import torch
    import transformers

    try:
        model: Any = getattr(transformers, auto).from_pretrained(
            str(folder),
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"could not load {what} from {folder}: {error}",
            todo="check judge.weights; the folder needs config.json and *.safetensors",
        ) from error
    return model.to(device).eval().requires_grad_(False)
