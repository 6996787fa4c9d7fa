"""The tables of a run are the same however they are cut into blocks, and hold no secret."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest

from evalkit.records import (
    FormatSpecification,
    ParsedOutput,
    Passage,
    Question,
    Retrieved,
    Sample,
    Score,
    Trace,
)
from evalkit.results import measures
from evalkit.results.measures import CLASSES, Plan, measure
from evalkit.scoring import COLUMNS, METRICS
from evalkit.statistics.claims import Hypothesis
from evalkit.tables import run_tables, score_file
from evalkit.tables.cases import Case
from evalkit.tables.run_tables import RunTables
from evalkit.tables.score_file import ScoreFile

DAY = date(2025, 6, 1)
NAMES = ("bare", "rag")
CORRECT = "correctness/generation/correct"
SOME = {
    name: each
    for place, (name, each) in enumerate(METRICS.items())
    if place % 8 == 0 or name in (CORRECT, CLASSES)
}
HIT = Retrieved(Passage("A#0", "A", "A@1", "T", "EUR 42.", DAY), 0.5)


def case(number: int, pipeline: str, **changed: Any) -> Case:
    """An answer with a score on every metric; every fifth is not applicable, some have failed."""
    question = Question(
        f"q{number}",
        "How much?",
        DAY,
        ("changed", "new")[number % 2],
        f"c{number // 2}",
        tags=("x", "y"),
    )
    trace = Trace(
        f"q{number}", pipeline, (HIT,) if pipeline == "rag" else None, "prompt", "EUR 42", 10, number,
        seconds={"generation": float(number)},
    )  # fmt: skip
    sample = Sample(
        question, replace(trace, **changed), FormatSpecification(), {}, ParsedOutput("EUR 42")
    )
    scores = []
    for place, name in enumerate(SOME):
        likely = 0.3 + 0.5 * (pipeline == "rag" and place % 2)
        value = float(Random(f"{number} {pipeline} {name}").random() < likely)
        score = Score(f"q{number}", pipeline, name, "scored", value)
        if (number + place) % 5 == 0:
            score = replace(score, status="not_applicable", value=None, reason="undefined")
        scores.append(score)
    return Case(sample, scores)


CASES = [[case(n, name) for name in NAMES] for n in range(30)]


def write(
    folder: Path, at_once: int, cases: list[list[Case]] = CASES, redact: Any = lambda value: value
) -> tuple[RunTables, ScoreFile]:
    folder.mkdir()
    with RunTables(folder, NAMES, 1, redact) as tables:
        for start in range(0, len(cases), at_once):
            tables.add([each for block in cases[start : start + at_once] for each in block])
        return tables, tables.finish()


@pytest.fixture(autouse=True)
def few_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_file, "METRICS", SOME)
    monkeypatch.setattr(measures, "METRICS", SOME)


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are cut by metric, as those of large runs are."""
    monkeypatch.setattr(score_file, "_GROUP", 10)
    monkeypatch.setattr(score_file, "_BATCH", 200)


def ordered(scores: pd.DataFrame) -> pd.DataFrame:
    return scores.sort_values(["metric", "pipeline", "question"]).reset_index(drop=True)


def test_blocks_do_not_show_in_the_tables(tmp_path: Path, small_groups: None) -> None:
    """One by one or all at once: the same rows, counts and questions."""
    one, scores_one = write(tmp_path / "one", 1)
    every, scores_all = write(tmp_path / "all", 100)
    for name, key in (
        ("traces", ["pipeline", "question"]),
        ("scores", ["metric", "pipeline", "question"]),
    ):
        frames = [
            pd.read_parquet(tmp_path / folder / f"{name}.parquet").sort_values(key).reset_index(drop=True)
            for folder in ("one", "all")
        ]  # fmt: skip
        pd.testing.assert_frame_equal(*frames)
    assert (tmp_path / "one" / "questions.json").read_text() == (
        tmp_path / "all" / "questions.json"
    ).read_text()
    assert (one.tally.spent, one.blamed.rows()) == (every.tally.spent, every.blamed.rows())
    assert len(scores_one.groups) == len(scores_all.groups) == len(SOME)
    assert not list(tmp_path.rglob("*.part"))


