"""What a judge asks of a language model: a prompt in, a filled response model out.

A chat model is asked in the background and gives a future, so that several questions can be under
way. Behind it is a server (`endpoint`) or weights on this machine (`local`); in front of it stand
our own judge (`llm`) and, through `ragas_view`, ragas' metrics.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol


class ChatError(RuntimeError):
    """The model gave no usable reply; the message says why, without secrets."""


@dataclass(frozen=True)
class Exchange:
    """A prompt and what came of it.

    Attributes:
        prompt: What the model was sent, instructions about the form of the reply left out.
        reply: What it said, as it said it.
        value: The reply as an instance of the response model.
        prompt_tokens: Tokens of the prompt, None where the server does not say.
        reply_tokens: Tokens of the reply, None where the server does not say.
        probability: The probability of the reply among those that the response model allows;
            None where the model does not tell. In (0, 1].
    """

    prompt: str
    reply: str
    value: Any
    prompt_tokens: int | None = None
    reply_tokens: int | None = None
    probability: float | None = None


class ChatModel(Protocol):
    """A language model that fills pydantic models.

    ``identity`` holds all that can change a reply; ``concurrency`` is how many questions can be
    under way with profit; ``facts`` are counts for the run's results.
    """

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> Mapping[str, Any]: ...

    @property
    def temperature(self) -> float: ...

    @property
    def concurrency(self) -> int: ...

    def ask(self, prompt: str, response_model: type[Any]) -> Future[Exchange]:
        """Ask; the future raises `ChatError` where no usable reply came."""

    def facts(self) -> dict[str, Any]: ...


class Shelf(Protocol):
    """Where JSON values are kept by key, such as ``evalkit.store.Rows``."""

    def get(self, keys: Any) -> dict[str, Any]: ...

    def put(self, values: Mapping[str, Any]) -> None: ...


def digest(value: Any) -> str:
    """A 32-digit hash of JSON values, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def ragas_view(chat: ChatModel, shelf: Shelf | None = None) -> Any:
    """The chat model as a ``ragas.llms.base.InstructorBaseRagasLLM``, for ragas' own metrics.

    Args:
        shelf: Where replies are kept by model, prompt and response model; a prompt that it knows
            is not sent again. Its values are ``kind`` ("prompt"), ``model``, ``prompt``, ``reply``
            and ``value``.
    """
    silence_telemetry()
    from ragas.llms.base import InstructorBaseRagasLLM

    class ChatLLM(InstructorBaseRagasLLM):
        """Asks the chat model, unless the answer is on the shelf."""

        def generate(self, prompt: str, response_model: type[Any]) -> Any:
            key, known = self._known(prompt, response_model)
            if known is None:
                known = self._kept(key, chat.ask(prompt, response_model).result())
            return known

        async def agenerate(self, prompt: str, response_model: type[Any]) -> Any:
            key, known = self._known(prompt, response_model)
            if known is None:
                asked = asyncio.wrap_future(chat.ask(prompt, response_model))
                known = self._kept(key, await asked)
            return known

        def _known(self, prompt: str, response_model: type[Any]) -> tuple[str, Any]:
            schema = response_model.model_json_schema()
            key = digest(["prompt", dict(chat.identity), prompt, schema])
            found = shelf.get([key]).get(key) if shelf is not None else None
            return key, None if found is None else response_model.model_validate(found["value"])

        def _kept(self, key: str, exchange: Exchange) -> Any:
            if shelf is not None:
                value = exchange.value.model_dump(mode="json")
                row = {"kind": "prompt", "model": chat.name, "prompt": exchange.prompt}
                shelf.put({key: row | {"reply": exchange.reply, "value": value}})
            return exchange.value

    return ChatLLM()


def silence_telemetry() -> None:
    """Turn ragas' telemetry off; it reads this once, on first use."""
    os.environ.setdefault("RAGAS_DO_NOT_TRACK", "true")
