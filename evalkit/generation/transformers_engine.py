"""The default engine: a local model through transformers, batched by token budget.

Rows are sorted longest first, so that a memory error comes at once and not at the end; after one,
the rows that remain are packed anew with half as many tokens to a batch.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from evalkit.chat import render_chat
from evalkit.generation.attention import use_blocks
from evalkit.generation.base import Completion, Decoding, Request, request_seed
from evalkit.generation.decode import Output, Prefix, common_prefix, compute_prefix, decode
from evalkit.generation.packing import Row, default_budget, pack, together
from evalkit.generation.resident import hold
from evalkit.machine.environment import versions
from evalkit.machine.hardware import resolve_device, resolve_dtype
from evalkit.models.loading import load_model, load_tokenizer
from evalkit.records import Message

log = logging.getLogger(__name__)

ENGINE_VERSION = "2"

_NO_MEMORY = ("out of memory", "not enough memory", "allocate memory", "alloc_failed")
"""What torch's allocators say; "illegal memory access", say, is another matter."""


class TransformersGenerator:
    """A causal language model, with an adapter merged into it if one is given.

    Generators that are made together share the base model: one with an adapter merges it into what
    a generator without one has left.

    Args:
        folder: what ``from_pretrained`` reads; safetensors only.
        weights: identity of the weights' contents.
        adapter: folder of a peft adapter, merged on loading (merged adapters generate about twice
            as fast as unmerged ones on a CPU).
        adapter_id: identity of the adapter's contents.
        batch_tokens: bound on rows times (prompt + new) tokens of one batch; None: 65,536, or what a
            quarter of the free memory holds.
        max_rows: bound on rows of one batch; None: 64 on a processor, 256 elsewhere.
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
        batch_tokens: int | None = None,
        max_rows: int | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        self.decoding = decoding
        self.device = resolve_device(device)
        self.dtype = resolve_dtype(dtype, self.device)
        self._folder = folder
        self._adapter = adapter
        self._trust = trust_remote_code
        self._batch_tokens = batch_tokens
        self._max_rows = max_rows or (64 if self.device == "cpu" else 256)
        self._model: Any = None
        self._tokenizer: Any = None
        place = (str(folder), self.dtype, self.device, trust_remote_code)
        self._resident, self._let_go = hold(self, place)
        self._identity = {
            "engine": f"transformers-{ENGINE_VERSION}",
            "weights": weights,
            "adapter": adapter_id,
            "dtype": self.dtype,
            "device": self.device.split(":")[0],
            "libraries": versions("torch", "transformers", *(["peft"] if adapter else [])),
            **decoding.identity,
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
        """Release the model's memory, once no other generator waits for the same base model."""
        if self._model is not None and self._adapter is None:
            self._resident.release()
        self._model = None
        self._let_go()

    def render(self, messages: Sequence[Message]) -> str:
        return render_chat(self.tokenizer, messages)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return len(self.tokenizer(self.render(messages), add_special_tokens=False)["input_ids"])

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Complete every request, longest prompts first; a row that fails carries its error.

        Requests that share all messages but the last (system message, worked examples) share the
        computation of that beginning.
        """
        fitting = []
        for row in self._rows(list(requests)):
            if problem := self._beyond_context(row):
                yield _failed(row, problem)
            else:
                fitting.append(row)
        for rows in together(fitting):
            rows.sort(key=lambda row: (-len(row.ids), row.id))
            yield from self._complete_all(rows)

    def _rows(self, requests: list[Request]) -> list[Row]:
        """The requests as the model sees them, tokenised at once."""
        if not requests:
            return []
        prompts = [self.render(request.messages) for request in requests]
        ids = self.tokenizer(prompts, add_special_tokens=False)["input_ids"]
        groups: dict[str, list[int]] = {}
        for number, request in enumerate(requests):
            beginning = json.dumps(request.messages[:-1]) if len(request.messages) > 1 else ""
            groups.setdefault(beginning, []).append(number)
        shared: dict[int, tuple[int, ...]] = {}
        for group in groups.values():
            if len(group) > 1:
                shared |= dict.fromkeys(group, common_prefix([ids[number] for number in group]))
        return [
            Row(request.id, prompt, tokens, shared.get(number, ()))
            for number, (request, prompt, tokens) in enumerate(
                zip(requests, prompts, ids, strict=True)
            )
        ]

    def _beyond_context(self, row: Row) -> str | None:
        """What is wrong with a prompt for which the model has no positions."""
        new = self.decoding.max_new_tokens
        room = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if not isinstance(room, int) or len(row.ids) + new <= room:
            return None
        return (
            f"a prompt of {len(row.ids)} tokens and {new} new ones are more than the model's context of"
            f" {room}; show fewer or shorter passages (retriever.k, chunker), or ask for fewer new tokens"
        )

    def _complete_all(self, rows: list[Row]) -> Iterator[Completion]:
        """Batch by batch; one that does not fit makes the bound on tokens smaller from there on."""
        prefixes = {ids: self._prefix(ids) for ids in {row.shared for row in rows}}
        budget = self._batch_tokens or default_budget(self.model, next(iter(prefixes.values())))
        lengths = [len(row.ids) + self.decoding.max_new_tokens for row in rows]
        done = 0
        while done < len(rows):
            size = len(next(pack(lengths[done:], budget, self._max_rows)))
            # Those with one prefix stand together, each kind still longest first.
            batch = sorted(rows[done : done + size], key=lambda row: row.shared)
            started = time.perf_counter()
            outputs, problem = self._attempt(batch, [prefixes[row.shared] for row in batch])
            if outputs is not None:
                yield from self._completions(batch, outputs, time.perf_counter() - started)
            else:
                _release()
                if size > 1:
                    # Of tokens and not of rows: of the shorter prompts that follow more may fit.
                    self._batch_tokens = budget = lengths[done] * size // 2
                    log.warning("out of memory with %d rows; going on with %d", size, size // 2)
                    continue
                [row] = batch
                yield _failed(
                    row, f"out of memory for one prompt of {len(row.ids)} tokens: {problem}"
                )
            done += size

    def _prefix(self, ids: tuple[int, ...]) -> Prefix:
        """What is shared, computed; nothing where it alone does not fit (its rows then fail one by one)."""
        try:
            return compute_prefix(self.model, ids)
        except (MemoryError, RuntimeError) as error:
            if not ids or not _is_short_of_memory(error):
                raise
        _release()
        return compute_prefix(self.model, ())

    def _attempt(self, batch: list[Row], prefixes: list[Prefix]) -> tuple[list[Output] | None, str]:
        """The outputs, or None and what was said about memory.

        The error itself is not passed on: its traceback would keep the failed cache in memory.
        """
        try:
            outputs = decode(
                self.model, [row.ids for row in batch], prefixes, self.decoding.max_new_tokens,
                self._ends, self._picker(batch),
            )  # fmt: skip
        except (MemoryError, RuntimeError) as error:
            if not _is_short_of_memory(error):
                raise
            return None, str(error)
        return outputs, ""

    def _completions(
        self, batch: list[Row], outputs: list[Output], seconds: float
    ) -> Iterator[Completion]:
        for row, (tokens, ended) in zip(batch, outputs, strict=True):
            yield Completion(
                id=row.id,
                text=self.tokenizer.decode(tokens, skip_special_tokens=True),
                prompt=row.prompt,
                prompt_tokens=len(row.ids),
                output_tokens=len(tokens),
                finish_reason="stop" if ended else "length",
                seconds=seconds / len(batch),
            )

    def _picker(self, batch: list[Row]) -> Any:
        """Greedy, or sampling with a generator per row, so that a row's draws do not depend on
        which rows share its batch.
        """
        import torch

        if self.decoding.temperature == 0:
            return lambda logits, _: logits.argmax(-1)
        generators = [
            torch.Generator().manual_seed(request_seed(self.decoding.seed, row.id)) for row in batch
        ]

        def sample(logits: Any, rows: list[int]) -> Any:
            shares = torch.softmax(logits.float().cpu() / self.decoding.temperature, dim=-1)
            drawn = [
                torch.multinomial(p, 1, generator=generators[r])
                for p, r in zip(shares, rows, strict=True)
            ]
            return torch.cat(drawn).to(logits.device)

        return sample

    @property
    def _ends(self) -> frozenset[int]:
        configured = self.model.generation_config.eos_token_id
        ids = configured if isinstance(configured, list) else [configured]
        return frozenset(i for i in [*ids, self.tokenizer.eos_token_id] if i is not None)

    def _load(self) -> Any:
        if self._adapter is None:
            return self._resident.use(self._load_base)
        from peft import PeftModel

        base = self._resident.take(self._load_base)
        tuned: Any = PeftModel.from_pretrained(base, str(self._adapter))
        return _made_ready(tuned.merge_and_unload())

    def _load_base(self) -> Any:
        return _made_ready(
            load_model(self._folder, self.dtype, self.device, trust_remote_code=self._trust)
        )


def _made_ready(model: Any) -> Any:
    """A model for answering alone."""
    model.eval()
    model.requires_grad_(False)
    # torch copies a frozen vocabulary matrix for every row of a batch in prefill; a matrix
    # that requires a gradient is used in place (18 s against 7 s on one batch).
    model.get_output_embeddings().weight.requires_grad_(True)
    use_blocks(model)
    return model


def _failed(row: Row, problem: str) -> Completion:
    return Completion(row.id, "", row.prompt, len(row.ids), 0, "error", 0.0, error=problem)


def _is_short_of_memory(error: Exception) -> bool:
    """Torch reports a lack of memory as a RuntimeError on every device."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(words in said for words in _NO_MEMORY)


def _release() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
