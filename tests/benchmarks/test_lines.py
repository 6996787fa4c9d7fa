"""What cannot be read is named as such: bad lines, wrong encodings, empty and missing files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import check, listing
from evalkit.benchmarks.lines import Problem

Write = Callable[[Any], Path]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"document": "A", "text": "x"', "is not JSON"),
        (b'["A", "x"]', "not an object"),
        (b'{"a":' * 100_000, "is nested too deeply"),
        (b'{"document": "A", "text": "x", "text": "y"}', "has the field 'text' twice"),
        (b'{"document": "A", "text": NaN}', "holds NaN"),
        (b'{"document": "A", "text": "caf\xe9"}', "is not UTF-8: byte 0xe9 at byte 31"),
        (b'{"document": "A", "text": "\\ud83d"}', "half of a surrogate pair"),
    ],
)
def test_bad_line_is_named_and_the_rest_is_read(
    write: Write, sound: Any, line: bytes, words: str
) -> None:
    """A line that cannot be read costs that line alone."""
    folder = write(sound)
    path = folder / "corpus.jsonl"
    path.write_bytes(path.read_bytes() + line + b"\n")
    (problem,) = check(folder)
    assert (problem.file, problem.line) == ("corpus.jsonl", 4)
    assert words in problem.message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n  \n", "is empty"),
        ('{"document": "A", "text": "x"}\n'.encode("utf-16"), "is encoded as UTF-16"),
        (b'\xef\xbb\xbf{"document": "A", "text": "x"}\n', "byte order mark"),
    ],
)
def test_bad_file_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    """An empty file and a wrong encoding are named as such."""
    (tmp_path / "corpus.jsonl").write_bytes(content)
    (tmp_path / "questions.jsonl").write_bytes(b'{"id": "q", "question": "?", "answers": []}\n')
    (problem,) = check(tmp_path)
    assert problem.file == "corpus.jsonl"
    assert words in problem.message


def test_missing_files_and_folder(tmp_path: Path) -> None:
    """What is missing is named; training.jsonl may be missing."""
    missing = check(tmp_path)
    assert [str(p).split(";")[0] for p in missing] == [
        "corpus.jsonl: is missing",
        "questions.jsonl: is missing",
    ]
    (problem,) = check(tmp_path / "nowhere")
    assert "is not a folder" in str(problem)


def test_listing_is_cut_with_a_count() -> None:
    """The listing tells how many problems it left out."""
    problems = [Problem("corpus.jsonl", n, "text", "is empty", "text") for n in range(1, 4)]
    assert listing(problems, 2).splitlines() == [
        "corpus.jsonl:1 text: is empty; expected text",
        "corpus.jsonl:2 text: is empty; expected text",
        "... and 1 more",
        "3 problems",
    ]