def test_scores_can_be_read_a_few_metrics_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parts together are the whole table, each with all rows of its metrics."""
    _, whole = write(tmp_path / "whole", 100)
    assert whole.groups == {}
    (table,) = whole.batches()
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == 60 * len(SOME)
    row = table[(table["question"] == "q3") & (table["pipeline"] == "rag")].iloc[0]
    assert (row["category"], row["cluster"], row["as_of"], row["tags"]) == (
        "new",
        "c1",
        "2025-06-01",
        "x;y",
    )
    monkeypatch.setattr(score_file, "_GROUP", 10)
    monkeypatch.setattr(score_file, "_BATCH", 200)
    _, cut = write(tmp_path / "cut", 4)
    parts = list(cut.batches())
    assert [part["metric"].nunique() for part in parts] == [3] * (len(SOME) // 3) + (
        [len(SOME) % 3] if len(SOME) % 3 else []
    )
    pd.testing.assert_frame_equal(ordered(pd.concat(parts)), ordered(table))
    some = list(SOME)[3:5]
    for file in (whole, cut):
        pd.testing.assert_frame_equal(
            ordered(file.of(some)), ordered(table[table["metric"].isin(some)])
        )


def test_statistics_do_not_depend_on_how_scores_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every number of every table, p-values that are adjusted over all metrics included."""
    claim = Hypothesis(CORRECT, ("rag",), ("bare",))
    plan = Plan(
        NAMES, {(False, False): "bare", (True, False): "rag"}, [claim], 1,
        {"resamples": 100, "confidence": 0.95, "seed": 0},
    )  # fmt: skip
    _, whole = write(tmp_path / "whole", 100)
    expected = measure(whole, plan)
    monkeypatch.setattr(score_file, "_GROUP", 10)
    monkeypatch.setattr(score_file, "_BATCH", 200)
    _, cut = write(tmp_path / "cut", 4)
    found = measure(cut, plan)
    assert set(found) == set(expected)
    for name, rows in expected.items():
        assert found[name] == rows, name
    assert all(
        len(expected[name]) for name in ("estimates", "comparisons", "effects", "hypotheses")
    )
    assert any(row["p_adjusted"] != row["p_value"] for row in expected["comparisons"])


def test_secrets_are_in_no_table_and_names_are_found_again(
    tmp_path: Path, small_groups: None
) -> None:
    """A pipeline that is named as a secret value is: the file hides it, the statistics know it."""

    def hide(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("rag", "<redacted>")
        if isinstance(value, dict):
            return {hide(key): hide(each) for key, each in value.items()}
        return [hide(each) for each in value] if isinstance(value, list) else value

    tables, scores = write(tmp_path / "run", 7, redact=hide)
    assert {name for part in scores.batches() for name in part["pipeline"]} == {"bare", "rag"}
    for name in ("scores", "traces"):
        frame = pd.read_parquet(tmp_path / "run" / f"{name}.parquet")
        assert set(frame["pipeline"]) == {"bare", "<redacted>"}
    assert "rag" not in (tmp_path / "run" / "questions.json").read_text()
    assert "rag" not in json.dumps(tables.page)


def test_a_page_gets_the_first_questions_and_the_file_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_tables, "PAGE_QUESTIONS", 12)
    tables, _ = write(tmp_path / "run", 5)
    listed = json.loads((tmp_path / "run" / "questions.json").read_text())
    assert [row["question"] for row in listed] == [f"q{n}" for n in range(30)]
    assert tables.page == listed[:12]
    assert tables.questions == 30
    assert set(listed[0]["answers"]) == set(NAMES)


def test_half_a_surrogate_pair_breaks_nothing(tmp_path: Path) -> None:
    """A server may send one; tables hold a question mark in its place."""
    odd = [[case(n, name, output="half \ud83d") for name in NAMES] for n in range(2)]
    write(tmp_path / "run", 2, odd)
    assert set(pd.read_parquet(tmp_path / "run" / "traces.parquet")["output"]) == {"half ?"}
    listed = json.loads((tmp_path / "run" / "questions.json").read_text())
    assert listed[0]["answers"]["rag"]["output"] == "half \ud83d"


def test_what_is_not_complete_does_not_stay(tmp_path: Path) -> None:
    """An error on the way leaves no file behind; an empty run has empty tables."""

    def fail() -> None:
        with RunTables(tmp_path, NAMES, 1, lambda v: v) as tables:
            tables.add(CASES[0])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []
    with RunTables(tmp_path, NAMES, 1, lambda v: v) as tables:
        tables.finish()
    assert json.loads((tmp_path / "questions.json").read_text()) == []
    assert list(pd.read_parquet(tmp_path / "scores.parquet").columns) == list(COLUMNS)


def test_equal_scores_have_one_digest(tmp_path: Path) -> None:
    """By which statistics are found again: another value, another digest."""
    _, one = write(tmp_path / "one", 4)
    _, same = write(tmp_path / "same", 4)
    changed = [*CASES[:-1], [replace(each, scores=[*each.scores[:-1], replace(
        each.scores[-1], status="scored", value=0.5)]) for each in CASES[-1]]]  # fmt: skip
    _, other = write(tmp_path / "other", 4, changed)
    assert one.digest == same.digest != other.digest
    assert replace(one, names={"<redacted>": "rag"}).digest != one.digest
