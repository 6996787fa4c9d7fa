"""Load a benchmark from three JSONL files, through typed Hugging Face ``datasets`` tables.

The lines are read and checked first, so that an error can name them; then they become in-memory
tables with explicit features. ``load_dataset("json")`` is avoided on purpose: its reader takes a
string that looks like a date for a timestamp and hands back ``2025-05-01 00:00:00``, which would
corrupt dates and answers alike; it would also leave a cache behind.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.benchmarks.benchmark import Benchmark
from evalkit.benchmarks.check import BenchmarkError, benchmark_error, checked
from evalkit.benchmarks.files import Files, revision_id
from evalkit.benchmarks.schema import (
    CORPUS,
    QUESTIONS,
    TRAINING,
    Field,
    normalised,
    parse_date,
)
from evalkit.records import (
    Answer,
    Evidence,
    FormatSpecification,
    Passage,
    Question,
    Revision,
    TrainingExample,
)

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, Features

DEFAULT_CATEGORY = "general"
_HERE = Path(__file__).parent


def load(
    folder: str | os.PathLike[str],
    *,
    name: str | None = None,
    license: str | None = None,
    as_of: str | None = None,
    format: FormatSpecification | None = None,
) -> Benchmark:
    """Load and check the benchmark in ``folder``; see ``SCHEMA.md`` for its files.

    Args:
        folder: Where ``corpus.jsonl`` and ``questions.jsonl`` lie, and perhaps ``training.jsonl``
            and ``benchmark.json``.
        name: Its name; default the one in ``benchmark.json``, else the folder's.
        license: Its licence; default the one in ``benchmark.json``, else ``unknown``.
        as_of: The date (``YYYY-MM-DD``) of lines that have none; default the one in
            ``benchmark.json``. Needed only where something is dated and a line has none.
        format: The format of answers; default the one in ``benchmark.json``, else free text.

    Raises:
        BenchmarkError: the files have problems; it lists the first 20 of them and the count.
    """
    if as_of is not None and parse_date(as_of) is None:
        raise BenchmarkError(f"as_of is {as_of!r}; expected a date written YYYY-MM-DD")
    files, problems = checked(folder, as_of=as_of)
    if files is None or problems:
        raise benchmark_error(folder, problems)
    loaded = of_rows(
        (normalised(line.row, CORPUS) for line in files.corpus),
        (normalised(line.row, QUESTIONS) for line in files.questions),
        (normalised(line.row, TRAINING) for line in files.training),
        default=files.default_as_of(),
    )
    path = Path(folder).resolve()
    options = files.options
    return replace(
        loaded,
        name=name or options.get("name") or path.name,
        license=license or options.get("license") or "unknown",
        format=format or _format(options.get("format") or {}),
        path=path,
    )


def load_bundled(name: str = "handbook") -> Benchmark:
    """Load a benchmark that is part of the package.

    Raises:
        BenchmarkError: there is none of that name; it lists those there are.
    """
    folder = _HERE / name
    if not (folder / "corpus.jsonl").is_file():
        known = sorted(each.parent.name for each in _HERE.glob("*/corpus.jsonl")) or ["none"]
        raise BenchmarkError(f"no bundled benchmark {name!r}; expected one of {', '.join(known)}")
    return load(folder, name=name)


def datasets_of(folder: str | os.PathLike[str]) -> DatasetDict:
    """The files of ``folder`` as Hugging Face tables ``corpus``, ``questions``, ``training``.

    Dates are ISO strings, absent values None or an empty list. The tables live in memory.

    Raises:
        BenchmarkError: the files have problems.
    """
    files, problems = checked(folder)
    if files is None or problems:
        raise benchmark_error(folder, problems)
    return _tables(files)


def _tables(files: Files) -> DatasetDict:
    from datasets import DatasetDict

    return DatasetDict(
        {
            "corpus": _table([line.row for line in files.corpus], CORPUS),
            "questions": _table([line.row for line in files.questions], QUESTIONS),
            "training": _table([line.row for line in files.training], TRAINING),
        }
    )


def _table(rows: list[dict[str, Any]], fields: tuple[Field, ...]) -> Dataset:
    from datasets import Dataset

    whole = [normalised(row, fields) for row in rows]
    if not whole:
        return Dataset.from_dict({field.name: [] for field in fields}, features=_features(fields))
    return Dataset.from_list(whole, features=_features(fields))


def _features(fields: tuple[Field, ...]) -> Features:
    from datasets import Features

    return Features({field.name: _feature(field) for field in fields})


def _feature(field: Field) -> Any:
    from datasets import List, Value

    if field.kind == "strings":
        return List(Value("string"))
    if field.kind == "objects":
        return List({item.name: _feature(item) for item in field.items})
    return Value("string")


def of_rows(
    corpus: Iterable[Mapping[str, Any]],
    questions: Iterable[Mapping[str, Any]],
    training: Iterable[Mapping[str, Any]] = (),
    *,
    default: date | None,
) -> Benchmark:
    """A benchmark without a name out of checked rows in which every field is present.

    Args:
        default: ``as_of`` of the questions and examples that have none.
    """
    revisions = tuple(_revision(row) for row in corpus)
    documents = {each.revision: each.document for each in revisions}
    starts: dict[str, list[date]] = defaultdict(list)
    for each in revisions:
        if each.valid_from is not None:
            starts[each.document].append(each.valid_from)
    return Benchmark(
        name="",
        revisions=revisions,
        questions=tuple(_question(row, default, documents) for row in questions),
        training=tuple(_example(row, default, starts) for row in training),
    )


def _revision(row: Mapping[str, Any]) -> Revision:
    return Revision(
        document=row["document"],
        revision=revision_id(row),
        title=row["title"] or row["document"],
        text=row["text"],
        valid_from=parse_date(row["valid_from"]),
        valid_to=parse_date(row["valid_to"]),
        tags=tuple(row["tags"]),
    )


def _question(
    row: Mapping[str, Any], default: date | None, documents: Mapping[str, str]
) -> Question:
    answers = tuple(_answer(each) for each in row["answers"])
    cited = (documents[evidence.revision] for each in answers for evidence in each.evidence)
    return Question(
        id=row["id"],
        text=row["question"],
        as_of=_as_of(row, default),
        category=row["category"] or DEFAULT_CATEGORY,
        cluster=row["cluster"] or next(cited, row["id"]),
        answers=answers,
        format=row["format"] or "default",
        tags=tuple(row["tags"]),
    )


def _answer(row: Mapping[str, Any]) -> Answer:
    return Answer(
        text=row["text"] or "",
        aliases=tuple(row["aliases"]),
        valid_from=parse_date(row["valid_from"]),
        valid_to=parse_date(row["valid_to"]),
        evidence=tuple(Evidence(each["revision"], each["quote"]) for each in row["evidence"]),
    )


def _example(
    row: Mapping[str, Any], default: date | None, starts: Mapping[str, list[date]]
) -> TrainingExample:
    answers = tuple(
        Answer(a["text"], (), parse_date(a["valid_from"]), parse_date(a["valid_to"]))
        for a in row["answers"]
    )
    return TrainingExample(
        id=row["id"],
        kind=row["kind"],
        question=row["question"],
        as_of=_as_of(row, default),
        answer=row["answer"],
        source=row["source"],
        effective=parse_date(row["effective"]),
        passages=tuple(_passage(each, i) for i, each in enumerate(row["passages"])),
        answers=answers,
        revised=tuple(sorted(starts.get(row["source"], ()))) if answers else (),
    )


def _passage(row: Mapping[str, Any], position: int) -> Passage:
    revision = revision_id(row)
    return Passage(
        id=f"{revision}#{position}",
        document=row["document"],
        revision=revision,
        title=row["title"] or row["document"],
        text=row["text"],
        valid_from=parse_date(row["valid_from"]),
        valid_to=parse_date(row["valid_to"]),
        start=0,
        end=len(row["text"]),
    )


def _as_of(row: Mapping[str, Any], default: date | None) -> date:
    as_of = parse_date(row["as_of"]) or default
    if as_of is None:
        raise BenchmarkError(f"{row['id']!r} has no as_of; expected a date, as the corpus is dated")
    return as_of


def _format(row: Mapping[str, Any]) -> FormatSpecification:
    known = dict(row)
    if "instructions" in known:
        known["instructions"] = tuple(known["instructions"])
    return FormatSpecification(**known)
