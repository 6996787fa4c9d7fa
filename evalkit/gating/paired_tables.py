"""Read one side of a paired result out of any table: CSV, TSV, JSON lines, Parquet or pandas."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import EvalkitError
from evalkit.plurals import counted

if TYPE_CHECKING:
    import pandas as pd

MISSING = frozenset({"", "nan", "null", "none", "na", "n/a", "<na>"})
_TRUTH = {"true": 1.0, "false": 0.0}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_LOOKS_LIKE_NUMBER = re.compile(r"[+-]?[.,]?\d|[+-]?inf(inity)?$")
MOST_STATES = 12
_LONGEST_FIELD = 1 << 26
_Cells = tuple[Any, ...]


class TableError(EvalkitError):
    """A table of results that cannot be trusted: says the file, the line and the column."""


@dataclass(frozen=True)
class Outcome:
    """One row: a number, a third ``state`` such as ``refused``, or neither, which is missing."""

    line: int
    value: float | None
    state: str | None
    cluster: str | None


@dataclass(frozen=True)
class PairedTable:
    """One side: its rows by id. ``unit`` is what a row is counted in, ``line`` or ``row``."""

    name: str
    rows: Mapping[str, Outcome]
    unit: str

    def place(self, id: str) -> str:
        """Where a row stands, as ``a.csv:12``."""
        line = self.rows[id].line
        return f"{self.name}:{line}" if self.unit == "line" else f"{self.name}, row {line}"

    @property
    def values(self) -> list[float]:
        return [row.value for row in self.rows.values() if row.value is not None]

    @property
    def states(self) -> list[str]:
        return [row.state for row in self.rows.values() if row.state is not None]


def read_table(
    source: str | Path | pd.DataFrame,
    *,
    id: str,
    metric: str,
    cluster: str | None,
    states: Mapping[str, float],
    name: str = "",
) -> PairedTable:
    """Read the columns that a gate needs.

    Numbers and booleans are values. Empty cells, null and NaN (also as words: null, none, na, n/a,
    nan) are missing. Any other word is a third state, unless ``states`` gives it a value; upper
    and lower case are the same.

    Args:
        source: A ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet`` file, or a frame.
        id: The column that pairs the rows of two tables.
        metric: The column of results.
        cluster: The column that says which rows belong together.
        states: Words with the value that they stand for.
        name: What to call a frame in messages.

    Raises:
        TableError: An unreadable file, a missing column, a doubled or empty id, a result that is
            neither number nor word, or no number at all.
    """
    columns = [id, metric, *([cluster] if cluster else [])]
    if isinstance(source, str | Path):
        path = Path(source)
        name, unit = str(source), "row" if path.suffix.lower() == ".parquet" else "line"
        found = _read(path, columns)
    else:
        name, unit = name or "the frame", "row"
        found = _frame_rows(source, columns, name)
    meanings = {word.casefold(): value for word, value in states.items()}
    rows: dict[str, Outcome] = {}
    for line, cells in found:
        place = f"{name}:{line}" if unit == "line" else f"{name}, row {line}"
        key = _text(cells[0])
        if key is None:
            raise TableError(f"{place}: no {id!r}", todo="give every row an id")
        if key in rows:
            raise TableError(
                f"{place}: {id} {key!r} is there already, in {unit} {rows[key].line}",
                todo="keep one row per id; average repeated answers first",
            )
        value, state = _measured(cells[1], meanings, f"{place}: {metric}")
        rows[key] = Outcome(line, value, state, _text(cells[2]) if cluster else None)
    table = PairedTable(name, rows, unit)
    _refuse_no_numbers(table, metric)
    return table


def _refuse_no_numbers(table: PairedTable, metric: str) -> None:
    if not table.rows:
        raise TableError(f"{table.name} holds no rows", todo="give a table with results")
    words = sorted(set(table.states))
    if len(words) > MOST_STATES:
        raise TableError(
            f"{table.name}: column {metric!r} holds {len(words)} different words, such as {words[0]!r}"
            f" and {words[1]!r}",
            todo="name a column of numbers with --metric",
        )
    if words and not table.values:
        raise TableError(
            f"{table.name}: column {metric!r} holds no number, only {', '.join(map(repr, words))}",
            todo=f"say what a word is worth, as --state {words[0]}=1",
        )


def _text(cell: Any) -> str | None:
    """An id or a cluster as text; 7 and 7.0 are the same."""
    if cell is None or (isinstance(cell, float) and isnan(cell)) or str(cell) in ("", "<NA>"):
        return None
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _measured(
    cell: Any, meanings: Mapping[str, float], place: str
) -> tuple[float | None, str | None]:
    """``(value, None)``, ``(None, state)``, or two Nones where it is missing."""
    if isinstance(cell, str):
        word = cell.strip().casefold()
        if word in meanings:
            return meanings[word], None
        if word in MISSING:
            return None, None
        if word in _TRUTH:
            return _TRUTH[word], None
        if not _NUMBER.fullmatch(word):
            if _LOOKS_LIKE_NUMBER.match(word):
                raise TableError(
                    f"{place} is {cell!r}, which is no number", todo="write it as 0.5 or -3"
                )
            return None, word
        cell = word
    elif cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return None, None
    try:
        value = float(cell)
    except (TypeError, ValueError):
        raise TableError(
            f"{place} is {str(cell)[:60]!r}, expected a number, true or false, or a word",
            todo="name a column of numbers",
        ) from None
    if isnan(value):
        return None, None
    if not isfinite(value):
        raise TableError(f"{place} is {value}, expected a finite number", todo="mend that row")
    return value, None


def _read(path: Path, columns: Sequence[str]) -> Iterable[tuple[int, _Cells]]:
    readers = {".csv": _csv_rows, ".tsv": _csv_rows, ".jsonl": _json_rows, ".ndjson": _json_rows,
               ".parquet": _parquet_rows}  # fmt: skip
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise TableError(
            f"{path}: {path.suffix or 'a file without an ending'} is no format that can be read",
            todo=f"give one of {', '.join(readers)}",
        )
    try:
        yield from reader(path, columns)
    except OSError as error:
        raise TableError(
            f"{path} cannot be read: {error.strerror or error}", todo="check its name and rights"
        ) from error
    except UnicodeDecodeError as error:
        raise TableError(
            f"{path} is not UTF-8 (byte {error.start})", todo="save it as UTF-8"
        ) from error


def _csv_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, _Cells]]:
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    before = csv.field_size_limit(_LONGEST_FIELD)  # a column of outputs may hold long texts
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=separator, strict=True)
            head = next(reader, None)
            places = _places(head or [], columns, path, separator)
            width = len(head or [])
            start = reader.line_num + 1
            for cells in reader:
                if cells and len(cells) != width:
                    raise TableError(
                        f"{path}:{start}: {counted(len(cells), 'cell')}, the head has {width}",
                        todo="quote cells that hold the separator",
                    )
                if cells:
                    yield start, tuple(cells[i] for i in places)
                start = reader.line_num + 1
    except csv.Error as error:
        raise TableError(f"{path}:{reader.line_num}: {error}", todo="mend the quotes") from error
    finally:
        csv.field_size_limit(before)


def _places(head: Sequence[str], columns: Sequence[str], path: Path, separator: str) -> list[int]:
    doubled = [c for c in columns if head.count(c) > 1]
    if doubled:
        raise TableError(f"{path}:1: two columns are called {doubled[0]!r}", todo="rename one")
    if missing := [c for c in columns if c not in head]:
        other = next((s for s in ";\t,|" if s != separator and any(s in h for h in head)), None)
        hint = f"; are its cells separated by {other!r}?" if other else ""
        raise _no_column(path, missing[0], head, f":1{hint}")
    return [head.index(c) for c in columns]


def _no_column(path: object, column: str, head: Iterable[object], place: str = "") -> TableError:
    listed = ", ".join(str(h) for h in head) or "none"
    where, _, hint = place.partition(";")
    return TableError(
        f"{path}{where}: no column {column!r}; its columns are {listed}{';' + hint if hint else ''}",
        todo="name the columns with --id, --metric and --cluster",
    )


def _json_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, _Cells]]:
    with path.open(encoding="utf-8-sig") as file:
        for line, text in enumerate(file, start=1):
            if not text.strip():
                continue
            try:
                row = json.loads(text)
            except ValueError as error:
                raise TableError(
                    f"{path}:{line}: no JSON: {error}", todo="mend that line"
                ) from error
            if not isinstance(row, dict):
                raise TableError(f"{path}:{line}: no JSON object", todo="write one object a line")
            if missing := [c for c in columns if c not in row]:
                raise _no_column(path, missing[0], row, f":{line}")
            yield line, tuple(row[c] for c in columns)


def _parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, _Cells]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise TableError(f"{path} is no Parquet file: {error}", todo="write it again") from error
    with file:
        if missing := [c for c in columns if c not in file.schema_arrow.names]:
            raise _no_column(path, missing[0], file.schema_arrow.names)
        number = 0
        for batch in file.iter_batches(columns=list(columns)):
            cells = [batch.column(c).to_pylist() for c in columns]
            for row in zip(*cells, strict=True):
                number += 1
                yield number, row


def _frame_rows(
    frame: pd.DataFrame, columns: Sequence[str], name: str
) -> Iterator[tuple[int, _Cells]]:
    if missing := [c for c in columns if c not in frame.columns]:
        raise _no_column(name, missing[0], frame.columns)
    yield from enumerate(zip(*(frame[c].tolist() for c in columns), strict=True), start=1)


def number_or_nan(outcome: Outcome | None) -> float:
    """The value for a table of scores."""
    return nan if outcome is None or outcome.value is None else outcome.value
