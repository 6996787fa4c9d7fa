"""A few dated passages."""

from __future__ import annotations

from datetime import date

import pytest

from evalkit.records import Passage


def make(name: str, text: str, start: str | None, end: str | None = None) -> Passage:
    """A passage of the document that its id begins with."""
    bounds = [None if each is None else date.fromisoformat(each) for each in (start, end)]
    return Passage(name, name[0], name, "Lockers", text, *bounds)


@pytest.fixture
def passages() -> list[Passage]:
    """Document A changed in May, B was withdrawn in July, C comes in October, D has no dates."""
    return [
        make("A2", "A small locker costs EUR 3 a day.", "2025-05-01"),
        make("A1", "A small locker costs EUR 2 a day.", "2025-01-01", "2025-05-01"),
        make("B1", "Frozen goods stay in the depot.", "2025-01-01", "2025-07-01"),
        make("C1", "Drones bring parcels to a small locker.", "2025-10-01"),
        make("D", "Colleagues greet each other.", None),
    ]
