"""Periods out of what was seen on some days, and answers that can be told apart."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from evalkit.benchmarks.sources.building import periods, told_apart

DAYS = [date(2024, 1, 1) + timedelta(days=30 * i) for i in range(8)]
seen = st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=8)


def test_a_value_holds_until_another_is_seen() -> None:
    """Worked out by hand: a change, a gap, and a value that comes back."""
    observed = list(zip(DAYS, ["a", "a", "b", None, "b", "a"], strict=False))
    assert periods(observed) == [
        ("a", DAYS[0], DAYS[2]),
        ("b", DAYS[2], DAYS[3]),
        ("b", DAYS[4], DAYS[5]),
        ("a", DAYS[5], None),
    ]


@given(seen)
def test_on_every_day_that_holds_which_was_seen_there(values: list[str | None]) -> None:
    """Nothing is lost or added, and periods of different values never overlap."""
    observed = list(zip(DAYS, values, strict=False))
    found = periods(observed)
    for day, value in observed:
        holding = [v for v, start, end in found if start <= day and (end is None or day < end)]
        assert holding == ([] if value is None else [value])


def test_a_value_in_another_is_left_out_and_the_one_in_force_stays() -> None:
    """The nearest other periods come next."""
    answers = [
        {"text": "7.0", "valid_from": "2024-01-01", "valid_to": "2024-02-01"},
        {"text": "8", "valid_from": "2024-02-01", "valid_to": "2024-03-01"},
        {"text": "7.0 Update 1", "valid_from": "2024-03-01", "valid_to": None},
    ]
    assert [a["text"] for a in told_apart(answers, date(2024, 6, 1))] == ["8", "7.0 Update 1"]
    assert [a["text"] for a in told_apart(answers, date(2024, 1, 9))] == ["7.0", "8"]


def test_answers_of_the_same_period_all_stay() -> None:
    """They are right at once, so nothing has to be told apart."""
    answers = [
        {"text": "Paris", "valid_from": "2024-01-01"},
        {"text": "in Paris", "valid_from": "2024-01-01"},
    ]
    assert len(told_apart(answers, date(2024, 6, 1))) == 2
