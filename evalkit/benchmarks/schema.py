"""The fields of the three files of a benchmark, written once.

The checker, the defaults of absent fields and the typed Hugging Face tables are all read off these
tuples, so a field that is documented here is a field that is checked. ``SCHEMA.md`` beside this
file says the same for people.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any, Literal

Kind = Literal["text", "string", "date", "strings", "objects"]

CORPUS_FILE = "corpus.jsonl"
QUESTIONS_FILE = "questions.jsonl"
TRAINING_FILE = "training.jsonl"
OPTIONS_FILE = "benchmark.json"

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Field:
    """One field of a line.

    ``kind``: ``text`` is a string with something in it, ``string`` may be empty, ``date`` is
    ``YYYY-MM-DD``, ``strings`` a list of non-empty strings, ``objects`` a list of objects with the
    fields ``items``. A field that is not required may be absent or null. In a list of objects a
    bare string may stand for an object that has the field ``shorthand`` only.
    """

    name: str
    kind: Kind
    required: bool = False
    choices: tuple[str, ...] = ()
    items: tuple[Field, ...] = ()
    shorthand: str = ""


PERIOD = (Field("valid_from", "date"), Field("valid_to", "date"))

CORPUS = (
    Field("document", "text", required=True),
    Field("revision", "text"),
    Field("title", "string"),
    Field("text", "text", required=True),
    *PERIOD,
    Field("tags", "strings"),
)

EVIDENCE = (Field("revision", "text", required=True), Field("quote", "text"))

ANSWER = (
    Field("text", "text"),  # may be left out where there is evidence; see rules.py
    Field("aliases", "strings"),
    *PERIOD,
    Field("evidence", "objects", items=EVIDENCE, shorthand="revision"),
)

QUESTIONS = (
    Field("id", "text", required=True),
    Field("question", "text", required=True),
    Field("as_of", "date"),
    Field("category", "text"),
    Field("cluster", "text"),
    Field("answers", "objects", required=True, items=ANSWER, shorthand="text"),
    Field("format", "text", choices=("default", "free")),
    Field("tags", "strings"),
)

PASSAGE = (
    Field("document", "text", required=True),
    Field("title", "string"),
    Field("text", "text", required=True),
    *PERIOD,
)

HISTORY = (Field("text", "text", required=True), *PERIOD)

TRAINING = (
    Field("id", "text", required=True),
    Field("kind", "text", required=True, choices=("behaviour", "knowledge")),
    Field("question", "text", required=True),
    Field("as_of", "date"),
    Field("answer", "text"),
    Field("source", "text"),
    Field("effective", "date"),
    Field("passages", "objects", items=PASSAGE),
    Field("answers", "objects", items=HISTORY),
)

FIELDS: Mapping[str, tuple[Field, ...]] = {
    CORPUS_FILE: CORPUS,
    QUESTIONS_FILE: QUESTIONS,
    TRAINING_FILE: TRAINING,
}

_EXPECTED: Mapping[Kind, str] = {
    "text": "a string that is not empty",
    "string": "a string",
    "date": "a date written YYYY-MM-DD",
    "strings": "a list of strings",
    "objects": "a list of objects",
}


@dataclass(frozen=True)
class Fault:
    """A field that breaks the schema: where in the line, what is wrong, what was expected."""

    field: str
    message: str
    expected: str


def parse_date(value: Any) -> date | None:
    """The date that ``value`` writes as ``YYYY-MM-DD``, or None where it writes none."""
    if not isinstance(value, str) or not _ISO_DATE.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def faults(row: Mapping[str, Any], fields: tuple[Field, ...], prefix: str = "") -> Iterator[Fault]:
    """Every breach of ``fields`` in ``row``: unknown, missing and ill-typed fields."""
    known = [field.name for field in fields]
    for key in row:
        if key not in known:
            yield Fault(prefix + key, "unknown field", _suggestion(key, known))
    for field in fields:
        value = row.get(field.name)
        if value is not None:
            yield from _value_faults(value, field, prefix + field.name)
        elif field.required:
            what = "is null" if field.name in row else "is missing"
            yield Fault(prefix + field.name, what, _expected(field))


def normalised(row: Mapping[str, Any], fields: tuple[Field, ...]) -> dict[str, Any]:
    """A sound ``row`` with every field present: null or an empty list where the line had none."""
    result: dict[str, Any] = {}
    for field in fields:
        value = row.get(field.name)
        if field.kind == "strings":
            result[field.name] = list(value or [])
        elif field.kind == "objects":
            result[field.name] = [
                normalised(as_object(item, field), field.items) for item in value or []
            ]
        else:
            result[field.name] = value
    return result


def as_object(item: Any, field: Field) -> Any:
    """``item`` of a list of objects with its shorthand, a bare string, written out."""
    if field.shorthand and isinstance(item, str):
        return {field.shorthand: item}
    return item


def _value_faults(value: Any, field: Field, path: str) -> Iterator[Fault]:
    if field.kind == "date":
        if parse_date(value) is None:
            yield Fault(path, f"{_shown(value)} is not a date", _expected(field))
    elif field.kind in ("strings", "objects"):
        if not isinstance(value, list):
            yield Fault(path, f"is {_type_name(value)}", _expected(field))
            return
        for position, item in enumerate(value):
            yield from _item_faults(item, field, f"{path}[{position}]")
    else:
        yield from _string_faults(value, field, path)


def _item_faults(item: Any, field: Field, path: str) -> Iterator[Fault]:
    if field.kind == "strings":
        yield from _string_faults(item, Field(field.name, "text"), path)
        return
    item = as_object(item, field)
    if isinstance(item, dict):
        yield from faults(item, field.items, f"{path}.")
    else:
        names = ", ".join(each.name for each in field.items)
        yield Fault(path, f"is {_type_name(item)}", f"an object with the fields {names}")


def _string_faults(value: Any, field: Field, path: str) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(path, f"is {_type_name(value)}", _expected(field))
    elif field.kind == "text" and not value.strip():
        yield Fault(path, "is empty", _expected(field))
    elif field.choices and value not in field.choices:
        yield Fault(path, f"{_shown(value)} is not a known value", _expected(field))


def _expected(field: Field) -> str:
    if field.choices:
        return " or ".join(repr(choice) for choice in field.choices)
    if field.name == "answers" and field.required:
        return "a list of answers, [] where nothing answers the question"
    return _EXPECTED[field.kind]


def _suggestion(key: str, known: list[str]) -> str:
    close = get_close_matches(key, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"one of {', '.join(known)}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string",
             list: "a list", dict: "an object"}  # fmt: skip
    return names.get(type(value), type(value).__name__)
