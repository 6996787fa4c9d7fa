"""Small edits to a true sentence, seen by laying a statement beside the window that it is nearest to.

Each check compares the two and names the kind of difference: a negation, roles that changed places, a
number, a date or time, a unit, a name, a quantifier or modal, the direction of a comparison.
What is only left out is no difference; what is said otherwise is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from evalkit.scoring.judges.reading import Reading, reading
from evalkit.scoring.judges.wording import STOP, stem, word_set

KINDS = ("negation", "roles", "number", "date", "unit", "name", "modality", "comparison")
"""The kinds of edit that are looked for."""

_DIRECTIONS = (
    ("atmost maximum most upper", "atleast minimum least lower"),
    ("above over exceeding beyond exceeds", "below under beneath"),
    ("after since following later", "before until till prior earlier"),
    ("first oldest earliest", "last newest latest youngest"),
    (
        "more higher longer greater larger heavier faster increase",
        "less fewer lower shorter smaller lighter slower decrease",
    ),
)
_LOCAL_DIRECTIONS = (*_DIRECTIONS, ("within", "after beyond"))
"""Directions that are compared only where the same word follows."""
_PRONOUNS = word_set("he she they him her them his their it its")
_OPPOSITES = (
    ("open opens opened unlocked", "closed closes shut locked"),
    ("left", "right"), ("inside", "outside"), ("free", "charged paid chargeable"),
    ("with", "without"), ("allowed permitted", "forbidden prohibited banned"),
    ("accepted accept accepts", "refused rejected refuse refuses"),
    ("start starts begins", "end ends finishes stops"), ("full", "empty"),
    ("included inclusive includes", "excluded exclusive excludes"), ("same", "different"),
    ("north", "south"), ("east", "west"), ("top", "bottom"), ("front", "rear back"),
)  # fmt: skip
LONGEST_NAME = 3
"""Words of a name, at most."""
FEW = 6
"""Up to so many other words a name counts as replaced wherever it stands."""
_PART = re.compile(r"[^\W_]+")
_STOP_STEMS = frozenset(map(stem, STOP))


def differences(statement: str, window: str) -> frozenset[str]:
    """The kinds of edit (`KINDS`) that stand between a statement and a window near to it."""
    s, w = reading(statement), reading(window)
    return frozenset(kind for kind, differs in _CHECKS.items() if differs(s, w))


def _number(s: Reading, w: Reading) -> bool:
    """Another number stands where the window has one of its own that the statement lacks."""
    return bool(s.values - w.values) and bool(w.values - s.values)


def _date(s: Reading, w: Reading) -> bool:
    return bool(s.calendar - w.calendar)


def _unit(s: Reading, w: Reading) -> bool:
    theirs: dict[str, set[str]] = {}
    for value, unit in w.units:
        theirs.setdefault(value, set()).add(unit)
    return any(value in theirs and unit not in theirs[value] for value, unit in s.units)


def _name(s: Reading, w: Reading) -> bool:
    """Another name stands in the place of one: between the same words, or with all words the same."""
    there = set(w.stems)
    unknown = {n for n in s.names if not {stem(part) for part in _PART.findall(n)} <= there}
    missing = w.names - s.names
    if not missing or set(w.found[:3]) & _PRONOUNS:
        return False
    named = _stems_of(s.names)
    rest = {t for t in s.stems if t not in named and t not in _STOP_STEMS}
    if unknown and rest <= there and len(rest) <= FEW:
        return True
    ours, theirs = _stems_of(unknown), _stems_of(missing)
    matcher = SequenceMatcher(None, s.stems, w.stems, autojunk=False)
    return any(
        kind == "replace"
        # The first word may be a name too: only its capital does not tell.
        and (
            ours & set(s.stems[a:b]) or (a == c == 0 and set(s.stems[a:b]).isdisjoint(_STOP_STEMS))
        )
        and b - a <= LONGEST_NAME >= d - c
        and theirs & set(w.stems[c:d])
        for kind, a, b, c, d in matcher.get_opcodes()
    )


def _stems_of(names: Iterable[str]) -> set[str]:
    return {stem(part) for name in names for part in _PART.findall(name)}


def _negation(s: Reading, w: Reading) -> bool:
    """A word denied in one is asserted in the other, or opposites stand for each other."""
    return _asserted(s.denied, w) or _asserted(w.denied, s) or _opposed(s, w)


def _asserted(denied: frozenset[str], other: Reading) -> bool:
    """Whether a denied word stands in the other text, and nowhere in it close to a denial."""
    return any(word in other.free for word in denied)


def _opposed(s: Reading, w: Reading) -> bool:
    return any(_turned(s, w, a.split(), b.split()) for a, b in _OPPOSITES)


def _turned(s: Reading, w: Reading, one: list[str], other: list[str]) -> bool:
    def has(r: Reading, words: list[str]) -> bool:
        return any(word in r.found for word in words)

    return (has(s, one) and has(w, other) and not has(s, other) and not has(w, one)) or (
        has(s, other) and has(w, one) and not has(s, one) and not has(w, other)
    )


def _comparison(s: Reading, w: Reading) -> bool:
    return any(_turned(s, w, a.split(), b.split()) for a, b in _DIRECTIONS) or any(
        (_followers(s, ours.split()) & _followers(w, theirs.split())) - _followers(w, ours.split())
        for a, b in _LOCAL_DIRECTIONS
        for ours, theirs in ((a, b), (b, a))
    )


def _followers(r: Reading, words: list[str]) -> set[str]:
    """The content stem that comes next after each of the words."""
    return {
        next(
            (k for t, k in zip(r.found[i + 1 :], r.stems[i + 1 :], strict=True) if t not in STOP),
            "",
        )
        for i, token in enumerate(r.found)
        if token in words
    } - {""}


def _modality(s: Reading, w: Reading) -> bool:
    for ours, theirs in (
        ("duty", "freedom"), ("freedom", "duty"), ("all", "some"), ("some", "all"),
        ("advice", "duty"), ("duty", "advice"), ("none", "some"), ("some", "none"), ("all", "only"),
    ):  # fmt: skip
        if ours in s.modals - w.modals and theirs in w.modals - s.modals:
            return True
    return bool({"some", "only", "almost"} & (s.modals - w.modals))


def _roles(s: Reading, w: Reading) -> bool:
    """Whether two parts changed places about a third: putting them back restores the window's order.

    Moving one part to the front is no such exchange, and a passive is another order of the same
    roles, known by a ``by`` that only one of the two has.
    """
    if ("by" in s.order) != ("by" in w.order):
        return False
    once = [t for t in dict.fromkeys(s.order) if s.order.count(t) == 1 and w.order.count(t) == 1]
    heavy = [t not in STOP and t not in _STOP_STEMS for t in once]
    return _exchanged([w.order.index(t) for t in once], heavy)


def _exchanged(ranks: Sequence[int], heavy: Sequence[bool]) -> bool:
    """Whether ranks are ``A C M B D`` of a sorted sequence ``A B M C D``.

    B and C must hold a content word (``heavy``), and M may not be empty.
    """
    place = {rank: i for i, rank in enumerate(sorted(ranks))}
    order = [place[rank] for rank in ranks]
    wrong = [i for i, rank in enumerate(order) if i != rank]
    if not wrong:
        return False
    first, last = wrong[0], wrong[-1]
    part = [rank - first for rank in order[first : last + 1]]
    size = len(part)
    head = next(i for i in range(size) if i == size - 1 or part[i + 1] != part[i] + 1) + 1
    tail = size - part.index(0)
    middle = part[head : size - tail]
    swapped = [*range(size - head, size), *range(tail, size - head), *range(tail)]
    moved = heavy[first : last + 1]
    return bool(middle) and part == swapped and any(moved[:head]) and any(moved[size - tail :])


_CHECKS = {
    "negation": _negation,
    "roles": _roles,
    "number": _number,
    "date": _date,
    "unit": _unit,
    "name": _name,
    "modality": _modality,
    "comparison": _comparison,
}
