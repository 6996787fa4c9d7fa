"""Training examples on the pages of endoflife.date; their wording is ours.

Behaviour, the format and the manner, is shown on products that have no page in the benchmark.
Knowledge is the facts that are asked for, worded differently, with their dated answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import islice
from typing import Any

from evalkit.benchmarks.check import BenchmarkError
from evalkit.benchmarks.lines import Line
from evalkit.benchmarks.sources.endoflife_history import History, draw, spread
from evalkit.benchmarks.sources.endoflife_pages import Fact
from evalkit.benchmarks.wording import contains_words
from evalkit.plurals import counted

BEHAVIOUR = {
    "latest": (
        "Which version of {product} {cycle} came out last?",
        "I run {product} {cycle}. What should I update to within that line?",
        "Name the current {cycle} version of {product}.",
    ),
    "eol": (
        "On what day does support for {product} {cycle} stop?",
        "Until when is {product} {cycle} maintained?",
        "Name the day after which {product} {cycle} gets no more fixes.",
    ),
}
KNOWLEDGE = {
    "latest": "State the latest version in the {cycle} series of {product}.",
    "eol": "Give the end-of-life date of {product} {cycle}.",
}
KINDS = ("behaviour", "knowledge")
_WORDS = 40
"""The most words of a passage: two or three releases, as many as the study's index holds together."""
_SHOWN = 3
_UNANSWERED = 5
"""Every so many behaviour examples show nothing that answers, and the right reply is to abstain."""


def wanted(training: Mapping[str, int | None] | None) -> dict[str, int | None]:
    """How many examples of each kind; None for as many as there are.

    Raises:
        BenchmarkError: a kind is unknown, or a number is below 0.
    """
    given = dict(training or {})
    for kind, number in given.items():
        if kind not in KINDS:
            raise BenchmarkError(f"training names {kind!r}; expected some of {list(KINDS)}")
        if number is not None and (type(number) is not int or number < 0):
            raise BenchmarkError(
                f"training.{kind} is {number!r}; expected a whole number, or null for all"
            )
    return {kind: given.get(kind, 0) for kind in KINDS}


def knowledge_lines(
    histories: Mapping[str, History],
    facts: Sequence[tuple[str, Fact]],
    chosen: Sequence[date],
    limit: int | None,
) -> list[Line]:
    """The first ``limit`` facts as they were on the first chosen day, with their later answers; a
    fact that was not there yet has no ``answer``.
    """
    lines = []
    for document, fact in facts[:limit]:
        history, (cycle, kind) = histories[document], fact
        answer = history.value(fact, chosen[0])
        row = {
            "id": f"knowledge/{document}/{cycle}/{kind}",
            "kind": "knowledge",
            "question": KNOWLEDGE[kind].format(product=history.title, cycle=cycle),
            "as_of": chosen[0].isoformat(),
            "answer": answer,
            "source": document,
            "effective": None if answer is None else chosen[0].isoformat(),
            "answers": [
                {name: each[name] for name in ("text", "valid_from", "valid_to")}
                for each in history.answers(fact, chosen)
            ],
        }
        lines.append(Line(f"{document}.md {cycle} {kind}", 0, row))
    return lines


def behaviour_lines(
    others: Mapping[str, History],
    kinds: Sequence[str],
    day: date,
    limit: int | None,
    seed: int,
) -> list[Line]:
    """Questions on the other products' pages of a day, with parts of these pages; the share of one
    in `_UNANSWERED` shows parts that do not answer.

    Raises:
        BenchmarkError: the other products' pages give fewer than ``limit``.
    """
    if limit == 0:
        return []
    pages = {
        name: next(text for since, text, _ in history.seen if since == day)
        for name, history in sorted(others.items())
        if day in history.there
    }
    facts = [
        (name, fact)
        for name in pages
        for fact in others[name].said
        if fact[1] in kinds and others[name].value(fact, day) is not None
    ]
    parts = {name: list(_parts(text)) for name, text in pages.items()}
    made = (
        line
        for place, (name, fact) in enumerate(spread(facts, seed))
        if (line := _behaviour_line(others, parts, name, fact, day, place))
    )
    lines = list(islice(made, limit))
    if limit is not None and len(lines) < limit:
        raise BenchmarkError(
            f"training.behaviour is {limit}, but the pages of {counted(len(pages), 'product')} outside"
            f" the benchmark give {counted(len(lines), 'example')}",
            todo="ask for fewer, or leave more products out of the benchmark with benchmark.products",
        )
    return lines


def _behaviour_line(
    others: Mapping[str, History],
    parts: Mapping[str, Sequence[str]],
    name: str,
    fact: Fact,
    day: date,
    place: int,
) -> Line | None:
    """One example; None where no part of the page has all the words that state the fact."""
    history, (cycle, kind) = others[name], fact
    value, _, quote = history.said[fact][day]
    told = [part for part in parts[name] if quote and quote in part]
    rest = [part for part in parts[name] if not contains_words(part, value)]
    if not told or contains_words(f"{history.title} {cycle}", value):
        return None
    answered = (place + 1) % _UNANSWERED != 0
    elsewhere = _elsewhere(parts, name, place, value)
    beside = [(name, part) for part in rest[: _SHOWN - 1]] + elsewhere
    shown = [(name, told[0])] * answered + beside
    wordings = BEHAVIOUR[kind]
    row: dict[str, Any] = {
        "id": f"behaviour/{name}/{cycle}/{kind}",
        "kind": "behaviour",
        "question": wordings[place % len(wordings)].format(product=history.title, cycle=cycle),
        "as_of": day.isoformat(),
        "answer": value if answered else None,
        "source": name if answered else None,
        "effective": day.isoformat() if answered else None,
        "passages": [
            {
                "document": document,
                "title": others[document].title,
                "text": text,
                "valid_from": day.isoformat(),
            }
            for document, text in sorted(
                shown[:_SHOWN],
                key=lambda each: draw(place, each[1]),  # the answer is anywhere
            )
        ],
    }
    return Line(f"{name}.md {cycle} {kind}", 0, row)


def _elsewhere(
    parts: Mapping[str, Sequence[str]], name: str, place: int, value: str
) -> list[tuple[str, str]]:
    """Parts of other pages that do not have the value, as many as are shown."""
    names = list(parts)
    start = names.index(name) + 1
    found = (
        (other, parts[other][place % len(parts[other])])
        for other in [*names[start:], *names[: start - 1]]
    )
    return list(islice((each for each in found if not contains_words(each[1], value)), _SHOWN))


def _parts(text: str) -> Iterator[str]:
    """The lines of a page in groups of at most `_WORDS` words; a longer line is one group."""
    group: list[str] = []
    words = 0
    for line in text.splitlines():
        added = len(line.split())
        if group and words + added > _WORDS:
            yield "\n".join(group).strip()
            group, words = [], 0
        group.append(line)
        words += added
    if words:
        yield "\n".join(group).strip()
