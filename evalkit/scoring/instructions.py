"""The kinds of format instruction, and how each is checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from evalkit.scoring.text import contains

REGEX_SECONDS = 1.0
"""How long one regular expression may run before the check counts as failed."""


class InstructionError(ValueError):
    """A format instruction that cannot be checked: the specification is at fault."""


def check(instruction: Mapping[str, Any], text: str) -> str:
    """What an instruction finds wrong with a text; an empty string where it is met.

    Raises:
        InstructionError: The kind is unknown, a parameter is missing, unknown or malformed.
    """
    parameters = dict(instruction)
    kind = parameters.pop("kind", None)
    if kind not in CHECKERS:
        raise InstructionError(
            f"format instruction of kind {kind!r}: unknown; known kinds: {', '.join(CHECKERS)}"
        )
    checker, required, optional = CHECKERS[kind]
    missing = sorted(required - parameters.keys())
    unknown = sorted(parameters.keys() - required - optional)
    if missing or unknown:
        raise InstructionError(
            f"format instruction of kind {kind!r}: missing parameters {missing}, unknown "
            f"parameters {unknown}; expected {sorted(required)}, optional {sorted(optional)}"
        )
    return checker(text, **parameters)


def strict_json(text: str) -> Any:
    """Parse a text that is exactly one JSON value (RFC 8259), blanks around it allowed.

    Raises:
        ValueError: It is not: text around the value, NaN or Infinity, a repeated key.
    """
    return json.loads(text, parse_constant=_reject_constant, object_pairs_hook=_unique_keys)


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _json_schema(text: str, schema: Mapping[str, Any]) -> str:
    # Before the text is read: a faulty schema is an error whatever the text is.
    validator = _validator(json.dumps(schema, sort_keys=True))
    try:
        value = strict_json(text)
    except RecursionError:
        return "not exactly one JSON value: nested too deeply"
    except ValueError as error:
        return f"not exactly one JSON value: {error}"
    first = next(iter(validator.iter_errors(value)), None)
    return "" if first is None else f"JSON at {first.json_path}: {first.message[:200]}"


@lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator, SchemaError

    parsed = json.loads(schema)
    try:
        Draft202012Validator.check_schema(parsed)
    except SchemaError as error:
        raise InstructionError(
            f"format instruction of kind 'json_schema': the schema itself is invalid at "
            f"{error.json_path}: {error.message}"
        ) from error
    return Draft202012Validator(parsed, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _regex(text: str, pattern: str, match: str = "full") -> str:
    import regex

    if match not in ("full", "search"):
        raise InstructionError(
            f"format instruction of kind 'regex': match={match!r}; expected 'full' or 'search'"
        )
    try:
        function = regex.fullmatch if match == "full" else regex.search
        found = function(pattern, text, timeout=REGEX_SECONDS)
    except regex.error as error:
        raise InstructionError(
            f"format instruction of kind 'regex': pattern {pattern!r} is invalid: {error}"
        ) from error
    except TimeoutError as error:
        raise InstructionError(
            f"format instruction of kind 'regex': pattern {pattern!r} ran longer than "
            f"{REGEX_SECONDS} s; make it less ambiguous"
        ) from error
    return "" if found else f"does not match {pattern!r}"


def _max_words(text: str, count: int) -> str:
    words = len(text.split())
    return "" if words <= count else f"{words} words, at most {count} allowed"


def _min_words(text: str, count: int) -> str:
    words = len(text.split())
    return "" if words >= count else f"{words} words, at least {count} required"


def _required_phrases(text: str, phrases: Sequence[str]) -> str:
    missing = [phrase for phrase in phrases if not contains(text, phrase)]
    return f"required but missing: {missing}" if missing else ""


def _forbidden_phrases(text: str, phrases: Sequence[str]) -> str:
    present = [phrase for phrase in phrases if contains(text, phrase)]
    return f"forbidden but present: {present}" if present else ""


def _one_line(text: str) -> str:
    lines = len(text.strip().splitlines())
    return "" if lines == 1 else f"{lines} lines, exactly one allowed"


Checker = Callable[..., str]
CHECKERS: dict[str, tuple[Checker, frozenset[str], frozenset[str]]] = {
    "json_schema": (_json_schema, frozenset({"schema"}), frozenset()),
    "regex": (_regex, frozenset({"pattern"}), frozenset({"match"})),
    "max_words": (_max_words, frozenset({"count"}), frozenset()),
    "min_words": (_min_words, frozenset({"count"}), frozenset()),
    "required_phrases": (_required_phrases, frozenset({"phrases"}), frozenset()),
    "forbidden_phrases": (_forbidden_phrases, frozenset({"phrases"}), frozenset()),
    "one_line": (_one_line, frozenset(), frozenset()),
}
"""Kind -> its checker, required parameters and optional parameters."""
