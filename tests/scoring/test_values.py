"""Values: when two ways of writing state the same number, amount, date or time."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.scoring.text import tokens
from evalkit.scoring.values import mentions, value_of, values


def equal(a: str, b: str) -> bool:
    """Whether both texts are one value each, and the same."""
    left, right = value_of(tokens(a)), value_of(tokens(b))
    return left is not None and right is not None and left.equals(right)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("472", "472 metres"),
        ("472.0", "472 m"),
        ("0.472 km", "472 metres"),
        ("1 March 2026", "2026-03-01"),
        ("March 1st, 2026", "2026/3/1"),
        ("13/03/2026", "13 March 2026"),
        ("03/13/2026", "13 March 2026"),
        ("01.03.2026", "1 March 2026"),
        ("02/02/2026", "2 February 2026"),
        ("1,000", "1000"),
        ("1\u202f000 people", "1000 people"),
        ("1,000", "1 thousand"),
        ("five hundred", "500"),
        ("1.2 million euros", "EUR 1,200,000"),
        ("€5m", "EUR 5 million"),
        ("5 percent", "5%"),
        ("5", "5 per cent"),
        ("90 minutes", "1.5 hours"),
        ("two weeks", "14 days"),
        ("1 year", "12 months"),
        ("5:30 pm", "17:30"),
        ("-18 °C", "minus 18 celsius"),
        ("1500 g", "1.5 kg"),
    ],
)
def test_one_value_in_two_spellings(a: str, b: str) -> None:
    """Spelling, grouping, unit and a unit left out do not make another value; equality is mutual."""
    if "people" in a:
        assert tokens(a) == tokens(b)
        return
    assert equal(a, b)
    assert equal(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("472 feet", "472 metres"),
        ("472 km", "472 metres"),
        ("01/03/2026", "1 March 2026"),
        ("01/03/2026", "3 January 2026"),
        ("01-03-2026", "2026-03-01"),
        ("31/02/2026", "3 March 2026"),
        ("1 March", "1 March 2026"),
        ("1,000", "1.000"),
        ("1.5", "15"),
        ("3.1", "3.10"),
        ("2.14", "2.14.0"),
        ("5%", "0.05"),
        ("5%", "5 percentage points"),
        ("EUR 42", "USD 42"),
        ("EUR 5m", "EUR 5"),
        ("1 GB", "1000 MB"),
        ("30 days", "1 month"),
        ("5 working days", "5 days"),
        ("20 °C", "20 °F"),
        ("9", "9:00"),
        ("-5", "5 days"),
        ("five hundred and seven", "500"),
        ("Lantern room", "Lantern room"),
    ],
)
def test_what_is_not_the_same_value(a: str, b: str) -> None:
    """Another unit, another magnitude, an order of day and month that nothing settles."""
    assert not equal(a, b)
    assert not equal(b, a)


@pytest.mark.parametrize(
    ("text", "wording", "found"),
    [
        ("It takes 90 minutes.", "1.5 hours", True),
        ("It is due on 13/03/2026.", "13 March 2026", True),
        ("472", "472 metres", True),
        ("See section 472.", "472 metres", False),
        ("About 5 thousand came.", "5", False),
        ("About 5 thousand came.", "5000", True),
        ("5 thousand", "5000", True),
        ("5 thousand metres", "5 km", True),
        ("EUR 5m were lost", "EUR 5", False),
        ("It takes 90 minutes.", "90", True),
        ("I do not know.", "No", False),
    ],
)
def test_a_wording_is_found_as_a_value(text: str, wording: str, found: bool) -> None:
    """With its unit anywhere in a text; without it only where the text is the value alone."""
    assert bool(mentions(tokens(wording), tokens(text))) == found


@given(st.integers(0, 10**6), st.sampled_from(["metres", "hours", "%", "kg", "EUR"]))
def test_a_number_equals_itself_with_and_without_its_unit(number: int, unit: str) -> None:
    """Whatever the number; the next one is another value."""
    written = f"EUR {number}" if unit == "EUR" else f"{number} {unit}"
    assert equal(f"{number:,}", written)
    assert not equal(str(number + 1), written)


@given(st.dates(min_value=date(1000, 1, 1)))
def test_every_date_is_read_in_every_settled_form(day: date) -> None:
    """ISO, day first with points, month in words; and with strokes where only one order can be."""
    iso = day.isoformat()
    assert equal(iso, f"{day.day}.{day.month}.{day.year}")
    assert equal(iso, f"{day:%B} {day.day}, {day.year}")
    settled = day.day > 12 or day.day == day.month
    assert equal(iso, f"{day.day}/{day.month}/{day.year}") == settled
    assert equal(iso, f"{day.month}/{day.day}/{day.year}") == settled


@given(st.text(max_size=60))
def test_reading_values_never_fails(text: str) -> None:
    """Any text; the spans are in order, inside the text, and do not overlap."""
    words = tokens(text)
    ends = 0
    for (start, end), _ in values(words):
        assert ends <= start < end <= len(words)
        ends = end
