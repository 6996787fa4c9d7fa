"""Read an answer, its source and its date out of a raw output."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from evalkit.records import FormatSpecification, ParsedOutput

_FENCE = re.compile(r"```[^\S\n]*[\w+-]*[^\S\n]*\n?(.*?)(?:```|\Z)", re.DOTALL)

_BEFORE = 60
"""Characters before an object in which the words before it are looked for."""
MOST_BROKEN = 200
"""Braces that open no JSON object, after which the rest of a text is not searched: each of them may
take time in proportion to its length."""


def parse(output: str, spec: FormatSpecification) -> ParsedOutput:
    """Read ``output`` as generously as can be done without guessing.

    With a structured specification the first balanced JSON object that holds the answer field is
    taken, wherever it stands (in a code fence, after a lead-in, before a closing line). Where
    there is none, the plain text is the answer and ``structured`` is False: what was said and how
    it was formatted are two axes. An object that is repeated from the format instruction, with the
    words before it, is no answer. A JSON ``null`` as the answer means the abstention reply.
    An output without text gives ``answer=None``.
    """
    value = _answer_object(output, spec)
    if value is not None:
        return _structured(value, spec)
    return ParsedOutput(answer=unfence(output.strip()) or None)


def answer_values(output: str, spec: FormatSpecification) -> tuple[str, ...]:
    """The strings and numbers in the answer field of a structured output, in order.

    Lists and objects are taken apart. Truth values and null are left out: they state nothing
    without their question. Empty where the output has no such field.
    """
    value = _answer_object(output, spec)
    return () if value is None else tuple(_leaves(value[spec.fields["answer"]]))


def _answer_object(output: str, spec: FormatSpecification) -> dict[str, Any] | None:
    key, text = spec.fields.get("answer"), output.strip()
    if key is None:
        return None
    told = _squeezed(spec.instruction)
    return next(
        (
            value
            for value, start, end in _objects(text)
            if key in value and not _repeated(text, start, end, told)
        ),
        None,
    )


def _repeated(text: str, start: int, end: int, told: str) -> bool:
    """Whether an object stands in the instruction, after the same two words as here."""
    before = text[max(0, start - _BEFORE) : start].split()[-2:]
    return bool(before) and f"{' '.join(before)} {_squeezed(text[start:end])}" in told


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)
    elif value is not None and not isinstance(value, bool) and str(value).strip():
        yield str(value).strip()


def unfence(text: str) -> str:
    """The content of the first fenced code block, or the text itself when there is none."""
    match = _FENCE.search(text)
    return (match[1] if match else text).strip()


def _objects(text: str) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Every outermost JSON object with its start and end; up to `MOST_BROKEN` broken ones are passed
    over.
    """
    decoder = json.JSONDecoder()
    broken = 0
    position = text.find("{")
    while position != -1 and broken < MOST_BROKEN:
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = position + 1
            broken += 1
        else:
            yield value, position, end
        position = text.find("{", end)


def _structured(value: dict[str, Any], spec: FormatSpecification) -> ParsedOutput:
    roles = {role: _plain(value.get(key)) for role, key in spec.fields.items()}
    answer = spec.abstention if value[spec.fields["answer"]] is None else roles["answer"]
    return ParsedOutput(
        answer=answer or None,
        source=roles.get("source") or None,
        effective=roles.get("effective") or None,
        structured=True,
    )


def _plain(value: Any) -> str | None:
    """A JSON value as a person would write it; lists are joined by commas."""
    if value is None or isinstance(value, str):
        return value.strip() if value else None
    if isinstance(value, list):
        return ", ".join(part for item in value if (part := _plain(item)))
    return json.dumps(value, ensure_ascii=False)
