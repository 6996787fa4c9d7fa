"""A text as the checks for small edits compare it: its values, days, names, modals and denials."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from evalkit.scoring.judges.wording import STOP, is_negation, is_value, names, stem, word_set
from evalkit.scoring.text import tokens

_WEEKDAYS = word_set("monday tuesday wednesday thursday friday saturday sunday")
_CALENDAR = (
    word_set(
        "january february march april may june july august september october november december mon tue "
        "wed thu fri sat sun weekday weekend "
        "spring summer autumn winter christmas easter morning evening night noon midnight tomorrow "
        "yesterday today"
    )
    | _WEEKDAYS
    | {f"{day}s" for day in _WEEKDAYS}
)
_BEFORE_MAY = word_set("in of since until by from")
_UNITS = word_set(
    "seconds minutes hours days weeks months quarters years m cm mm km kg g tonnes litres mb gb kb c "
    "% eur usd gbp points pixels working"
)
_UNIT_NAMES = {
    "second": "seconds", "minute": "minutes", "hour": "hours", "day": "days", "week": "weeks",
    "month": "months", "quarter": "quarters", "year": "years", "meter": "m", "metre": "m",
    "metres": "m", "gram": "g", "grams": "g", "tonne": "tonnes", "litre": "litres",
}  # fmt: skip
_PERIODS = word_set("second minute hour day week month quarter year")
_PERIODIC = {
    "hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter",
    "yearly": "year", "annually": "year", "annual": "year",
}  # fmt: skip
_ORDINALS = word_set("first second third fourth fifth last")
_FREQUENCIES = {"once": "1x", "twice": "2x", "thrice": "3x", "half": "1/2", "double": "x2"}
_REFERENCE = re.compile(
    r"(?i)\b(?:passages?|steps?|figures?|tables?|sections?) \d+(?:(?:,| and| &) ?\d+)*"
)
"""Where a statement says where it has something from; no value of what it says."""
_MODALS = {
    word: kind
    for kind, words in {
        "duty": "must needs need required obliged obligatory mandatory",
        "freedom": "may can might could allowed optional optionally permitted",
        "advice": "should ought recommended advised",
        "all": "all every each always everybody everyone any whenever",
        "some": "some sometimes most mostly many few several often usually occasionally",
        "none": "no none never nobody nothing",
        "only": "only solely exclusively",
        "almost": "almost nearly hardly scarcely rarely seldom partly mostly mainly",
    }.items()
    for word in words.split()
}
_PHRASES = (
    (re.compile(r"\b(?:has|have) to\b"), "must"),
    (re.compile(r"\b(?:is|are) (?:required|obliged) to\b"), "must"),
    (re.compile(r"\b(?:is|are) (?:allowed|permitted|free|able) to\b"), "may"),
    (re.compile(r"\b(?:no (?:more|longer|later|higher|further) than|at (?:the )?most|up to|"
                r"a maximum of|not more than|at the latest)\b"), "atmost"),
    (re.compile(r"\b(?:no (?:less|fewer|sooner|earlier|shorter) than|at least|a minimum of|"
                r"not less than|at the earliest)\b"), "atleast"),
    (re.compile(r"\b(?:more|longer|higher|greater|later|older|larger|heavier) than\b"), "above"),
    (re.compile(r"\b(?:less|fewer|shorter|lower|smaller|earlier|younger|lighter|newer) than\b"),
     "below"),
)  # fmt: skip
REACH = 5
"""Words to each side of a negation that it may bear on."""
_NEGATIVE = frozenset(
    map(stem, word_set("avoid forbid forbidden prohibit except exclude unless instead fail"))
)
"""Words that deny without a negation."""


@dataclass(frozen=True)
class Reading:
    """What the checks compare: tokens with phrases made one word, and what is found in them."""

    found: tuple[str, ...]
    stems: tuple[str, ...]
    order: tuple[str, ...]
    values: frozenset[str]
    calendar: frozenset[str]
    names: frozenset[str]
    modals: frozenset[str]
    denied: frozenset[str]
    free: frozenset[str]
    units: frozenset[tuple[str, str]]


@lru_cache(maxsize=32768)
def reading(text: str) -> Reading:
    """Take a text apart for the checks."""
    low = _REFERENCE.sub("", text.casefold())
    for pattern, word in _PHRASES:
        low = pattern.sub(word, low)
    found = tokens(low)
    month_may = [i for i, t in enumerate(found) if t == "may" and _is_month(found, i)]
    calendar = {_day(t) for t in found if t in _CALENDAR}
    if not month_may:
        calendar.discard("may")
    # "The first Monday" is one date; "first" alone is none.
    calendar |= {f"{a} {_day(b)}" for a, b in pairwise(found) if a in _ORDINALS and b in _CALENDAR}
    denied, free = _denial(low)
    return Reading(
        found=found,
        stems=tuple(t if is_value(t) else stem(t) for t in found),
        order=_named_as_one(text),
        values=frozenset(
            [_ZEROS.sub("", t) for t in found if is_value(t)]
            + [_FREQUENCIES[t] for t in found if t in _FREQUENCIES]
        ),
        calendar=frozenset(calendar),
        names=names(_REFERENCE.sub("", text)),
        modals=frozenset(
            _MODALS[t] for i, t in enumerate(found) if t in _MODALS and i not in month_may
        ),
        denied=denied,
        free=free,
        units=frozenset(_measures(found)),
    )


_ZEROS = re.compile(r"(?<=\d)\.0+$")
_CLAUSE = re.compile(r"[,;:.()|]\s")
_NAME_RUN = re.compile(r"\b[A-Z][\w'’-]*(?: (?:[A-Z][\w'’-]*|\d+\b))+")


def _is_month(found: Sequence[str], place: int) -> bool:
    """Whether a ``may`` is the month: beside a number, or after the likes of ``until``."""
    before = found[place - 1] if place else ""
    return (
        is_value(before)
        or before in _BEFORE_MAY
        or any(map(is_value, found[place + 1 : place + 2]))
    )


def _day(word: str) -> str:
    """A weekday by its first three letters, in the singular; another word as it is."""
    return word[:3] if word.removesuffix("s") in _WEEKDAYS else word


def _named_as_one(text: str) -> tuple[str, ...]:
    """The stems in order, a name of several words being one."""
    joined = _NAME_RUN.sub(lambda m: re.sub(r"\W+", "", m[0]), text)
    return tuple(t if is_value(t) else stem(t) for t in tokens(joined))


def _denial(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The stems just after a negation, and the stems that never stand near one in their clause."""
    denied: set[str] = set()
    near: set[str] = set()
    everything: set[str] = set()
    for clause in _CLAUSE.split(text):
        found = tokens(clause)
        stems = [stem(token) for token in found]
        everything |= set(stems)
        for i, token in enumerate(found):
            if is_negation(token) or stems[i] in _NEGATIVE:
                near |= set(stems[max(0, i - REACH) : i] + stems[i + 1 : i + 1 + REACH])
            if is_negation(token):
                later = (
                    k for t, k in zip(found[i + 1 :], stems[i + 1 :], strict=True) if t not in STOP
                )
                denied |= {k for k in [next(later, "")] if k and not is_value(k)}
    return frozenset(denied), frozenset(everything - near)


def _measures(found: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Numbers with their unit (``12 hours``, ``eur 5``, ``3 working days``), and what is per what time."""
    for i, token in enumerate(found):
        if token in _PERIODIC:
            yield "per", _PERIODIC[token]
        if (
            token in ("a", "per", "each", "every")
            and found[i + 1 : i + 2]
            and found[i + 1] in _PERIODS
        ):
            yield "per", found[i + 1]
        if not is_value(token):
            continue
        after = [_UNIT_NAMES.get(t, t) for t in found[i + 1 : i + 3]]
        if after and after[0] == "working" and len(after) > 1:
            yield token, f"working {after[1]}"
        elif after and after[0] in _UNITS:
            yield token, after[0]
        elif i and found[i - 1] in ("eur", "usd", "gbp"):
            yield token, found[i - 1]
