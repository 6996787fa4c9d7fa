"""What must hold within the corpus and between questions and corpus."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations, pairwise
from typing import Any

from evalkit.benchmarks.files import Files, answers_of, evidence_of, revision_id
from evalkit.benchmarks.lines import Line, Problem
from evalkit.benchmarks.schema import OPTIONS_FILE, parse_date
from evalkit.benchmarks.wording import contains_words
from evalkit.records import in_force

WITHDRAWN = "withdrawn"
UNANSWERABLE = "unanswerable"
ANSWERED = ("unchanged", "changed", "new", "two_document")
"""Categories whose questions must have an answer valid at ``as_of``."""


@dataclass(frozen=True)
class Period:
    """A half-open period; None is without bound."""

    start: date | None
    end: date | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Period:
        return cls(parse_date(row.get("valid_from")), parse_date(row.get("valid_to")))

    @property
    def empty(self) -> bool:
        return self.start is not None and self.end is not None and self.end <= self.start

    def overlaps(self, other: Period) -> bool:
        """Whether some day lies in both."""
        starts_in_time = self.end is None or other.start is None or other.start < self.end
        return starts_in_time and (
            other.end is None or self.start is None or self.start < other.end
        )

    def holds(self, day: date) -> bool:
        """Whether the day lies in it."""
        return in_force(self.start, self.end, day)

    def within(self, others: Iterable[Period]) -> bool:
        """Whether every day of it lies in one of the others, which do not overlap each other."""
        reached, begun = self.start, False
        for other in sorted(others, key=lambda each: each.start or date.min):
            begins_in_time = other.start is None or (reached and other.start <= reached)
            if not begins_in_time or (reached and other.end and other.end <= reached):
                continue
            if other.end is None:
                return True
            reached, begun = other.end, True
        return begun and self.end is not None and reached is not None and self.end <= reached

    def __str__(self) -> str:
        return f"[{self.start or '...'}, {self.end or '...'})"


@dataclass(frozen=True)
class _Known:
    """The revisions that evidence may name: sound ones with their line, and the ids of all."""

    sound: Mapping[str, Mapping[str, Any]]
    by_document: Mapping[str, tuple[str, ...]]
    ids: frozenset[str]
    folded: Mapping[str, str]
    cause: str

    @classmethod
    def of(cls, files: Files) -> _Known:
        ids = frozenset(each for listed in files.revision_ids.values() for each in listed)
        return cls(
            sound={revision_id(line.row): line.row for line in files.corpus},
            by_document=files.revision_ids,
            ids=ids,
            folded={_folded(each): each for each in ids},
            cause=files.cause(),
        )

    def hint(self, name: str) -> str:
        """What was expected in the place of a revision id that does not exist."""
        if name in self.by_document:
            return f"a revision of that document: {', '.join(self.by_document[name])}"
        like = self.folded.get(_folded(name))
        return f"a revision of corpus.jsonl{f'; did you mean {like!r}?' if like else ''}"


def _folded(name: str) -> str:
    """An id without what is easily mistyped: case, punctuation and zeros."""
    return re.sub(r"[\W_0]+", "", name.casefold())


def unique_ids(lines: Sequence[Line], field: str, key: Callable[..., str]) -> Iterator[Problem]:
    """An id stands once in a file."""
    first: dict[str, int] = {}
    for line in lines:
        value = key(line.row)
        if value in first:
            message = f"{value!r} stands already on line {first[value]}"
            yield line.problem(field, message, "an id that is used once")
        first.setdefault(value, line.number)


def corpus_problems(files: Files) -> Iterator[Problem]:
    """Ids are unique, periods are not empty, and one document's revisions never overlap."""
    yield from unique_ids(files.corpus, "revision", revision_id)
    by_document: dict[str, list[tuple[Period, Line]]] = defaultdict(list)
    for line in files.corpus:
        period = Period.of(line.row)
        if period.empty:
            message = f"the period {period} is empty"
            yield line.problem("valid_to", message, "an end after the start")
        else:
            by_document[line.row["document"]].append((period, line))
    for document, revisions in by_document.items():
        ordered = sorted(revisions, key=lambda each: each[0].start or date.min)
        for (earlier, first), (later, second) in pairwise(ordered):
            if earlier.overlaps(later):
                yield second.problem(
                    "valid_from",
                    f"{later} overlaps {earlier} of {document!r} on line {first.number}",
                    "revisions of one document one after the other, valid_to exclusive",
                )


