"""What a statement says against the attributes of structured data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from evalkit.scoring.judges.source import Attribute
from evalkit.scoring.judges.wording import STOP, is_negation, stem
from evalkit.scoring.text import tokens

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = {name[:3]: i for i, name in enumerate(_DAYS)}
_DAY_WORD = re.compile(r"\b(mon|tue|wed|thu|fri|sat|sun)[a-z]*\b")
_DAY_RANGE = re.compile(
    r"\b(mon|tue|wed|thu|fri|sat|sun)[a-z]*\s*(?:to|through|thru|until|till|-|–|and ending on)\s*"
    r"(mon|tue|wed|thu|fri|sat|sun)[a-z]*\b"
)
_ALL = re.compile(r"\b(?:daily|every ?day|seven days|7 days|all week|throughout the week)\b")
_TIME = re.compile(r"^\d{1,2}:\d\d$")
_GROUPING = frozenset({"attribut", "restaur", "good", "for", "busi", "accept", "by", "appoint"})
"""Stems of keys that group others or say nothing of their own."""
_SAYS_NOTHING = re.compile(
    r"\b(?:not? (?:\w+ ){0,2}(?:mention|specif|provide|include|information|indicat|list|state|detail|clear)"
    r"|unknown|unclear|unspecified)"
)
_CLAUSE = re.compile(
    r"[;.](?:\s|$)|\b(?:but|while|although|though|however|whereas)\b"
    r"|,\s(?=(?:and )?(?:[\w'-]+ ){0,4}(?:is|are|has|have|offers?|provides?|does|do|there)\b)"
    r"|\band (?=(?:has|have|offers?|provides?|features?|accepts?|does|do|is|are)\b)"
)
_DENIED_BEFORE = re.compile(r"\b(?:is|are|was|were) (?:not|n't|unavailable)|(?:is|are)n't\b")
_VARYING = re.compile(r"\b(?:vary|varies|varying|rang\w+|depend\w+|extended|except)\b")
_TRUTH = {"no": False, "none": False, "yes": True, "free": True, "paid": True}


def conflicts(statement: str, attributes: Iterable[Attribute]) -> tuple[int, int, int]:
    """How many attributes a statement contradicts, affirms where the data is silent, and meets.

    An attribute is spoken of where all words of its last key stand in one clause of the statement.
    A truth value is contradicted by the other polarity; a null is silence. A statement which says
    that the data does not tell contradicts nothing.
    """
    low = statement.casefold()
    if _SAYS_NOTHING.search(low):
        return 0, 0, 0
    clauses = [_clause(part) for part in _CLAUSE.split(low) if part.strip()]
    against = silent = met = 0
    for attribute in attributes:
        truth = _TRUTH.get(str(attribute.value), attribute.value)
        words = _key(attribute.path)
        if not words or not isinstance(truth, bool | None):
            continue
        spoken = [p for p in (_polarity(c, words) for c in clauses) if p is not None]
        if not spoken:
            continue
        if truth is None:
            silent += any(spoken)
        elif truth in spoken:
            met += 1
        else:
            against += 1
    return against, silent, met


@dataclass(frozen=True)
class _Clause:
    stems: tuple[str, ...]
    negated_from: int
    all_negated: bool


def _clause(text: str) -> _Clause:
    found = tokens(text)
    negations = [i for i, token in enumerate(found) if is_negation(token)]
    return _Clause(
        tuple(stem(token) for token in found),
        negations[0] if negations else len(found),
        bool(_DENIED_BEFORE.search(text)),
    )


def _polarity(clause: _Clause, words: tuple[str, ...]) -> bool | None:
    """Whether a clause affirms (True) or denies (False) what the words name; None: not spoken of."""
    whole = _place("".join(words), clause.stems)
    places = [_place(word, clause.stems) for word in words] if whole is None else [whole]
    if None in places:
        return None
    last = max(p for p in places if p is not None)
    return not (clause.all_negated or last > clause.negated_from)


def wrong_hours(statement: str, attributes: Iterable[Attribute]) -> int:
    """Days whose opening hours, as the statement gives them, are not those of the data."""
    hours = {
        _DAY[a.path[-1][:3].casefold()]: _span(str(a.value))
        for a in attributes
        if a.path and a.path[-1].casefold() in _DAYS and isinstance(a.value, str)
    }
    if not hours or _VARYING.search(statement.casefold()):
        return 0
    wrong: set[int] = set()
    pending: set[int] = set()
    for part in re.split(r"[,;.(]\s|\band\b(?=[^,;]*\d)|\bwhile\b|\bbut\b", statement.casefold()):
        days = days_named(part)
        times = [t for t in tokens(part) if _TIME.match(t)]
        pending |= days
        if len(times) >= 2:
            wrong |= {d for d in pending if d in hours and not hours[d] <= set(times)}
            wrong |= {d for d in pending if d not in hours}
            pending = set()
    return len(wrong)


def days_named(text: str) -> set[int]:
    """The days of the week that a text names, 0 for Monday; ranges are filled in."""
    low = text.casefold()
    if _ALL.search(low):
        return set(range(7))
    found = {_DAY[m[1]] for m in _DAY_WORD.finditer(low)}
    for match in _DAY_RANGE.finditer(low):
        first, last = _DAY[match[1]], _DAY[match[2]]
        found |= {(first + i) % 7 for i in range((last - first) % 7 + 1)}
    if re.search(r"\bweekdays?\b", low):
        found |= set(range(5))
    if re.search(r"\bweekends?\b", low):
        found |= {5, 6}
    return found


def _span(value: str) -> frozenset[str]:
    return frozenset(f"{int(h)}:{int(m):02d}" for h, m in re.findall(r"(\d{1,2}):(\d{1,2})", value))


@lru_cache(maxsize=4096)
def _key(path: tuple[str, ...]) -> tuple[str, ...]:
    """The telling stems of a key: ``(attributes, Outdoor, Seating)`` gives the last two."""
    stems = [stem(word.casefold()) for word in path if word.casefold() not in STOP]
    telling = [s for s in stems if s not in _GROUPING]
    if len(telling) > 1 and telling[0] == "ambienc":
        telling = telling[1:]
    if telling == ["wi", "fi"]:
        telling = ["wifi"]
    return tuple(telling)


def _place(word: str, stems: tuple[str, ...]) -> int | None:
    """Where a stem stands, written as one word or as two."""
    if word in stems:
        return stems.index(word)
    for i, (a, b) in enumerate(pairwise(stems)):
        if a + b == word:
            return i
    return None
