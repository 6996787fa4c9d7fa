"""CLAPnq's layout: answerable with several annotators, and unanswerable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import BenchmarkError
from evalkit.benchmarks.sources.clapnq import load
from evalkit.records import Evidence

SENTENCES = ["The mill stands in Tarn .", "It was built in 1870 .", "It is a museum now ."]


def rows() -> list[dict[str, Any]]:
    passage = {"title": "Mill", "text": " ".join(SENTENCES), "sentences": SENTENCES}
    meta = {"annotator": [1], "has_minimal_answer": False, "non_consecutive": True, "round": 2}
    one = {
        "answer": "Built in 1870, a museum now.",
        "selected_sentences": SENTENCES[1:],
        "meta": meta,
    }
    two = {
        "answer": "A museum, of 1870.",
        "selected_sentences": [SENTENCES[1], "not there"],
        "meta": meta,
    }
    return [
        {"id": "77", "input": "what is the mill", "passages": [passage], "output": [one, two]},
        {"id": 78, "input": "who built the mill", "passages": [passage],
         "output": [{"answer": None, "meta": None}]},
    ]  # fmt: skip


def test_a_file(write: Any) -> None:
    """Annotators' answers are wordings of one, the sentences that stand in the passage its quotes."""
    benchmark = load(write("clapnq_dev.jsonl", rows()))
    assert len(benchmark.revisions) == 1
    first, second = benchmark.questions
    assert first.answers[0].text == "Built in 1870, a museum now."
    assert first.answers[0].aliases == ("A museum, of 1870.",)
    assert first.answers[0].evidence == tuple(Evidence("Mill", each) for each in SENTENCES[1:])
    assert (second.id, second.category, second.answers) == ("78", "unanswerable", ())


def test_a_faulty_line_is_named(write: Any) -> None:
    """By file, line and field."""
    faulty = rows()
    faulty[1]["output"] = {}
    with pytest.raises(BenchmarkError, match=r"dev\.jsonl:2 output: is '\{\}'"):
        load(write("dev.jsonl", faulty))


def test_the_published_dev_set(published: Path) -> None:
    """300 answerable and 300 unanswerable questions; every chosen sentence stands in its passage."""
    benchmark = load(published / "clapnq" / "annotated_data" / "dev")
    assert benchmark.categories == {"answerable": 300, "unanswerable": 300}
    first = benchmark.questions[0]
    assert first.text == "which method of forecasting uses averages to predict future weather"
    assert first.answers[0].text.startswith("Seasonality, in which data experiences regular")
    quotes = [e.quote for q in benchmark.questions for a in q.answers for e in a.evidence]
    assert sum(quote is not None for quote in quotes) >= 890
    assert [q.answers for q in benchmark.questions if q.category == "unanswerable"] == [()] * 300