def question_problems(files: Files) -> Iterator[Problem]:
    """Everything that a question must satisfy, alone and against the corpus."""
    yield from unique_ids(files.questions, "id", lambda row: row["id"])
    known = _Known.of(files)
    default = files.default_as_of()
    for line in files.questions:
        as_of = parse_date(line.row.get("as_of")) or default
        if as_of is None:
            yield missing_as_of(line, files)
        else:
            yield from _validity_problems(line, as_of)
        yield from _tag_problems(line)
        yield from _answer_problems(line)
        yield from _evidence_problems(line, known)


def missing_as_of(line: Line, files: Files) -> Problem:
    """The problem of a line without ``as_of`` where something is dated."""
    expected = "a date YYYY-MM-DD here, or one for all in benchmark.json, as the corpus is dated"
    cause = OPTIONS_FILE if OPTIONS_FILE in files.partial else ""
    return line.problem("as_of", "is missing", expected, cause)


def _validity_problems(line: Line, as_of: date) -> Iterator[Problem]:
    """Whether an answer holds at ``as_of`` agrees with the category."""
    category = line.row.get("category")
    periods = [Period.of(answer) for answer in answers_of(line.row)]
    current = any(in_force(period.start, period.end, as_of) for period in periods)
    if category == UNANSWERABLE and periods:
        message = f"has answers, but its category is {UNANSWERABLE!r}"
        yield line.problem("answers", message, "[], or another category")
    elif category == WITHDRAWN and (current or not periods):
        message = f"{'holds an answer valid' if current else 'has no answer that ended'} by {as_of}"
        yield line.problem(
            "answers", message, f"answers that all ended by as_of, as the category is {WITHDRAWN!r}"
        )
    elif category == WITHDRAWN:
        late = [period for period in periods if period.start and period.start > as_of]
        if late:
            message = f"holds an answer that starts after {as_of}"
            yield line.problem("answers", message, "answers that all ended by as_of")
    elif (periods or category in ANSWERED) and not current:
        listed = ", ".join(str(period) for period in periods) or "none at all"
        message = f"no answer is valid at as_of {as_of}: {listed}"
        yield line.problem(
            "answers", message, f"one that is, or the category {WITHDRAWN!r} or {UNANSWERABLE!r}"
        )


def _tag_problems(line: Line) -> Iterator[Problem]:
    """The table of scores holds the tags of a question in one cell, joined by semicolons."""
    for position, tag in enumerate(line.row.get("tags") or ()):
        if ";" in tag:
            message = f"{tag!r} holds a semicolon"
            yield line.problem(f"tags[{position}]", message, "one tag without it, or several tags")


def _answer_problems(line: Line) -> Iterator[Problem]:
    """Answers say something, periods are not empty, and those of different periods differ."""
    answers = answers_of(line.row)
    for position, answer in enumerate(answers):
        if not answer.get("text") and not (answer.get("evidence") and not answer.get("aliases")):
            expected = "a short right answer; or evidence alone, where the answer is not known"
            yield line.problem(f"answers[{position}].text", "is missing", expected)
    periods = [Period.of(answer) for answer in answers]
    for position, period in enumerate(periods):
        if period.empty:
            place = f"answers[{position}].valid_to"
            yield line.problem(place, f"the period {period} is empty", "an end after the start")
    for (i, first), (j, second) in combinations(enumerate(answers), 2):
        if periods[i].overlaps(periods[j]):
            continue
        clash = _same_wording(first, second)
        if clash:
            message = f"{clash[1]!r} and {clash[0]!r} of answers[{i}] match each other as words"
            yield line.problem(
                f"answers[{j}]", message, "answers of different periods that can be told apart"
            )


def _same_wording(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[str, str] | None:
    for a in (first.get("text") or "", *(first.get("aliases") or ())):
        for b in (second.get("text") or "", *(second.get("aliases") or ())):
            if contains_words(a, b) or contains_words(b, a):
                return a, b
    return None


def _evidence_problems(line: Line, known: _Known) -> Iterator[Problem]:
    for i, answer in enumerate(answers_of(line.row)):
        period = Period.of(answer)
        for j, evidence in enumerate(evidence_of(answer)):
            place, name = f"answers[{i}].evidence[{j}]", evidence["revision"]
            revision = known.sound.get(name)
            if revision is None:
                if name not in known.ids:
                    message = f"{name!r} is no revision"
                    yield line.problem(f"{place}.revision", message, known.hint(name), known.cause)
                continue
            quote = evidence.get("quote")
            if quote is not None and quote not in revision["text"]:
                message = f"{quote!r} does not stand in {name!r}"
                yield line.problem(f"{place}.quote", message, "words of its text, to the letter")
            valid = Period.of(revision)
            if not valid.overlaps(period):
                message = f"{name!r} is valid in {valid}, the answer in {period}"
                yield line.problem(f"{place}.revision", message, "periods that share a day")
