"""The lines of a trace that prove where the fault lies, short enough to read in a table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from evalkit.records import Answer, Passage, Sample
from evalkit.scoring.passages import covers, evidence_quotes

WIDTH = 120
"""The longest excerpt, in characters."""


def asked(sample: Sample) -> str:
    """The question's date and what was right on it."""
    question = sample.question
    right = " / ".join(a.text for a in question.current_answers() if a.text) or "to abstain"
    return f"asked on {question.as_of}: right is {right}"


def said(sample: Sample) -> str:
    """The beginning of the raw output."""
    return f"output: {excerpt(sample.trace.output) or '(empty)'}"


def other_periods(sample: Sample) -> tuple[Answer, ...]:
    """The answers that were right before the question's date, or will be after it."""
    return (*sample.question.past_answers(), *sample.question.future_answers())


def passage_line(passage: Passage, answers: Iterable[Answer]) -> str:
    """A passage by id and dates, with the words around an answer where it states one literally."""
    wordings = [wording for answer in answers for wording in answer.wordings]
    words = excerpt(passage.text, wordings)
    return f"passage {passage.id}, {period(passage.valid_from, passage.valid_to)}: {words}"


def missing_lines(sample: Sample) -> list[str]:
    """The evidence in force that no passage shown covers: one line a revision."""
    shown = sample.trace.shown
    return [
        f"not shown: {revision}, {_dates(sample, revision)}"
        + "".join(f": {excerpt(quote)}" for quote in sorted(filter(None, quotes)))
        for revisions in evidence_quotes(sample).values()
        if not any(covers(passage, revisions) for passage in shown)
        for revision, quotes in revisions.items()
    ]


def period(start: date | None, end: date | None) -> str:
    """A period in words; ``end`` is the first day after it."""
    if start is None and end is None:
        return "undated"
    return " ".join(f"{word} {day}" for word, day in (("from", start), ("until", end)) if day)


def excerpt(text: str, wordings: Iterable[str] = ()) -> str:
    """At most `WIDTH` characters on one line: around the first wording found, else the beginning."""
    line = " ".join(text.split())
    folded = line.casefold()
    places = (folded.find(wording.casefold()) for wording in wordings if wording)
    found = next((place for place in places if place >= 0), 0)
    start = max(0, min(found - WIDTH // 3, len(line) - WIDTH))
    cut = line[start : start + WIDTH]
    return f"{'… ' if start else ''}{cut}{' …' if start + WIDTH < len(line) else ''}"


def _dates(sample: Sample, revision: str) -> str:
    known = sample.revisions[revision]
    return period(known.valid_from, known.valid_to)
