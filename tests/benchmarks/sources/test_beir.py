"""BEIR's layout: evidence by document and no answers, so retrieval alone is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import BenchmarkError
from evalkit.benchmarks.sources.beir import load
from evalkit.records import (
    Evidence,
    FormatSpecification,
    ParsedOutput,
    Passage,
    Retrieved,
    Sample,
    Trace,
)
from evalkit.scoring import METRICS
from evalkit.scoring.metric import UNKNOWN


def folder(write: Any, qrels: str = "q1\td1\t2\nq1\td3\t1\nq1\td2\t0\nq3\td2\t0\n") -> Path:
    write(
        "set/corpus.jsonl",
        [
            {"_id": "d1", "title": "Mill", "text": "Built in 1870.", "metadata": {}},
            {"_id": "d2", "title": "", "text": "Oaks are trees."},
            {"_id": "d3", "title": "A title alone", "text": ""},
            {"_id": "d4", "title": "", "text": ""},
        ],
    )
    write("set/queries.jsonl", [{"_id": f"q{i}", "text": f"query {i}"} for i in (1, 2, 3)])
    path: Path = write("set/qrels/test.tsv", "query-id\tcorpus-id\tscore\n" + qrels)
    return path.parent.parent


def test_a_folder(write: Any) -> None:
    """The queries with something relevant; a title stands for a missing text; an empty document is
    left out."""
    benchmark = load(folder(write))
    assert benchmark.name == "set"
    assert [r.revision for r in benchmark.revisions] == ["d1", "d2", "d3"]
    assert benchmark.revisions[2].text == "A title alone"
    (question,) = benchmark.questions
    assert (question.id, question.text) == ("q1", "query 1")
    assert question.answers[0].text == ""
    assert question.answers[0].evidence == (Evidence("d1"), Evidence("d3"))


def sample_of(benchmark: Any, output: str) -> Sample:
    (question,) = benchmark.questions
    fetched = tuple(
        Retrieved(Passage(f"{name}#0", name, name, "", "text"), 1.0) for name in ("d2", "d1")
    )
    trace = Trace("q1", "rag", fetched, prompt="", output=output)
    revisions = benchmark.corpus.by_id
    return Sample(question, trace, FormatSpecification(), revisions, ParsedOutput(output))


@pytest.mark.parametrize("output", ["1870", "unknown", ""])
def test_what_the_answer_is_is_not_known(write: Any, output: str) -> None:
    """No reply is called right, wrong or outdated: the answer's metrics are not applicable and say so;
    those of retrieval are numbers."""
    sample = sample_of(load(folder(write)), output)
    for metric in METRICS.values():
        if metric.id.startswith("correctness/") and not metric.id.endswith("/abstention"):
            assert metric.applies(sample) == UNKNOWN
        if metric.id.startswith(
            ("freshness/generation", "correctness/", "format/generation/correct")
        ):
            assert metric.applies(sample) is not None
    recall = METRICS["faithfulness/retrieval/context_recall"]
    assert recall.applies(sample) is None
    assert recall.function(sample, None).value == 0.5  # type: ignore[arg-type]


def test_the_blame_of_an_unknown_answer_is_none(write: Any) -> None:
    """A stage cannot be at fault for a reply of which nothing is known."""
    from evalkit.scoring.blame import blame

    found = blame(sample_of(load(folder(write)), "1870"), [])
    assert (found.stage if hasattr(found, "stage") else found.kind, found.rule) == ("none", UNKNOWN)


@pytest.mark.parametrize(
    ("qrels", "place"),
    [
        ("q1\td1\t1\nq1\td9\t1\n", r"test\.tsv:3 corpus-id: 'd9' is no document"),
        ("q1\td1\thigh\n", r"test\.tsv:2 score: is 'high'"),
        ("q9\td1\t1\n", r"test\.tsv:2 query-id: 'q9' is no query"),
        ("q1\td1\t0\n", "gives no questions"),
    ],
)
def test_a_faulty_judgment_is_named(write: Any, qrels: str, place: str) -> None:
    """By file, line and field."""
    with pytest.raises(BenchmarkError, match=place):
        load(folder(write, qrels))


def test_the_hub_has_the_judgments_apart(write: Any, hub: Any) -> None:
    """Both commits are asked for, and the benchmark is the same."""
    read = load(folder(write))
    hub(
        {
            ("o/set", "corpus", "corpus"): [
                {
                    "_id": r.revision,
                    "title": r.title if r.title != r.revision else "",
                    "text": r.text,
                }
                for r in read.revisions
            ],
            ("o/set", "queries", "queries"): [{"_id": "q1", "text": "query 1"}],
            ("o/set-qrels", None, "test"): [
                {"query-id": "q1", "corpus-id": each, "score": 1} for each in ("d1", "d3")
            ],
        }
    )
    with pytest.raises(BenchmarkError, match="a commit of o/set-qrels"):
        load(hub="o/set", revision="d" * 40)
    pulled = load(hub="o/set", revision="d" * 40, qrels_revision="e" * 40)
    assert pulled.name == "set"
    assert [q.answers for q in pulled.questions] == [q.answers for q in read.questions]


def test_scifact(published: Path) -> None:
    """5,183 documents, 300 queries, 339 judgments."""
    benchmark = load(published / "scifact")
    assert (len(benchmark.revisions), len(benchmark.questions)) == (5183, 300)
    assert sum(len(q.answers[0].evidence) for q in benchmark.questions) == 339
    first = benchmark.questions[0]
    assert first.text == "0-dimensional biomaterials show inductive properties."
    assert first.answers[0].evidence == (Evidence("31715818"),)
