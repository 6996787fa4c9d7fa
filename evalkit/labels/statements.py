"""Read statements that people labelled as supported or not, so that a judge can be held to them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from evalkit.benchmarks import listing
from evalkit.benchmarks.lines import Line, Problem, read_lines
from evalkit.errors import EvalkitError

_SHOWN = 20
_SAID = ("statement", "response")
_GIVEN = ("texts", "source")


@dataclass(frozen=True)
class JudgeLabel:
    """What a person said of one statement, or of a response of several sentences.

    Attributes:
        text: The statement or response.
        whole: Whether it is a response: supported if all of its sentences are.
        texts: What it should rest on.
        supported: The label.
        group: Rows of one group are not independent, such as those about one source.
    """

    text: str
    whole: bool
    texts: tuple[str, ...]
    supported: bool
    group: str


@dataclass(frozen=True)
class JudgeLabels:
    """The rows of a file, and a hash of its contents."""

    rows: tuple[JudgeLabel, ...]
    sha256: str


def read_judge_labels(path: Path) -> JudgeLabels:
    """The labels of a JSONL file, or of a CSV file with a head line.

    Fields are ``statement`` (or ``response``), ``texts`` (a list; in CSV as JSON, or one text) or
    ``source``, ``label`` (1 or true for supported, 0 or false) and, if rows belong together,
    ``group``; without it, rows with the same texts are one group. Other fields are passed over.

    Raises:
        EvalkitError: The file cannot be used; faults are listed by line and field.
    """
    readers: dict[str, Callable[[Path], tuple[list[Line], list[Problem]]]]
    readers = {".csv": _csv_lines, ".jsonl": read_lines}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise EvalkitError(
            f"labels={path}: the name ends in {path.suffix or 'nothing'!r}",
            todo="give a file whose name ends in .jsonl or .csv",
        )
    lines, problems = reader(path)
    rows = []
    for line in lines:
        row, faults = _row(line)
        problems += faults
        if row is not None:
            rows.append(row)
    if problems:
        raise EvalkitError(
            f"the labels in {path} cannot be used\n"
            f"{listing(sorted(problems, key=lambda each: each.line), _SHOWN)}",
            todo="mend these lines, or take them out; nothing was judged",
        )
    return JudgeLabels(tuple(rows), sha256(path.read_bytes()).hexdigest())


def _row(line: Line) -> tuple[JudgeLabel | None, list[Problem]]:
    faults: list[Problem] = []
    said, text = _one_of(line, _SAID, faults)
    given, found = _one_of(line, _GIVEN, faults)
    texts = _texts(found)
    if text is not None and (not isinstance(text, str) or not text.strip()):
        faults.append(line.problem(said, f"is {str(text)[:40]!r}", "a text"))
    if found is not None and not texts:
        faults.append(line.problem(given, f"is {str(found)[:40]!r}", "a text, or a list of texts"))
    label = _label(line.row.get("label"))
    if label is None:
        message = f"is {line.row['label']!r}" if "label" in line.row else "is missing"
        faults.append(line.problem("label", message, "1 (supported) or 0"))
    if faults or label is None:
        return None, faults
    group = line.row.get("group")
    name = str(group) if group not in (None, "") else json.dumps(texts)
    return JudgeLabel(str(text), said == "response", tuple(texts), label, name), []


def _one_of(line: Line, names: tuple[str, str], faults: list[Problem]) -> tuple[str, Any]:
    """The field of the two that the line has; a fault where it has none or both."""
    there = [name for name in names if line.row.get(name) not in (None, "")]
    if len(there) == 1:
        return there[0], line.row[there[0]]
    message = "is missing" if not there else f"stands beside {names[1]}"
    faults.append(line.problem(names[0], message, f"one of {' and '.join(names)}"))
    return names[0], None


def _texts(found: Any) -> list[str]:
    """The texts of a field; none where it holds something else."""
    if isinstance(found, str) and found.lstrip().startswith("["):
        try:
            listed = json.loads(found)
        except ValueError:
            return [found]
        found = listed if isinstance(listed, list) else found
    if isinstance(found, str):
        return [found] if found.strip() else []
    right = isinstance(found, list) and all(isinstance(t, str) and t.strip() for t in found)
    return list(found) if right else []


def _label(found: Any) -> bool | None:
    text = str(found).strip().casefold()
    return {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}.get(
        text
    )


def _csv_lines(path: Path) -> tuple[list[Line], list[Problem]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        return [], [Problem(path.name, 0, "", f"cannot be read: {error}", "a file of UTF-8 text")]
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    lines, problems = [], []
    try:
        for row in reader:
            cells = {k: v for k, v in row.items() if k is not None and v is not None}
            if len(cells) != len(row):
                message = "has another number of cells than the head line"
                problems.append(Problem(path.name, reader.line_num, "", message, "as many"))
            lines.append(Line(path.name, reader.line_num, cells))
    except csv.Error as error:
        expected = "comma-separated cells, quoted with double quotes"
        problems.append(Problem(path.name, reader.line_num, "", f"is not CSV: {error}", expected))
    if not lines and not problems:
        problems.append(Problem(path.name, 0, "", "has no row", "a head line and a row a label"))
    return lines, problems
