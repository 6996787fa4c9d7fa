"""Ask a server for completions, many at a time, and hand each over as it comes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.generation.base import Request
from evalkit.generation.server_reply import Reply, counts, read
from evalkit.http_calls import (
    FEWEST_UNANSWERED,
    CallError,
    Patience,
    Silence,
    Spending,
    SpendingCapError,
    call_error,
    unbilled,
)
from evalkit.secrets import REDACTED, without_credentials

_CONNECT_S = 10.0
"""Bound on connecting: a server takes its time to think, and none to say that it is there."""
_ABSENT = frozenset({502, 503, 504})
"""By these statuses a gateway says that the server behind it does not answer."""
_LOOK_AGAIN_S = 0.02
_ROOM_FOR_MESSAGE = 32
"""Tokens that a chat template adds to a message, at most."""

Body = Callable[[Request], Mapping[str, Any]]


@dataclass(frozen=True)
class Failure:
    """Why a request has no reply, in one line without secrets."""

    reason: str
    seconds: float


@dataclass
class Server:
    """A server, how it is asked, and what happened so far.

    Attributes:
        key: Empty for a server that wants none.
        key_from: The environment variable that it came from.
        concurrency: Requests under way at once.
        not_before: Until then, by the monotonic clock, the server asked to be left alone.
        under_way: Requests that were sent and have not come back.
    """

    url: str
    key: str = field(repr=False)
    key_from: str
    timeout_s: float
    concurrency: int
    patience: Patience
    spending: Spending
    not_before: float = 0.0
    under_way: int = 0

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Take the server for one that answers, whatever was met before."""
        self.silence = Silence(self.patience, max(FEWEST_UNANSWERED, self.concurrency))

    def clean(self, text: str) -> str:
        """Text of the server without the key, which some repeat in their errors."""
        return text.replace(self.key, REDACTED) if self.key else text


def as_they_finish(
    server: Server, requests: Iterable[Request], body: Body
) -> Iterator[tuple[Request, Reply | Failure]]:
    """Ask each request at most ``server.patience.attempts`` times; each comes back exactly once.

    An event loop of its own, in a thread of its own, works while the caller stores what came. When
    the caller stops, or is interrupted, what is under way is dropped and what came is handed over.

    Raises:
        EvalkitError: No request can succeed (the key, the model), or the server is gone.
    """
    server.begin()
    finished: SimpleQueue[Any] = SimpleQueue()
    loop = asyncio.new_event_loop()
    task = loop.create_task(_ask_all(server, iter(requests), body, finished.put))
    thread = threading.Thread(target=_run, args=(loop, task, finished), name="ask", daemon=True)
    thread.start()
    try:
        while (item := finished.get()) is not _END:
            if isinstance(item, BaseException):
                raise item
            yield item
    except KeyboardInterrupt:
        with suppress(Empty):
            while isinstance(item := finished.get_nowait(), tuple):
                yield item
        raise
    finally:
        with suppress(RuntimeError):  # the loop is closed: it had finished
            loop.call_soon_threadsafe(task.cancel)
        thread.join()


_END = object()


def _run(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None], finished: Any) -> None:
    """Run the task to its end; its error goes where its results go."""
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        pass
    except BaseException as error:
        finished.put(error)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        finished.put(_END)


async def _ask_all(
    server: Server, requests: Iterator[Request], body: Body, finish: Callable[[Any], None]
) -> None:
    from openai import AsyncOpenAI, Timeout

    async def work() -> None:
        for request in requests:  # one iterator for all workers
            finish((request, await _outcome(server, client, body(request))))

    client = AsyncOpenAI(
        api_key=server.key or "none",
        base_url=server.url,
        max_retries=0,
        timeout=Timeout(server.timeout_s, connect=min(server.timeout_s, _CONNECT_S)),
    )
    async with client:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(server.concurrency):
                    group.create_task(work())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None


