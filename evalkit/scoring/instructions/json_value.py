"""JSON as RFC 8259 has it: nothing that a tolerant reader lets pass."""

from __future__ import annotations

import json
from math import isinf
from typing import Any

import regex

from evalkit.scoring.instructions import limits

MAX_DIGITS = 4_000
"""The longest whole number that is read."""
# Possessive: an unclosed string is passed over once, not once per starting point.
_STRING_OR_BRACKET = regex.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', regex.DOTALL)


def strict_json(text: str) -> Any:
    """Parse a text that is exactly one JSON value (RFC 8259), blanks around it allowed.

    Raises:
        ValueError: It is not: text around the value, NaN or Infinity, a repeated key, a number
            beyond the range of a double, or nesting beyond `limits.MAX_DEPTH`.
    """
    # Before parsing: the parser's own limit depends on how deep its caller's stack is.
    if depth(text) > limits.MAX_DEPTH:
        raise ValueError(f"nested more than {limits.MAX_DEPTH} deep")
    return json.loads(
        text,
        parse_constant=_reject_constant,
        parse_float=_finite,
        parse_int=_short,
        object_pairs_hook=_unique_keys,
    )


def depth(text: str) -> int:
    """How deep the brackets of a JSON text are nested; those inside strings do not count."""
    deepest = level = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        if match[0] in "[{":
            level += 1
            deepest = max(deepest, level)
        elif match[0] in "]}":
            level -= 1
    return deepest


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if isinf(value):
        raise ValueError(f"{digits} is beyond the range of a number")
    return value


def _short(digits: str) -> int:
    # Python reads no longer ones, and its message speaks to programmers.
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits; at most {MAX_DIGITS} are read")
    return int(digits)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found
