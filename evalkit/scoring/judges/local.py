"""A chat model on this machine: weights through transformers, replies bound by a grammar.

A reply cannot but be JSON of the response model: where only a few replies are possible, the
likelier one is taken and its probability told; otherwise llguidance says at each step which tokens
may follow. Batches of one: a judge on a GPU server is better asked through `endpoint`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from evalkit.chat import render_chat
from evalkit.errors import ConfigError
from evalkit.plurals import counted
from evalkit.scoring.judges.chat import ChatError, Exchange, digest
from evalkit.scoring.judges.loading import load_weights

VERSION = "1"
_FEW = 16


class LocalModel:
    """A causal language model with a chat template.

    Args:
        folder: What ``from_pretrained`` reads; safetensors only, and no code of the model's own.
        weights: Identity of the weights' contents.
        name: What reports call it.
        temperature: 0 for the likeliest reply; above it several replies can differ.
        max_new_tokens: Bound on a reply; one that is cut is no reply.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
    """

    concurrency = 1

    def __init__(
        self,
        folder: Path,
        weights: str,
        *,
        name: str,
        temperature: float = 0.0,
        max_new_tokens: int = 512,
        device: str = "auto",
        dtype: str = "auto",
    ) -> None:
        from evalkit.machine.hardware import resolve_device, resolve_dtype

        if type(max_new_tokens) is not int or max_new_tokens < 1:
            raise ConfigError(
                f"judge.chat.max_new_tokens is {max_new_tokens!r}, expected a whole number from 1"
            )
        self.name = name
        self.temperature = float(temperature)
        self._folder = folder
        self._weights = weights
        self._max_new_tokens = max_new_tokens
        self._device = resolve_device(device)
        self._dtype = resolve_dtype(dtype, self._device)
        self._asked: Counter[str] = Counter()
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="judge")

    @property
    def identity(self) -> Mapping[str, Any]:
        return {
            "chat": f"local-{VERSION}",
            "weights": self._weights,
            "dtype": self._dtype,
            "device": self._device.split(":")[0],
            "temperature": self.temperature,
            "max_new_tokens": self._max_new_tokens,
        }

    def facts(self) -> dict[str, Any]:
        """``calls``: prompts that were computed."""
        return {"calls": self._asked.total()}

    def ask(self, prompt: str, response_model: type[Any]) -> Future[Exchange]:
        """See `ChatModel`; the prompts are computed one after the other in a thread."""
        return self._worker.submit(self._ask, prompt, response_model)

    def _ask(self, prompt: str, response_model: type[Any]) -> Exchange:
        import torch

        schema = response_model.model_json_schema()
        ids = self._prompt_ids(prompt)
        choices = few_replies(schema)
        with torch.inference_mode():
            if choices:
                reply, probability = self._choose(prompt, ids, choices)
            else:
                reply, probability = self._write(prompt, ids, schema), None
        return Exchange(
            prompt,
            reply,
            response_model.model_validate_json(reply),
            len(ids),
            len(self._tokens(reply)),
            probability,
        )

    def _prompt_ids(self, prompt: str) -> list[int]:
        messages = [{"role": "user", "content": prompt}]
        ids = self._tokens(render_chat(self._tokenizer, messages))
        room = getattr(self._model.config, "max_position_embeddings", None)
        if room is not None and len(ids) + self._max_new_tokens > room:
            raise ChatError(
                f"the prompt has {counted(len(ids), 'token')}, and with judge.chat.max_new_tokens="
                f"{self._max_new_tokens} the model has room for {room}"
            )
        return ids

    def _tokens(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _choose(self, prompt: str, ids: list[int], choices: Sequence[str]) -> tuple[str, float]:
        """The likeliest of the replies (or one drawn), and its probability among them.

        They are told apart at the first token in which they differ; what follows it is the same
        for all of them or leaves no choice.
        """
        import torch

        written = [self._tokens(choice) for choice in choices]
        shared = 0
        while len({tokens[shared] for tokens in written}) == 1:
            shared += 1
        logits = self._forward(ids + written[0][:shared], None)[0]
        deciding = torch.tensor([tokens[shared] for tokens in written], device=logits.device)
        shares = torch.softmax(logits[deciding].float(), dim=-1)
        place = self._pick(logits[deciding], self._drawing(prompt))
        return choices[place], float(shares[place])

    def _write(self, prompt: str, ids: list[int], schema: Mapping[str, Any]) -> str:
        """A reply by the grammar of the schema, token by token."""
        import torch

        matcher, drawing = self._matcher(schema), self._drawing(prompt)
        written: list[int] = []
        pending, cache = ids, None
        while not matcher.is_stopped():
            if len(written) == self._max_new_tokens:
                raise ChatError(
                    f"the reply was cut at judge.chat.max_new_tokens={self._max_new_tokens}"
                )
            logits, cache = self._forward(pending, cache)
            allowed = self._allowed(matcher, logits.shape[-1])
            token = self._pick(logits.masked_fill(~allowed.to(logits.device), -torch.inf), drawing)
            if not matcher.consume_token(token):
                raise ChatError(f"the grammar refused a token: {matcher.get_error()}")
            written.append(token)
            pending = [token]
        return str(self._tokenizer.decode(written, skip_special_tokens=True))

    def _forward(self, ids: list[int], cache: Any) -> tuple[Any, Any]:
        import torch

        given = torch.tensor([ids], device=self._model.device)
        out = self._model(given, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return out.logits[0, -1], out.past_key_values

    def _pick(self, logits: Any, drawing: Any) -> int:
        import torch

        if drawing is None:
            return int(logits.argmax())
        shares = torch.softmax(logits.float().cpu() / self.temperature, dim=-1)
        return int(torch.multinomial(shares, 1, generator=drawing))

    def _drawing(self, prompt: str) -> Any:
        """Random numbers of their own for each time that a prompt is asked, the same in a rerun."""
        import torch

        key = digest(prompt)
        self._asked[key] += 1
        if self.temperature == 0:
            return None
        return torch.Generator().manual_seed(int(digest([key, self._asked[key]])[:15], 16))

    def _matcher(self, schema: Mapping[str, Any]) -> Any:
        from llguidance import LLMatcher

        # With free white space a small model may write spaces for ever.
        compact: Any = {"whitespace_flexible": False}
        grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema), defaults=compact)
        matcher = LLMatcher(self._vocabulary, grammar)
        if matcher.is_error():
            raise ChatError(f"no grammar for this response model: {matcher.get_error()}")
        return matcher

    def _allowed(self, matcher: Any, size: int) -> Any:
        import numpy as np
        import torch
        from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

        mask = allocate_token_bitmask(1, size)
        fill_next_token_bitmask(matcher, mask, 0)
        bits = np.unpackbits(mask[0].view(np.uint8), bitorder="little")[:size]
        return torch.from_numpy(bits.astype(bool))

    @cached_property
    def _vocabulary(self) -> Any:
        from llguidance.hf import from_tokenizer

        return from_tokenizer(self._tokenizer, n_vocab=self._model.config.vocab_size)

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(str(self._folder), trust_remote_code=False)
        if tokenizer.chat_template is None:
            raise ChatError("the judge's tokenizer has no chat template")
        return tokenizer

    @cached_property
    def _model(self) -> Any:
        return load_weights(
            "AutoModelForCausalLM",
            "a causal language model",
            self._folder,
            self._dtype,
            self._device,
        )


def few_replies(schema: Mapping[str, Any]) -> list[str]:
    """All the replies that a schema of one closed choice allows; none where there are more."""
    fields = list((schema.get("properties") or {}).items())
    if len(fields) != 1:
        return []
    name, field = fields[0]
    values = field.get("enum") or []
    return [json.dumps({name: value}) for value in values] if 1 < len(values) <= _FEW else []
