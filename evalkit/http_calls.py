"""Calls to servers of language models: what may be spent, and when a failed call is tried again.

Shared by the engine that answers and the judge that scores. A call is counted against the spending
cap before it is sent. The waiting is tenacity's; here is what it goes by: exponential back-off with
jitter, and ``Retry-After``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

from evalkit.errors import ConfigError

PER = 1_000_000
"""Prices are per so many tokens."""

PASSING = frozenset({408, 409, 425, 429, *range(500, 600)})
"""Statuses of HTTP that a later try may not meet again."""

FEWEST_UNANSWERED = 3
"""Requests without an answer below which a server does not count as down."""
_UNREACHED = frozenset({"ConnectError", "ConnectTimeout", "ConnectionRefusedError", "gaierror"})
"""Errors, of whichever library, that come before a request is sent."""


class SpendingCapError(RuntimeError):
    """A call was refused, because it could have gone beyond the cap."""


@dataclass(frozen=True)
class Budget:
    """What may be spent, and the prices to count it by; None is no cap.

    Attributes:
        calls: Requests that may be sent, retries counted.
        money: In the currency of the prices.
        prompt_price: Of a million prompt tokens.
        reply_price: Of a million reply tokens.
        key: Of the configuration that holds these, for errors.
    """

    calls: int | None = None
    money: float | None = None
    prompt_price: float | None = None
    reply_price: float | None = None
    key: str = field(default="budget", compare=False)

    def __post_init__(self) -> None:
        for name in ("calls", "money", "prompt_price", "reply_price"):
            _check_amount(self.key, name, getattr(self, name))
        if self.money is not None and None in (self.prompt_price, self.reply_price):
            raise ConfigError(
                f"{self.key}.money is {self.money}, but tokens have no price",
                todo=f"give {self.key}.prompt_price and reply_price, per million tokens",
            )

    @classmethod
    def of(cls, given: Mapping[str, Any] | None, key: str) -> Budget:
        """The budget under ``key`` of a configuration.

        Raises:
            ConfigError: A key or a value that makes no sense.
        """
        known = ("calls", "money", "prompt_price", "reply_price")
        if unknown := sorted(set(given or {}) - set(known)):
            raise ConfigError(f"{key} has the unknown keys {unknown}", todo=f"it takes {known}")
        return cls(**(given or {}), key=key)

    @property
    def priced(self) -> bool:
        return self.prompt_price is not None and self.reply_price is not None

    def price(self, prompt_tokens: int, reply_tokens: int) -> float:
        """The money that so many tokens cost; 0 where they have no price."""
        each = (self.prompt_price or 0.0, self.reply_price or 0.0)
        return (prompt_tokens * each[0] + reply_tokens * each[1]) / PER


class Spending:
    """Counts what is spent under a budget. Not safe for several threads.

    A call is reserved at the most it can cost and settled at what it did cost, so that calls under
    way together cannot go beyond the cap either.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.calls = 0
        self.money = 0.0

    def reserve(self, prompt_tokens: int, reply_tokens: int) -> float:
        """Reserve a call of at most so many tokens; its price, to be given to `settle`.

        Raises:
            SpendingCapError: The call could go beyond the cap; nothing was reserved.
        """
        budget, most = self.budget, self.budget.price(prompt_tokens, reply_tokens)
        if budget.calls is not None and self.calls >= budget.calls:
            raise SpendingCapError(f"spending cap: {budget.calls} calls, all made")
        if budget.money is not None and self.money + most > budget.money:
            raise SpendingCapError(
                f"spending cap: {self.money:.4f} of {budget.money} spent or under way,"
                f" and the next call may cost {most:.4f}"
            )
        self.calls += 1
        self.money += most
        return most

    def settle(self, reserved: float, actual: float) -> None:
        """Put what a call did cost in place of what was reserved for it."""
        self.money += actual - reserved


def _check_amount(key: str, name: str, value: Any) -> None:
    whole = name == "calls"
    right = int if whole else (int, float)
    fits = value is None or (isinstance(value, right) and not isinstance(value, bool))
    if not fits or (value is not None and not 0 <= value < float("inf")):
        expected = "a whole number of 0 or more" if whole else "a number of 0 or more"
        raise ConfigError(f"{key}.{name} is {value!r}, expected {expected}, or null")


# --- trying again ------------------------------------------------------------------------------


class CallError(RuntimeError):
    """A call that failed.

    Attributes:
        passing: Whether a later try may fare better.
        retry_after: Seconds that the server asked to wait; None where it did not.
        status: Of HTTP; None where there was no reply.
        reached: Whether the request came to the server at all.
    """

    def __init__(
        self,
        reason: str,
        *,
        passing: bool = False,
        retry_after: float | None = None,
        status: int | None = None,
        reached: bool = True,
    ) -> None:
        super().__init__(reason)
        self.passing, self.reached = passing, reached
        self.retry_after, self.status = retry_after, status


