"""Text as scorers see it: normal forms, tokens, containment, sentences, refusals.

Two normal forms live here. `squad_normalise` is the published one (Rajpurkar et al. 2016) and is
used where numbers are compared with the literature. `tokens` keeps what that one destroys
(decimal points, signs, dates, times), because "2.5 hours" must not equal "25 hours" when a value
is looked for in an answer.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from datetime import date
from functools import lru_cache

Span = tuple[int, int]
"""A half-open pair of token positions."""

_ARTICLES = re.compile(r"\b(a|an|the)\b")
MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTH = r"(?P<month>" + "|".join(f"{m}|{m[:3]}" for m in MONTHS) + r"|sept)\.?"
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_YEAR_FIRST = re.compile(
    r"(?<![\w./-])(?P<year>\d{4})(?P<mark>[/-])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"
    r"(?![\w/-]|\.\d)"
)
_YEAR_LAST = re.compile(
    r"(?<![\w./-])(?P<first>\d{1,2})(?P<mark>[./-])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4})"
    r"(?![\w/-]|\.\d)"
)
_DAY_FIRST = re.compile(rf"(?<![\w.:,]){_DAY}\s+(?:of\s+)?{_MONTH}(?![^\W_])")
_MONTH_FIRST = re.compile(
    rf"(?<![^\W_])(?<!\d ){_MONTH}\s+{_DAY}(?![\w:%])(?:,?\s+(?P<year>\d{{4}}))?"
)
_CURRENCIES = {"€": "eur", "$": "usd", "£": "gbp", "euro": "eur", "euros": "eur"}
_CURRENCY_WORD = re.compile(r"[€$£]|(?<![^\W_])euros?(?![^\W_])")
_AMOUNT_FIRST = re.compile(
    r"(?<!eur )(?<!usd )(?<!gbp )(?<![\w.:])(?P<amount>\d+(?:\.\d+)?)\s*(?P<unit>eur|usd|gbp)\b"
)
_RAISED = re.compile(r"(?<=\d)(?=[\u00b2\u00b3\u00b9\u2070\u2074-\u2079])")
_SPACED_THOUSANDS = re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_THOUSANDS = re.compile(r"(?<![\d.,])(\d{1,3}(?:,\d{3})+)(?![\d,])")
_ZERO_CENTS = re.compile(r"(?<![\d.:])(\d+)\.00(?![\d.:])")
_TIME = re.compile(
    r"(?<![\d:.])(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2}))?\s*(?P<half>[ap])\.?m\b\.?"
)
_LEADING_ZERO = re.compile(r"(?<![\d.:])0(\d:\d\d)(?!\d)")
_SIGN = re.compile(r"(?<![\w)\]-])(?:[-\u2212]|minus\s+)(?=\d)")
_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBERS = {word: number for number, word in enumerate(_ONES)} | {
    word: 10 * number for number, word in enumerate(_TENS, start=2)
}
UNITS = {
    spelling: unit
    for unit, spellings in {
        "seconds": "s sec secs second",
        "minutes": "min mins minute",
        "hours": "h hr hrs hour",
        "days": "day",
        "weeks": "week",
        "months": "month",
        "years": "year",
        "m": "metre metres meter meters",
        "cm": "centimetre centimetres centimeter centimeters",
        "km": "kilometre kilometres kilometer kilometers",
        "kg": "kilo kilos kilogram kilograms",
        "mb": "megabyte megabytes",
        "gb": "gigabyte gigabytes",
        "c": "celsius",
    }.items()
    for spelling in spellings.split()
}
"""The spellings of units that are made equal after a number."""
_TOKEN = re.compile(r"-?\d+(?:[.:]\d+)*|[^\W\d_][^\W_]*(?:'[^\W_]+)*|%")

_SOURCE = (
    r"\b(?:documents?|documentation|handbook|context|passages?|text|sources?|information|"
    r"excerpts?|material)\b[^.]*?"
)
_SAY = r"(?:say|specify|state|mention|contain|provide|include|cover|indicate|give)"
_SAID = r"(?:said|specified|stated|mentioned|provided|indicated|given|covered)"
REFUSALS = (
    r"\bi (?:do not|don't) (?:know|have (?:any |enough |that |the )?information)\b",
    r"\bi(?: am|'m) (?:not sure|unsure|(?:unable|not able) to (?:answer|say|provide|find))\b",
    r"\bi (?:cannot|can not|can't|could not|couldn't) (?:answer|say|provide|determine|find)\b",
    r"\b(?:cannot|can not|can't) be (?:determined|answered)\b",
    r"\b(?:not enough|insufficient|no(?: such)?) information\b",
    _SOURCE + r"(?:do not|don't|does not|doesn't) " + _SAY + r"\b",
    r"\b(?:is|are|was) not (?:specified|stated|mentioned)\b",
    r"\b(?:is|are|was) not " + _SAID + r" (?:in|by)\b",
)
"""Patterns that make the first sentence of an answer a refusal, beside the abstention reply."""


def squad_normalise(text: str) -> str:
    """Lower case, without punctuation, English articles and extra blanks.

    Source: the SQuAD evaluation script (Rajpurkar et al. 2016, arXiv 1606.05250).
    """
    lowered = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", lowered).split())


def token_f1(prediction: str, reference: str) -> float:
    """Harmonic mean of token precision and recall over SQuAD-normalised words, in [0, 1].

    Two texts without words give 1.0, one of them gives 0.0, as in the SQuAD 2.0 script.
    """
    predicted, expected = squad_normalise(prediction).split(), squad_normalise(reference).split()
    if not predicted or not expected:
        return float(predicted == expected)
    shared = sum((Counter(predicted) & Counter(expected)).values())
    return 2 * shared / (len(predicted) + len(expected))


@lru_cache(maxsize=65536)
def tokens(text: str) -> tuple[str, ...]:
    """The words and values of a text in one spelling, ``the`` left out.

    Case, typographic forms and these spellings are made equal: ``4,200`` and ``4200``; ``€42``,
    ``42 euros`` and ``EUR 42``; ``2025-03-01``, ``March 1st, 2025``, ``13/03/2025``, ``1.3.2025``
    and the like with ``1 March 2025`` (``01/03/2025`` has two readings and stays as it is);
    ``5:30 pm`` and ``17:30``; ``09:00`` and ``9:00``; ``forty-five`` and ``45`` (below a hundred);
    ``minus 18`` and ``-18``; ``5 percent`` and ``5%``; after a number, the spellings of common
    units (``min`` and ``minute``). A decimal, a time or a version is one token.
    """
    found: list[str] = []
    for word in _numerals(_TOKEN.findall(_canonical(text))):
        after_number = bool(found) and found[-1].lstrip("-")[:1].isdigit()
        found.append(UNITS.get(word, word) if after_number else word)
    return tuple(word for word in found if word != "the")


def _numerals(found: list[str]) -> list[str]:
    """Number words below a hundred as digits, ``twenty five`` as one number."""
    made: list[str] = []
    tens = 0
    for token in found:
        number = _NUMBERS.get(token)
        if tens and number is not None and 0 < number < 10:
            made[-1] = str(tens + number)
        else:
            made.append(token if number is None else str(number))
        tens = number if number is not None and number >= 20 else 0
    return made


def _canonical(text: str) -> str:
    # Narrow and unbreakable blanks join the groups of a number; NFKC would make them plain ones.
    # A raised figure is a power or a footnote; NFKC would make it the last digit of a number.
    text = _RAISED.sub(" ", _SPACED_THOUSANDS.sub("", text))
    text = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    text = _YEAR_LAST.sub(_year_last, _YEAR_FIRST.sub(_numeric_date, text))
    text = _MONTH_FIRST.sub(_day_month, _DAY_FIRST.sub(_day_month, text))
    text = _THOUSANDS.sub(lambda m: m[1].replace(",", ""), text)
    text = _ZERO_CENTS.sub(r"\1", text)
    text = _CURRENCY_WORD.sub(lambda m: f" {_CURRENCIES[m[0]]} ", text)
    text = _AMOUNT_FIRST.sub(r" \g<unit> \g<amount> ", re.sub(r"\s+", " ", text))
    text = _LEADING_ZERO.sub(r"\1", _TIME.sub(_clock, text))
    text = re.sub(r"\bper\s?cent\b", "%", text)
    text = re.sub(r"\bv(?=\d)", "", text)
    # Any other dash joins words or spans a range; it is no sign.
    return _SIGN.sub(" \0", text).replace("-", " ").replace("\0", "-")


def _day_month(match: re.Match[str]) -> str:
    parts = match.groupdict()
    return f" {int(parts['day'])} {_month_name(parts['month'])} {parts.get('year') or ''} "


def _numeric_date(match: re.Match[str]) -> str:
    written = _date_words(int(match["year"]), int(match["month"]), int(match["day"]))
    return written or match[0]


def _year_last(match: re.Match[str]) -> str:
    """A date that ends in its year, or as it was where day and month could change places.

    Points are written in day-first dates alone; otherwise a number above twelve is the day.
    """
    first, second, year = int(match["first"]), int(match["second"]), int(match["year"])
    day_first, month_first = _date_words(year, second, first), _date_words(year, first, second)
    if match["mark"] == "." or day_first == month_first or not month_first:
        return day_first or match[0]
    return match[0] if day_first else month_first


def _date_words(year: int, month: int, day: int) -> str:
    """`` 1 march 2026 ``; empty where there is no such day."""
    try:
        date(year, month, day)
    except ValueError:
        return ""
    return f" {day} {MONTHS[month - 1]} {year} "


def _month_name(prefix: str) -> str:
    return next(month for month in MONTHS if month.startswith(prefix[:3]))


def _clock(match: re.Match[str]) -> str:
    hour = int(match["hour"]) % 12 + (12 if match["half"] == "p" else 0)
    return f" {hour}:{match['minute'] or '00'} "


def wording(text: str) -> tuple[str, ...]:
    """The tokens of an answer's wording, without a leading ``a`` or ``an``."""
    found = tokens(text)
    return found[1:] if len(found) > 1 and found[0] in ("a", "an") else found


