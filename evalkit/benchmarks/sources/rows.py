"""The rows of a published file or a hub data set, each with the place that an error names."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from evalkit.benchmarks.check import BenchmarkError, listing
from evalkit.benchmarks.lines import Line, Problem, read_lines

T = TypeVar("T")
PathLike = str | os.PathLike[str]

_SHOWN = 20
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TYPE_WORDS: dict[type, str] = {str: "a text", list: "a list", dict: "an object"}


class RowError(ValueError):
    """A row that cannot be used: the field, what is wrong with it, and what was expected."""

    def __init__(self, field: str, message: str, expected: str) -> None:
        super().__init__(f"{field}: {message}; expected {expected}")
        self.field, self.message, self.expected = field, message, expected


def converted(lines: Sequence[Line], convert: Callable[[Line], T], where: str) -> list[T]:
    """``convert`` of every line.

    Raises:
        BenchmarkError: ``convert`` raised `RowError` for some; the first 20 are listed.
    """
    made: list[T] = []
    problems: list[Problem] = []
    for line in lines:
        try:
            made.append(convert(line))
        except RowError as error:
            problems.append(line.problem(error.field, error.message, error.expected))
    refuse(problems, where)
    return made


def refuse(problems: Sequence[Problem], where: str) -> None:
    """Raise `BenchmarkError` with the first 20 problems, if there are any."""
    if problems:
        raise BenchmarkError(
            f"the benchmark in {where} cannot be used\n{listing(problems, _SHOWN)}",
            problems,
            todo="mend the rows, or take the files as they were published; the layouts are in"
            " evalkit/benchmarks/SOURCES.md",
        )


def value(row: dict[str, Any], field: str, kind: type[T], *, optional: bool = False) -> T | None:
    """The value of ``field``, of the type ``kind``; None where it is absent and optional.

    Raises:
        RowError: it is missing, of another type, or an empty text.
    """
    found = row.get(field)
    if found is None or (isinstance(found, str) and not found.strip()):
        if optional:
            return None
        state = "is missing" if field not in row else "is empty"
        raise RowError(field, state, _TYPE_WORDS[kind])
    if not isinstance(found, kind):
        raise RowError(field, f"is {str(found)[:40]!r}", _TYPE_WORDS[kind])
    return found


def text(row: dict[str, Any], field: str) -> str:
    """The text of a field that must have one; a number is read as its digits.

    Raises:
        RowError: there is none.
    """
    found = row.get(field)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return str(value(row, field, str)).strip()


def texts(row: dict[str, Any], field: str) -> list[str]:
    """The texts of a list, each once and in order, without blank ones; one text may stand alone.

    Raises:
        RowError: it is neither a text nor a list of texts.
    """
    found = row.get(field)
    listed = [found] if isinstance(found, str) else found
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise RowError(field, f"is {str(found)[:40]!r}", "a list of texts")
    return list(dict.fromkeys(each.strip() for each in listed if each.strip()))


def source(path: PathLike | None, hub: str | None, revision: str | None) -> str:
    """The one place that was named, for errors.

    Raises:
        BenchmarkError: not exactly one of ``path`` and ``hub``; ``hub`` without a whole commit
            hash, since a name such as ``main`` is another benchmark tomorrow.
    """
    if (path is None) == (hub is None):
        raise BenchmarkError(
            f"path is {path!r} and hub is {hub!r}; expected one of the two",
            todo="set benchmark.path to a file or folder, or benchmark.hub to owner/name",
        )
    if hub is not None and (revision is None or not _COMMIT.fullmatch(str(revision))):
        raise BenchmarkError(
            f"revision is {revision!r}; expected the 40 hexadecimal digits of a commit of {hub}",
            todo=f"take the commit from the history of {hub} on the hub: it pins the rows",
        )
    return str(path if path is not None else f"{hub}@{revision}")


def from_hub(hub: str, revision: str, config: str | None, split: str) -> list[Line]:
    """The rows of one split of a hub data set at a commit.

    Raises:
        BenchmarkError: the hub, the data set, the configuration or the split cannot be had.
    """
    from datasets import load_dataset

    try:
        table = load_dataset(hub, config, split=split, revision=revision)
    except Exception as error:  # the library raises its own, the network's and the hub's errors
        place = f"{hub}@{revision}, configuration {config or 'default'}, split {split!r}"
        raise BenchmarkError(
            f"the hub data set {place} could not be loaded: {' '.join(str(error).split())[:300]}",
            todo="check the id, the commit and the network (HF_HUB_OFFLINE forbids downloads), or"
            " download the files and set benchmark.path",
        ) from error
    return [Line(f"{hub}/{split}", number, dict(row)) for number, row in enumerate(table, start=1)]


def files(path: PathLike, pattern: str) -> list[Path]:
    """The file itself, or the files of a folder that match ``pattern``, ordered by path.

    Raises:
        BenchmarkError: there are none.
    """
    place = Path(path)
    found = [place] if place.is_file() else sorted(place.rglob(pattern)) if place.is_dir() else []
    if not found:
        state = f"holds no file {pattern}" if place.is_dir() else "is no file and no folder"
        raise BenchmarkError(f"{place} {state}; expected a file, or a folder that holds {pattern}")
    return found


def published(
    path: PathLike | None,
    pattern: str,
    read: Callable[[Sequence[Path]], list[Line]],
    *,
    hub: str | None,
    revision: str | None,
    config: str | None,
    split: str,
) -> tuple[str, list[Line]]:
    """Where a published data set was taken from, for errors, and its rows: from one place, the hub, or
    what ``read`` finds in the files of ``path`` that match ``pattern``.

    Raises:
        BenchmarkError: as :func:`source`, :func:`from_hub` and :func:`files` do.
    """
    where = source(path, hub, revision)
    if hub is not None and revision is not None:
        return where, from_hub(hub, revision, config, split)
    return where, read(files(path or "", pattern))


def from_jsonl(paths: Sequence[Path]) -> list[Line]:
    """The objects of JSON-lines files.

    Raises:
        BenchmarkError: lines that are no JSON objects.
    """
    lines: list[Line] = []
    problems: list[Problem] = []
    for path in paths:
        read, unread = read_lines(path)
        lines += read
        problems += unread
    refuse(problems, ", ".join(str(path) for path in paths[:3]))
    return lines


def from_json(path: Path) -> Any:
    """The value of a JSON file.

    Raises:
        BenchmarkError: it is not UTF-8, or not JSON; the line is named.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BenchmarkError(f"{path} is not UTF-8 at byte {error.start + 1}") from error
    except json.JSONDecodeError as error:
        raise BenchmarkError(
            f"{path}:{error.lineno} is not JSON: {error.msg} at column {error.colno}"
        ) from error


