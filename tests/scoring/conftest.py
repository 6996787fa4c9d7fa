"""A small world for the scoring tests: one allowance that changes twice, and one fixed room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pytest

from evalkit.records import (
    Answer,
    Evidence,
    FormatSpecification,
    ParsedOutput,
    Passage,
    Question,
    Retrieved,
    Revision,
    Sample,
    Score,
    Trace,
)
from evalkit.scoring import OfflineJudge, parse, score

AS_OF = date(2025, 11, 20)
HOUSE = FormatSpecification(
    name="house",
    instruction="Answer as JSON.",
    instructions=(
        {
            "kind": "json_schema",
            "schema": {
                "type": "object",
                "properties": {
                    "answer": {"type": "string"},
                    "source": {"type": ["string", "null"]},
                    "effective": {"type": ["string", "null"], "format": "date"},
                },
                "required": ["answer", "source", "effective"],
                "additionalProperties": False,
            },
        },
        {"kind": "max_words", "count": 30},
    ),
    fields={"answer": "answer", "source": "source", "effective": "effective"},
    abstention="not in the handbook",
)
FREE = FormatSpecification(abstention="not in the handbook")


def revision(document: str, start: str, end: str | None, text: str) -> Revision:
    """A revision with its id made of document and date."""
    return Revision(
        document,
        f"{document}@{start}",
        f"Title of {document}",
        text,
        date.fromisoformat(start),
        date.fromisoformat(end) if end else None,
    )


REVISIONS = {
    each.revision: each
    for each in (
        revision("TRV", "2025-01-01", "2025-05-01", "Travel. The meal allowance is EUR 38 a day."),
        revision("TRV", "2025-05-01", "2025-12-01", "Travel. The meal allowance is EUR 42 a day."),
        revision("TRV", "2025-12-01", None, "Travel. The meal allowance is EUR 45 a day."),
        revision("ROOM", "2025-01-01", None, "Rooms. The review board meets in the Lantern room."),
        revision("OLD", "2025-01-01", "2025-06-01", "Bikes. A staff bicycle costs EUR 9 a month."),
    )
}


def answer(text: str, start: str, end: str | None, *revisions: str, quote: str = "") -> Answer:
    """A dated answer with its evidence; the quote is the answer unless given."""
    return Answer(
        text,
        (),
        date.fromisoformat(start),
        date.fromisoformat(end) if end else None,
        tuple(Evidence(each, quote or text) for each in revisions),
    )


ALLOWANCE = (
    answer("EUR 38", "2025-01-01", "2025-05-01", "TRV@2025-01-01"),
    answer("EUR 42", "2025-05-01", "2025-12-01", "TRV@2025-05-01"),
    answer("EUR 45", "2025-12-01", None, "TRV@2025-12-01"),
)
ROOM = (answer("Lantern room", "2025-01-01", None, "ROOM@2025-01-01"),)
BIKE = (answer("EUR 9", "2025-01-01", "2025-06-01", "OLD@2025-01-01"),)


@dataclass(frozen=True)
class World:
    """Builders for samples, so that a test states only what it is about."""

    judge: OfflineJudge = field(default_factory=OfflineJudge)
    house: FormatSpecification = HOUSE
    free: FormatSpecification = FREE
    allowance: tuple[Answer, ...] = ALLOWANCE
    room: tuple[Answer, ...] = ROOM
    bike: tuple[Answer, ...] = BIKE
    answer: Callable[..., Answer] = answer

    def passage(self, revision: str, text: str | None = None, **changes: Any) -> Passage:
        """A passage of a revision: the whole of it, unless a text is given."""
        source = REVISIONS[revision]
        whole = Passage(
            f"{revision}#0",
            source.document,
            revision,
            source.title,
            source.text if text is None else text,
            source.valid_from,
            source.valid_to,
        )
        return replace(whole, **changes)

    def sample(
        self,
        output: str = "",
        *,
        answers: tuple[Answer, ...] = ALLOWANCE,
        retrieved: list[str] | list[Passage] | None = None,
        shown: bool = True,
        spec: FormatSpecification | None = None,
        category: str = "changed",
        error: str | None = None,
        **trace: Any,
    ) -> Sample:
        """A parsed sample; ``retrieved`` lists revision ids or passages, best first."""
        found = None
        if retrieved is not None:
            passages = [self.passage(r) if isinstance(r, str) else r for r in retrieved]
            found = tuple(Retrieved(p, 1.0 / (i + 1), shown) for i, p in enumerate(passages))
        question = Question("q1", "What is it?", AS_OF, category, "TRV", answers)
        made = Trace("q1", "rag", found, "prompt", output, error=error, **trace)
        spec = spec or FREE
        parsed = ParsedOutput(None) if error else parse(output, spec)
        return Sample(question, made, spec, REVISIONS, parsed)

    def score(self, metric: str, sample: Sample, judge: Any = None) -> Score:
        """The one score of one metric."""
        (found,) = score(sample, judge or self.judge, [metric])
        return found

    def value(self, metric: str, *args: Any, judge: Any = None, **kwargs: Any) -> Any:
        """The value of one metric on ``sample(*args, **kwargs)``, or its status if unscored."""
        found = self.score(metric, self.sample(*args, **kwargs), judge)
        return found.status if found.value is None else found.value


@pytest.fixture(scope="session")
def world() -> World:
    """The builders."""
    return World()