def spans(needle: Sequence[str], haystack: Sequence[str]) -> list[Span]:
    """Where ``needle`` stands as a run of whole tokens: half-open index pairs, first to last."""
    size = len(needle)
    if not size:
        return []
    wanted = tuple(needle)
    return [
        (start, start + size)
        for start in range(len(haystack) - size + 1)
        if tuple(haystack[start : start + size]) == wanted
    ]


_ABBREVIATION = re.compile(
    r"\b(?:(?i:e\.g|i\.e|etc|approx|dr|mr|mrs|ms|prof|st|vs|cf|fig|nr|no)|[A-Z])\.$"
)
_BOUNDARY = re.compile(r"(?<=[.!?])[\"'\u201d\u2019)\]*_]*\s+(?=[\"'\u201c\u2018(\[*_]*[^\W_])")
_WRAPPED = re.compile(r"(?<=[^\s.!?:|])[ \t]*\n[ \t]*(?=[a-z])")
_MARKUP = re.compile(r"^\s*(?:#{1,6}\s+|[-*+]\s+|>\s*|\d{1,2}[.)]\s+)")
_RULE = re.compile(r"^[\s|:=`*_-]*$")


@lru_cache(maxsize=16384)
def sentences(text: str) -> tuple[str, ...]:
    """Split prose and Markdown into sentences.

    A heading, list item or table row ends at its line end; a line that goes on in lower case is
    joined first. Rules, empty lines and list marks are dropped; abbreviations do not end one.
    """
    found: list[str] = []
    for line in _WRAPPED.sub(" ", text).splitlines():
        if not _RULE.match(line):
            found.extend(_line_sentences(_MARKUP.sub("", line).strip()))
    return tuple(found)


def _line_sentences(line: str) -> list[str]:
    found: list[str] = []
    start = 0
    for match in _BOUNDARY.finditer(line):
        before = line[start : match.start()]
        follows_number = line[match.end() : match.end() + 1].isdigit()
        abbreviation = _ABBREVIATION.search(before)
        if abbreviation and (abbreviation[0].lower() != "no." or follows_number):
            continue
        found.append(line[start : match.end()].strip())
        start = match.end()
    rest = line[start:].strip()
    return [*found, rest] if rest else found


def refusal(answer: str, abstention: str) -> str | None:
    """The words by which an answer declines, or None.

    An answer declines if it, or its first sentence, is the abstention reply and nothing more, or
    if its first sentence matches one of `REFUSALS` (case and apostrophes made equal).
    """
    first = next(iter(sentences(answer)), "")
    reply = squad_normalise(abstention)
    for candidate in (answer, first):
        if reply and squad_normalise(candidate) == reply:
            return candidate
    plain = fold(first)
    matches = (re.search(pattern, plain) for pattern in REFUSALS)
    return next((match[0] for match in matches if match), None)


def fold(text: str) -> str:
    """Case, apostrophes and blanks made equal."""
    return " ".join(text.casefold().replace("\u2019", "'").split())
