"""An engine behind an OpenAI-compatible server: vLLM, llama.cpp, Ollama, or a hosted one.

Requests are bounded in number, in time and in what they may cost; one that fails is tried again
where that can help, and one that fails for good is a completion with an error. Written for openai
3.3, whose own retries are off, because they would not be counted.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from evalkit.chat import render_chat
from evalkit.errors import ConfigError
from evalkit.generation.base import Completion, Decoding, Request, request_seed
from evalkit.generation.server_calls import Failure, Server, as_they_finish
from evalkit.generation.server_reply import Reply
from evalkit.http_calls import Budget, Patience, Spending
from evalkit.models.loading import load_tokenizer
from evalkit.records import Message
from evalkit.shared import Shared

log = logging.getLogger(__name__)

ENGINE_VERSION = "1"

BYTES_PER_TOKEN = 3
"""For the estimate without a tokenizer. English has about 4; fewer bytes to a token are more tokens,
so that a prompt that seems to fit does fit.
"""
TOKENS_PER_MESSAGE = 4
"""What a chat template adds to each message, about."""

_TOKENIZER_FILES = frozenset({".jinja", ".json", ".model", ".txt"})
_OWN_KEYS = frozenset(
    {"model", "messages", "max_tokens", "max_completion_tokens", "temperature", "seed", "n"}
    | {"stream"}
)

_SPENDING: Shared[Spending] = Shared()


class OpenAIGenerator:
    """A model that a server names, with an adapter that the server names if one is given.

    Args:
        folder: Not used; the weights are the server's.
        weights: Identity of the model: its name and where it is.
        model: Its name on the server.
        base_url: Such as ``http://localhost:8000/v1``.
        adapter: Name of the tuned model or adapter on the server, asked for in place of ``model``.
        adapter_id: Identity of the adapter.
        key_from: The environment variable that holds the key. It is read when needed and is in no
            configuration, log or store. A server that wants none needs no variable.
        tokenizer: Folder or hub id of the model's tokenizer: prompts are then rendered and counted
            here as the model sees them. Without one a prompt is a plain transcript, and its tokens
            are estimated (see :data:`BYTES_PER_TOKEN`).
        timeout_s: Seconds that one request may take in all.
        concurrency: Requests under way at once.
        attempts: See `Patience`, as ``first_wait_s`` and ``longest_wait_s``.
        budget: The keys of `Budget`; all generators of a run count against one.
        length_key: What the server calls the bound on new tokens; ``max_completion_tokens`` for
            some hosted models.
        extra: More keys of the request's body, such as ``{top_p: 0.9}``.

    Raises:
        ConfigError: A setting that makes no sense.
    """

    def __init__(
        self,
        folder: Path | None,
        weights: str,
        decoding: Decoding,
        *,
        model: str,
        base_url: str,
        adapter: str | None = None,
        adapter_id: str | None = None,
        key_from: str = "OPENAI_API_KEY",
        tokenizer: str | None = None,
        timeout_s: float = 120.0,
        concurrency: int = 8,
        attempts: int = 6,
        first_wait_s: float = 1.0,
        longest_wait_s: float = 60.0,
        budget: Mapping[str, Any] | None = None,
        length_key: str = "max_tokens",
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        _check(timeout_s, concurrency, extra)
        self.decoding = decoding
        self._served = str(adapter or model)
        self._tokenizer_source = tokenizer
        self._length_key = length_key
        self._extra = dict(extra or {})
        allowed = Budget.of(budget, "model.engine.budget")
        spending, self._let_go = _SPENDING.hold(
            self, (str(base_url), allowed), lambda: Spending(allowed)
        )
        self._server = Server(
            url=str(base_url),
            key=os.environ.get(key_from, "").strip(),
            key_from=key_from,
            timeout_s=float(timeout_s),
            concurrency=concurrency,
            patience=Patience(attempts, first_wait_s, longest_wait_s, key="model.engine"),
            spending=spending,
        )
        self._identity = {
            "engine": f"openai-{ENGINE_VERSION}",
            "weights": weights,
            "adapter": adapter_id,
            "served": self._served,
            **decoding.identity,
            "extra": self._extra,
        }
        if tokenizer is not None:  # prompts are rendered and counted by it
            self._identity["tokenizer"] = _contents(tokenizer)
        self._said_estimated = False

    @property
    def identity(self) -> dict[str, object]:
        return dict(self._identity)

    @property
    def spending(self) -> Spending:
        """What was asked and paid so far, by all generators that share the cap."""
        return self._server.spending

    @cached_property
    def tokenizer(self) -> Any:
        """The local tokenizer, or None."""
        source = self._tokenizer_source
        return None if source is None else load_tokenizer(Path(source))

    def close(self) -> None:
        """Leave the spending cap that the run's generators share."""
        self._let_go()

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt by the model's chat template; without a tokenizer, a transcript."""
        if self.tokenizer is not None:
            return render_chat(self.tokenizer, messages)
        return "\n".join(f"[{m['role']}]\n{m['content']}" for m in messages)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt; without a tokenizer, an estimate that errs on the long side."""
        if self.tokenizer is not None:
            return self._count(self.render(messages))
        return sum(TOKENS_PER_MESSAGE + self._count(m["content"]) for m in messages)

    def _count(self, text: str) -> int:
        if self.tokenizer is None:
            return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Complete every request; in the order in which the server finishes them.

        Raises:
            EvalkitError: The server refuses the key, does not know the model, or has stopped
                answering. What was yielded before stays valid.
        """
        for request, outcome in as_they_finish(self._server, requests, self._body):
            yield self._completion(request, outcome)

    def _body(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._served,
            "messages": list(request.messages),
            self._length_key: self.decoding.max_new_tokens,
            "temperature": self.decoding.temperature,
        }
        if self.decoding.temperature:
            # Some servers keep seeds in 32 bits, with a sign.
            body["seed"] = request_seed(self.decoding.seed, request.id) % 2**31
        return body | {"extra_body": self._extra}

    def _completion(self, request: Request, outcome: Reply | Failure) -> Completion:
        prompt = self.render(request.messages)
        if isinstance(outcome, Failure):
            return Completion(
                request.id, "", prompt, 0, 0, "error", outcome.seconds, error=outcome.reason
            )
        prompt_tokens, output_tokens = outcome.prompt_tokens, outcome.output_tokens
        counted = prompt_tokens is not None and output_tokens is not None
        if prompt_tokens is None:
            prompt_tokens = self.count_tokens(request.messages)
        if output_tokens is None:
            output_tokens = self._count(outcome.text)
        estimated = not counted and self.tokenizer is None
        if estimated and not self._said_estimated:
            self._said_estimated = True
            log.warning(
                "%s counts no tokens; they are estimated from the bytes of the texts"
                " (model.engine.tokenizer=DIR counts them)",
                self._identity["weights"],
            )
        return Completion(
            id=request.id,
            text=outcome.text,
            prompt=prompt,
            prompt_tokens=prompt_tokens,
            output_tokens=output_tokens,
            finish_reason=outcome.finish_reason,
            seconds=outcome.seconds,
            tokens_estimated=estimated,
        )


def _contents(tokenizer: str) -> str:
    """A hash of a folder's files that are read for a tokenizer; an id of a hub as it is."""
    digest = sha256()
    files = sorted(f for f in Path(tokenizer).glob("*") if f.suffix in _TOKENIZER_FILES)
    for file in files:
        digest.update(f"{file.name}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16] if files else tokenizer


def _check(timeout_s: Any, concurrency: Any, extra: Any) -> None:
    if type(concurrency) is not int or concurrency < 1:
        raise ConfigError(
            f"model.engine.concurrency is {concurrency!r}, expected a whole number from 1"
        )
    number = isinstance(timeout_s, int | float) and not isinstance(timeout_s, bool)
    if not number or not timeout_s > 0:
        raise ConfigError(
            f"model.engine.timeout_s is {timeout_s!r}, expected a number of seconds above 0"
        )
    if taken := sorted(_OWN_KEYS & set(extra or {})):
        raise ConfigError(
            f"model.engine.extra has {taken}, which the engine sets itself or cannot use",
            todo="set model.decoding, model.name or model.engine.length_key instead",
        )
