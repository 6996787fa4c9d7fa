"""How numbers read: no false nothing, no false all, no hyphen for a minus."""

from __future__ import annotations

import pytest

from evalkit.reporting.numbers import (
    amount,
    interval,
    number,
    p_text,
    percent_of,
    quantity,
    signed,
    signed_interval,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.004, "0.4"), (0.62, "62"), (0.996, "99.6"), (1.0, "100"), (None, "–")],
)
def test_shares_are_per_cent(value: float | None, text: str) -> None:
    """A share next to 0 or 1 keeps a decimal, so that it reads neither as none nor as all."""
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1204.4, "tokens", "1,204"),
        (24.5, "days", "24.5"),
        (0.8, "s", "0.80"),
        (0.0141, "s", "0.014"),
        (842.2, "s", "842"),
    ],
)
def test_other_units_keep_about_three_digits(value: float, unit: str, text: str) -> None:
    """Tokens, days and seconds have their own digits."""
    assert number(value, unit) == text


def test_differences_have_a_sign() -> None:
    """A plus, a real minus, and no sign for zero."""
    assert [signed(v) for v in (0.12, -0.03, 0.0, -0.004)] == ["+12", "−3", "0", "−0.4"]
    assert signed_interval(-0.02, 0.07) == "[−2, +7]"


def test_one_point_is_singular() -> None:
    """With or without its sign; other units have their own word, or none."""
    assert [amount(v, "share") for v in (0.01, 0.14)] == ["1 point", "14 points"]
    assert [amount(v, "share", sign=True) for v in (0.01, -0.01, 0.0)] == [
        "+1 point", "−1 point", "0 points",
    ]  # fmt: skip
    assert amount(3.0, "days") == "3.00 days"
    assert amount(None, "value") == "– value"


def test_intervals_without_bounds_are_empty() -> None:
    """No bounds, no brackets."""
    assert interval(0.5, None) == ""
    assert interval(0.004, 0.999) == "[0.4, 100]"


def test_a_confidence_in_per_cent() -> None:
    """As many digits as it has."""
    assert [percent_of(c) for c in (0.95, 0.9, 0.999)] == ["95 %", "90 %", "99.9 %"]


def test_p_is_never_zero() -> None:
    """Small p values have a floor."""
    assert [p_text(p) for p in (0.0001, 0.0312, None)] == ["<0.001", "0.031", "–"]


def test_quantities_carry_their_unit() -> None:
    """Bytes are scaled, shares get a per cent sign, nothing is a dash."""
    assert quantity(1_843_200, "bytes") == "1.8 MB"
    assert quantity(0.5, "share") == "50 %"
    assert quantity(71.8, "s") == "71.8 s"
    assert quantity(None, "s") == "–"
