"""Read the structure of a text: headings, paragraphs, list items, tables, code, JSON.

Markdown and plain text are read alike. A block is a span of the text; blocks come in order, do not
overlap, and leave out nothing but white space::

    ## Prices            heading
    Paid monthly:        paragraph, which leads in what follows
    | size | price |     table: kept whole, or cut between rows
    |------|-------|
    | S    | EUR 2 |
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["heading", "paragraph", "item", "table", "code", "json"]

_HEADING = re.compile(r"\s{0,3}#{1,6}\s+\S")
_UNDERLINE = re.compile(r"\s{0,3}(=+|-{3,})\s*$")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_ITEM = re.compile(r"\s*([-*+•]|\d{1,3}[.)])\s+\S")
_TABLE_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
_JSON_START = re.compile(r"\s*[{\[]")


@dataclass(frozen=True)
class Block:
    """A span ``[start, end)`` of a text without white space around it, and what it is.

    ``header_end`` is where the header of a table ends, its ruled line included.
    """

    kind: Kind
    start: int
    end: int
    header_end: int = 0


@dataclass(frozen=True)
class _Line:
    start: int
    text: str

    @property
    def blank(self) -> bool:
        return not self.text.strip()

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def blocks(text: str) -> list[Block]:
    """The blocks of ``text`` in order; every character outside them is white space."""
    lines = list(_lines(text))
    found: list[Block] = []
    position = 0
    while position < len(lines):
        if lines[position].blank:
            position += 1
            continue
        kind, after = _block_at(text, lines, position)
        header = lines[position + 1].end if kind == "table" else 0
        found.append(_trimmed(text, kind, lines[position].start, lines[after - 1].end, header))
        position = after
    return found


def _trimmed(text: str, kind: Kind, start: int, end: int, header_end: int) -> Block:
    piece = text[start:end]
    return Block(
        kind,
        start + len(piece) - len(piece.lstrip()),
        start + len(piece.rstrip()),
        header_end,
    )


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    for piece in text.split("\n"):
        yield _Line(start, piece)
        start += len(piece) + 1


def _block_at(text: str, lines: list[_Line], position: int) -> tuple[Kind, int]:
    """The kind of the block that starts on a line, and the line after its last."""
    opening = _opens(text, lines, position)
    if opening is not None:
        return opening
    after = position + 1
    if _ITEM.match(lines[position].text):
        while after < len(lines) and _continues(text, lines, after):
            after += 1
        return "item", after
    while after < len(lines) and _continues(text, lines, after):
        if _UNDERLINE.match(lines[after].text):
            return ("heading", after + 1) if after == position + 1 else ("paragraph", after + 1)
        after += 1
    return "paragraph", after


def _continues(text: str, lines: list[_Line], position: int) -> bool:
    line = lines[position]
    return not (line.blank or _ITEM.match(line.text) or _opens(text, lines, position) is not None)


def _opens(text: str, lines: list[_Line], position: int) -> tuple[Kind, int] | None:
    """The block that a line opens by its look alone, whatever came before."""
    line = lines[position]
    if _HEADING.match(line.text):
        return "heading", position + 1
    fence = _FENCE.match(line.text)
    if fence:
        return "code", _after_fence(lines, position, fence.group(1))
    if _is_table(lines, position):
        after = position + 2
        while after < len(lines) and "|" in lines[after].text:
            after += 1
        return "table", after
    if _JSON_START.match(line.text):
        json_end = _after_json(text, lines, position)
        if json_end is not None:
            return "json", json_end
    return None


def _after_fence(lines: list[_Line], position: int, mark: str) -> int:
    for after in range(position + 1, len(lines)):
        closing = lines[after].text.strip()
        if closing.startswith(mark) and not closing.strip(mark[0]):
            return after + 1
    return len(lines)


def _is_table(lines: list[_Line], position: int) -> bool:
    if position + 1 >= len(lines) or "|" not in lines[position].text:
        return False
    rule = lines[position + 1].text
    return "|" in rule and bool(_TABLE_RULE.match(rule))


def _after_json(text: str, lines: list[_Line], position: int) -> int | None:
    """The line after a JSON object or array that starts on a line and ends one; None if none."""
    start = lines[position].start
    start += len(lines[position].text) - len(lines[position].text.lstrip())
    try:
        _, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    after = position
    while lines[after].end < end:
        after += 1
    return after + 1 if not text[end : lines[after].end].strip() else None