async def _outcome(server: Server, client: Any, body: Mapping[str, Any]) -> Reply | Failure:
    started = time.monotonic()
    try:
        async for attempt in server.patience.retrying():
            with attempt:
                return await _attempt(server, client, body)
    except (CallError, SpendingCapError) as error:
        reason = server.clean(str(error))
        if isinstance(error, CallError):
            _refuse_hopeless(server, error, reason)
        return Failure(reason, time.monotonic() - started)
    raise AssertionError("tenacity ends with a result or an error")


async def _attempt(server: Server, client: Any, body: Mapping[str, Any]) -> Reply:
    """One request, and a note of whether the server answered it."""
    try:
        reply = await _sent(server, client, body)
    except CallError as error:
        server.silence.attempt(answered=not _unanswered(error))
        raise
    server.silence.attempt(answered=True)
    return reply


def _unanswered(error: CallError) -> bool:
    """A status is a word of the server: what fails then may be the prompt."""
    return error.passing and (error.status is None or error.status in _ABSENT)


async def _sent(server: Server, client: Any, body: Mapping[str, Any]) -> Reply:
    """One request, counted against the cap before it is sent.

    Raises:
        CallError: It came to nothing.
        SpendingCapError: It was not sent.
    """
    while (pause := server.not_before - time.monotonic()) > 0:
        await asyncio.sleep(pause)
    reserved = await _reserved(server, body)
    cost = reserved  # what ends without a word from the server may have been billed
    started = time.monotonic()
    try:
        made = await asyncio.wait_for(
            client.chat.completions.create(**body), timeout=server.timeout_s
        )
        seconds = time.monotonic() - started
        prompt_tokens, output_tokens = counts(made)
        if prompt_tokens is not None and output_tokens is not None:
            cost = server.spending.budget.price(prompt_tokens, output_tokens)
        return read(made, seconds)
    except CallError:
        raise
    except TimeoutError:
        raise CallError(f"no reply within {server.timeout_s:g} s", passing=True) from None
    except Exception as error:
        if unbilled(error):
            cost = 0.0
        failed = call_error(error)
        if failed.retry_after and server.patience.again(failed):
            server.not_before = max(server.not_before, time.monotonic() + failed.retry_after)
        raise failed from error
    finally:
        server.spending.settle(reserved, cost)
        server.under_way -= 1


async def _reserved(server: Server, body: Mapping[str, Any]) -> float:
    """Reserve the most that a request can cost; what is under way may turn out to cost less."""
    most = _most_tokens(body)
    while True:
        try:
            reserved = server.spending.reserve(*most)
        except SpendingCapError:
            if server.under_way == 0:
                raise
            await asyncio.sleep(_LOOK_AGAIN_S)
        else:
            server.under_way += 1
            return reserved


def _most_tokens(body: Mapping[str, Any]) -> tuple[int, int]:
    """Bounds on the tokens of prompt and reply: no token is less than a byte."""
    contents = [str(m["content"]).encode("utf-8", "replace") for m in body["messages"]]
    prompt = sum(len(content) + _ROOM_FOR_MESSAGE for content in contents)
    return prompt, int(body.get("max_tokens") or body.get("max_completion_tokens") or 0)


def _refuse_hopeless(server: Server, error: CallError, reason: str) -> None:
    """End the run where asking on is in vain, so that it ends soon and not after every retry."""
    url = without_credentials(server.url)
    if error.status == 401:
        raise EvalkitError(
            f"{url} does not accept the key: {reason}",
            todo=f"export {server.key_from}=KEY, or name another variable with model.engine.key_from",
        )
    if error.status == 404:
        raise EvalkitError(
            f"{url} does not know what it was asked for: {reason}",
            todo="check model.name, model.adapter_name and model.base_url (most end in /v1)",
        )
    if _unanswered(error):
        server.silence.gave_up(reason, reached=error.reached)
    if server.silence.broken:
        raise EvalkitError(
            f"{url}: {server.silence.broken}",
            todo="check that the server runs, and model.base_url; where it is slow, raise"
            " model.engine.timeout_s. Finished answers are kept, and the same command asks for what is"
            " missing",
        )
