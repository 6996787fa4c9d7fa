"""``evalkit correct``: judged against corrected, and errors by file and line."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evalkit.cli import _guarded
from evalkit.commands import correct

METRIC = "faithfulness/generation/groundedness"
QUESTIONS = 80


def truth(seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random(QUESTIONS) < 0.5).astype(float)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run of two pipelines and a judge that passes every fourth wrong answer."""
    rows = [
        {
            "question": f"q{i}", "pipeline": pipeline, "repeat": 0, "metric": METRIC,
            "status": "scored", "value": 1.0 if i % 4 == 0 else value, "cluster": f"c{i // 2}",
        }
        for seed, pipeline in enumerate(("rag", "lora"))
        for i, value in enumerate(truth(seed))
    ]  # fmt: skip
    folder = tmp_path / "run"
    folder.mkdir()
    table = pd.DataFrame(rows)
    table.loc[0, ["status", "value"]] = ["failed", np.nan]
    table.to_parquet(folder / "scores.parquet")
    results = {
        "pipelines": [{"name": "lora"}, {"name": "rag"}],
        "statistics": {"confidence": 0.9, "resamples": 100, "seed": 3, "failure_limit": 0.02},
    }
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def labelled(path: Path, pipelines: tuple[str, ...] = ("rag", "lora"), n: int = 40) -> Path:
    lines = ["question,pipeline,metric,value"]
    for pipeline in pipelines:
        values = truth(("rag", "lora").index(pipeline))
        lines += [f"q{i},{pipeline},{METRIC},{values[i]:g}" for i in range(n)]
    path.write_text("\n".join(lines) + "\n")
    return path


def command(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    correct.add(parser.add_subparsers())
    options = parser.parse_args(["correct", *map(str, arguments)])
    return _guarded(lambda: int(options.function(options)))


def test_judged_and_corrected(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row for each pipeline, one for their difference, the labels not used, the assumption."""
    assert command(run_dir, "--labels", labelled(tmp_path / "l.csv")) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"{METRIC}, per cent, 90 % intervals" in said
    assert f"{METRIC}, points, 90 % intervals" in said
    assert "rag - lora" in said
    assert "39/79" in said
    assert "rag: labels not used: 1 where the judge failed" in said
    assert "taken to be a random draw" in said


def test_the_numbers_as_json(run_dir: Path, tmp_path: Path) -> None:
    """The same rows, plain JSON: the corrected values are nearer to the truth than the judge's."""
    out = tmp_path / "out.json"
    assert command(run_dir, "--labels", labelled(tmp_path / "l.csv"), "--json", out) == 0
    found = json.loads(out.read_text())
    assert (found["schema"], found["confidence"]) == (1, 0.9)
    lora, rag = found["means"]
    assert (lora["pipeline"], rag["pipeline"]) == ("lora", "rag")
    for row, seed in ((rag, 0), (lora, 1)):
        real = truth(seed).mean()
        assert abs(row["corrected"] - real) < abs(row["judged"] - real)
        assert row["low"] < real < row["high"]
    assert (rag["n_labelled"], rag["labels_failed"], rag["n_failed"]) == (39, 1, 1)
    (difference,) = found["differences"]
    assert (difference["a"], difference["b"], difference["n_labelled"]) == ("lora", "rag", 39)


def test_one_metric_of_a_file(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--metric fills rows without one and leaves others aside, and says how many."""
    path = tmp_path / "l.csv"
    rows = "".join(f"q{i},rag,,1\n" for i in range(9))
    path.write_text("question,pipeline,metric,value\nq1,rag,other,1\nq20,rag,,\n" + rows)
    assert command(run_dir, "--labels", path, "--metric", METRIC) == 0
    said = capsys.readouterr().out
    assert f"1 row of other metrics than {METRIC}: left aside" in said
    assert "1 row without a value: not labelled yet" in said


def test_no_common_questions_no_difference(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "l.jsonl"
    rows = [
        {"question": f"q{i}", "pipeline": ("rag", "lora")[i % 2], "metric": METRIC, "value": 1}
        for i in range(30)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert command(run_dir, "--labels", path) == 0
    assert "No two pipelines are labelled on one question" in capsys.readouterr().out


def refused(arguments: tuple[Any, ...], capsys: pytest.CaptureFixture[str]) -> str:
    assert command(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("evalkit: ")
    assert "What to do: " in err
    return err


def test_wrong_labels_are_refused_by_line(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them at once, with exit code 2, and nothing computed."""
    path = labelled(tmp_path / "l.csv", n=5)
    lines = path.read_text().splitlines()
    lines[2], lines[4] = lines[2].replace("q1", "q99"), lines[4].replace("rag", "rga")
    path.write_text("\n".join([*lines, lines[1]]))
    err = refused((run_dir, "--labels", path), capsys)
    assert "l.csv:3 question: 'q99' is not in the run" in err
    assert "l.csv:5 pipeline: 'rga' is not in the run; expected one of its 2 pipelines" in err
    assert f"l.csv:12 question: 'q0' has a label of rag for {METRIC} already" in err
    assert "3 problems" in err


def test_what_cannot_be_corrected_is_said(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong metric, a file without labels or not there, a folder that is no run, no place for
    the numbers: one plain error each."""
    path = labelled(tmp_path / "l.csv")
    err = refused((run_dir, "--labels", path, "--metric", "groundedness"), capsys)
    assert f"has no such metric\n  What to do: give one of its 1, such as {METRIC}" in err
    bare = tmp_path / "bare.csv"
    bare.write_text(f"question,pipeline,metric,value\nq1,rag,{METRIC},\n")
    assert "holds no label" in refused((run_dir, "--labels", bare), capsys)
    err = refused((run_dir, "--labels", tmp_path / "none.csv"), capsys)
    assert "none.csv: is missing" in err
    assert "no finished run" in refused((tmp_path, "--labels", path), capsys)
    command(run_dir, "--labels", path, "--json", tmp_path / "no" / "out.json")
    assert "out.json cannot be written" in capsys.readouterr().err
    (run_dir / "scores.parquet").write_bytes(b"garbage")
    assert "scores.parquet cannot be read" in refused((run_dir, "--labels", path), capsys)
