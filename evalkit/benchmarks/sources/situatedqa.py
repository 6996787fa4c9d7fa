"""SituatedQA, temporal: the same question on several dates (Zhang and Choi 2021, arXiv 2109.06157).

A file is JSON lines of ``{"id", "question", "edited_question", "date", "date_type", "answer", "any_answer"}``,
one for each question and date (``qa_data/temp.SPLIT.jsonl``). A date is a year or a day such as
"December 13, 1999".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from evalkit.benchmarks.benchmark import Benchmark
from evalkit.benchmarks.lines import Line
from evalkit.benchmarks.sources.building import (
    SHORT,
    answer_row,
    build,
    own_corpus,
    periods,
    told_apart,
)
from evalkit.benchmarks.sources.rows import (
    PathLike,
    RowError,
    converted,
    from_jsonl,
    published,
    text,
    texts,
)

LICENSE = "none stated; built on Natural Questions (CC BY-SA 3.0)"


@dataclass(frozen=True)
class Asked:
    """One row: a question on a date."""

    id: str
    question: str
    day: date
    date_type: str
    answers: tuple[str, ...]
    line: Line


def load(
    path: PathLike | None = None,
    *,
    hub: str | None = None,
    revision: str | None = None,
    config: str | None = None,
    split: str = "test",
    corpus: PathLike | None = None,
    license: str = LICENSE,
) -> Benchmark:
    """One question for each row, with what the other rows of the same question say on their dates.

    The question is asked without its date, which the prompt states; a year is its last day. An answer
    holds from the first date on which the rows give it to the first on which they give another. The
    category is the ``date_type``; rows of one question are one cluster. There are no documents.

    Args:
        path: A file, or a folder of files ``temp.*.jsonl``.
        hub: A data set on the hub with these rows.
        revision: The commit of ``hub``.
        config: Its configuration.
        split: Its split.
        corpus: A ``corpus.jsonl`` of your own to be searched.

    Raises:
        BenchmarkError: a row is not as expected; file, line and field are named.
    """
    where, rows = published(
        path, "temp.*.jsonl", from_jsonl,
        hub=hub, revision=revision, config=config, split=split,
    )  # fmt: skip
    by_id: dict[str, list[Asked]] = defaultdict(list)
    for asked in converted(rows, _asked, where):
        by_id[asked.id].append(asked)
    return build(
        own_corpus(corpus),
        [line for group in by_id.values() for line in _questions(group)],
        name="situatedqa",
        license=license,
        where=where,
        format=SHORT,
    )


def _asked(line: Line) -> Asked:
    row = line.row
    answers = texts(row, "answer")
    if not answers:
        raise RowError("answer", "is empty", "a right answer at least")
    return Asked(
        id=text(row, "id" if "id" in row else "example_id"),
        question=text(row, "question"),
        day=_day(text(row, "date")),
        date_type=text(row, "date_type"),
        answers=tuple(answers),
        line=line,
    )


def _day(written: str) -> date:
    if len(written) == 4 and written.isdigit() and int(written):
        return date(int(written), 12, 31)
    try:
        return datetime.strptime(written, "%B %d, %Y").date()
    except ValueError:
        raise RowError("date", f"is {written!r}", "a year, or a day as December 13, 1999") from None


def _questions(group: Sequence[Asked]) -> list[Line]:
    """The questions on one thing: rows of one date are one, with the answers of all of them."""
    by_day: dict[date, list[Asked]] = defaultdict(list)
    for asked in sorted(group, key=lambda each: each.day):
        by_day[asked.day].append(asked)
    observed = [
        (day, tuple(sorted({answer for each in rows for answer in each.answers})))
        for day, rows in by_day.items()
    ]
    answers: list[dict[str, Any]] = [
        answer_row(
            wordings, valid_from=start.isoformat(), valid_to=end.isoformat() if end else None
        )
        for wordings, start, end in periods(observed)
    ]
    made = []
    for day, rows in by_day.items():
        first = rows[0]
        content = {
            "id": f"{first.id}@{day}",
            "question": first.question,
            "as_of": day.isoformat(),
            "category": first.date_type,
            "cluster": first.id,
            "answers": told_apart(answers, day),
        }
        made.append(Line(first.line.file, first.line.number, content))
    return made
