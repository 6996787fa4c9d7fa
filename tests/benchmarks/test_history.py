"""Dated histories of knowledge examples: what is checked, loaded and fingerprinted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import check, load
from evalkit.benchmarks.rules import Period
from evalkit.records import Answer

Write = Callable[[Any], Path]
HISTORY = [
    {"text": "EUR 38", "valid_from": "2025-01-01", "valid_to": "2025-05-01"},
    {"text": "EUR 42", "valid_from": "2025-05-01"},
]
WITHDRAWN = {
    "id": "k2",
    "kind": "knowledge",
    "question": "A box is not fetched. When is it shut for good?",
    "as_of": "2025-03-31",
    "answer": "15 days",
    "source": "OPS-07",
    "effective": "2025-01-15",
}


def with_history(rows: Any, history: Any, **changes: Any) -> Any:
    """The rows with a history on the first knowledge example."""
    rows["training"][0].update(answers=history, **changes)
    return rows


def test_a_history_is_read(write: Write, sound: Any) -> None:
    """As answers with their periods, and the days on which the source was revised."""
    example = load(write(with_history(sound, HISTORY))).training[0]
    may = date(2025, 5, 1)
    assert example.answers == (
        Answer("EUR 38", (), date(2025, 1, 1), may),
        Answer("EUR 42", (), may),
    )
    assert example.revised == (date(2025, 1, 1), may)


CASES: list[tuple[str, Any, dict[str, Any], str, str]] = [
    ("another answer", HISTORY, {"answer": "EUR 42"}, "answer", "in force at 2025-03-31 'EUR 38'"),
    ("no answer", HISTORY, {"answer": None}, "answer", "is None"),
    ("none in force", HISTORY[1:], {}, "answer", "none, so null"),
    ("overlap", [{**HISTORY[0], "valid_to": "2025-05-02"}, HISTORY[1]], {}, "answers[1]", "overlaps an answer"),
    ("empty", [HISTORY[0], {**HISTORY[1], "valid_to": "2025-05-01"}], {}, "answers[1].valid_to", "is empty"),
    ("too early", [{**HISTORY[0], "valid_from": "2024-12-31"}], {}, "answers[0]", "no revision of 'FIN-03' is"),
    ("without start", [{**HISTORY[0], "valid_from": None}], {}, "answers[0]", "no revision of 'FIN-03' is"),
    ("no text", [{"valid_from": "2025-01-01"}], {}, "answers[0].text", "is missing"),
    ("a text alone", ["EUR 38"], {}, "answers[0]", "is a string; expected an object with the fields text"),
    ("evidence", [{**HISTORY[0], "evidence": []}], {}, "answers[0].evidence", "unknown field"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("history", "changes", "field", "words"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_a_faulty_history_is_named(
    write: Write, sound: Any, history: Any, changes: dict[str, Any], field: str, words: str
) -> None:
    """By file, line and field, with what was expected."""
    problems = check(write(with_history(sound, history, **changes)))
    assert [(p.file, p.line, p.field) for p in problems] == [("training.jsonl", 1, field)]
    assert words in str(problems[0])


def test_a_fact_can_begin_after_the_day_of_its_example(write: Write, sound: Any) -> None:
    """Its answer is then null, also where its document is not there yet; an effective date is not."""
    late = {"text": "20 days", "valid_from": "2025-02-01", "valid_to": "2025-07-01"}
    early = {**WITHDRAWN, "as_of": "2025-01-01", "answer": None, "effective": None}
    sound["training"].append({**early, "answers": [late]})
    assert check(write(sound)) == []
    sound["training"][-1]["effective"] = "2025-02-01"
    (problem,) = check(write(sound))
    assert problem.field == "effective"


def test_a_history_ends_with_its_document(write: Write, sound: Any) -> None:
    """What a withdrawn document said is not known to be right afterwards."""
    ended = {"text": "15 days", "valid_from": "2025-01-15", "valid_to": "2025-07-01"}
    sound["training"].append({**WITHDRAWN, "answers": [ended]})
    assert check(write(sound)) == []
    sound["training"][-1]["answers"] = [{**ended, "valid_to": None}]
    (problem,) = check(write(sound))
    assert (problem.field, problem.line) == ("answers[0]", 3)


def test_behaviour_has_no_history(write: Write, sound: Any) -> None:
    """Its facts are of no document of the corpus."""
    sound["training"][1].update(answers=HISTORY)
    (problem,) = check(write(sound))
    assert (problem.line, problem.field) == (2, "answers")


def test_the_fingerprint_holds_histories(write: Write, sound: Any) -> None:
    """A history changes it; an empty one is none."""
    plain = load(write(sound)).fingerprint
    assert load(write(with_history(sound, []))).fingerprint == plain
    first = load(write(with_history(sound, HISTORY))).fingerprint
    other = [HISTORY[0], {**HISTORY[1], "text": "EUR 43"}]
    assert len({plain, first, load(write(with_history(sound, other))).fingerprint}) == 3


DAYS = [None, *(date(2025, month, 1) for month in (1, 3, 5, 7))]


@pytest.mark.parametrize("start", DAYS)
@pytest.mark.parametrize("end", DAYS)
@pytest.mark.parametrize(
    "others",
    [[(1, 2), (2, 4)], [(1, 2), (3, 4)], [(None, 2), (2, None)], [(2, None), (1, 2)], []],
)
def test_within_is_every_day_in_some_period(
    start: date | None, end: date | None, others: list[tuple[int | None, int | None]]
) -> None:
    """Checked day by day over the year, its edges standing for what is without bound."""
    period = Period(start, end)
    if period.empty:
        return
    known = [Period(*(None if i is None else DAYS[i] for i in pair)) for pair in others]
    between = [date(2025, 2, 1), date(2025, 4, 1), date(2025, 6, 1)]
    probes = [date(1, 1, 1), *(day for day in DAYS if day), *between, date(9999, 1, 1)]
    expected = all(any(o.holds(day) for o in known) for day in probes if period.holds(day))
    assert period.within(known) == expected
