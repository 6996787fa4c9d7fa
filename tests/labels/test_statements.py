"""Labelled statements: every fault by line and field, and nothing guessed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import EvalkitError
from evalkit.labels.statements import JudgeLabel, read_judge_labels

GOOD = {"statement": "S.", "texts": ["T."], "label": 1, "group": "a"}


def jsonl(tmp_path: Path, *rows: Any) -> Path:
    path = tmp_path / "labels.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_both_kinds_of_rows(tmp_path: Path) -> None:
    """A statement with texts, a response with one source; without a group the texts are it."""
    whole = {"response": "A. B.", "source": "T.", "label": 0, "note": "passed over"}
    found = read_judge_labels(jsonl(tmp_path, GOOD, whole))
    assert found.rows == (
        JudgeLabel("S.", False, ("T.",), True, "a"),
        JudgeLabel("A. B.", True, ("T.",), False, '["T."]'),
    )
    assert len(found.sha256) == 64


def test_csv_with_quoted_texts(tmp_path: Path) -> None:
    """A list of texts as JSON in a cell, or one text that begins with a bracket all the same."""
    path = tmp_path / "labels.csv"
    path.write_text(
        'statement,texts,label,group\n"Said, so.","[""T1."", ""T2.""]",1,g\nS.,[sic] T.,0,h\n',
        encoding="utf-8-sig",
    )
    rows = read_judge_labels(path).rows
    assert rows[0] == JudgeLabel("Said, so.", False, ("T1.", "T2."), True, "g")
    assert rows[1].texts == ("[sic] T.",)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**GOOD, "label": "yes"}, "labels.jsonl:2 label: is 'yes'; expected 1"),
        ({**GOOD, "label": 0.5}, "label: is 0.5"),
        ({k: v for k, v in GOOD.items() if k != "label"}, "label: is missing"),
        ({**GOOD, "statement": " "}, "statement: is ' '"),
        ({**GOOD, "statement": ""}, "statement: is missing; expected one of statement and resp"),
        ({**GOOD, "response": "R."}, "statement: stands beside response"),
        ({**GOOD, "texts": []}, r"texts: is '\[\]'"),
        ({**GOOD, "texts": [3]}, r"texts: is '\[3\]'"),
        ({**GOOD, "texts": ["T.", ""]}, "texts: is"),
        ({"statement": "S.", "label": 1}, "texts: is missing; expected one of texts and source"),
    ],
)
def test_faults_are_named_by_line_and_field(tmp_path: Path, row: Any, said: str) -> None:
    with pytest.raises(EvalkitError, match=said):
        read_judge_labels(jsonl(tmp_path, GOOD, row))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("labels.txt", "x", "ends in '.txt'"),
        ("labels.jsonl", "", "is empty"),
        ("labels.csv", "", "has no row"),
        ("labels.csv", "statement,texts,label\na,b\n", ":2: has another number of cells"),
        ("labels.csv", 'statement,texts,label\n"a"x,b,1\n', "is not CSV"),
        ("labels.jsonl", "{", "is not JSON"),
    ],
)
def test_unreadable_files_are_refused(tmp_path: Path, name: str, content: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(EvalkitError, match=said):
        read_judge_labels(path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(EvalkitError, match="is missing"):
        read_judge_labels(tmp_path / "labels.jsonl")
