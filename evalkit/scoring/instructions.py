"""The kinds of format instruction, and how each is checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from evalkit.records import FormatSpecification
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
    if not isinstance(kind, str) or kind not in CHECKERS:
        near = get_close_matches(str(kind), CHECKERS, n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise InstructionError(
            f"format instruction of kind {kind!r}: unknown{meant}; known kinds: "
            f"{', '.join(CHECKERS)}"
        )
    checker, required, optional = CHECKERS[kind]
    missing = sorted(required - parameters.keys())
    unknown = sorted(parameters.keys() - required - optional)
    if missing or unknown:
        raise InstructionError(
            f"format instruction of kind {kind!r}: missing parameters {missing}, unknown "
            f"parameters {unknown}; expected {sorted(required)}, optional {sorted(optional)}"
        )
    for name, value in parameters.items():
        accepts, expected = _PARAMETERS[name]
        if not accepts(value):
            raise InstructionError(
                f"format instruction of kind {kind!r}: {name}={value!r}; expected {expected}"
            )
    return checker(text, **parameters)


def faults(spec: FormatSpecification) -> list[str]:
    """What is wrong with the instructions of a specification, one text per faulty instruction.

    Finds before a run what `check` would raise in it: an unknown kind, a missing, unknown or
    malformed parameter, an invalid JSON schema, an invalid regular expression. Empty where the
    specification is sound.
    """
    found = []
    for position, instruction in enumerate(spec.instructions):
        try:
            check(instruction, "")
        except InstructionError as error:
            found.append(f"instructions[{position}]: {error}")
    return found


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


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_phrases(value: Any) -> bool:
    # A text is a sequence of texts too: its letters.
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    return listed and bool(value) and all(isinstance(each, str) and each for each in value)


_PARAMETERS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "schema": (lambda v: isinstance(v, Mapping | bool), "a JSON schema: an object"),
    "pattern": (lambda v: isinstance(v, str), "a regular expression"),
    "match": (lambda v: v in ("full", "search"), "'full' or 'search'"),
    "count": (_is_count, "a whole number, 0 or more"),
    "phrases": (_are_phrases, "a list of texts"),
}
"""What each parameter must be, and how to say so."""

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
