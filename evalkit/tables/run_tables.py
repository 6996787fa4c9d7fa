"""The tables of a run, written block by block: memory does not grow with the number of questions.

Nothing that is written holds a secret. Files appear under their names when they are complete.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from evalkit.reporting.write import PAGE_QUESTIONS
from evalkit.tables.cases import BlameTable, Case, questions_table, trace_row
from evalkit.tables.score_file import PART, ParquetFile, Redact, ScoreFile, ScoreWriter
from evalkit.tables.tally import Tally


class RunTables:
    """Writes ``traces.parquet``, ``scores.parquet`` and ``questions.json`` into a run's folder.

    Args:
        folder: Of the run.
        pipelines: Their names, in the order of the run.
        repeats: How often each question is asked.
        redact: Takes secrets out of what is written.

    Attributes:
        tally: What the answers took.
        blamed: Which stage is at fault how often.
        page: The first questions with their answers, redacted, for the page.
        questions: How many questions there are.
    """

    def __init__(
        self, folder: Path, pipelines: Sequence[str], repeats: int, redact: Redact
    ) -> None:
        self.tally = Tally(pipelines)
        self.blamed = BlameTable(pipelines, repeats)
        self.page: list[Any] = []
        self.questions = 0
        self._folder = folder
        self._redact = redact
        self._traces = ParquetFile(folder / "traces.parquet", trace_schema())
        self._scores = ScoreWriter(folder / "scores.parquet", redact)
        self._listed = _Listing(folder / "questions.json")

    def __enter__(self) -> RunTables:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in (self._traces, self._scores.file, self._listed):
            each.abandon()

    def add(self, found: Sequence[Case]) -> None:
        """Some questions with all of their answers."""
        for case in found:
            self.tally.add(case.sample.trace)
            self.blamed.add(case)
        self._traces.rows(self._redact([trace_row(case) for case in found]))
        self._scores.add(found)
        rows = self._redact(questions_table(found))
        self.questions += len(rows)
        self.page += rows[: PAGE_QUESTIONS - len(self.page)]
        self._listed.add(rows)

    def finish(self) -> ScoreFile:
        """Put the files under their names."""
        self._traces.finish()
        self._listed.finish()
        return self._scores.finish()


def trace_schema() -> Any:
    """The columns of ``traces.parquet``; see :func:`evalkit.tables.cases.trace_row`."""
    import pyarrow as pa

    text, whole, number = pa.string(), pa.int64(), pa.float64()
    passage = {
        "id": text, "document": text, "revision": text, "valid_from": text, "valid_to": text,
        "score": number, "shown": pa.bool_(), "text": text,
    }  # fmt: skip
    return pa.schema(
        {
            "question": text,
            "pipeline": text,
            "repeat": whole,
            "passages": pa.list_(pa.struct(passage)),
            "prompt": text,
            "output": text,
            "parsed_answer": text,
            "parsed_source": text,
            "parsed_effective": text,
            "structured": pa.bool_(),
            "prompt_tokens": whole,
            "output_tokens": whole,
            "finish_reason": text,
            "retrieval_seconds": number,
            "generation_seconds": number,
            "error": text,
            "blame": text,
            "blame_rule": text,
            "blame_evidence": pa.list_(text),
        }
    )


class _Listing:
    """A JSON list, written item by item beside and renamed when it is complete."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(path.name + PART)
        # Half of a surrogate pair is written as JSON escapes it.
        self._handle = self._part.open("w", encoding="utf-8", errors="backslashreplace")
        self._before = "[\n"

    def add(self, rows: Iterable[Any]) -> None:
        for row in rows:
            self._handle.write(self._before)
            self._handle.write(json.dumps(row, ensure_ascii=False, allow_nan=False))
            self._before = ",\n"

    def finish(self) -> None:
        self._handle.write("[]\n" if self._before == "[\n" else "\n]\n")
        self._handle.close()
        os.replace(self._part, self._path)

    def abandon(self) -> None:
        self._handle.close()
        self._part.unlink(missing_ok=True)
