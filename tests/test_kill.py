"""`kill -9` at any moment costs nothing but the work in flight: the same command finishes the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

STAGES = {"chunk", "embed", "retrieve", "train", "generate", "score", "compare", "report"}


def kill(kills: int, seed: int, overrides: list[str], folder: Path) -> dict[str, Any]:
    """Kill a run so often, at random moments of one stage after the other; what became of it."""
    script = Path(__file__).parent / "faulty" / "kill_runs.py"
    given = [
        "experiment=quartet", *overrides, "hypotheses=[]", "model.engine.max_rows=2",
        "statistics.resamples=100", "pipeline=[rag,lora]",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(script), str(folder), str(kills), str(seed), *given],
        capture_output=True, text=True, timeout=1700, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def check(found: dict[str, Any], kills: int) -> None:
    assert sum(found["killed"].values()) == kills
    assert found["different"] == []
    assert found["left"] == []
    assert found["metrics"] > 40
    # What is left behind says that it was killed; before there is a manifest, that there is no run.
    assert set(found["states"]) <= {"killed", "no run", "finished"}


def test_a_killed_run_is_finished_by_the_same_command(
    tiny_overrides: list[str], tmp_path: Path
) -> None:
    """Five kills in different stages: the scores are an undisturbed run's, byte for byte."""
    check(kill(5, 1, tiny_overrides, tmp_path), 5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fifty_kills_in_every_stage(tiny_overrides: list[str], tmp_path: Path) -> None:
    """Byte for byte the same scores, wherever the run was killed, and no half-written file stays."""
    found = kill(50, 2, tiny_overrides, tmp_path)
    check(found, 50)
    assert set(found["killed"]) >= STAGES
