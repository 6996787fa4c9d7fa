"""Read JSON lines so that every fault can be named by file and line."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF8_EXPECTED = "UTF-8 text; save the file again as UTF-8"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a benchmark's files.

    ``line`` counts from 1, and is 0 where the whole file is meant; ``field`` is a path such as
    ``answers[0].evidence[1].quote``, empty where the whole line is meant. ``cause`` names another
    file that could not be read whole, where that may be all there is to it.
    """

    file: str
    line: int
    field: str
    message: str
    expected: str
    cause: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        field = f" {self.field}" if self.field else ""
        expected = "" if self.expected.startswith("did you mean") else "expected "
        return f"{place}{field}: {self.message}; {expected}{self.expected}"


@dataclass(frozen=True)
class Line:
    """One object of a file, with the line that it stands on."""

    file: str
    number: int
    row: dict[str, Any]

    def problem(self, field: str, message: str, expected: str, cause: str = "") -> Problem:
        """A problem at ``field`` of this line."""
        return Problem(self.file, self.number, field, message, expected, cause)


def read_lines(path: Path) -> tuple[list[Line], list[Problem]]:
    """The objects of a JSONL file and what could not be read of it.

    Blank lines are passed over. A line with a fault is left out and the rest is still read.
    """
    data, problems = _read(path)
    if data is None:
        return [], problems
    lines: list[Line] = []
    for number, raw in enumerate(data.split(b"\n"), start=1):
        if not raw.strip():
            continue
        try:
            row = parse_object(raw)
        except ValueError as error:
            problems.append(_line_problem(path.name, number, error))
        else:
            lines.append(Line(path.name, number, row))
    if not lines and not problems:
        problems.append(Problem(path.name, 0, "", "is empty", "one JSON object a line"))
    return lines, problems


def parse_object(raw: bytes) -> dict[str, Any]:
    """One JSON object out of UTF-8 bytes; stricter than ``json.loads``.

    Raises:
        ValueError: not UTF-8, not JSON, not an object, nested too deeply, a field twice, NaN or
            Infinity, or an escaped half of a surrogate pair, which no UTF-8 file could hold.
    """
    text = raw.decode("utf-8")
    try:
        row = json.loads(text, object_pairs_hook=_unique_fields, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("is nested too deeply to be read") from None
    if not isinstance(row, dict):
        # A fault of the file, not of a caller, hence no TypeError.
        raise ValueError(f"is JSON, but not an object: {text.strip()[:40]}")  # noqa: TRY004
    if "\\u" in text:
        json.dumps(row, ensure_ascii=False).encode("utf-8")
    return row


def _read(path: Path) -> tuple[bytes | None, list[Problem]]:
    name = path.name
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None, [Problem(name, 0, "", "is missing", f"the file {name} in {path.parent}")]
    except OSError as error:
        return None, [Problem(name, 0, "", f"cannot be read: {error.strerror}", "a readable file")]
    if data.startswith(_UTF16):
        return None, [Problem(name, 1, "", "is encoded as UTF-16", _UTF8_EXPECTED)]
    if data.startswith(codecs.BOM_UTF8):
        message = "starts with a byte order mark"
        found = Problem(name, 1, "", message, "UTF-8 without a byte order mark")
        return data.removeprefix(codecs.BOM_UTF8), [found]
    return data, []


def _line_problem(file: str, number: int, error: ValueError) -> Problem:
    if isinstance(error, UnicodeDecodeError):
        message = f"is not UTF-8: byte 0x{error.object[error.start]:02x} at byte {error.start + 1}"
        return Problem(file, number, "", message, _UTF8_EXPECTED)
    if isinstance(error, UnicodeEncodeError):
        message = f"holds half of a surrogate pair, \\u{ord(error.object[error.start]):04x}"
        return Problem(file, number, "", message, "both halves, or the character itself")
    if isinstance(error, json.JSONDecodeError):
        message = f"is not JSON: {error.msg} at character {error.pos + 1}"
        return Problem(file, number, "", message, "one JSON object on one line")
    return Problem(file, number, "", str(error), "one JSON object on one line, each field once")


def _unique_fields(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"has the field {key!r} twice")
        result[key] = value
    return result


def _no_constant(name: str) -> Any:
    raise ValueError(f"holds {name}, which is not JSON")
