"""A chat model behind an OpenAI-compatible endpoint, through ragas' ``llm_factory``.

Calls run in one background thread with an event loop. Each of them is bounded in time, counted
against the spending cap before it is sent, and tried again where that can help. Written for ragas
0.4.3 with instructor 1.17 and openai 3.3; their own retries are off, because they would not be
counted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from functools import cached_property
from typing import Any

from evalkit.errors import ConfigError
from evalkit.http_calls import (
    Budget,
    CallError,
    Patience,
    Silence,
    Spending,
    SpendingCapError,
    call_error,
    causes,
    unbilled,
)
from evalkit.scoring.judges.chat import ChatError, Exchange, silence_telemetry

VERSION = "1"
REDACTED = "<redacted>"
OWN_URL = "https://api.openai.com/v1"
MOST_MISFITS = 3
"""Replies that do not fit the response model, after which the call has failed."""
_ROOM_FOR_FORM = 512
"""Bytes that a request's instructions take beside the prompt and the schema."""


class _MisfitError(CallError):
    """The model replied, and the reply does not fit the response model."""


class _UnansweredError(CallError):
    """The server said nothing at all."""


class EndpointModel:
    """A model of a server that speaks OpenAI's chat completions.

    One that answers nobody for as long as a whole call is tried is not asked any more (`Silence`).

    Args:
        model: Its name there.
        base_url: Such as ``http://localhost:8000/v1``; None is OpenAI's own.
        key_from: The environment variable that holds the key. It is read when first needed and is
            in no configuration, log or store. A server that wants none needs no variable.
        temperature: 0 for the likeliest reply; above it several replies can differ.
        top_p: Share of the probability that is sampled from.
        max_tokens: Bound on a reply.
        timeout_s: Seconds that one request may take in all.
        concurrency: Requests under way at once.
        attempts: See `Patience`, as ``first_wait_s`` and ``longest_wait_s``.
        budget: The keys of `Budget`.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        key_from: str = "OPENAI_API_KEY",
        temperature: float = 0.0,
        top_p: float = 1.0,
        max_tokens: int = 512,
        timeout_s: float = 60.0,
        concurrency: int = 8,
        attempts: int = 6,
        first_wait_s: float = 1.0,
        longest_wait_s: float = 60.0,
        budget: Mapping[str, Any] | None = None,
    ) -> None:
        _check(concurrency=concurrency, max_tokens=max_tokens, timeout_s=timeout_s)
        self.name = str(model)
        self.temperature = float(temperature)
        self.concurrency = int(concurrency)
        self._url = base_url or OWN_URL
        self._key_from = key_from
        self._top_p = float(top_p)
        self._max_tokens = int(max_tokens)
        self._timeout_s = float(timeout_s)
        self._patience = Patience(attempts, first_wait_s, longest_wait_s, key="judge.chat")
        self._spending = Spending(Budget.of(budget, "judge.chat.budget"))
        self._silence = Silence(self._patience)
        self._starting = threading.Lock()
        if base_url is None and not self._key:
            raise ConfigError(
                f"judge.chat: OpenAI's endpoint needs a key, and {key_from} is not set",
                todo=f"export {key_from}=..., or name another server with judge.chat.base_url=URL",
            )

    @property
    def identity(self) -> dict[str, Any]:
        """All that can change a reply; a user's name or a key in the address is not in it."""
        from evalkit.secrets import without_credentials

        return {
            "chat": f"openai-{VERSION}",
            "model": self.name,
            "url": without_credentials(self._url),
            "temperature": self.temperature,
            "top_p": self._top_p,
            "max_tokens": self._max_tokens,
        }

    def facts(self) -> dict[str, Any]:
        """``calls`` sent (retries counted), and ``spent`` where tokens have a price."""
        spending = self._spending
        spent = {"spent": round(spending.money, 6)} if spending.budget.priced else {}
        return {"calls": spending.calls, **spent}

    def ask(self, prompt: str, response_model: type[Any]) -> Future[Exchange]:
        """See `ChatModel`; a call that the spending cap forbids raises `ChatError` too."""
        return asyncio.run_coroutine_threadsafe(self._ask(prompt, response_model), self._loop)

    async def _ask(self, prompt: str, response_model: type[Any]) -> Exchange:
        try:
            async with self._places:
                async for attempt in self._patience.retrying():
                    with attempt:
                        return await self._fitting(prompt, response_model)
        except (CallError, SpendingCapError) as error:
            if isinstance(error, _UnansweredError):
                self._silence.gave_up(str(error))
            raise ChatError(self._clean(str(error))) from None
        raise AssertionError("tenacity ends with a result or an error")

    async def _fitting(self, prompt: str, response_model: type[Any]) -> Exchange:
        """The first reply that fits. The server is well where one does not, so nobody waits."""
        for left in reversed(range(MOST_MISFITS)):
            try:
                return await self._attempt(prompt, response_model)
            except _MisfitError:
                if not left:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _attempt(self, prompt: str, response_model: type[Any]) -> Exchange:
        if self._silence.broken:
            raise CallError(self._silence.broken)
        try:
            exchange = await self._sent(prompt, response_model)
        except CallError as error:
            self._silence.attempt(answered=not isinstance(error, _UnansweredError))
            raise
        self._silence.attempt(answered=True)
        return exchange

    async def _sent(self, prompt: str, response_model: type[Any]) -> Exchange:
        reserved = self._spending.reserve(_most_tokens(prompt, response_model), self._max_tokens)
        cost = reserved  # what ends without a word from the server may have been billed
        try:
            made = await asyncio.wait_for(
                self._llm.agenerate(prompt, response_model), self._timeout_s
            )
            cost = self._cost(made._raw_response, reserved)
            return self._exchange(prompt, made)
        except TimeoutError:
            told = f"no reply within {self._timeout_s:g} s"
            raise _UnansweredError(told, passing=True) from None
        except Exception as error:
            completion = next((c for e in causes(error) if (c := _completion(e))), None)
            if completion is not None:
                cost = self._cost(completion, reserved)
            elif unbilled(error):
                cost = 0.0
            raise _call_error(error, completion) from error
        finally:
            self._spending.settle(reserved, cost)

    def _cost(self, completion: Any, reserved: float) -> float:
        usage = getattr(completion, "usage", None)
        if usage is None:
            return reserved
        return self._spending.budget.price(usage.prompt_tokens, usage.completion_tokens)

    def _exchange(self, prompt: str, made: Any) -> Exchange:
        raw, usage = made._raw_response, made._raw_response.usage
        value = made.model_dump_json()
        clean = self._clean(value)
        return Exchange(
            prompt,
            self._clean(_said(raw)),
            made if clean == value else type(made).model_validate_json(clean),
            getattr(usage, "prompt_tokens", None),
            getattr(usage, "completion_tokens", None),
        )

    @property
    def _key(self) -> str:
        return os.environ.get(self._key_from, "").strip()

    def _clean(self, text: str) -> str:
        """Text of a server without the key, which some repeat in their errors."""
        return text.replace(self._key, REDACTED) if self._key else text

    @cached_property
    def _places(self) -> asyncio.Semaphore:
        return asyncio.Semaphore(self.concurrency)

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            return self._running

    @cached_property
    def _running(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, name="judge", daemon=True).start()
        return loop

    @cached_property
    def _llm(self) -> Any:
        silence_telemetry()
        # Every failed try would be an error on the screen; what comes of it is told once, by us.
        logging.getLogger("instructor.v2.retry").setLevel(logging.CRITICAL)
        from openai import AsyncOpenAI
        from ragas.llms import llm_factory

        client = AsyncOpenAI(
            api_key=self._key or "none", base_url=self._url, max_retries=0, timeout=self._timeout_s
        )
        return llm_factory(
            self.name,
            client=client,
            temperature=self.temperature,
            top_p=self._top_p,
            max_tokens=self._max_tokens,
            max_retries=0,
        )


