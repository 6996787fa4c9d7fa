"""FreshQA: questions whose answers change, kept up to date by hand (Vu et al. 2023, arXiv 2310.03214).

A release is a sheet saved as CSV: a notice, a blank row, then ``id, split, question, effective_year,
next_review, false_premise, num_hops, fact_type, source, answer_0 ... answer_9, note``. The rows do not
say when an answer began to hold, so several releases make a history: an answer holds from the first
release in which it stands to the first in which another does.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from evalkit.benchmarks.benchmark import Benchmark
from evalkit.benchmarks.check import BenchmarkError
from evalkit.benchmarks.lines import Line
from evalkit.benchmarks.schema import parse_date
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
    files,
    from_csv,
    from_hub,
    source,
    text,
    value,
)

LICENSE = "Apache-2.0 (the repository of FreshLLMs)"
COLUMNS = ("question", "answer_0", "fact_type", "false_premise")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Asked:
    """One row of one release."""

    question: str
    wordings: tuple[str, ...]
    category: str
    tags: tuple[str, ...]
    id: str
    line: Line


def load(
    path: PathLike | None = None,
    *,
    hub: str | None = None,
    revision: str | None = None,
    config: str | None = None,
    as_of: str | None = None,
    split: str = "TEST",
    corpus: PathLike | None = None,
    license: str = LICENSE,
) -> Benchmark:
    """The questions of the newest release, with the answers of all that were given.

    The category is how fast the answer changes, or ``false-premise`` (the right answer says what is
    wrong with the question). The sheet has no documents.

    Args:
        path: A sheet, or a folder of sheets whose names hold their release's date, YYYY-MM-DD.
        hub: A data set on the hub with the sheet's columns.
        revision: The commit of ``hub``.
        config: Its configuration.
        as_of: The date of a single release whose name does not hold it, or of ``hub``.
        split: The value of the column ``split`` (TEST or DEV); on a hub also its split.
        corpus: A ``corpus.jsonl`` of your own to be searched.

    Raises:
        BenchmarkError: a release has no date, or a row is not as expected; file, line and field are
            named.
    """
    where = source(path, hub, revision)
    if hub is not None and revision is not None:
        releases = {_day(as_of, where): from_hub(hub, revision, config, split.lower())}
    else:
        sheets = files(path or "", "*.csv")
        alone = as_of if len(sheets) == 1 else None
        releases = {
            _day(alone or _named(each), str(each)): from_csv(each, COLUMNS) for each in sheets
        }
        if len(releases) < len(sheets):
            raise BenchmarkError(f"two sheets in {where} have the same date; expected one for each")
    read = {
        day: {each.question: each for each in converted(rows, _asked, where) if _of(each, split)}
        for day, rows in sorted(releases.items())
    }
    return build(
        own_corpus(corpus),
        _questions(read),
        name="freshqa",
        license=license,
        where=where,
        format=SHORT,
    )


def _named(path: Path) -> str | None:
    found = _DATE.search(path.stem)
    return found[0] if found else None


def _day(written: str | None, where: str) -> date:
    day = parse_date(written)
    if day is None:
        raise BenchmarkError(
            f"the date of the release {where} is not known; expected YYYY-MM-DD in the file's name",
            todo="name the file after its release, or set benchmark.as_of for a single one",
        )
    return day


def _of(row: Asked, split: str) -> bool:
    return str(row.line.row.get("split") or split).strip().upper() == split.upper()


def _asked(line: Line) -> Asked:
    row = line.row
    names = sorted(
        (key for key in row if re.fullmatch(r"answer_\d+", key)), key=lambda k: int(k[7:])
    )
    wordings = [value(row, key, str, optional=True) for key in names]
    given = tuple(dict.fromkeys(each.strip() for each in wordings if each))
    if not given:
        raise RowError("answer_0", "is empty", "a right answer")
    premise = text(row, "false_premise").upper()
    if premise not in ("TRUE", "FALSE"):
        raise RowError("false_premise", f"is {premise!r}", "TRUE or FALSE")
    fact_type = text(row, "fact_type")
    hops = value(row, "num_hops", str, optional=True)
    return Asked(
        question=text(row, "question"),
        wordings=given,
        category="false-premise" if premise == "TRUE" else fact_type,
        tags=tuple(each for each in (fact_type, hops) if each),
        id=str(row.get("id") or line.number).strip(),
        line=line,
    )


def _questions(releases: Mapping[date, Mapping[str, Asked]]) -> list[Line]:
    last = max(releases)
    seen: dict[str, list[tuple[date, tuple[str, ...] | None]]] = defaultdict(list)
    for question in releases[last]:
        for day, rows in releases.items():
            found = rows.get(question)
            seen[question].append((day, found.wordings if found else None))
    made = []
    for question, row in releases[last].items():
        answers: list[dict[str, Any]] = [
            answer_row(
                wordings, valid_from=start.isoformat(), valid_to=end.isoformat() if end else None
            )
            for wordings, start, end in periods(seen[question])
        ]
        content = {
            "id": row.id,
            "question": question,
            "as_of": last.isoformat(),
            "category": row.category,
            "cluster": row.id,
            "answers": told_apart(answers, last),
            "tags": list(row.tags),
        }
        made.append(Line(row.line.file, row.line.number, content))
    return made
