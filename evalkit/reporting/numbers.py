"""Numbers as a report writes them: shares in per cent, everything else in its unit."""

from __future__ import annotations

MINUS = "\u2212"
DASH = "\u2013"


def unit_of_metric(metric: str) -> str:
    """The unit of a metric's values, read off its name: share, tokens, s or days."""
    last = metric.rsplit("/", 1)[-1].rsplit("_", 1)[-1]
    return {"tokens": "tokens", "seconds": "s", "days": "days"}.get(last, "share")


def number(value: float | None, unit: str = "share") -> str:
    """A value in its unit, without the unit: ``62`` for a share of 0.62."""
    if value is None:
        return DASH
    text = _digits(value, unit)
    return text.replace("-", MINUS)


def signed(value: float | None, unit: str = "share") -> str:
    """A difference with its sign: ``+12``, ``−3``, ``0``."""
    text = number(value, unit)
    plain = value is None or value <= 0 or not text.strip("0.,")
    return text if plain else f"+{text}"


def interval(low: float | None, high: float | None, unit: str = "share") -> str:
    """Bounds in brackets; empty where there are none."""
    if low is None or high is None:
        return ""
    # Next to a value, a bound of 99.6 may read as 100; a bound of 0.4 may not read as 0.
    low, high = (round(b, 2) if unit == "share" and b > 0.99 else b for b in (low, high))
    return f"[{number(low, unit)}, {number(high, unit)}]"


def signed_interval(low: float | None, high: float | None, unit: str = "share") -> str:
    """Bounds of a difference in brackets, signed; empty where there are none."""
    if low is None or high is None:
        return ""
    return f"[{signed(low, unit)}, {signed(high, unit)}]"


def p_text(p: float | None) -> str:
    """A p value: three decimals, or ``<0.001``."""
    if p is None:
        return DASH
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def percent_of(confidence: float) -> str:
    """A confidence as a report writes it: ``95 %``, ``99.9 %``."""
    return f"{100 * confidence:.6g} %"


def unit_word(unit: str, *, difference: bool = False) -> str:
    """The unit as a word behind a number."""
    share = "points" if difference else "%"
    return {"share": share, "s": "s", "tokens": "tokens", "days": "days"}.get(unit, unit)


def amount(value: float | None, unit: str, *, sign: bool = False) -> str:
    """A difference with its unit: ``14 points``, ``1 point``, or ``+14 points`` with its sign."""
    text = signed(value, unit) if sign else number(value, unit)
    word = unit_word(unit, difference=True)
    one = unit == "share" and text.strip(f"+{MINUS}") == "1"
    return f"{text} {'point' if one else word}".strip()


def quantity(value: float | None, unit: str) -> str:
    """A cost or a time with its unit, as ``1,204 tokens`` or ``4.2 s``."""
    if value is None:
        return DASH
    if unit in ("share", "%"):
        return f"{number(value)} %"
    if unit == "bytes":
        return _bytes(value)
    unit = "s" if unit == "seconds" else unit
    return f"{number(value, unit)} {unit}".strip()


def _digits(value: float, unit: str) -> str:
    if unit == "share":
        percent = 100 * value
        # 99.6 must not read as all, nor 0.4 as none.
        near_edge = 0 < abs(percent) < 1 or 99 < abs(percent) < 100
        return f"{percent:.1f}" if near_edge and round(percent, 1) % 1 else _whole(percent)
    if unit in ("tokens", "questions", "examples", "steps"):
        return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.1f}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2g}"


def _bytes(value: float) -> str:
    for size, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= size:
            return f"{value / size:.1f} {name}"
    return f"{value:.0f} bytes"


def _whole(percent: float) -> str:
    text = f"{percent:.0f}"
    return "0" if text == "-0" else text
