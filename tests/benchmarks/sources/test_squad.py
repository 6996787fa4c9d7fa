"""SQuAD's layout: version 1.1, version 2.0, the hub's rows, and XQuAD's own file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import BenchmarkError
from evalkit.benchmarks.sources.squad import load
from evalkit.records import Evidence

CONTEXT = "The mill was built in 1870. It closed in 1931."


def document() -> dict[str, Any]:
    answer = {"text": "1870", "answer_start": 22}
    again = {"text": "in 1870", "answer_start": 19}
    return {
        "version": "v2.0",
        "data": [
            {
                "title": "Mill",
                "paragraphs": [
                    {
                        "context": CONTEXT,
                        "qas": [
                            {"id": "q1", "question": "When was it built?", "is_impossible": False,
                             "answers": [answer, answer, again]},
                            {"id": "q2", "question": "Who built it?", "is_impossible": True,
                             "answers": [], "plausible_answers": [answer]},
                        ],
                    },
                    {"context": "Its wheel was of oak.", "qas": []},
                ],
            }
        ],
    }  # fmt: skip


def test_a_file_of_version_2(write: Any) -> None:
    """Paragraphs are documents, several annotators' answers one, an impossible question has none."""
    benchmark = load(write("dev-v2.0.json", document()))
    assert benchmark.license == "CC BY-SA 4.0"
    assert not benchmark.dated
    assert [r.text for r in benchmark.revisions] == [CONTEXT]
    first, second = benchmark.questions
    assert [(a.text, a.aliases) for a in first.answers] == [("1870", ("in 1870",))]
    assert first.answers[0].evidence == (Evidence("Mill", "1870"), Evidence("Mill", "in 1870"))
    assert (first.category, first.cluster) == ("answerable", "Mill")
    assert (second.category, second.answers) == ("unanswerable", ())


def test_the_rows_of_the_hub_are_the_same_benchmark(write: Any, hub: Any) -> None:
    """The fingerprint is that of the content, wherever it was read from."""
    rows = [
        {"id": "q1", "title": "Mill", "context": CONTEXT, "question": "When was it built?",
         "answers": {"text": ["1870", "1870", "in 1870"], "answer_start": [22, 22, 19]}},
        {"id": "q2", "title": "Mill", "context": CONTEXT, "question": "Who built it?",
         "answers": {"text": [], "answer_start": []}},
    ]  # fmt: skip
    hub({("owner/squad", None, "validation"): rows})
    pulled = load(hub="owner/squad", revision="b" * 40)
    assert pulled.fingerprint == load(write("dev.json", document())).fingerprint


def test_one_other_letter_is_another_fingerprint(write: Any) -> None:
    """And the name and place are no part of it."""
    before = load(write("a.json", document()))
    changed = document()
    changed["data"][0]["paragraphs"][0]["qas"][0]["question"] = "When was it erected?"
    assert load(write("b.json", document()), name="other").fingerprint == before.fingerprint
    assert load(write("c.json", changed)).fingerprint != before.fingerprint


def test_a_faulty_question_is_named_by_its_position(write: Any) -> None:
    """A JSON document has no line for each, so the path within it is given; all faults are listed."""
    faulty = document()
    questions = faulty["data"][0]["paragraphs"][0]["qas"]
    questions[0]["answers"] = "1870"
    del questions[1]["question"]
    place = r"x\.json\.data\[0\]\.paragraphs\[0\]\.qas"
    with pytest.raises(BenchmarkError) as caught:
        load(write("x.json", {**faulty}))
    assert caught.match(place + r"\[1\] question: is missing")
    faulty["data"][0]["paragraphs"] = None
    with pytest.raises(BenchmarkError, match=r"x\.json\.data\[0\]\.paragraphs is not a list"):
        load(write("x.json", faulty))


def test_a_subset_keeps_the_documents(write: Any) -> None:
    """A quick look asks fewer questions of the same corpus."""
    benchmark = load(write("dev.json", document())).subset(1)
    assert (len(benchmark.questions), len(benchmark.revisions)) == (1, 1)


def test_xquad(published: Path) -> None:
    """240 paragraphs of 48 articles, 1,190 questions, each with an answer that stands in them."""
    benchmark = load(published / "xquad" / "xquad.en.json", name="xquad")
    assert (len(benchmark.revisions), len(benchmark.questions)) == (240, 1190)
    assert len({q.cluster for q in benchmark.questions}) == 48
    first = benchmark.questions[0]
    assert first.text == "How many points did the Panthers defense surrender?"
    assert [a.text for a in first.answers] == ["308"]
    for question in benchmark.questions:
        for answer in question.answers:
            for evidence in answer.evidence:
                assert evidence.quote in benchmark.corpus.by_id[evidence.revision].text
