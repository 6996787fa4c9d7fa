"""Turn a GGUF file into a folder that ``from_pretrained`` reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from pathlib import Path
from typing import Any

from evalkit.models.loading import quiet_transformers

_QUANTISER_TRACES = ("hf_quantizer", "is_quantized", "quantization_method", "quantization_config")


def dequantise(gguf: Path, folder: Path) -> None:
    """Write the GGUF file's model as float32 safetensors, with its tokenizer and chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    quiet_transformers()
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    with _without_bar():
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32
        )
    # save_pretrained would try to save in the quantiser's own format, which cannot be written.
    for holder in (model, model.config):
        for trace in _QUANTISER_TRACES:
            holder.__dict__.pop(trace, None)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@contextmanager
def _without_bar() -> Iterator[None]:
    """No bar of transformers' GGUF reader, which does not ask its library's own switch."""
    from tqdm import tqdm

    bars: Any = tqdm
    before = bars.__init__
    bars.__init__ = partialmethod(before, disable=True)
    try:
        yield
    finally:
        bars.__init__ = before