def entries(path: Path, listed: Any, place: str = "") -> list[Line]:
    """The objects of a list in a JSON file; an error names the position, as such files have no
    line for each.

    Raises:
        BenchmarkError: it is no list of objects.
    """
    name = f"{path.name}{place}"
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise BenchmarkError(f"{name} is not a list of objects; expected the published layout")
    return [Line(f"{name}[{position}]", 0, each) for position, each in enumerate(listed)]


def from_csv(path: Path, columns: Sequence[str], delimiter: str = ",") -> list[Line]:
    """The rows of a table below its header, which is the first row that has all ``columns``.

    Rows above the header are passed over (published sheets begin with a notice), blank rows too.

    Raises:
        BenchmarkError: it is not UTF-8, not a table, or no row has all ``columns``.
    """
    lines: list[Line] = []
    header: list[str] | None = None
    try:
        for number, cells in _cells(path, delimiter):
            if header is None:
                named = [cell.strip() for cell in cells]
                header = named if set(columns) <= set(named) else None
            elif any(cell.strip() for cell in cells):
                pairs = zip(header, cells, strict=False)
                lines.append(Line(path.name, number, {name: cell for name, cell in pairs if name}))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchmarkError(f"{path} cannot be read as a table: {error}") from error
    if header is None:
        raise BenchmarkError(f"{path} has no header; expected the columns {', '.join(columns)}")
    return lines


def _cells(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row with the line on which the row begins."""
    # A tab-separated file has no quoting: a question may begin with a quotation mark.
    dialect: dict[str, Any] = {"quoting": csv.QUOTE_NONE} if delimiter == "\t" else {"strict": True}
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, delimiter=delimiter, **dialect)
        begins = 1
        with suppress(StopIteration):
            while True:
                cells = next(reader)
                yield begins, cells
                begins = reader.line_num + 1
