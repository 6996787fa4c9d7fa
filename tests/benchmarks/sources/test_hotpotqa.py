"""HotpotQA's layout, of the file and of the hub."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.benchmarks import BenchmarkError
from evalkit.benchmarks.sources.hotpotqa import load
from evalkit.records import Evidence


def rows() -> list[dict[str, Any]]:
    river = ["River Aar", ["The Aar rises at Kell.", " It is 40 km long."]]
    kell = ["Kell", ["Kell is a village in Tarn."]]
    return [
        {
            "_id": "5a1",
            "question": "In which county does the Aar rise?",
            "answer": "Tarn",
            "type": "bridge",
            "level": "hard",
            "supporting_facts": [["River Aar", 0], ["Kell", 0], ["Kell", 9], ["Gone", 0]],
            "context": [river, kell, ["Oak", ["Oaks are trees."]]],
        },
        {
            "_id": "5a2",
            "question": "Is the Aar longer than 30 km?",
            "answer": "yes",
            "type": "comparison",
            "level": "easy",
            "supporting_facts": [["River Aar", 1]],
            "context": [river, ["Kell", ["Kell is a surname."]]],
        },
    ]


def test_a_file(write: Any) -> None:
    """Paragraphs of all questions are there once; two of one title get different ids; the evidence is
    the supporting sentences, and the paragraph where the published number is beyond its end."""
    benchmark = load(write("hotpot_dev_distractor_v1.json", rows()))
    assert [r.revision for r in benchmark.revisions] == ["River Aar", "Kell", "Oak", "Kell#2"]
    assert benchmark.revisions[0].text == "The Aar rises at Kell. It is 40 km long."
    first, second = benchmark.questions
    assert (first.id, first.category, first.tags) == ("5a1", "bridge", ("hard",))
    assert first.answers[0].evidence == (
        Evidence("River Aar", "The Aar rises at Kell."),
        Evidence("Kell", "Kell is a village in Tarn."),
        Evidence("Kell", None),
    )
    assert second.answers[0].evidence == (Evidence("River Aar", "It is 40 km long."),)


def test_the_rows_of_the_hub_are_the_same_benchmark(write: Any, hub: Any) -> None:
    """There the pairs are objects of lists, and the id has no underscore."""
    turned = [
        {
            **{key: row[key] for key in ("question", "answer", "type", "level")},
            "id": row["_id"],
            "supporting_facts": {
                "title": [title for title, _ in row["supporting_facts"]],
                "sent_id": [number for _, number in row["supporting_facts"]],
            },
            "context": {
                "title": [title for title, _ in row["context"]],
                "sentences": [sentences for _, sentences in row["context"]],
            },
        }
        for row in rows()
    ]
    hub({("owner/hotpot", "distractor", "validation"): turned})
    pulled = load(hub="owner/hotpot", revision="c" * 40)
    assert pulled.fingerprint == load(write("dev.json", rows())).fingerprint


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("context", "text"),
        ("context", [["Kell"]]),
        ("supporting_facts", [["Kell", "0"]]),
        ("answer", None),
    ],
)
def test_a_faulty_row_is_named(write: Any, field: str, value: Any) -> None:
    """By file, position and field."""
    faulty = rows()
    faulty[1][field] = value
    with pytest.raises(BenchmarkError, match=rf"dev\.json\[1\] {field}"):
        load(write("dev.json", faulty))
