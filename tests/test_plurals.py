"""Counts in sentences."""

from __future__ import annotations

import pytest

from evalkit.plurals import counted


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 questions"),
        (1, "1 question"),
        (1.0, "1 question"),
        (2, "2 questions"),
        (0.5, "0.5 questions"),
        (12_345_678, "12,345,678 questions"),
    ],
)
def test_one_is_singular_and_all_else_plural(count: float, said: str) -> None:
    assert counted(count, "question") == said


def test_a_plural_of_its_own() -> None:
    assert counted(1, "hypothesis", "hypotheses") == "1 hypothesis"
    assert counted(3, "hypothesis", "hypotheses") == "3 hypotheses"
