"""The types of instruction parameters: what each accepts, and how to say so.

A type is ``Annotated[T, Rule(...)]``; a parameter of a kind is annotated with one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from evalkit.plurals import counted


def _no_fault(value: Any) -> str:
    return ""


@dataclass(frozen=True)
class Rule:
    """What a parameter must be.

    Attributes:
        expected: In words.
        accepts: Whether a value is of the right type.
        fault: What is wrong with a value of the right type; empty where nothing is.
    """

    expected: str
    accepts: Callable[[Any], bool]
    fault: Callable[[Any], str] = _no_fault


def one_of(*choices: str) -> Rule:
    """One of a few words."""
    return Rule(" or ".join(map(repr, choices)), lambda value: value in choices)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_texts(value: Any) -> bool:
    # A text is a sequence of texts too: its letters.
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    return listed and bool(value) and all(map(_is_text, value))


def _pattern_fault(pattern: str) -> str:
    import regex

    try:
        regex.compile(pattern)
    except regex.error as error:
        return f"{pattern!r} is invalid: {error}"
    return ""


def _schema_fault(schema: Mapping[str, Any] | bool) -> str:
    from evalkit.scoring.instructions.schema import schema_fault

    return schema_fault(schema)


def _dialect_fault(dialect: str) -> str:
    import sqlglot

    known = sorted(each.value for each in sqlglot.Dialects if each.value)
    return "" if dialect in known else f"{dialect!r} is unknown; known dialects: {', '.join(known)}"


def _language_fault(code: str) -> str:
    from evalkit.scoring.instructions.languages import languages

    known = languages()
    return "" if code in known else f"{code!r} is unknown; known codes: {', '.join(known)}"


COUNT = Rule("a whole number, 0 or more", _is_count)
Count = Annotated[int, COUNT]
Position = Annotated[int, Rule("a whole number, 1 or more", lambda v: _is_count(v) and v > 0)]
Flag = Annotated[bool, Rule("true or false", lambda v: isinstance(v, bool))]
Text = Annotated[str, Rule("a text", _is_text)]
Texts = Annotated[Sequence[str], Rule("a list of texts", _are_texts)]
Character = Annotated[str, Rule("one character", lambda v: isinstance(v, str) and len(v) == 1)]
Pattern = Annotated[str, Rule("a regular expression", lambda v: isinstance(v, str), _pattern_fault)]
Schema = Annotated[
    Mapping[str, Any] | bool,
    Rule("a JSON schema: an object", lambda v: isinstance(v, Mapping | bool), _schema_fault),
]
Dialect = Annotated[str, Rule("an SQL dialect, such as 'postgres'", _is_text, _dialect_fault)]
Language = Annotated[
    str, Rule("a language as ISO 639 code, such as 'en'", _is_text, _language_fault)
]
Unsure = Annotated[Literal["failed", "met", "not_met"], one_of("failed", "met", "not_met")]

BOUNDS: dict[str, Rule] = {"at_least": COUNT, "at_most": COUNT, "exactly": COUNT}
"""The parameters of every counting kind."""


def bounds_fault(parameters: Mapping[str, Any]) -> str:
    """What is wrong with the bounds of a counting kind; empty where nothing is."""
    given = [name for name in BOUNDS if name in parameters]
    if not given:
        return "no bound; expected at_least, at_most or exactly"
    if "exactly" in given and len(given) > 1:
        return f"bounds {given}; expected exactly alone, or at_least and at_most"
    low, high = parameters.get("at_least", 0), parameters.get("at_most")
    if high is not None and low > high:
        return f"at_least={low} is above at_most={high}; expected at_least <= at_most"
    return ""


def outside(count: int, noun: str, bounds: Mapping[str, int]) -> str:
    """How a count of something breaks its bounds; empty where it keeps them."""
    found = counted(count, noun)
    exactly = bounds.get("exactly")
    low, high = bounds.get("at_least", exactly), bounds.get("at_most", exactly)
    if exactly is not None and count != exactly:
        return f"{found}, exactly {exactly} required"
    if low is not None and count < low:
        return f"{found}, at least {low} required"
    if high is not None and count > high:
        return f"{found}, at most {high} allowed"
    return ""
