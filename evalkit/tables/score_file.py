"""The table of scores on the disk: written as scores come, read a few metrics at a time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.records import Score
from evalkit.scoring import COLUMNS, METRICS
from evalkit.scoring.scorers import described
from evalkit.tables.cases import Case

if TYPE_CHECKING:
    import pandas as pd

PART = ".part"
"""What the name of a file ends in that is not complete."""
_GROUP = 8192
"""Rows of one metric that are written together."""
_BATCH = 500_000
"""Rows of scores that are read at once (more, where one metric alone has more)."""
Redact = Callable[[Any], Any]


@dataclass(frozen=True)
class ScoreFile:
    """The table of scores on the disk, to be read a few metrics at a time.

    Attributes:
        groups: The row groups of each metric; none where all are in one.
        rows: Rows of one metric.
        names: By what stands in the file, the names of which a part was redacted.
    """

    path: Path
    groups: Mapping[str, Sequence[int]]
    rows: int
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """A hash of everything in the table."""
        with self.path.open("rb") as handle:
            content = hashlib.file_digest(handle, "sha256").hexdigest()
        return hashlib.sha256(json.dumps([content, *self.names.items()]).encode()).hexdigest()

    def batches(self) -> Iterator[pd.DataFrame]:
        """The table in parts, each with all rows of some metrics."""
        if not self.groups:
            yield self._frame(None)
            return
        names, at_once = list(self.groups), max(1, _BATCH // self.rows)
        for start in range(0, len(names), at_once):
            yield self.of(names[start : start + at_once])

    def of(self, metrics: Iterable[str]) -> pd.DataFrame:
        """The rows of some metrics."""
        wanted = set(metrics)
        if not self.groups:
            frame = self._frame(None)
            return frame[frame["metric"].isin(wanted)]
        return self._frame([i for name in self.groups if name in wanted for i in self.groups[name]])

    def _frame(self, groups: Sequence[int] | None) -> pd.DataFrame:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path) as file:
            table = file.read() if groups is None else file.read_row_groups(groups)
        frame: pd.DataFrame = table.to_pandas()
        return frame.replace(dict(self.names)) if self.names else frame


class ScoreWriter:
    """Writes ``scores.parquet``; where it is large, each row group has rows of one metric alone."""

    def __init__(self, path: Path, redact: Redact) -> None:
        self.file = ParquetFile(path, score_schema())
        self._redact = redact
        self._names: dict[str, str] = {}
        self._waiting: dict[str, list[Any]] = {name: [] for name in METRICS}
        self._rows = self._written = 0
        self._groups: dict[str, list[int]] = {}

    def add(self, found: Sequence[Case]) -> None:
        """The scores of some traces, each in the order of `METRICS`."""
        import pyarrow as pa

        if not found:
            return
        shared, clean = self._shared(found), _Cleaner(self._redact)
        for place, (name, metric) in enumerate(METRICS.items()):
            scores = [case.scores[place] for case in found]
            assert all(score.metric == name for score in scores)
            own = {"metric": name, "axis": metric.axis, "stage": metric.stage}
            columns = {key: pa.repeat(value, len(found)) for key, value in own.items()}
            columns |= shared | _own(scores, clean)
            table = pa.Table.from_pydict({c: columns[c] for c in COLUMNS}, score_schema())
            self._waiting[name].append(table)
        self._rows += len(found)
        if self._rows - self._written >= _GROUP:
            self._flush()

    def finish(self) -> ScoreFile:
        import pyarrow as pa

        if self._groups:
            self._flush()
        elif self._rows:
            self.file.write(pa.concat_tables(t for each in self._waiting.values() for t in each))
        self.file.finish()
        return ScoreFile(self.file.path, self._groups, self._rows, self._names)

    def _flush(self) -> None:
        import pyarrow as pa

        count = sum(map(len, self._groups.values()))
        for name, tables in self._waiting.items():
            if tables:
                self.file.write(pa.concat_tables(tables))
                self._groups.setdefault(name, []).append(count)
                count += 1
                tables.clear()
        self._written = self._rows

    def _shared(self, found: Sequence[Case]) -> dict[str, Any]:
        """The columns that all metrics have in common."""
        import pyarrow as pa

        traces = [case.sample.trace for case in found]
        rows = [
            {"question": trace.question, "pipeline": trace.pipeline}
            | described(case.sample.question)
            for trace, case in zip(traces, found, strict=True)
        ]
        columns = {c: pa.array([self._name(r[c]) for r in rows], pa.string()) for c in rows[0]}
        return columns | {"repeat": pa.array([trace.repeat for trace in traces], pa.int64())}

    def _name(self, name: str) -> str:
        shown = str(self._redact(name))
        if shown != name:
            self._names[shown] = name
        return shown


class _Cleaner(dict[str, str]):
    """Redacted texts by text; most reasons occur many times."""

    def __init__(self, redact: Redact) -> None:
        self._redact = redact

    def __missing__(self, text: str) -> str:
        self[text] = encodable(self._redact(text))
        return self[text]


def _own(scores: Sequence[Score], clean: _Cleaner) -> dict[str, Any]:
    """The columns that are a metric's own."""
    import pyarrow as pa

    text = pa.string()
    labels = [None if score.label is None else clean[score.label] for score in scores]
    return {
        "status": pa.array([score.status for score in scores], text),
        "value": pa.array([score.value for score in scores], pa.float64()),
        "label": pa.array(labels, text),
        "reason": pa.array([clean[score.reason] for score in scores], text),
    }


def score_schema() -> Any:
    """The columns of ``scores.parquet``."""
    import pyarrow as pa

    kinds = {"repeat": pa.int64(), "value": pa.float64()}
    return pa.schema({name: kinds.get(name, pa.string()) for name in COLUMNS})


class ParquetFile:
    """A file of tables, written beside and renamed when it is complete."""

    def __init__(self, path: Path, schema: Any) -> None:
        import pyarrow.parquet as pq

        self.path, self._schema = path, schema
        self._part = path.with_name(path.name + PART)
        self._writer = pq.ParquetWriter(self._part, schema)

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows as one group."""
        import pyarrow as pa

        try:
            table = pa.Table.from_pylist(list(rows), self._schema)
        except UnicodeEncodeError:  # half of a surrogate pair, which a server may send
            table = pa.Table.from_pylist(encodable(rows), self._schema)
        self.write(table)

    def write(self, table: Any) -> None:
        """Write a table as one group."""
        self._writer.write_table(table, row_group_size=max(1, len(table)))

    def finish(self) -> None:
        self._writer.close()
        os.replace(self._part, self.path)

    def abandon(self) -> None:
        """Remove what is not complete."""
        self._writer.close()
        self._part.unlink(missing_ok=True)


def encodable(value: Any) -> Any:
    """The value with what no file takes replaced by question marks."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Mapping):
        return {key: encodable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [encodable(each) for each in value]
    return value
