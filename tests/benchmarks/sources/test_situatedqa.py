"""SituatedQA's temporal layout: the same question on several dates."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from evalkit.benchmarks import BenchmarkError
from evalkit.benchmarks.sources.situatedqa import load


def row(day: str, answer: list[str], kind: str = "sampled_year", **more: Any) -> dict[str, Any]:
    return {
        "question": "who keeps the mill",
        "id": -42,
        "edited_question": f"who keeps the mill as of {day}",
        "date": day,
        "date_type": kind,
        "answer": answer,
        "any_answer": ["Ann", "Ben"],
        **more,
    }


def test_a_file(write: Any) -> None:
    """Each row is asked on its date, without it in the words, and knows the others' answers."""
    rows = [
        row("2021", ["Ben"]),
        row("March 5, 2019", ["Ann", "Ann"], "sampled_date"),
        row("2017", ["Ann"], "start"),
    ]
    benchmark = load(write("temp.test.jsonl", rows))
    by_id = {q.id: q for q in benchmark.questions}
    assert set(by_id) == {"-42@2017-12-31", "-42@2019-03-05", "-42@2021-12-31"}
    assert {q.text for q in benchmark.questions} == {"who keeps the mill"}
    assert {q.cluster for q in benchmark.questions} == {"-42"}
    middle = by_id["-42@2019-03-05"]
    assert [(a.text, a.valid_from, a.valid_to) for a in middle.answers] == [
        ("Ann", date(2017, 12, 31), date(2021, 12, 31)),
        ("Ben", date(2021, 12, 31), None),
    ]
    assert [a.text for a in middle.future_answers()] == ["Ben"]
    assert [a.text for a in by_id["-42@2021-12-31"].past_answers()] == ["Ann"]
    assert (middle.category, benchmark.license[:11]) == ("sampled_date", "none stated")


def test_a_value_that_comes_back_is_not_both_right_and_outdated(write: Any) -> None:
    """The answer in force stays; the same words of another time are left out."""
    rows = [row("2017", ["Ann"]), row("2019", ["Ben"]), row("2021", ["Ann"])]
    last = load(write("temp.dev.jsonl", rows)).questions[-1]
    assert [(a.text, str(a.valid_from)) for a in last.answers] == [
        ("Ben", "2019-12-31"),
        ("Ann", "2021-12-31"),
    ]


def test_rows_of_one_date_are_one_question(write: Any) -> None:
    """Whatever any of them gives is right."""
    benchmark = load(write("temp.dev.jsonl", [row("2017", ["Ann"]), row("2017", ["Ben"])]))
    (question,) = benchmark.questions
    assert [a.wordings for a in question.answers] == [("Ann", "Ben")]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"date": "soon"}, "date: is 'soon'"),
        ({"answer": []}, "answer: is empty"),
        ({"answer": 3}, "answer"),
    ],
)
def test_a_faulty_line_is_named(write: Any, more: dict[str, Any], field: str) -> None:
    """By file, line and field."""
    rows = [row("2017", ["Ann"]), {**row("2018", ["Ann"]), **more}]
    with pytest.raises(BenchmarkError, match=rf"temp\.dev\.jsonl:2 {field}"):
        load(write("temp.dev.jsonl", rows))
