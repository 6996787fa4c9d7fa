"""FreshQA's layout: the sheet with its notice, and several releases."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import BenchmarkError
from evalkit.benchmarks.sources.freshqa import load

HEADER = (
    "Please read the notice first,,,,,,,,,,,\n,,,,,,,,,,,\n"
    "id,split,question,effective_year,next_review,false_premise,num_hops,fact_type,source,answer_0,"
    "answer_1,note\n"
)


def sheet(keeper: str, extra: str = "") -> str:
    return HEADER + (
        f"0,TEST,Who keeps the mill?,2024,weekly,FALSE,one-hop,fast-changing,https://x.example,{keeper},,\n"
        '1,TEST,"When was it built, and where?",before 2022,occasionally,FALSE,multi-hop,never-changing,'
        '"https://x.example\nhttps://y.example",1870 in Tarn,"Tarn, 1870",\n'
        "2,TEST,Why did the mill sink?,before 2022,occasionally,TRUE,one-hop,slow-changing,,"
        "It did not sink.,,\n"
        "3,DEV,Who owns it?,2024,weekly,FALSE,one-hop,slow-changing,,Ann,,\n" + extra
    )


def test_one_release(write: Any) -> None:
    """Answers hold from the release's date; the category is the pace, or a false premise."""
    benchmark = load(write("freshqa.csv", sheet("Ann")), as_of="2024-04-08")
    assert {q.as_of for q in benchmark.questions} == {date(2024, 4, 8)}
    assert benchmark.categories == {"fast-changing": 1, "never-changing": 1, "false-premise": 1}
    second = benchmark.questions[1]
    assert (second.answers[0].text, second.answers[0].aliases) == ("1870 in Tarn", ("Tarn, 1870",))
    assert second.answers[0].valid_from == date(2024, 4, 8)
    assert second.tags == ("never-changing", "multi-hop")
    assert benchmark.dated
    assert len(benchmark.revisions) == 0


def test_releases_make_a_history(write: Any) -> None:
    """Who kept the mill before is an outdated answer; what did not change has one answer."""
    for day, keeper in (("2024-01-08", "Ann"), ("2024-04-08", "Ben"), ("2024-05-06", "Ben")):
        path = write(f"FreshQA_{day}.csv", sheet(keeper))
    benchmark = load(path.parent)
    first, second, _ = benchmark.questions
    assert first.as_of == date(2024, 5, 6)
    assert [(a.text, a.valid_from, a.valid_to) for a in first.answers] == [
        ("Ann", date(2024, 1, 8), date(2024, 4, 8)),
        ("Ben", date(2024, 4, 8), None),
    ]
    assert len(second.answers) == 1
    assert (first.time_sensitive, second.time_sensitive) == (True, False)


def test_a_corpus_of_your_own_can_be_searched(write: Any) -> None:
    """It is read as any corpus.jsonl."""
    own = write(
        "corpus.jsonl", [{"document": "m", "text": "Ann keeps it.", "valid_from": "2024-01-01"}]
    )
    benchmark = load(write("2024-04-08.csv", sheet("Ann")), corpus=own)
    assert [r.revision for r in benchmark.revisions] == ["m@2024-01-01"]


def test_a_release_needs_a_date(write: Any) -> None:
    """Its answers mean nothing without."""
    with pytest.raises(BenchmarkError, match=r"date of the release(?s:.)*benchmark\.as_of"):
        load(write("freshqa.csv", sheet("Ann")))


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ("4,TEST,Who?,,,FALSE,,fast-changing,,,,\n", r":9 answer_0: is empty"),
        ("4,TEST,Who?,,,MAYBE,,fast-changing,,Ann,,\n", r":9 false_premise: is 'MAYBE'"),
        ("4,TEST,,,,FALSE,,fast-changing,,Ann,,\n", r":9 question: is empty"),
    ],
)
def test_a_faulty_row_is_named(write: Any, row: str, place: str) -> None:
    """By file, line (of the file, not of the table) and field."""
    with pytest.raises(BenchmarkError, match=r"2024-04-08\.csv" + place):
        load(write("2024-04-08.csv", sheet("Ann", row)))


def test_the_folder_of_no_sheets_is_named(tmp_path: Path) -> None:
    """With what was expected in it."""
    with pytest.raises(BenchmarkError, match=r"holds no file \*\.csv"):
        load(tmp_path)
