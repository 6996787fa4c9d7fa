"""CSV: a table in which every row has as many fields as the first."""

from __future__ import annotations

import csv as library

from evalkit.plurals import counted
from evalkit.scoring.instructions.parameters import Character, Texts
from evalkit.scoring.instructions.registry import instruction


@instruction("csv", source="RFC 4180")
def csv(text: str, *, delimiter: Character = ",", columns: Texts = ()) -> str:
    """A header and rows of as many fields, two at least; `columns` names the header's fields."""
    lines = text.strip().splitlines(keepends=True)
    try:
        rows = list(library.reader(lines, delimiter=delimiter, strict=True))
    except (library.Error, TypeError, ValueError) as error:
        return f"not CSV: {error}"
    if len(rows) < 2:
        return "not CSV: a header and one row at least are expected"
    header = [name.strip() for name in rows[0]]
    if columns and header != list(columns):
        return f"the header is {header}, not {list(columns)}"
    if len(header) < 2 and not columns:
        return "not CSV: one column"
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            return f"row {number} has {counted(len(row), 'field')}, the header {len(header)}"
    return ""
