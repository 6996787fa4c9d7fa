"""Read a file of human labels, so that every fault can be named by file and line."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from evalkit.benchmarks.lines import Line, Problem, read_lines

FIELDS = ("question", "pipeline", "metric", "value")
_VALUE = "0, 1 or a share between them"


def read_labels(path: Path, metric: str | None = None) -> tuple[list[Line], list[Problem]]:
    """The labels of a CSV or JSONL file, and everything that is wrong with it.

    Args:
        path: A file ``*.csv`` with a head line, or ``*.jsonl``; UTF-8.
        metric: The metric of rows that name none; when None, every row must name one.

    Returns:
        Lines whose row holds ``question, pipeline, metric`` (strings) and ``value``: a number in
        [0, 1], or None where the row has no label yet.
    """
    readers = {".csv": _csv_lines, ".jsonl": read_lines}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        expected = "a file whose name ends in .csv or .jsonl"
        return [], [Problem(path.name, 0, "", f"ends in {path.suffix or 'nothing'!r}", expected)]
    lines, problems = reader(path)
    labels = []
    for line in lines:
        row, faults = _label(line, metric)
        problems += faults
        labels.append(Line(line.file, line.number, row))
    return labels, sorted(problems, key=lambda each: each.line)


def _label(line: Line, metric: str | None) -> tuple[dict[str, Any], list[Problem]]:
    row, faults = {}, []
    for field in FIELDS[:3]:
        found = line.row.get(field)
        if found in (None, "") and field == "metric" and metric is not None:
            found = metric
        if isinstance(found, int) and not isinstance(found, bool):
            found = str(found)  # a question's number, as JSON writes it
        if not isinstance(found, str) or not found:
            advice = " (or --metric for all rows)" if field == "metric" else ""
            faults.append(line.problem(field, "is missing", f"the name of a {field}{advice}"))
        row[field] = found
    row["value"], wrong = _value(line.row.get("value"))
    if wrong:
        faults.append(line.problem("value", wrong, _VALUE))
    return row, faults


def _value(found: Any) -> tuple[float | None, str]:
    """A label as a number, or None where there is none; and what is wrong with it."""
    if found is None or (isinstance(found, str) and not found.strip()):
        return None, ""
    if not isinstance(found, (str, int, float)):
        return None, f"is {str(found)[:40]!r}"
    try:
        value = float(found)
    except (ValueError, OverflowError):
        return None, f"is {str(found)[:40]!r}"
    if not math.isfinite(value) or not 0 <= value <= 1:
        return None, f"is {str(found)[:40]}"
    return value, ""


def _csv_lines(path: Path) -> tuple[list[Line], list[Problem]]:
    name = path.name
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return [], [Problem(name, 0, "", "is missing", f"the file {name} in {path.parent}")]
    except OSError as error:
        return [], [Problem(name, 0, "", f"cannot be read: {error.strerror}", "a readable file")]
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        message = f"is not UTF-8: byte 0x{error.object[error.start]:02x}"
        return [], [Problem(name, line, "", message, "UTF-8 text; save the file again as UTF-8")]
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: list[Line] = []
    problems: list[Problem] = []
    try:
        head = [cell.strip() for cell in next(reader, [])]
        if faults := _head_faults(name, head):
            return [], faults
        while (start := reader.line_num + 1) and (cells := next(reader, None)) is not None:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(head):
                message = f"has {len(cells)} cells"
                problems.append(Problem(name, start, "", message, f"{len(head)} as in the head"))
                continue
            row = {key: cell.strip() for key, cell in zip(head, cells, strict=True)}
            lines.append(Line(name, start, row))
    except csv.Error as error:
        expected = "comma-separated cells, quoted with double quotes"
        problems.append(Problem(name, reader.line_num, "", f"is not CSV: {error}", expected))
    if not lines and not problems:
        problems.append(Problem(name, 0, "", "has no row", "a head line and a row for each label"))
    return lines, problems


def _head_faults(name: str, head: list[str]) -> list[Problem]:
    expected = f"a head line with {','.join(FIELDS)}"
    needed = [field for field in FIELDS if field != "metric"]
    missing = [field for field in needed if field not in head]
    if missing:
        message = f"has no column {', '.join(missing)}: {','.join(head)[:60] or 'it is empty'}"
        return [Problem(name, 1, "", message, expected)]
    twice = [field for field in FIELDS if head.count(field) > 1]
    return [Problem(name, 1, field, "is a column twice", expected) for field in twice]
