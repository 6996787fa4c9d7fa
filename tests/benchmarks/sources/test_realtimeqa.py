"""RealTime QA's layout: weekly files, choices, evidence in HTML."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from evalkit.benchmarks import BenchmarkError
from evalkit.benchmarks.sources.realtimeqa import load
from evalkit.records import Evidence


def row(name: str, **more: Any) -> dict[str, Any]:
    return {
        "question_id": name,
        "question_date": "2023/01/05",
        "question_source": "GAZETTE",
        "question_url": "https://gazette.example/quiz",
        "question_sentence": "Which mill reopened this week?",
        "choices": ["Tarn &amp; Sons", "Kell Mill", "Aar Mill"],
        "answer": ["1"],
        "evidence": 'The <a href="https://gazette.example/1">Kell Mill</a> reopened on Monday.',
        **more,
    }


def test_a_week(write: Any) -> None:
    """The right choice is the answer from the question's date on, the evidence a document then."""
    rows = [
        row("20230106_0"),
        row("20230106_1", evidence="", question_date="2023-01-06", answer="0"),
    ]
    benchmark = load(write("20230106_qa.jsonl", rows))
    first, second = benchmark.questions
    assert (first.as_of, second.as_of) == (date(2023, 1, 5), date(2023, 1, 6))
    assert [(a.text, a.valid_from) for a in first.answers] == [("Kell Mill", date(2023, 1, 5))]
    assert first.answers[0].evidence == (Evidence("20230106_0@2023-01-05"),)
    assert [r.text for r in benchmark.revisions] == ["The Kell Mill reopened on Monday."]
    assert benchmark.corpus.history(date(2023, 1, 4)).revisions == ()
    assert (second.answers[0].text, second.answers[0].evidence) == ("Tarn & Sons", ())


def test_choices_can_be_told(write: Any) -> None:
    """The multiple-choice setting; another fingerprint, as it is another question."""
    path = write("20230106_qa.jsonl", [row("20230106_0")])
    told = load(path, choices=True)
    assert told.questions[0].text.endswith("(Tarn & Sons / Kell Mill / Aar Mill)")
    assert told.fingerprint != load(path).fingerprint


def test_a_question_that_is_repeated_is_taken_once(write: Any) -> None:
    """In whatever file; an id that was used for two questions is told apart; other files of the
    folder are another task."""
    write("past/20230106_qa.jsonl", [row("20230106_0")])
    write(
        "past/20230113_qa.jsonl", [row("20230106_0"), row("20230106_0", question_sentence="Which?")]
    )
    path = write("past/20230106_qa_nota.jsonl", [row("20230106_0_nota")])
    benchmark = load(path.parent)
    assert [q.id for q in benchmark.questions] == ["20230106_0", "20230106_0#2"]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"answer": ["3"]}, "answer: is"),
        ({"answer": ["Kell Mill"]}, "answer: is"),
        ({"choices": None}, "choices: is"),
        ({"question_date": "5 January"}, "question_date: is"),
    ],
)
def test_a_faulty_line_is_named(write: Any, more: dict[str, Any], field: str) -> None:
    """By file, line and field."""
    with pytest.raises(BenchmarkError, match=rf"20230106_qa\.jsonl:2 {field}"):
        load(write("20230106_qa.jsonl", [row("20230106_0"), row("20230106_1", **more)]))
