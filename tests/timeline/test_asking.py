"""Questions asked at other dates: what is right follows from the dated answers."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evalkit
from evalkit.records import Answer, Question
from evalkit.timeline.asking import (
    asked_at,
    changed_documents,
    changed_facts,
    over,
    reply_at,
    span,
)

D0, D1, D2 = date(2025, 2, 1), date(2025, 7, 1), date(2025, 10, 1)
START = date(2025, 1, 1)


def by_id(benchmark: evalkit.Benchmark) -> dict[str, Question]:
    return {q.id: q for q in benchmark.questions}


def test_what_is_right_follows_the_date(moving_benchmark: evalkit.Benchmark) -> None:
    """The old allowance in February, the new one in July; before and after its fact, nothing."""
    early, late = (by_id(asked_at(moving_benchmark, day)) for day in (D0, D2))
    assert [a.text for a in early["q1"].current_answers()] == ["EUR 38"]
    assert [a.text for a in late["q1"].current_answers()] == ["EUR 42"]
    assert not early["q4"].answerable  # the lockers are not there yet
    assert late["q4"].answerable
    assert not late["q3"].answerable  # the club is gone
    assert [a.text for a in late["q3"].past_answers()] == ["18 months"]


def test_nothing_but_the_date_of_a_question_changes(moving_benchmark: evalkit.Benchmark) -> None:
    again = asked_at(moving_benchmark, date(2025, 10, 1))
    assert again.fingerprint == moving_benchmark.fingerprint  # it is the date they have anyway
    assert asked_at(moving_benchmark, D0).revisions == moving_benchmark.revisions


def test_a_study_asks_what_changes_and_says_how(moving_benchmark: evalkit.Benchmark) -> None:
    """The benchmark calls the lockers' question two_document; in this study its fact is new, and so
    counts for freshness at every date."""
    asked = over(moving_benchmark, (D0, D1, D2), only_changing=True)
    found = {q.id: q.category for q in asked.questions}
    assert found == {"q1": "changed", "q3": "withdrawn", "q4": "new"}
    for day in (D0, D1, D2):
        assert all(q.time_sensitive for q in asked_at(asked, day).questions)


def test_all_questions_can_be_asked(moving_benchmark: evalkit.Benchmark) -> None:
    """Those that never change keep their category."""
    asked = over(moving_benchmark, (D0, D1, D2), only_changing=False)
    assert {q.id: q.category for q in asked.questions if q.id in ("q2", "q5")} == {
        "q2": "unchanged",
        "q5": "unanswerable",
    }
    assert len(asked.questions) == 5


def test_between_dates_without_a_change_nothing_is_asked(
    moving_benchmark: evalkit.Benchmark,
) -> None:
    days = (date(2025, 2, 1), date(2025, 3, 1))
    assert not over(moving_benchmark, days, only_changing=True).questions


def test_a_question_that_is_asked_on_several_dates_is_there_once(
    moving_benchmark: evalkit.Benchmark,
) -> None:
    """Its copies differ in id and date alone."""
    from dataclasses import replace

    twice = replace(
        moving_benchmark,
        questions=(
            *moving_benchmark.questions,
            *(replace(q, id=f"{q.id}-early", as_of=D0) for q in moving_benchmark.questions),
        ),
    )
    ids = [q.id for q in over(twice, (D0, D2), only_changing=True).questions]
    assert ids == ["q1", "q3", "q4"]


def test_changed_facts_and_documents_are_counted(moving_benchmark: evalkit.Benchmark) -> None:
    """By hand, from the five revisions: a revised page and a new one; then one that was withdrawn."""
    assert changed_facts(moving_benchmark, D0, D1) == 2
    assert changed_facts(moving_benchmark, D1, D2) == 1
    assert changed_facts(moving_benchmark, D0, D2) == 3
    assert changed_documents(moving_benchmark, D0, D1) == 2
    assert changed_documents(moving_benchmark, D1, D2) == 1
    assert changed_documents(moving_benchmark, D0, D0) == 0


def test_two_questions_on_one_fact_are_one_changed_fact(
    moving_benchmark: evalkit.Benchmark,
) -> None:
    from dataclasses import replace

    first = moving_benchmark.questions[0]
    more = replace(
        moving_benchmark,
        questions=(
            *moving_benchmark.questions,
            replace(first, id="q1b", text="What may one spend daily?"),
        ),
    )
    assert changed_facts(more, D0, D1) == 2


def test_the_span_is_what_the_benchmark_knows(moving_benchmark: evalkit.Benchmark) -> None:
    assert span(moving_benchmark) == (date(2025, 1, 1), date(2025, 10, 1))


@given(
    cuts=st.lists(st.integers(1, 300), min_size=1, max_size=4, unique=True).map(sorted),
    on=st.integers(0, 320),
)
def test_a_reply_is_that_of_the_period_that_holds_the_date(cuts: list[int], on: int) -> None:
    """Whatever the periods: one after the other, each half-open."""
    edges = [START + timedelta(days=n) for n in (0, *cuts)]
    answers = tuple(
        Answer(f"value {i}", valid_from=a, valid_to=b)
        for i, (a, b) in enumerate(zip(edges, [*edges[1:], None], strict=True))
    )
    question = Question("q", "?", START, "changed", "c", answers)
    expected = sum(on >= cut for cut in cuts)
    assert reply_at(question, START + timedelta(days=on)) == {f"value {expected}"}


@pytest.mark.parametrize("limit", [1, 2])
def test_a_smaller_study_is_part_of_a_larger(
    moving_benchmark: evalkit.Benchmark, limit: int
) -> None:
    asked = over(moving_benchmark, (D0, D1, D2), only_changing=True)
    smaller = {q.id for q in asked.subset(limit).questions}
    assert smaller <= {q.id for q in asked.subset(limit + 1).questions}
