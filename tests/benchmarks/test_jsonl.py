"""Files become records, unchanged, through typed tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import BenchmarkError, datasets_of, load, load_bundled
from evalkit.records import Answer, Evidence, FormatSpecification, Passage

Write = Callable[[Any], Path]


def test_records_hold_what_the_files_say(write: Write, sound: Any) -> None:
    """Every field arrives as written, with dates as dates and ids filled in."""
    benchmark = load(write(sound))
    assert benchmark.name == "mine"
    assert [r.revision for r in benchmark.revisions] == [
        "FIN-03@2025-01-01", "FIN-03@2025-05-01", "OPS-07@2025-01-15",
    ]  # fmt: skip
    assert benchmark.revisions[2].title == "OPS-07"
    first, second, third = benchmark.questions
    assert first.as_of == date(2025, 11, 20)
    assert first.answers[0] == Answer(
        "EUR 38",
        ("38 euros",),
        date(2025, 1, 1),
        date(2025, 5, 1),
        (Evidence("FIN-03@2025-01-01", "EUR 38 a day"),),
    )
    assert [a.text for a in first.current_answers()] == ["EUR 42"]
    assert second.cluster == "OPS-07"
    assert not second.answerable
    assert (third.answers, third.cluster, third.format) == ((), "q3", "default")
    knowledge, behaviour = benchmark.training
    assert knowledge.effective == date(2025, 1, 1)
    assert behaviour.passages == (
        Passage(
            id="FRY-02@2025-04-01#0",
            document="FRY-02",
            revision="FRY-02@2025-04-01",
            title="Bread",
            text="Bread keeps for 3 hours.",
            valid_from=date(2025, 4, 1),
            start=0,
            end=24,
        ),
    )


def test_minimal_files_are_enough(tmp_path: Path) -> None:
    """Documents with a text, questions with an answer: nothing else need be written."""
    (tmp_path / "corpus.jsonl").write_text('{"document": "A", "text": "Tea is at four."}\n')
    (tmp_path / "questions.jsonl").write_text(
        '{"id": "1", "question": "When is tea?", "answers": ["four"]}\n'
        '{"id": "2", "question": "When is coffee?", "answers": []}\n'
        '{"id": "3", "question": "What is at four?",'
        ' "answers": [{"text": "tea", "evidence": ["A"]}]}\n'
    )
    benchmark = load(tmp_path)
    assert not benchmark.dated
    assert benchmark.training == ()
    assert {q.as_of for q in benchmark.questions} == {date(2025, 1, 1)}
    assert [q.answerable for q in benchmark.questions] == [True, False, True]
    assert [q.category for q in benchmark.questions] == ["general"] * 3
    assert benchmark.questions[2].cluster == "A"
    assert benchmark.format == FormatSpecification()


def test_a_text_that_is_a_date_stays_as_it_is(tmp_path: Path) -> None:
    """An answer '2025-05-01' is not turned into a timestamp on the way, nor '007' into a number."""
    (tmp_path / "corpus.jsonl").write_text('{"document": "007", "text": "2025-05-01"}\n')
    (tmp_path / "questions.jsonl").write_text(
        '{"id": "1", "question": "When?", "answers": ["2025-05-01"]}\n'
    )
    benchmark = load(tmp_path)
    assert benchmark.revisions[0].text == "2025-05-01"
    assert benchmark.revisions[0].document == "007"
    assert benchmark.questions[0].answers[0].text == "2025-05-01"


def test_one_as_of_for_all(write: Write, sound: Any) -> None:
    """A date for all fills in for questions without one, from the file or from the argument."""
    sound["questions"] = [
        {k: v for k, v in row.items() if k != "as_of"} for row in sound["questions"]
    ]
    folder = write(sound)
    with pytest.raises(BenchmarkError, match="as_of: is missing"):
        load(folder)
    assert load(folder, as_of="2025-08-01").questions[0].as_of == date(2025, 8, 1)
    (folder / "benchmark.json").write_text('{"as_of": "2025-09-01", "name": "n", "license": "MIT"}')
    loaded = load(folder)
    assert loaded.questions[0].as_of == date(2025, 9, 1)
    assert (loaded.name, loaded.license) == ("n", "MIT")
    with pytest.raises(BenchmarkError, match="YYYY-MM-DD"):
        load(folder, as_of="tomorrow")


def test_format_comes_from_the_options(write: Write, sound: Any) -> None:
    """benchmark.json gives the format specification; an argument overrides it."""
    folder = write(sound)
    given = {
        "name": "house",
        "instruction": "Reply in JSON.",
        "instructions": [{"kind": "one_line"}],
        "fields": {"answer": "answer"},
        "abstention": "not stated",
    }
    (folder / "benchmark.json").write_text(json.dumps({"format": given}))
    assert load(folder).format == FormatSpecification(
        "house", "Reply in JSON.", ({"kind": "one_line"},), {"answer": "answer"}, "not stated"
    )
    assert load(folder, format=FormatSpecification("other")).format.name == "other"


def test_unsound_folder_is_refused_with_its_problems(write: Write, sound: Any) -> None:
    """Loading raises with the first twenty problems and the count, and carries them all."""
    sound["questions"] = [{"id": str(i), "question": ""} for i in range(15)]
    with pytest.raises(BenchmarkError) as raised:
        load(write(sound))
    assert len(raised.value.problems) == 30
    assert "... and 10 more\n30 problems" in str(raised.value)
    assert "questions.jsonl:1 question: is empty; expected a string" in str(raised.value)


def test_tables_are_typed(write: Write, sound: Any) -> None:
    """The Hugging Face tables have every documented column, also where no line has it."""
    tables = datasets_of(write(sound))
    assert {name: table.num_rows for name, table in tables.items()} == {
        "corpus": 3, "questions": 3, "training": 2,
    }  # fmt: skip
    assert tables["corpus"].column_names == [
        "document", "revision", "title", "text", "valid_from", "valid_to", "tags",
    ]  # fmt: skip
    assert tables["questions"][0]["answers"][1]["valid_from"] == "2025-05-01"


def test_loading_leaves_the_home_folder_alone(write: Write, sound: Any, tmp_path: Path) -> None:
    """Loading works offline and writes nothing, neither a cache nor a lock."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "XDG_"))}
    path = os.pathsep.join(sys.path)
    subprocess.run(
        [sys.executable, "-c", f"from evalkit.benchmarks import load; load({str(write(sound))!r})"],
        env={**kept, "HOME": str(home), "HF_HUB_OFFLINE": "1", "PYTHONPATH": path},
        check=True,
    )
    assert list(home.iterdir()) == []


def test_unknown_bundled_name() -> None:
    """A name that is not bundled is refused."""
    with pytest.raises(BenchmarkError, match="no bundled benchmark 'nope'"):
        load_bundled("nope")
