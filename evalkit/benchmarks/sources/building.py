"""From rows in the form of ``SCHEMA.md`` to a checked benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from evalkit.benchmarks.benchmark import Benchmark
from evalkit.benchmarks.files import Files, revision_id
from evalkit.benchmarks.jsonl import of_rows
from evalkit.benchmarks.leaks import training_problems
from evalkit.benchmarks.lines import Line, Problem
from evalkit.benchmarks.rules import corpus_problems, question_problems
from evalkit.benchmarks.schema import (
    CORPUS,
    QUESTIONS,
    TRAINING,
    Field,
    faults,
    normalised,
    parse_date,
)
from evalkit.benchmarks.sources.rows import PathLike, files, from_jsonl, refuse
from evalkit.benchmarks.wording import contains_words
from evalkit.records import FormatSpecification, in_force

T = TypeVar("T")

SHORT = FormatSpecification(
    name="short",
    instruction="Reply with the answer alone, in a few words on one line. If it is not known, reply: "
    "unknown",
    instructions=({"kind": "one_line"},),
)
LONG = FormatSpecification(
    name="long",
    instruction="Reply in a few sentences that the documents support. If they do not answer the "
    "question, reply: unknown",
)


def build(
    corpus: Sequence[Line],
    questions: Sequence[Line],
    training: Sequence[Line] = (),
    *,
    name: str,
    license: str,
    where: str,
    format: FormatSpecification,
) -> Benchmark:
    """The benchmark of these rows, after the checks that ``evalkit check`` makes.

    Args:
        corpus: Rows of ``corpus.jsonl``, each with its place in the published file.
        questions: Rows of ``questions.jsonl``, likewise.
        training: Rows of ``training.jsonl``, likewise.
        where: The path, or the hub id with its commit.

    Raises:
        BenchmarkError: some row is unsound, named by published file and line, or there are no
            questions.
    """
    checked = Files(
        corpus=tuple(corpus),
        questions=tuple(questions),
        training=tuple(training),
        options={},
        revision_ids=_revision_ids(corpus),
    )
    unsound = [
        *_faults(corpus, CORPUS),
        *_faults(questions, QUESTIONS),
        *_faults(training, TRAINING),
    ]
    refuse(unsound, where)  # what follows can only read rows that keep to the schema
    problems = [
        *corpus_problems(checked),
        *question_problems(checked),
        *training_problems(checked),
    ]
    if not questions:
        problems.append(Problem(where, 0, "", "gives no questions", "at least one"))
    refuse(problems, where)
    made = of_rows(
        [normalised(line.row, CORPUS) for line in corpus],
        [normalised(line.row, QUESTIONS) for line in questions],
        [normalised(line.row, TRAINING) for line in training],
        default=checked.default_as_of(),
    )
    path = Path(where).resolve() if Path(where).exists() else None
    return replace(made, name=name, license=license, format=format, path=path)


def _faults(lines: Iterable[Line], fields: tuple[Field, ...]) -> list[Problem]:
    return [
        line.problem(fault.field, fault.message, fault.expected)
        for line in lines
        for fault in faults(line.row, fields)
    ]


def _revision_ids(corpus: Sequence[Line]) -> dict[str, tuple[str, ...]]:
    ids: dict[str, list[str]] = {}
    for line in corpus:
        document = line.row.get("document")
        if isinstance(document, str):
            ids.setdefault(document, []).append(revision_id(line.row))
    return {document: tuple(each) for document, each in ids.items()}


@dataclass
class Paragraphs:
    """The paragraphs that come with questions; one that comes with several is there once."""

    by_text: dict[tuple[str, str], str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    def id(self, line: Line, title: str, whole: str) -> str:
        """The id of a paragraph: its title, with a number where another has the same title."""
        known = self.by_text.get((title, whole))
        if known is not None:
            return known
        number = self.counts[title] = self.counts.get(title, 0) + 1
        name = self.by_text[title, whole] = title if number == 1 else f"{title}#{number}"
        row = {"document": name, "title": title, "text": whole}
        self.lines.append(Line(line.file, line.number, row))
        return name


def own_corpus(path: PathLike | None) -> list[Line]:
    """The user's own ``corpus.jsonl``, for a source that has questions and no documents."""
    return [] if path is None else from_jsonl(files(path, "corpus.jsonl"))


def answer_row(wordings: Sequence[str], **more: Any) -> dict[str, Any]:
    """An answer whose first wording is its text and whose others are aliases."""
    text, *aliases = dict.fromkeys(wordings)
    return {"text": text, "aliases": aliases, **more}


def periods(observed: Iterable[tuple[date, T | None]]) -> list[tuple[T, date, date | None]]:
    """What was seen on some days, as periods: a value holds from the day on which it is first seen
    to the day on which something else, or None for nothing, is seen.

    This is the clock of the documents: between two looks the change itself may be older.

    Args:
        observed: Days, ascending, and what was seen on each.

    Returns:
        ``(value, valid_from, valid_to)``; the last has no end unless None followed it.
    """
    found: list[tuple[T, date, date | None]] = []
    holds: T | None = None
    for day, seen in observed:
        if seen == holds:
            continue
        if holds is not None:
            found[-1] = (holds, found[-1][1], day)
        if seen is not None:
            found.append((seen, day, None))
        holds = seen
    return found


def told_apart(answers: Sequence[Mapping[str, Any]], as_of: date) -> list[dict[str, Any]]:
    """The answers without those whose wordings match a nearer period's.

    A value that comes back, or one that stands in another ("7.0" in "7.0 Update 1"), cannot be
    told from it in a reply. The answers in force at ``as_of`` stay, then the nearest.
    """
    kept: list[dict[str, Any]] = []
    for answer in sorted(answers, key=lambda each: _distance(each, as_of)):
        others = [each for each in kept if _bounds(each) != _bounds(answer)]
        if not any(_same(answer, other) for other in others):
            kept.append(dict(answer))
    return sorted(kept, key=lambda each: each.get("valid_from") or "")


def _bounds(answer: Mapping[str, Any]) -> tuple[date | None, date | None]:
    return parse_date(answer.get("valid_from")), parse_date(answer.get("valid_to"))


def _distance(answer: Mapping[str, Any], as_of: date) -> int:
    """Days between ``as_of`` and the answer's period; 0 within it."""
    start, end = _bounds(answer)
    if in_force(start, end, as_of):
        return 0
    if end is not None and end <= as_of:
        return (as_of - end).days + 1
    return (start - as_of).days if start is not None else 0


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    pairs = [(a, b) for a in _wordings(one) for b in _wordings(other)]
    return any(contains_words(a, b) or contains_words(b, a) for a, b in pairs)


def _wordings(answer: Mapping[str, Any]) -> list[str]:
    return [answer["text"], *(answer.get("aliases") or ())]
