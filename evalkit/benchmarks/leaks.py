"""What must hold for training examples: nothing of the test leaks into them, and they are true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evalkit.benchmarks.files import Files
from evalkit.benchmarks.lines import Line, Problem
from evalkit.benchmarks.rules import Period, missing_as_of, unique_ids
from evalkit.benchmarks.schema import parse_date
from evalkit.benchmarks.wording import contains_words, near_duplicates, words

LEAK_THRESHOLD = 0.8
"""Word-set similarity from which a training question counts as a test question reworded."""


def training_problems(files: Files) -> Iterator[Problem]:
    """Everything that a training example must satisfy."""
    yield from unique_ids(files.training, "id", lambda row: row["id"])
    yield from _question_leaks(files)
    revisions: dict[str, list[Mapping[str, Any]]] = {}
    for line in files.corpus:
        revisions.setdefault(line.row["document"], []).append(line.row)
    texts = {line.row["text"]: line.row["document"] for line in files.corpus}
    default = files.default_as_of()
    for line in files.training:
        if parse_date(line.row.get("as_of")) is None and default is None:
            yield missing_as_of(line, files)
        if line.row["kind"] == "knowledge":
            yield from _knowledge_problems(line, files, revisions)
            yield from _history_problems(line, files, revisions)
        else:
            yield from _behaviour_problems(line, files, texts)
        yield from _passage_problems(line)


def _question_leaks(files: Files) -> Iterator[Problem]:
    """No training question has the words of a test question, or nearly."""
    lines = {str(i): line for i, line in enumerate(files.training)}
    tests = {str(i): line for i, line in enumerate(files.questions)}
    pairs = near_duplicates(
        {key: line.row["question"] for key, line in lines.items()},
        {key: line.row["question"] for key, line in tests.items()},
        LEAK_THRESHOLD,
    )
    reported: set[str] = set()
    for key, other, similarity in pairs:
        if key in reported:
            continue
        reported.add(key)
        line, test = lines[key], tests[other]
        same = words(line.row["question"]) == words(test.row["question"])
        likeness = "is" if same else f"is nearly ({similarity:.2f} of the words)"
        message = f"leaks a test: it {likeness} the question {test.row['id']!r}"
        yield line.problem("question", message, "another wording, or another fact")


def _knowledge_problems(
    line: Line, files: Files, revisions: Mapping[str, list[Mapping[str, Any]]]
) -> Iterator[Problem]:
    """Source and effective date name a revision, one that is valid at ``as_of`` unless the fact has
    a dated history of answers and none on that day.
    """
    source = line.row.get("source")
    if source is None:
        message = "is missing in an example of kind 'knowledge'"
        yield line.problem("source", message, "the id of the document that holds the fact")
        return
    if source not in revisions:
        if source not in files.revision_ids:
            message, expected = f"{source!r} is no document", "a document of corpus.jsonl"
            yield line.problem("source", message, expected, files.cause())
        return
    as_of = parse_date(line.row.get("as_of")) or files.default_as_of()
    effective = parse_date(line.row.get("effective"))
    if line.row.get("answer") is None and line.row.get("answers"):
        as_of = None
    named = [
        each
        for each in revisions[source]
        if effective is None or Period.of(each).start == effective
    ]
    if not named:
        starts = ", ".join(str(each.get("valid_from")) for each in revisions[source])
        message = f"no revision of {source!r} took effect on {effective}"
        yield line.problem("effective", message, f"one of {starts}", files.cause(source))
    elif as_of and not any(Period.of(each).holds(as_of) for each in named):
        field = "as_of" if effective is None else "effective"
        message = f"that revision of {source!r} is not valid at as_of {as_of}"
        expected = "the revision that held on that day"
        yield line.problem(field, message, expected, files.cause(source))


def _history_problems(
    line: Line, files: Files, revisions: Mapping[str, list[Mapping[str, Any]]]
) -> Iterator[Problem]:
    """Answers follow one another, only while the source is in force, and agree with ``answer``."""
    history = line.row.get("answers") or []
    periods = [Period.of(each) for each in history]
    source = str(line.row.get("source"))
    in_source = [Period.of(each) for each in revisions.get(source, ())]
    for position, period in enumerate(periods):
        place = f"answers[{position}]"
        if period.empty:
            message = f"the period {period} is empty"
            yield line.problem(f"{place}.valid_to", message, "an end after the start")
        elif any(period.overlaps(earlier) for earlier in periods[:position]):
            expected = "answers one after the other, valid_to exclusive"
            yield line.problem(place, f"{period} overlaps an answer before it", expected)
        elif in_source and not period.within(in_source):
            message = f"on some day of {period} no revision of {source!r} is in force"
            expected = "a period in which the source says so"
            yield line.problem(place, message, expected, files.cause(source))
    as_of = parse_date(line.row.get("as_of")) or files.default_as_of()
    if not history or as_of is None:
        return
    held = [a["text"] for a, p in zip(history, periods, strict=True) if p.holds(as_of)]
    if line.row.get("answer") not in (held or [None]):
        said = " or ".join(map(repr, held)) if held else "none, so null"
        message = f"is {line.row.get('answer')!r}, the one of answers in force at {as_of} {said}"
        yield line.problem("answer", message, "the answer that was right on that day")


def _behaviour_problems(line: Line, files: Files, texts: Mapping[str, str]) -> Iterator[Problem]:
    """Nothing of the corpus is in it; ``texts`` are those of the corpus with their documents."""
    row = line.row
    if row.get("answers"):
        message = "has a history in an example of kind 'behaviour'"
        yield line.problem("answers", message, "none: only a fact of the corpus has one")
    for i, passage in enumerate(row.get("passages") or ()):
        if passage["document"] in files.revision_ids:
            message = f"leaks the test document {passage['document']!r}"
            yield line.problem(
                f"passages[{i}].document", message, "documents that the corpus does not have"
            )
        elif passage["text"] in texts:
            message = f"leaks the text of the test document {texts[passage['text']]!r}"
            yield line.problem(f"passages[{i}].text", message, "texts the corpus does not have")
    source = row.get("source")
    if source in files.revision_ids:
        message = f"leaks the test document {source!r}"
        yield line.problem("source", message, "a document that the corpus does not have")


def _passage_problems(line: Line) -> Iterator[Problem]:
    """Where an example has passages, they hold the answer, and one is the source."""
    row = line.row
    passages = row.get("passages") or ()
    for i, passage in enumerate(passages):
        if Period.of(passage).empty:
            yield line.problem(
                f"passages[{i}].valid_to", "the period is empty", "an end after the start"
            )
    answer, source = row.get("answer"), row.get("source")
    if not passages or answer is None:
        return
    if not any(contains_words(passage["text"], answer) for passage in passages):
        expected = "words that stand in a passage, or null where abstaining is right"
        yield line.problem("answer", f"{answer!r} is in none of its passages", expected)
    if source is None:
        return
    effective = parse_date(row.get("effective"))
    starts = [Period.of(each).start for each in passages if each["document"] == source]
    if not starts:
        message = f"{source!r} is none of its passages"
        yield line.problem("source", message, "the document of one of them")
    elif effective is not None and effective not in starts:
        message = f"no passage of {source!r} is valid from {effective}"
        listed = ", ".join(str(start) for start in starts)
        yield line.problem("effective", message, f"one of {listed}")
