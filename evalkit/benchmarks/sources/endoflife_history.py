"""What the pages of endoflife.date said through the chosen days, and draws among what they state."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from evalkit.benchmarks.lines import Line
from evalkit.benchmarks.sources.building import periods
from evalkit.benchmarks.sources.endoflife_pages import Fact, Page


@dataclass
class History:
    """A page through the chosen days.

    Attributes:
        there: The days on which there was a page.
        seen: The days on which its text was another than before, with the text and its revision.
        said: For each fact, by day: the value, the revision that states it, and its words.
    """

    title: str
    there: set[date] = field(default_factory=set)
    seen: list[tuple[date, str, Line]] = field(default_factory=list)
    said: dict[Fact, dict[date, tuple[str, str, str | None]]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def add(self, day: date, page: Page) -> None:
        """What the page says on a day; a text that has not changed is no new revision."""
        self.there.add(day)
        if self.seen and self.seen[-1][1] == page.text:
            revision = str(self.seen[-1][2].row["revision"])
        else:
            revision = f"{page.document}@{day}"
            row = {
                "document": page.document,
                "revision": revision,
                "title": page.title,
                "text": page.text,
            }
            self.seen.append((day, page.text, Line(page.file, 0, row)))
        for fact, value in page.facts.items():
            self.said[fact][day] = (value, revision, page.quotes.get(fact))

    def value(self, fact: Fact, day: date) -> str | None:
        """What the page of a day states; None where it does not."""
        said = self.said.get(fact, {}).get(day)
        return None if said is None else said[0]

    def revisions(self, chosen: Sequence[date]) -> list[Line]:
        """The revisions; one ends where the text changes or the page is gone."""
        starts = [day for day, _, _ in self.seen]
        lines: list[Line] = []
        for (day, _, line), later in zip(self.seen, [*starts[1:], None], strict=True):
            gone = (each for each in chosen if each > day and each not in self.there)
            end = min((each for each in (next(gone, None), later) if each), default=None)
            period = {"valid_from": day.isoformat(), "valid_to": end and end.isoformat()}
            lines.append(Line(line.file, line.number, {**line.row, **period}))
        return lines

    def answers(self, fact: Fact, chosen: Sequence[date]) -> list[dict[str, Any]]:
        """The dated answers, each with the revisions that state it."""
        said = self.said[fact]
        answers: list[dict[str, Any]] = []
        for value, start, end in periods((day, self.value(fact, day)) for day in chosen):
            stated = [
                said[day][1:] for day in chosen if start <= day and (end is None or day < end)
            ]
            answers.append(
                {
                    "text": value,
                    "valid_from": start.isoformat(),
                    "valid_to": end and end.isoformat(),
                    "evidence": [
                        {"revision": revision, "quote": quote}
                        for revision, quote in dict.fromkeys(stated)
                    ],
                }
            )
        return answers


def draw(seed: int, name: str) -> str:
    """A name's place in a draw: the same every time, on every machine."""
    return hashlib.sha256(f"{seed}\0{name}".encode()).hexdigest()


def spread(facts: Iterable[tuple[str, Fact]], seed: int) -> list[tuple[str, Fact]]:
    """The facts in an order in which every product has its turn before one has its second."""
    by_document: dict[str, list[tuple[str, Fact]]] = defaultdict(list)
    for document, fact in facts:
        by_document[document].append((draw(seed, "\0".join((document, *fact))), fact))
    placed = [
        (turn, lot, document, fact)
        for document, drawn in by_document.items()
        for turn, (lot, fact) in enumerate(sorted(drawn))
    ]
    return [(document, fact) for _, _, document, fact in sorted(placed)]
