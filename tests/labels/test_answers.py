"""Files of human labels: what is read, and every fault by file, line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.labels.answers import read_labels

HEAD = "question,pipeline,metric,value\n"


def read(tmp_path: Path, text: str, name: str = "l.csv", metric: str | None = None) -> tuple:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_labels(path, metric)


def test_csv_and_jsonl_hold_the_same(tmp_path: Path) -> None:
    """Names as strings, values as numbers, with the line of each; other fields are passed over."""
    row = {"question": "1", "pipeline": "rag", "metric": "m", "value": 0.5}
    csv_lines, none = read(tmp_path, "\ufeffwho,question,pipeline,metric,value\nme,1, rag ,m,0.5\n")
    jsonl = '{"question": 1, "pipeline": "rag", "metric": "m", "value": 0.5, "who": "me"}\n'
    json_lines, nothing = read(tmp_path, jsonl, "l.jsonl")
    assert (none, nothing) == ([], [])
    assert [line.row for line in (*csv_lines, *json_lines)] == [row, row]
    assert [line.number for line in (*csv_lines, *json_lines)] == [2, 1]


def test_identifiers_are_not_numbers(tmp_path: Path) -> None:
    lines, _ = read(tmp_path, HEAD + "007,rag,m,1\n")
    assert lines[0].row["question"] == "007"


def test_a_metric_for_all_rows(tmp_path: Path) -> None:
    """It fills what names none, in files with the column or without."""
    lines, problems = read(tmp_path, HEAD + "1,rag,,1\n2,rag,other,1\n", metric="m")
    assert [line.row["metric"] for line in lines] == ["m", "other"]
    assert not problems
    lines, problems = read(tmp_path, "question,pipeline,value\n1,rag,1\n", metric="m")
    assert lines[0].row["metric"] == "m"
    assert not problems


def test_a_row_without_a_value_is_not_labelled_yet(tmp_path: Path) -> None:
    lines, problems = read(tmp_path, HEAD + "1,rag,m,\n\n2,rag,m,1\n")
    assert [(line.number, line.row["value"]) for line in lines] == [(2, None), (4, 1.0)]
    assert not problems


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("l.csv", HEAD + "1,rag,m,2\n", ["l.csv:2 value: is 2; expected 0, 1 or a share"]),
        ("l.csv", HEAD + "1,rag,m,yes\n", ["l.csv:2 value: is 'yes'"]),
        ("l.csv", HEAD + "1,rag,m,nan\n", ["l.csv:2 value: is nan"]),
        ("l.csv", HEAD + "1,rag,,1\n", ["l.csv:2 metric: is missing", "or --metric"]),
        ("l.csv", HEAD + ",rag,m,1\n1,,m,1\n", ["l.csv:2 question:", "l.csv:3 pipeline:"]),
        ("l.csv", HEAD + "1,rag,m\n", ["l.csv:2: has 3 cells; expected 4 as in the head"]),
        ("l.csv", HEAD + '"a\nb",rag,m,1\n1,rag,m\n', ["l.csv:4: has 3 cells"]),
        ("l.csv", HEAD + '1,"rag"x,m,1\n', ["l.csv:2: is not CSV"]),
        ("l.csv", "question;pipeline;metric;value\n1;rag;m;1\n", ["l.csv:1: has no column"]),
        ("l.csv", "question,pipeline,value,value\n", ["l.csv:1 value: is a column twice"]),
        ("l.csv", HEAD, ["l.csv: has no row"]),
        ("l.csv", "", ["l.csv:1: has no column question, pipeline, value: it is empty"]),
        ("l.jsonl", "[1]\n", ["l.jsonl:1: is JSON, but not an object"]),
        ("l.jsonl", '{"question": "1", "pipeline": "rag", "metric": "m", "value": [1]}\n',
         ["l.jsonl:1 value: is '[1]'"]),
        ("l.jsonl", '{"question": true, "pipeline": "rag", "metric": "m", "value": 1}\n',
         ["l.jsonl:1 question: is missing"]),
        ("l.txt", "", ["l.txt: ends in '.txt'; expected a file whose name ends in .csv or .jsonl"]),
    ],
)  # fmt: skip
def test_every_fault_is_named(tmp_path: Path, name: str, text: str, said: list[str]) -> None:
    _, problems = read(tmp_path, text, name, metric=None)
    listed = "\n".join(map(str, problems))
    for words in said:
        assert words in listed


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing, a folder, or in another encoding."""
    (tmp_path / "latin.csv").write_bytes(HEAD.encode() + "é,rag,m,1\n".encode("latin-1"))
    (tmp_path / "folder.csv").mkdir()
    for name, words in (
        ("none.csv", "none.csv: is missing"),
        ("none.jsonl", "none.jsonl: is missing"),
        ("latin.csv", "latin.csv:2: is not UTF-8"),
        ("folder.csv", "folder.csv: cannot be read"),
    ):
        lines, problems = read_labels(tmp_path / name)
        assert not lines
        assert str(problems[0]).startswith(words)
