"""JSON: exactly one value, and a schema that it must meet."""

from __future__ import annotations

import regex

from evalkit.scoring.instructions import limits
from evalkit.scoring.instructions.json_value import strict_json
from evalkit.scoring.instructions.parameters import Flag, Schema
from evalkit.scoring.instructions.registry import instruction
from evalkit.scoring.instructions.schema import schema_problem

_FENCE = r"\A\s*```(?i:json)?\s*(.*?)\s*(?:```\s*)?\Z"


@instruction("json", source="RFC 8259")
def json(text: str, *, fenced: Flag = False) -> str:
    """Exactly one JSON value; with `fenced`, as IFEval has it, it may stand in a code fence."""
    if fenced:
        fence = regex.match(_FENCE, text, regex.DOTALL, timeout=limits.SECONDS)
        text = fence[1] if fence else text
    try:
        strict_json(text)
    except ValueError as error:
        return f"not exactly one JSON value: {error}"
    return ""


@instruction("json_schema", source="JSON Schema 2020-12")
def json_schema(text: str, *, schema: Schema) -> str:
    """Exactly one JSON value, valid under the schema, formats such as `date` included."""
    try:
        value = strict_json(text)
    except ValueError as error:
        return f"not exactly one JSON value: {error}"
    return schema_problem(value, schema)
