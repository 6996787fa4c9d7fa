"""What calls to a server go by: what may be spent, and when a failed call is tried again."""

from __future__ import annotations

import time
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.http_calls import (
    Budget,
    CallError,
    Patience,
    Silence,
    Spending,
    SpendingCapError,
    call_error,
    retry_after,
    unbilled,
)

TOKENS = st.tuples(st.integers(0, 10_000), st.integers(0, 10_000))


@given(st.floats(0, 50), st.lists(st.tuples(TOKENS, st.floats(0, 1)), max_size=40), st.data())
def test_money_never_goes_beyond_the_cap(cap: float, calls: list[Any], data: st.DataObject) -> None:
    """Whatever calls cost in the end, of what they could have cost, and in whichever order they
    come back."""
    spending = Spending(Budget(money=cap, prompt_price=1000.0, reply_price=3000.0))
    under_way: list[tuple[float, float]] = []
    for tokens, share in calls:
        try:
            reserved = spending.reserve(*tokens)
        except SpendingCapError:
            continue
        under_way.append((reserved, reserved * share))
        assert spending.money <= cap
        if data.draw(st.booleans()):
            spending.settle(*under_way.pop(data.draw(st.integers(0, len(under_way) - 1))))
        assert spending.money <= cap * (1 + 1e-9)


def test_prices_are_per_million() -> None:
    assert Budget(prompt_price=2.0, reply_price=8.0).price(500_000, 250_000) == 3.0
    assert not Budget(prompt_price=2.0).priced


def test_a_wrong_budget_names_its_key() -> None:
    with pytest.raises(
        ConfigError, match=r"model\.engine\.budget has the unknown keys \['cents'\]"
    ):
        Budget.of({"cents": 1}, "model.engine.budget")
    with pytest.raises(ConfigError, match=r"judge\.chat\.budget\.calls is 1\.5"):
        Budget.of({"calls": 1.5}, "judge.chat.budget")
    assert Budget.of(None, "x") == Budget()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_retry_after_in_seconds(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_retry_after_as_a_date() -> None:
    found = retry_after({"retry-after": formatdate(time.time() + 100, usegmt=True)})
    assert found == pytest.approx(100, abs=3)


@given(st.integers(1, 200), st.none() | st.floats(0, 100))
def test_waits_grow_are_bounded_and_never_shorter_than_asked(
    tried: int, asked: float | None
) -> None:
    patience = Patience(first_wait_s=1.0, longest_wait_s=60.0)
    wait = patience.wait(tried, CallError("x", retry_after=asked))
    doubled = min(60.0, 2.0 ** (tried - 1))
    assert max(asked or 0.0, 0.75 * doubled) <= wait <= max(asked or 0.0, doubled)


def test_what_is_tried_again() -> None:
    """A passing trouble, unless the server asks for more patience than there is."""
    patience = Patience(longest_wait_s=10.0)
    assert patience.again(CallError("x", passing=True))
    assert patience.again(CallError("x", passing=True, retry_after=10.0))
    assert not patience.again(CallError("x", passing=True, retry_after=11.0))
    assert not patience.again(CallError("x"))
    assert not patience.again(SpendingCapError("x"))


@pytest.mark.parametrize(
    ("attempts", "reached", "calls", "most"),
    [(6, True, 1, 6), (6, False, 4, 6), (2, True, 4, 8), (1, False, 1, 3), (1, True, 5, 5)],
)
def test_a_server_is_down_that_answered_nobody_for_long_enough(
    attempts: int, reached: bool, calls: int, most: int
) -> None:
    """All attempts of a call, of three requests at least; of several calls where it is one that
    takes requests. Then it says why, and whatever is answered before begins the count anew.
    """
    silence, tried = Silence(Patience(attempts), calls), 0
    for answered in (False, False, True):
        silence.attempt(answered)
    silence.gave_up("of before")
    silence.attempt(True)
    while not silence.broken:
        tried += 1
        silence.attempt(False)
        if tried % attempts == 0:
            silence.gave_up("refused", reached=reached)
    assert tried == most
    assert f"no answer to {most} requests in a row (refused)" in silence.broken


class StatusError(Exception):
    def __init__(self, status: int, code: str | None = None, **headers: str) -> None:
        super().__init__(f"status {status}")
        self.status_code, self.code = status, code
        self.response = SimpleNamespace(headers=headers)


def test_an_error_is_told_in_one_line_with_what_waiting_can_mend() -> None:
    """The status counts wherever in the chain of causes it is; a used-up account does not pass."""
    wrapped = RuntimeError("outer")
    wrapped.__cause__ = StatusError(503)
    found = call_error(wrapped)
    assert (found.passing, found.status, str(found)) == (True, 503, "HTTP 503: status 503")
    assert not call_error(StatusError(429, "insufficient_quota")).passing
    assert not call_error(StatusError(400)).passing
    assert str(call_error(ValueError("two\nlines"))) == "ValueError: two lines"


def test_a_server_that_was_never_reached_is_told_from_one_that_does_not_answer() -> None:
    wrapped = RuntimeError("Connection error.")
    wrapped.__cause__ = ConnectionRefusedError()
    assert not call_error(wrapped).reached
    for error in (TimeoutError(), ValueError("half a reply"), StatusError(503)):
        assert call_error(error).reached


def test_only_what_was_refused_or_never_sent_cost_nothing() -> None:
    assert unbilled(StatusError(500))
    assert unbilled(ConnectionRefusedError())
    assert not unbilled(TimeoutError())
    assert not unbilled(ValueError("half a reply"))
