"""The spending cap and the waiting, as the judge's calls rely on them."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.http_calls import Budget, CallError, Patience, Spending, SpendingCapError, retry_after


@given(
    st.floats(0, 5),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 500), st.floats(0, 1)), max_size=40),
)
def test_what_is_spent_or_under_way_never_exceeds_the_cap(
    cap: float, calls: list[tuple[int, int, float]]
) -> None:
    """Whatever is asked for in whatever order, settled at once or later, at most what was reserved."""
    spending = Spending(Budget(money=cap, prompt_price=300, reply_price=900))
    under_way: list[tuple[float, float]] = []
    for prompt, reply, share in calls:
        try:
            reserved = spending.reserve(prompt, reply)
        except SpendingCapError:
            pass
        else:
            under_way.append((reserved, reserved * share))
        assert spending.money <= cap + 1e-9
        if len(under_way) > 3:
            spending.settle(*under_way.pop(0))
    for pair in under_way:
        spending.settle(*pair)
    assert spending.money + 1e-9 >= 0
    assert spending.money <= cap + 1e-9


def test_waits_double_up_to_the_bound_and_heed_the_server() -> None:
    """A quarter of it is left to chance, never of what the server asked for."""
    patience = Patience(first_wait_s=1, longest_wait_s=10)
    for tried, whole in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (5000, 10)):
        waits = [patience.wait(tried, None) for _ in range(50)]
        assert 0.75 * whole <= min(waits) <= max(waits) <= whole
    assert patience.wait(1, CallError("x", passing=True, retry_after=7)) >= 7


def test_what_is_tried_again() -> None:
    patience = Patience(longest_wait_s=10)
    assert patience.again(CallError("x", passing=True))
    assert patience.again(CallError("x", passing=True, retry_after=10))
    assert not patience.again(CallError("x", passing=True, retry_after=11))
    assert not patience.again(CallError("x"))
    assert not patience.again(SpendingCapError("x"))
    assert not patience.again(KeyboardInterrupt())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3),
        ({"retry-after": "-5"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_retry_after_in_seconds(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_retry_after_as_a_date() -> None:
    """RFC 9110 allows it; a date gone by is no wait."""
    ahead = formatdate(time.time() + 30, usegmt=True)
    assert retry_after({"retry-after": ahead}) == pytest.approx(30, abs=2)
    assert retry_after({"retry-after": formatdate(0, usegmt=True)}) == 0