def _most_tokens(prompt: str, response_model: type[Any]) -> int:
    """A bound on the prompt's tokens: no token is less than a byte."""
    schema = json.dumps(response_model.model_json_schema(), indent=2, ensure_ascii=False)
    return len(prompt.encode("utf-8", "replace")) + len(schema.encode()) + _ROOM_FOR_FORM


def _completion(error: BaseException) -> Any:
    """What the server had said, where the reply did not fit the response model."""
    return getattr(error, "last_completion", None)


def _said(completion: Any) -> str:
    choices = getattr(completion, "choices", None) or [None]
    return str(getattr(getattr(choices[0], "message", None), "content", None) or "")


def _call_error(error: Exception, completion: Any) -> CallError:
    """What went wrong in one line, and whether trying again can help."""
    if completion is not None:
        cause = next((e for e in causes(error) if e.__cause__ is None), error)
        first = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        return _MisfitError(f"the reply does not fit: {first}; it was {_said(completion)[:200]!r}")
    from openai import APIError

    if not any(isinstance(each, APIError) for each in causes(error)):
        told = " ".join(str(error.__cause__ or error).split())[:200]
        return CallError(f"the response is no chat completion: {told}", passing=True)
    found = call_error(error)
    return found if found.status else _UnansweredError(str(found), passing=found.passing)


def _check(**given: Any) -> None:
    for name, value in given.items():
        whole = name != "timeout_s"
        fits = isinstance(value, int) if whole else isinstance(value, int | float)
        if not fits or isinstance(value, bool) or not value > 0:
            kind = "a whole number from 1" if whole else "a number of seconds above 0"
            raise ConfigError(f"judge.chat.{name} is {value!r}, expected {kind}")
