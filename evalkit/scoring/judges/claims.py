"""What an answer says as statements: with its question, and the source and the date that it names.

A claim is one JSON object, so that it can be a statement like any other; a dated text begins with a
line that names its document and the day from which it holds, as passages do in a prompt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from evalkit.scoring.judges.source import read
from evalkit.scoring.judges.wording import Wording, stem, word_set, wording
from evalkit.scoring.text import tokens
from evalkit.scoring.values import Value, values

UNDATED = "undated"
SHARED = 2
"""Words of a question that a sentence on another value of the kind must hold to be the one asked for."""
_HEADER = re.compile(
    r"\[(?P<document>[^\[\]|\n]+?) \| (?:[^\n]*? \| )?(?:since )?(?P<start>\d{4}-\d\d-\d\d|undated)"
    r"[^\[\]|\n]*\]\n"
)
_REPORTING = frozenset(
    map(
        stem,
        word_set(
            "answer document handbook passage text context source information question state say "
            "mention specify provide according"
        ),
    )
)
"""Words by which an answer speaks of itself and of its sources."""
_CHOICE = re.compile(
    r"(?i)(?:^|[.?!,;]\s+)(?:is|are|was|were|do|does|did|can|could|may|might|must|shall|should|will|"
    r"would|has|have|had)\b|\bor\b"
)
_BETWEEN_DAYS = re.compile(r";|,(?!\s*\d{4}\s*(?:$|[;,]))")
"""The comma of ``May 1, 2025`` divides no days."""
_UNFIT = re.compile(r"[\[\]|\s]+")
"""What a document's name cannot hold in a header."""


@dataclass(frozen=True)
class Claim:
    """A value or a sentence, what it replies to, and where it is said to stand and since when."""

    value: str
    source: str | None = None
    effective: str | None = None
    question: str | None = None


def claim(
    value: str,
    source: str | None = None,
    effective: str | None = None,
    *,
    question: str | None = None,
) -> str:
    """A claim as a statement."""
    parts = {"claim": value, "question": question, "source": source, "effective": effective}
    return json.dumps({k: v for k, v in parts.items() if v is not None}, ensure_ascii=False)


def dated(document: str, valid_from: date | None, text: str) -> str:
    """A text with the line that claims are checked against."""
    start = valid_from.isoformat() if valid_from else UNDATED
    return f"[{_plain(document)} | {start}]\n{text}"


def read_claim(statement: str) -> Claim | None:
    """The claim that a statement is, or None where it is a sentence."""
    if not statement.startswith('{"claim":'):
        return None
    try:
        parts = json.loads(statement)
    except (ValueError, RecursionError):
        return None
    # An answer in sentences may hold such an object too, of any shape.
    given = {key: parts.get(key) for key in ("source", "effective", "question")}
    if not isinstance(parts["claim"], str) or not all(
        value is None or isinstance(value, str) for value in given.values()
    ):
        return None
    return Claim(parts["claim"], **given)


def where(found: Claim, texts: Sequence[str]) -> list[str]:
    """The texts that a claim may rest on: of the documents it names, in force from the days it names.

    A text without a header is kept: nothing in it speaks against the claim. Where fewer days are
    named than documents, each day must be one document's, and nothing is said of the others'.
    """
    headed = [(text, _HEADER.match(text)) for text in texts]
    sources = _listed(found.source)
    kept = [(t, h) for t, h in headed if h is None or not sources or _is_named(sources, h, t)]
    days = {tokens(each) for each in _BETWEEN_DAYS.split(found.effective or "")} - {()}
    if not found.effective:
        return [text for text, _ in kept]
    held = {header["document"] for _, header in kept if header and tokens(header["start"]) in days}
    lenient = len(sources) > len(days) and bool(held)
    return [
        text
        for text, header in kept
        if header is None
        or header["start"] == UNDATED
        or tokens(header["start"]) in days
        or (lenient and header["document"] not in held)
    ]


def without_header(text: str) -> str:
    """The text alone, under its title."""
    return _HEADER.sub("", text, count=1) if _HEADER.match(text) else text


def added(statement: str, question: str) -> frozenset[str]:
    """The stems and values that a statement has beyond its question and words such as "answer"."""
    return _all(wording(statement)) - _all(wording(question)) - _REPORTING


def repeats(statement: str, question: str) -> bool:
    """Whether a statement only repeats its question. Of a question that can be answered by yes or no,
    or that names what to choose from, nothing is said: a reply to it may well use its words alone.
    """
    asked = bool(question.strip()) and _CHOICE.search(question) is None
    return asked and not added(statement, question)


def reply_value(statement: str, question: str) -> Value | None:
    """The one value with a unit, or date or time, that a statement adds to its question; None where it
    adds none or several.
    """
    asked = {value for _, value in values(tokens(question))}
    new = [v for _, v in values(tokens(statement)) if _kind(v) and v not in asked]
    return new[0] if len(new) == 1 else None


def other_fact(value: Value, question: str, texts: Sequence[str]) -> str | None:
    """The sentence that shows a value to belong to another question, or None.

    In each text that states the value there is a sentence, list item or table cell with another
    value of its kind, which holds all words of the question that the value's own sentence holds, and
    more of them. Empty where no text states the value.

    Args:
        value: One with a unit, a date or a time.
        question: What it is said to answer.
        texts: Plain texts, each judged by itself.
    """
    words = _all(wording(question))
    shown: str | None = ""
    for text in texts:
        stating, others = _parted(value, read([text]).singles)
        if not stating:
            continue
        own = [words & _all(w) for w in stating]
        shown = next((w.text for w in others if _asked_for(words & _all(w), own)), None)
        if shown is None:
            return None
    return shown


def _parted(value: Value, sentences: Sequence[Wording]) -> tuple[list[Wording], list[Wording]]:
    """The sentences that state a value, and those that state others of its kind alone."""
    stating, others = [], []
    written = _all(wording(" ".join(value.written)))
    for each in sentences:
        found = [v for _, v in values(tokens(each.text)) if _kind(v) == _kind(value)]
        if written <= _all(each) or any(v.equals(value) for v in found):
            stating.append(each)
        elif found:
            others.append(each)
    return stating, others


def _asked_for(held: frozenset[str], own: Sequence[frozenset[str]]) -> bool:
    return len(held) >= SHARED and all(mine < held for mine in own)


def _kind(value: Value) -> str:
    """What values must share to be answers to the same question; empty for a bare figure."""
    if value.figure is not None:
        return value.unit
    return "time" if ":" in value.written[0] else "date"


def _all(w: Wording) -> frozenset[str]:
    return w.content | w.values


def _plain(name: str) -> str:
    return _UNFIT.sub(" ", name).strip()


def _listed(source: str | None) -> list[str]:
    parts = re.split(r"[,;]", source or "")
    return [name for part in parts if (name := _plain(part).casefold())]


def _is_named(sources: Sequence[str], header: re.Match[str], text: str) -> bool:
    """Whether a source is the document, a revision or a passage of it, or its title."""
    document = header["document"].strip().casefold()
    title = _plain(text[header.end() :].partition("\n")[0]).casefold()
    return any(
        part in (document, title) or part.startswith((f"{document}@", f"{document}#"))
        for part in sources
    )
