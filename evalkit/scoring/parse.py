"""Read an answer, its source and its date out of a raw output."""

from __future__ import annotations

import json
import re
from typing import Any

from evalkit.records import FormatSpecification, ParsedOutput

_FENCE = re.compile(r"```[^\S\n]*[\w+-]*[^\S\n]*\n?(.*?)(?:```|\Z)", re.DOTALL)


def parse(output: str, spec: FormatSpecification) -> ParsedOutput:
    """Read ``output`` as generously as can be done without guessing.

    With a structured specification the first balanced JSON object that holds the answer field is
    taken, wherever it stands (in a code fence, after a lead-in, before a closing line). Where
    there is none, the plain text is the answer and ``structured`` is False: what was said and how
    it was formatted are two axes. A JSON ``null`` as the answer means the abstention reply.
    An output without text gives ``answer=None``.
    """
    text = output.strip()
    key = spec.fields.get("answer")
    if key is not None:
        for value in json_objects(text):
            if key in value:
                return _structured(value, spec)
    plain = unfence(text)
    return ParsedOutput(answer=plain or None)


def unfence(text: str) -> str:
    """The content of the first fenced code block, or the text itself when there is none."""
    match = _FENCE.search(text)
    return (match[1] if match else text).strip()


def json_objects(text: str) -> list[dict[str, Any]]:
    """Every outermost JSON object in a text, in order; broken ones are passed over."""
    decoder = json.JSONDecoder()
    found: list[dict[str, Any]] = []
    position = text.find("{")
    while position != -1:
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            found.append(value)
        position = text.find("{", end)
    return found


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
