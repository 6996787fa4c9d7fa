"""JSON Schema 2020-12 within a time limit, and without reaching for the network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache, lru_cache
from time import monotonic
from typing import Any

from evalkit.scoring.instructions import limits
from evalkit.scoring.instructions.limits import Undecided

MAX_FORMATTED = 2_000
"""The longest string whose ``format`` is checked; grammars of some formats are slow beyond it."""
_DEADLINE: ContextVar[float] = ContextVar("deadline")

Keyword = Callable[[Any, Any, Any, Any], Iterator[Any] | None]


def schema_fault(schema: Mapping[str, Any] | bool) -> str:
    """What is wrong with a schema; empty where nothing is."""
    try:
        return _fault(json.dumps(schema, sort_keys=True))
    except (TypeError, ValueError) as error:
        return f"is invalid: not JSON: {error}"


@lru_cache(maxsize=64)
def _fault(schema: str) -> str:
    import regex
    from jsonschema import SchemaError
    from referencing.exceptions import Unresolvable

    try:
        # Any value will do to find a schema that refers to itself without end.
        _first_error(_validator(schema), None)
    except SchemaError as error:
        return f"is invalid: the schema itself is invalid at {error.json_path}: {error.message}"
    except Unresolvable as error:
        return (
            f"is invalid: $ref {error.ref!r} leads nowhere; expected a reference within the schema"
        )
    except regex.error as error:
        return f"is invalid: pattern {error.pattern!r}: {error}"
    except RecursionError:
        return "is invalid: it refers to itself without end"
    except TimeoutError:
        return f"is not checked within {limits.SECONDS} s even on null; make it simpler"
    return _unbounded(json.loads(schema))


def schema_problem(value: Any, schema: Mapping[str, Any] | bool) -> str:
    """Where and how a JSON value breaks a schema without faults; empty where it does not.

    Raises:
        TimeoutError: `limits.SECONDS` passed.
        Undecided: A string is too long for the check of its ``format``.
    """
    first = _first_error(_validator(json.dumps(schema, sort_keys=True)), value)
    return "" if first is None else f"JSON at {first.json_path}: {first.message[:200]}"


def _first_error(validator: Any, value: Any) -> Any:
    token = _DEADLINE.set(monotonic() + limits.SECONDS)
    try:
        return next(iter(validator.iter_errors(value)), None)
    finally:
        _DEADLINE.reset(token)


def _remaining() -> float:
    left = _DEADLINE.get() - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema_specifications import REGISTRY

    parsed = json.loads(schema)
    Draft202012Validator.check_schema(parsed)
    _compile_parts(parsed)
    # The registry given holds the published meta-schemas and fetches nothing.
    return _bounded_class()(
        parsed, registry=REGISTRY, format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def _parts(schema: Any) -> Iterator[tuple[Any, Any]]:
    """A schema and every schema within it, each with what resolves its references."""
    from jsonschema_specifications import REGISTRY
    from referencing.jsonschema import DRAFT202012

    root = DRAFT202012.create_resource(schema)
    waiting = [(root, REGISTRY.resolver_with_root(root))]
    while waiting:
        part, resolver = waiting.pop()
        yield part.contents, resolver
        waiting += [(each, resolver.in_subresource(each)) for each in part.subresources()]


def _compile_parts(schema: Any) -> None:
    """Find early what validation would meet late: patterns that do not compile, lost references."""
    import regex

    for part, resolver in _parts(schema):
        if isinstance(part, Mapping):
            for pattern in (part.get("pattern", ""), *part.get("patternProperties", ())):
                regex.compile(pattern)
            for reference in ("$ref", "$dynamicRef"):
                if reference in part:
                    resolver.lookup(part[reference])


def _unbounded(schema: Any) -> str:
    used = {key for part, _ in _parts(schema) if isinstance(part, Mapping) for key in part}
    if {"patternProperties", "unevaluatedProperties"} <= used:
        # The library matches these patterns itself there, without a time limit.
        return (
            "uses unevaluatedProperties with patternProperties, which cannot be held to a time "
            "limit; use additionalProperties"
        )
    return ""


@cache
def _bounded_class() -> Any:
    """Draft 2020-12 with a deadline at every keyword, and patterns that keep to it."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    own: dict[str, Keyword] = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
    }
    keywords = {**Draft202012Validator.VALIDATORS, **own}
    keywords["format"] = _short(keywords["format"])
    return extend(Draft202012Validator, {name: _timed(each) for name, each in keywords.items()})


def _timed(keyword: Keyword) -> Keyword:
    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        _remaining()
        yield from keyword(validator, value, instance, schema) or ()

    return check


def _short(keyword: Keyword) -> Keyword:
    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if isinstance(instance, str) and len(instance) > MAX_FORMATTED:
            raise Undecided(
                f"a string of {len(instance)} characters under format {value!r}; at most "
                f"{MAX_FORMATTED} are checked"
            )
        yield from keyword(validator, value, instance, schema) or ()

    return check


def _found(pattern: str, text: str) -> bool:
    import regex

    return regex.search(pattern, text, timeout=_remaining()) is not None


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(instance, str) and not _found(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if isinstance(instance, dict):
        for pattern, subschema in patterns.items():
            for key, value in instance.items():
                if _found(pattern, key):
                    yield from validator.descend(value, subschema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, other: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not isinstance(instance, dict):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for key, value in instance.items():
        if key in named or any(_found(pattern, key) for pattern in patterns):
            continue
        if other is False:
            yield ValidationError(f"property {key!r} is not allowed")
        else:
            yield from validator.descend(value, other, path=key)


def _unique_items(validator: Any, unique: bool, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if unique and isinstance(instance, list):
        seen = {json.dumps(_canonical(item), sort_keys=True) for item in instance}
        if len(seen) < len(instance):
            yield ValidationError("has an item twice")


def _canonical(value: Any) -> Any:
    """The same for equal JSON values: 1 and 1.0 are one number, and no number is true."""
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
