"""Load a causal language model and its tokenizer; shared by generation and tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evalkit.errors import WeightsError
from evalkit.machine.hardware import usable_threads


def load_tokenizer(folder: Path, *, trust_remote_code: bool = False) -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=trust_remote_code)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(folder: Path, dtype: str, device: str, *, trust_remote_code: bool = False) -> Any:
    """The model in ``dtype`` on ``device``; see :func:`~evalkit.machine.hardware.usable_threads`."""
    import torch
    from transformers import AutoModelForCausalLM

    quiet_transformers()
    if device == "cpu":
        torch.set_num_threads(usable_threads())
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            str(folder),
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            trust_remote_code=trust_remote_code,
        )
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"could not load a causal language model from {folder}: {error}",
            todo="check model.weights; the folder needs config.json and *.safetensors",
        ) from error
    return model.to(device)


def quiet_transformers() -> None:
    """No progress bars and no advice of transformers among ours."""
    from transformers.utils import logging as library

    quiet: Any = library
    quiet.disable_progress_bar()
    quiet.set_verbosity_error()
