"""The Python API: a few names, frames that say what the files say, and clear errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evalkit


def test_the_names_of_the_api() -> None:
    """Listed, importable, and nothing else."""
    assert dir(evalkit) == [
        "Benchmark", "EvalkitError", "GateResult", "RunResult", "__version__", "gate", "gate_tables",
        "load_benchmark", "open_run", "run",
    ]  # fmt: skip
    for name in evalkit.__all__:
        assert getattr(evalkit, name) is not None
    with pytest.raises(AttributeError, match="module 'evalkit' has no attribute 'nothing'"):
        _ = evalkit.nothing


def test_importing_costs_nothing() -> None:
    """``import evalkit`` loads no package but the standard library."""
    script = "import sys, evalkit; print([m for m in ('torch', 'pandas', 'hydra', 'numpy') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_frames_say_what_the_files_say(quartet: Any) -> None:
    result = quartet.result
    stored = json.loads((result.folder / "results.json").read_text())
    assert result.results == stored
    assert len(result.estimates) == len(stored["estimates"])
    assert len(result.comparisons) == len(stored["comparisons"])
    assert set(result.effects["effect"]) == {"retrieval", "tuning", "interaction"}
    pd.testing.assert_frame_equal(result.scores, pd.read_parquet(result.folder / "scores.parquet"))
    assert result.scorecard() == (result.folder / "scorecard.md").read_text()
    assert "prompt_only" in result.scorecard()
    assert result.report.read_text().lstrip().lower().startswith("<!doctype html>")


def test_a_finished_run_can_be_opened_again(quartet: Any) -> None:
    """By path or text, with the same contents."""
    again = evalkit.open_run(str(quartet.result.folder))
    assert again == quartet.result
    assert again.results == quartet.result.results


def test_what_is_no_finished_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(
        evalkit.EvalkitError, match=r"holds no finished run: there is no results\.json\n.*goes on"
    ):
        evalkit.open_run(tmp_path)


def test_a_benchmark_is_loaded_by_name_or_folder(shared_benchmark: Path) -> None:
    tiny = evalkit.load_benchmark(shared_benchmark)
    assert (tiny.name, len(tiny.questions), len(tiny.training)) == ("tiny", 6, 8)
    assert isinstance(tiny, evalkit.Benchmark)
    handbook = evalkit.load_benchmark("handbook")
    assert handbook.name == "handbook"
    assert len([q for q in handbook.questions if q.category != "control"]) >= 200
    with pytest.raises(evalkit.EvalkitError, match="nosuch"):
        evalkit.load_benchmark("nosuch")


def test_an_error_in_an_override_is_an_error_of_ours() -> None:
    """One type to catch, with what to do."""
    with pytest.raises(evalkit.EvalkitError, match="nonsense") as caught:
        evalkit.run("nonsense=1")
    assert caught.value.todo


def test_an_error_can_be_reworded_whole() -> None:
    """Problem, advice and text change together."""
    error = evalkit.EvalkitError("no key abc", todo="drop abc")
    error.rewrite(lambda text: text.replace("abc", "***"))
    assert (error.problem, error.todo) == ("no key ***", "drop ***")
    assert str(error) == "no key ***\n  What to do: drop ***"
