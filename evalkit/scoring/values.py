"""Values: numbers with units, amounts of money, dates and times, as answers state them.

Works on `text.tokens`, where a value has one spelling already. What is left is arithmetic: other
units of the same quantity, a number without its unit, words such as thousand. Nothing is guessed:
what has two readings equals neither.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from evalkit.scoring.text import MONTHS, UNITS, Span, spans

_CURRENCIES = ("eur", "usd", "gbp")
_MULTIPLIERS = {
    "hundred": Decimal(100),
    "thousand": Decimal(1000),
    "million": Decimal(10**6),
    "billion": Decimal(10**9),
}
_MONEY_MULTIPLIERS = {"k": Decimal(1000), "m": Decimal(10**6), "bn": Decimal(10**9)}
_FACTORS = {
    "seconds": {"seconds": "1", "minutes": "60", "hours": "3600", "days": "86400", "weeks": "604800"},
    "months": {"months": "1", "years": "12"},
    "m": {
        "mm": "0.001", "millimetre": "0.001", "millimetres": "0.001",
        "millimeter": "0.001", "millimeters": "0.001",
        "cm": "0.01", "m": "1", "km": "1000",
        "inch": "0.0254", "inches": "0.0254", "ft": "0.3048", "foot": "0.3048", "feet": "0.3048",
        "yard": "0.9144", "yards": "0.9144", "mile": "1609.344", "miles": "1609.344",
    },
    "kg": {
        "mg": "0.000001", "g": "0.001", "gram": "0.001", "grams": "0.001", "kg": "1",
        "tonne": "1000", "tonnes": "1000", "lb": "0.45359237", "lbs": "0.45359237",
        "pounds": "0.45359237",
    },
    "l": {
        "ml": "0.001", "millilitres": "0.001", "milliliters": "0.001",
        "l": "1", "litre": "1", "litres": "1", "liter": "1", "liters": "1",
    },
}  # fmt: skip
_ALONE = ("%", "c", "f", "kb", "mb", "gb", "tb")
"""Units that are not converted: kilobytes have two sizes, degrees two zeros."""
_UNITS = {
    spelling: (unit, Decimal(factor))
    for unit, spellings in _FACTORS.items()
    for spelling, factor in spellings.items()
} | {unit: (unit, Decimal(1)) for unit in (*_ALONE, *_CURRENCIES)}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?")
_DAY = re.compile(r"[1-9]|[12]\d|3[01]")
_YEAR = re.compile(r"\d{4}")


@dataclass(frozen=True)
class Value:
    """A figure and its unit, or a date or time as it is written.

    Attributes:
        written: The tokens.
        figure: The number beside the unit; None for dates and times.
        unit: The base unit of the quantity, such as ``seconds`` or ``eur``; empty for a bare figure.
        factor: What the figure is multiplied by to be in the base unit.
    """

    written: tuple[str, ...]
    figure: Decimal | None = None
    unit: str = ""
    factor: Decimal = Decimal(1)

    def equals(self, other: Value) -> bool:
        """Whether both state the same value.

        The same number in the same unit after conversion; or, where one leaves its unit out, the
        same figure (``472`` and ``472 metres``). Without any unit figures must be written alike:
        ``3.1`` and ``3.10`` may be versions.
        """
        if self.figure is None or other.figure is None or not (self.unit or other.unit):
            return self.written == other.written
        if self.unit and other.unit:
            converted = self.figure * self.factor == other.figure * other.factor
            return converted and self.unit == other.unit
        return self.figure == other.figure


@lru_cache(maxsize=16384)
def values(words: tuple[str, ...]) -> tuple[tuple[Span, Value], ...]:
    """The values in the tokens of a text, with their half-open spans, first to last."""
    found: list[tuple[Span, Value]] = []
    start = 0
    while start < len(words):
        end, value = _read(words, start)
        if value is not None:
            found.append(((start, end), value))
        start = end
    return tuple(found)


def value_of(words: Sequence[str]) -> Value | None:
    """The value that the tokens state and nothing beside it, or None."""
    found = values(tuple(words))
    whole = len(found) == 1 and found[0][0] == (0, len(words))
    return found[0][1] if whole else None


def mentions(needle: Sequence[str], haystack: Sequence[str]) -> list[Span]:
    """Where a wording is stated: word for word, or as an equal value.

    A figure that a word such as thousand follows is another number. A figure without its unit
    counts only where it is the whole text: in a longer one it may be a figure of anything.
    """
    literal = (span for span in spans(needle, haystack) if not _magnified(haystack, span))
    found = dict.fromkeys(literal)
    value = value_of(needle)
    if value is None or value.figure is None:
        return list(found)
    for span, other in values(tuple(haystack)):
        same_kind = bool(value.unit) == bool(other.unit) or span == (0, len(haystack))
        if same_kind and value.equals(other):
            found[span] = None
    return list(found)


def _magnified(words: Sequence[str], span: Span) -> bool:
    start, end = span
    if _NUMBER.fullmatch(words[end - 1]) is None:
        return False
    return _multiplier(words, end, money=words[start] in _CURRENCIES) is not None


def _multiplier(words: Sequence[str], place: int, money: bool) -> Decimal | None:
    """The factor that the word at a place stands for; ``m`` is a million only of money."""
    word = words[place] if place < len(words) else ""
    return _MULTIPLIERS.get(word) or (_MONEY_MULTIPLIERS.get(word) if money else None)


def _read(words: Sequence[str], start: int) -> tuple[int, Value | None]:
    """What stands at a place: the place after it, and its value if it is one."""
    word = words[start]
    if word in _CURRENCIES and start + 1 < len(words) and _NUMBER.fullmatch(words[start + 1]):
        return _amount(words, start + 1, currency=word)
    if (end := _date_end(words, start)) > start:
        return end, Value(tuple(words[start:end]))
    if _CLOCK.fullmatch(word):
        return start + 1, Value((word,))
    if _NUMBER.fullmatch(word):
        return _amount(words, start)
    return start + 1, None


def _date_end(words: Sequence[str], start: int) -> int:
    """The end of ``1 march 2026``, ``1 march`` or ``march 2026``; ``start`` where there is none."""
    end = start
    day = _DAY.fullmatch(words[end]) is not None
    end += day
    if end >= len(words) or words[end] not in MONTHS:
        return start
    end += 1
    if end < len(words) and _YEAR.fullmatch(words[end]):
        return end + 1
    return end if day else start


def _amount(words: Sequence[str], start: int, currency: str = "") -> tuple[int, Value | None]:
    figure = Decimal(words[start])
    end = start + 1
    while (factor := _multiplier(words, end, money=bool(currency))) is not None:
        figure *= factor
        end += 1
    multiplied = end > start + 1
    if multiplied and _goes_on(words, end):
        return end, None
    if currency:
        return end, Value(tuple(words[start - 1 : end]), figure, currency)
    word = words[end] if end < len(words) else ""
    unit, factor = _UNITS.get(UNITS.get(word, word), ("", Decimal(1)))
    end += bool(unit)
    # A bare figure is compared as it is written, so a multiplied one is written out.
    written = (f"{figure.normalize():f}",) if multiplied else tuple(words[start:end])
    return end, Value(written, figure, unit, factor)


def _goes_on(words: Sequence[str], end: int) -> bool:
    """Whether a number in words is not over yet: ``5 hundred and 7``."""
    rest = list(words[end : end + 2])
    if rest[:1] == ["and"]:
        rest = rest[1:]
    return bool(rest) and _NUMBER.fullmatch(rest[0]) is not None