@dataclass(frozen=True)
class Patience:
    """How often and how long a call is tried.

    Attributes:
        attempts: Tries of one call in all.
        first_wait_s: Seconds before the second try; each later wait is twice as long, and up to a
            quarter of it is taken off at random, so that calls do not come back all at once.
        longest_wait_s: Bound on a wait. A server that asks for more is not tried again.
        key: Of the configuration that holds these, for errors.
    """

    attempts: int = 6
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    key: str = field(default="calls", compare=False)

    def __post_init__(self) -> None:
        if type(self.attempts) is not int or self.attempts < 1:
            raise ConfigError(
                f"{self.key}.attempts is {self.attempts!r}, expected a whole number from 1"
            )
        for name in ("first_wait_s", "longest_wait_s"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 0:
                raise ConfigError(
                    f"{self.key}.{name} is {value!r}, expected a number of seconds of 0 or more"
                )

    def retrying(self) -> Any:
        """A ``tenacity.AsyncRetrying``; the last `CallError` comes out of it as it is."""
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        return AsyncRetrying(
            stop=stop_after_attempt(self.attempts),
            wait=self._wait,
            retry=retry_if_exception(self.again),
            reraise=True,
        )

    def again(self, error: BaseException) -> bool:
        """Whether another try is worth it."""
        if not isinstance(error, CallError) or not error.passing:
            return False
        return error.retry_after is None or error.retry_after <= self.longest_wait_s

    def _wait(self, state: Any) -> float:
        return self.wait(state.attempt_number, state.outcome.exception())

    def wait(self, tried: int, error: BaseException | None) -> float:
        """Seconds to wait after ``tried`` tries (from 1); never less than the server asked for."""
        from random import random

        doubled = min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(tried - 1, 64))
        asked = getattr(error, "retry_after", None) or 0.0
        return float(max(asked, doubled * (1 - random() / 4)))


class Silence:
    """Notices that a server is down: it answered nobody while all attempts of a call were made.

    ``broken`` says why it is not asked any more; it is empty while it is.

    Args:
        calls: So many given up in a row, and a server that can be reached counts as down too: it may
            be their prompts that it chokes on.
    """

    def __init__(self, patience: Patience, calls: int = 1) -> None:
        self.broken = ""
        self._bearable, self._calls = max(patience.attempts, FEWEST_UNANSWERED), calls
        self._unanswered = self._given_up = 0

    def attempt(self, answered: bool) -> None:
        """Note one request; an error is an answer too."""
        self._unanswered += 1
        if answered:
            self._unanswered = self._given_up = 0

    def gave_up(self, reason: str, *, reached: bool = True) -> None:
        """Note that all attempts of a call went unanswered, the last for this reason."""
        self._given_up += 1
        down = not reached or self._given_up >= self._calls
        if down and self._unanswered >= self._bearable:
            said = f"the server gave no answer to {self._unanswered} requests in a row ({reason})"
            self.broken = f"{said} and is not asked again in this run; run again when it is up"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the headers of a response ask to wait (RFC 9110, section 10.2.3), 0 or more.

    ``retry-after-ms``, which some servers send for more precision, goes first.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        found = headers.get(name)
        if found is None:
            continue
        try:
            seconds = float(found) / unit
        except ValueError:
            try:
                seconds = parsedate_to_datetime(found).timestamp() - time.time()
            except (ValueError, OverflowError):
                continue
        if isfinite(seconds):
            return max(0.0, seconds)
    return None


# --- what went wrong ---------------------------------------------------------------------------


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, outermost first."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__


def unbilled(error: BaseException) -> bool:
    """Whether a failed call cost nothing: the server refused it, or was never reached."""
    return any(
        isinstance(getattr(each, "status_code", None), int) or type(each).__name__ in _UNREACHED
        for each in causes(error)
    )


def call_error(error: Exception) -> CallError:
    """What went wrong in one line, and whether trying again can help."""
    for each in causes(error):
        status = getattr(each, "status_code", None)
        if isinstance(status, int):
            asked = retry_after(getattr(getattr(each, "response", None), "headers", {}))
            # A used-up account has the status of too many requests, and waiting mends nothing.
            passing = status in PASSING and getattr(each, "code", None) != "insufficient_quota"
            told = f"HTTP {status}: {' '.join(str(each).split())[:300]}"
            return CallError(told, passing=passing, retry_after=asked, status=status)
    innermost = list(causes(error))[-1]
    told = f"{type(innermost).__name__}: {' '.join(str(innermost).split())[:300]}"
    # Without a status, what cost nothing never came to the server.
    return CallError(told, passing=True, reached=not unbilled(error))
