"""A benchmark's folder as it was read: sound lines, the problems found, and the options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from evalkit.benchmarks.lines import Line, Problem, parse_object, read_lines
from evalkit.benchmarks.schema import (
    CORPUS_FILE,
    FIELDS,
    OPTIONS_FILE,
    QUESTIONS_FILE,
    TRAINING_FILE,
    Fault,
    Field,
    faults,
    parse_date,
)

UNDATED_AS_OF = date(2025, 1, 1)
"""``as_of`` of the questions of a benchmark in which nothing is dated.

Any date gives the same answers there; a fixed one keeps the fingerprint and the run the same
tomorrow. ``Benchmark.dated`` is False then, and a prompt need not show the date.
"""

_STRINGS = ("instruction", "abstention", "name")
_OPTIONS = (Field("name", "text"), Field("license", "text"), Field("as_of", "date"))
_OPTION_NAMES = (*(option.name for option in _OPTIONS), "format")
_FORMAT_NAMES = ("name", "instruction", "instructions", "fields", "abstention")
# With a fault in any other field of the corpus, a misspelt one among them, the id is not known.
_NOT_OF_ID = ("title", "text", "valid_to", "tags")
_ROLES = ("answer", "source", "effective")


@dataclass(frozen=True)
class Files:
    """The sound lines of the three files and what was wrong with the others.

    ``revision_ids`` also names revisions whose line has a fault, so that one fault in the corpus
    is not reported again for every question that cites it. ``partial`` are the files of which
    something is unknown that others refer to, ``incomplete`` the documents with a faulty revision.
    """

    corpus: tuple[Line, ...]
    questions: tuple[Line, ...]
    training: tuple[Line, ...]
    options: Mapping[str, Any]
    revision_ids: Mapping[str, tuple[str, ...]]
    problems: tuple[Problem, ...] = field(default=())
    partial: frozenset[str] = frozenset()
    incomplete: frozenset[str] = frozenset()

    @cached_property
    def dated(self) -> bool:
        """Whether any revision or any answer has a date."""
        periods = [line.row for line in self.corpus]
        periods += [answer for line in self.questions for answer in answers_of(line.row)]
        return any(row.get("valid_from") or row.get("valid_to") for row in periods)

    def default_as_of(self) -> date | None:
        """The date of a question that has none: the option, or a fixed one if nothing is dated."""
        return parse_date(self.options.get("as_of")) or (None if self.dated else UNDATED_AS_OF)

    def cause(self, document: str = "") -> str:
        """The corpus file where it may hold more of a document, or more documents, than was read."""
        unsure = CORPUS_FILE in self.partial or document in self.incomplete
        return CORPUS_FILE if unsure else ""


def read(folder: Path) -> Files:
    """Read the folder; never raises for what it finds there, but lists it."""
    options, problems = _read_options(folder / OPTIONS_FILE)
    sound: dict[str, tuple[Line, ...]] = {}
    ids: dict[str, list[str]] = {}
    partial, incomplete = {each.file for each in problems}, set()
    for name, fields in FIELDS.items():
        if name == TRAINING_FILE and not (folder / name).exists():
            sound[name] = ()
            continue
        lines, unread = read_lines(folder / name)
        problems += unread
        if unread:
            partial.add(name)
        kept = []
        for line in lines:
            found = list(faults(line.row, fields))
            problems += [line.problem(each.field, each.message, each.expected) for each in found]
            if not found:
                kept.append(line)
            if name != CORPUS_FILE:
                continue
            if any(each.field not in _NOT_OF_ID for each in found):
                partial.add(name)
            if isinstance(document := line.row.get("document"), str):
                ids.setdefault(document, []).append(str(revision_id(line.row)))
                incomplete |= {document} if found else set()
        sound[name] = tuple(kept)
    return Files(
        corpus=sound[CORPUS_FILE],
        questions=sound[QUESTIONS_FILE],
        training=sound[TRAINING_FILE],
        options=options,
        revision_ids={document: tuple(each) for document, each in ids.items()},
        problems=tuple(problems),
        partial=frozenset(partial),
        incomplete=frozenset(incomplete),
    )


def revision_id(row: Mapping[str, Any]) -> str:
    """The id of a revision: its own, else ``document@valid_from``, else the document's id."""
    if row.get("revision"):
        return str(row["revision"])
    start = row.get("valid_from")
    return f"{row['document']}@{start}" if start else str(row["document"])


def answers_of(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The answers of a sound question line, the shorthand (a bare string) written out."""
    return [{"text": each} if isinstance(each, str) else each for each in row["answers"]]


def evidence_of(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The evidence of a sound answer, the shorthand (a bare revision id) written out."""
    listed = answer.get("evidence") or []
    return [{"revision": each} if isinstance(each, str) else each for each in listed]


def _read_options(path: Path) -> tuple[dict[str, Any], list[Problem]]:
    if not path.exists():
        return {}, []
    try:
        options = parse_object(path.read_bytes())
    except (OSError, ValueError) as error:
        return {}, [Problem(path.name, 0, "", f"cannot be read: {error}", "one JSON object")]
    found = [*_option_faults(options)]
    problems = [Problem(path.name, 0, each.field, each.message, each.expected) for each in found]
    faulty = {each.field.partition(".")[0] for each in found}
    return {key: value for key, value in options.items() if key not in faulty}, problems


def _option_faults(options: Mapping[str, Any]) -> Iterator[Fault]:
    plain = {key: value for key, value in options.items() if key != "format"}
    for fault in faults(plain, _OPTIONS):
        known = f"one of {', '.join(_OPTION_NAMES)}"
        unknown = fault.message == "unknown field"
        yield Fault(fault.field, fault.message, known if unknown else fault.expected)
    specification = options.get("format")
    if specification is None:
        return
    if not isinstance(specification, dict):
        yield Fault("format", "is not an object", f"an object with {', '.join(_FORMAT_NAMES)}")
        return
    for key, value in specification.items():
        place = f"format.{key}"
        if key not in _FORMAT_NAMES:
            yield Fault(place, "unknown field", f"one of {', '.join(_FORMAT_NAMES)}")
        elif key in _STRINGS and not isinstance(value, str):
            yield Fault(place, "is not a string", "a string")
        elif key == "instructions" and not _are_instructions(value):
            yield Fault(place, "is not a list of instructions", "objects with a 'kind' each")
        elif key == "fields" and not _are_fields(value):
            yield Fault(place, "does not map roles to keys", f"{', '.join(_ROLES)} to strings")


def _are_instructions(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(i, dict) and "kind" in i for i in value)


def _are_fields(value: Any) -> bool:
    return isinstance(value, dict) and all(
        key in _ROLES and isinstance(each, str) for key, each in value.items()
    )
