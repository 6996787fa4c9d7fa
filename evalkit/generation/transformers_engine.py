"""The default engine: a local model through transformers, batched by token budget.

Rows are sorted longest first, so that a memory error comes at once and not at the end; a batch
that does not fit is halved and tried again. The cache is preallocated: growing it step by step
copied it every step and more than doubled the time of a decoding step on a CPU.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from evalkit.generation.base import Completion, Decoding, Request
from evalkit.hardware import resolve_device, resolve_dtype
from evalkit.models import load_model, load_tokenizer, render_chat
from evalkit.records import Message

log = logging.getLogger(__name__)

ENGINE_VERSION = "1"


class TransformersGenerator:
    """A causal language model, with an adapter merged into it if one is given.

    Args:
        folder: what ``from_pretrained`` reads; safetensors only.
        weights: identity of the weights' contents.
        adapter: folder of a peft adapter, merged on loading (merged adapters generate about twice
            as fast as unmerged ones on a CPU).
        adapter_id: identity of the adapter's contents.
        batch_tokens: bound on rows times (prompt + new) tokens of one batch.
        max_rows: bound on rows of one batch.
    """

    def __init__(
        self,
        folder: Path,
        weights: str,
        decoding: Decoding,
        *,
        adapter: Path | None = None,
        adapter_id: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        batch_tokens: int = 8192,
        max_rows: int = 32,
        trust_remote_code: bool = False,
    ) -> None:
        self.decoding = decoding
        self.device = resolve_device(device)
        self.dtype = resolve_dtype(dtype, self.device)
        self._folder = folder
        self._adapter = adapter
        self._trust = trust_remote_code
        self._batch_tokens = batch_tokens
        self._max_rows = max_rows
        self._model: Any = None
        self._tokenizer: Any = None
        self._identity = {
            "engine": f"transformers-{ENGINE_VERSION}",
            "weights": weights,
            "adapter": adapter_id,
            "dtype": self.dtype,
            "device": self.device.split(":")[0],
            "max_new_tokens": decoding.max_new_tokens,
            "temperature": decoding.temperature,
            "seed": decoding.seed if decoding.temperature else None,
        }

    @property
    def identity(self) -> dict[str, object]:
        return dict(self._identity)

    @property
    def tokenizer(self) -> Any:
        if self._tokenizer is None:
            self._tokenizer = load_tokenizer(self._folder, trust_remote_code=self._trust)
        return self._tokenizer

    @property
    def model(self) -> Any:
        if self._model is None:
            self._model = self._load()
        return self._model

    def close(self) -> None:
        """Release the model's memory."""
        self._model = None

    def render(self, messages: Sequence[Message]) -> str:
        return render_chat(self.tokenizer, messages)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return len(self.tokenizer(self.render(messages), add_special_tokens=False)["input_ids"])

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Complete every request, longest prompts first; a row that fails carries its error."""
        rows = [(r, self.render(r.messages)) for r in requests]
        if not rows:
            return
        encoded = self.tokenizer([p for _, p in rows], add_special_tokens=False)["input_ids"]
        order = sorted(range(len(rows)), key=lambda i: (-len(encoded[i]), rows[i][0].id))
        lengths = [len(ids) for ids in encoded]
        for batch in pack(order, lengths, self.decoding.max_new_tokens, self._batch_tokens, self._max_rows):
            yield from self._complete([(rows[i][0], rows[i][1], encoded[i]) for i in batch])

    def _complete(self, batch: list[tuple[Request, str, list[int]]]) -> Iterator[Completion]:
        import torch

        started = time.perf_counter()
        try:
            outputs = self._decode([ids for _, _, ids in batch])
        except (torch.OutOfMemoryError, MemoryError) as error:
            yield from self._halve(batch, error)
            return
        except RuntimeError as error:
            if "memory" in str(error).lower():
                yield from self._halve(batch, error)
                return
            raise
        share = (time.perf_counter() - started) / len(batch)
        for (request, prompt, ids), (tokens, finished) in zip(batch, outputs, strict=True):
            yield Completion(
                id=request.id,
                text=self.tokenizer.decode(tokens, skip_special_tokens=True),
                prompt=prompt,
                prompt_tokens=len(ids),
                output_tokens=len(tokens),
                finish_reason="stop" if finished else "length",
                seconds=share,
            )

    def _halve(self, batch: list[tuple[Request, str, list[int]]], error: Exception) -> Iterator[Completion]:
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(batch) == 1:
            request, prompt, ids = batch[0]
            yield Completion(request.id, "", prompt, len(ids), 0, "error", 0.0,
                             error=f"out of memory for one prompt of {len(ids)} tokens: {error}")  # fmt: skip
            return
        log.warning("out of memory with %d rows; going on with %d", len(batch), len(batch) // 2)
        self._max_rows = max(1, len(batch) // 2)
        middle = len(batch) // 2
        yield from self._complete(batch[:middle])
        yield from self._complete(batch[middle:])

    def _decode(self, prompts: list[list[int]]) -> list[tuple[list[int], bool]]:
        """Token ids and whether the row ended by itself, for left-padded prompts."""
        import torch
        from transformers import StaticCache

        width = max(len(p) for p in prompts)
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts], device=self.device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=self.device)
        new = self.decoding.max_new_tokens
        cache = StaticCache(config=self.model.config, max_cache_len=width + new)
        sampling: dict[str, Any] = {"do_sample": False}
        if self.decoding.temperature > 0:
            torch.manual_seed(self.decoding.seed)
            sampling = {"do_sample": True, "temperature": self.decoding.temperature}
        with torch.no_grad():
            out = self.model.generate(
                ids, attention_mask=mask, past_key_values=cache, max_new_tokens=new,
                pad_token_id=pad, disable_compile=True, **sampling,
            )  # fmt: skip
        ends = self._end_ids()
        return [trim(row, ends) for row in out[:, width:].tolist()]

    def _end_ids(self) -> set[int]:
        configured = self.model.generation_config.eos_token_id
        ids = configured if isinstance(configured, list) else [configured]
        return {i for i in [*ids, self.tokenizer.eos_token_id] if i is not None}

    def _load(self) -> Any:
        model = load_model(self._folder, self.dtype, self.device, trust_remote_code=self._trust)
        if self._adapter is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, str(self._adapter)).merge_and_unload()
        model.eval()
        model.requires_grad_(False)
        # torch copies a frozen vocabulary matrix for every row of a batch in prefill; a matrix
        # that requires a gradient is used in place (18 s against 7 s on one batch).
        model.get_output_embeddings().weight.requires_grad_(True)
        for setting in ("temperature", "top_p", "top_k"):
            setattr(model.generation_config, setting, None)
        return model


def pack(order: Sequence[int], lengths: Sequence[int], new: int, budget: int, max_rows: int) -> Iterator[list[int]]:
    """Consecutive rows of ``order`` into batches of at most ``budget`` padded tokens."""
    batch: list[int] = []
    width = 0
    for row in order:
        wider = max(width, lengths[row] + new)
        if batch and (len(batch) >= max_rows or wider * (len(batch) + 1) > budget):
            yield batch
            batch, wider = [], lengths[row] + new
        batch.append(row)
        width = wider
    if batch:
        yield batch


def trim(tokens: list[int], ends: set[int]) -> tuple[list[int], bool]:
    """The tokens before the first end token, and whether there was one."""
    for position, token in enumerate(tokens):
        if token in ends:
            return tokens[:position], True
    return tokens, False
