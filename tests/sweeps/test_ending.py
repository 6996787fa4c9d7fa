"""When a sweep is over its jobs are compared, and the tracker has them all, without being asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

from invented_sweeps import World, write_run
from sweeping import QUICK, records, statuses, sweep

from evalkit import cli
from evalkit.errors import EvalkitError
from evalkit.tracking import TrackingError

WORLD = World(lambda levels, _: 0.3 + 0.1 * levels["retriever.k"], resamples=0)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, home: Path) -> list[int]:
    """Whole runs with invented answers; ``retriever.k`` of each."""
    ran: list[int] = []

    def run(config: Any, progress: Any = None) -> Path:
        k, folder = int(config.retriever.k), Path(config.run_dir)
        ran.append(k)
        if k > 5:
            raise EvalkitError("too many")
        write_run(folder, WORLD, {"retriever.k": k})
        results = json.loads((folder / "results.json").read_text())
        results["warnings"] = ["3 of 60 answers were cut"] + [f"k is {k}"] * (k == 5)
        (folder / "results.json").write_text(json.dumps(results))
        return folder

    monkeypatch.setattr("evalkit.runner.run", run)
    return ran


def test_the_report_is_written_and_its_reading_printed(
    runs: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the jobs that finished, though some failed; with what they warn of, once."""
    assert sweep("retriever.k=1,5,9") == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "job 2 failed: too many" in said
    assert "The best of 2 candidates on correct answers is job 1, rag (k = 5)" in said
    assert "Note: Jobs 0, 1: 3 of 60 answers were cut Note: Job 1: k is 5" in said
    assert "report: sweep/report.html" in said
    analysis = json.loads(Path("sweep/analysis.json").read_text())
    assert [row["name"] for row in analysis["candidates"]] == ["1/rag", "0/rag"]
    assert "## Leaderboard" in Path("sweep/report.md").read_text()


def test_a_resumed_sweep_is_compared_anew(runs: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """What was missing is in it then."""
    assert sweep("retriever.k=1,9") == 1
    before = json.loads(Path("sweep/analysis.json").read_text())
    monkeypatch.setattr("evalkit.runner.run", lambda config, _: _other(config))
    assert cli.main(["sweep", "sweep", "--resume"]) == 0
    after = json.loads(Path("sweep/analysis.json").read_text())
    assert (len(before["candidates"]), len(after["candidates"])) == (1, 2)


def _other(config: Any) -> Path:
    write_run(Path(config.run_dir), WORLD, {"retriever.k": 3})
    return Path(config.run_dir)


def test_a_report_that_cannot_be_written_costs_no_sweep(
    runs: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The jobs are complete, and the report can be had later."""

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("evalkit.reporting.sweep.write_sweep", full)
    assert sweep("retriever.k=1,3") == 0
    said = capsys.readouterr().out
    assert "no report: [Errno 28] No space left" in said
    assert "evalkit sweep sweep --report" in said


def test_the_sweep_is_logged_where_its_jobs_are(
    runs: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the configured store and experiment, also when nothing was left to run; a store that is out
    of reach costs nothing, and the command for later is named.
    """
    logged: list[tuple[str, Any, str]] = []

    def log(path: Path, *, uri: Any, experiment: str, redactor: Any) -> None:
        logged.append((str(path), uri, experiment))
        raise TrackingError("out of reach")

    monkeypatch.setattr("evalkit.tracking.ensure_experiment", lambda *_: "1")
    monkeypatch.setattr("evalkit.tracking.sweep.log_sweep", log)
    given = ["tracking=mlflow", "tracking.experiment=mine", "tracking.uri=http://tracker"]
    assert sweep("retriever.k=1,3", *given) == 0
    assert sweep("retriever.k=1,3", *given) == 0
    assert logged == [("sweep", "http://tracker", "mine")] * 2
    assert runs == [1, 3]
    assert "not logged to MLflow: out of reach\n  What to do: evalkit log sweep" in (
        capsys.readouterr().out
    )
    assert sweep("retriever.k=1,3") == 0  # without a tracker
    assert len(logged) == 2


@pytest.mark.slow
def test_a_sweep_that_is_killed_goes_on(
    tiny_overrides: list[str], home: Path, faulty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`kill -9` of the command itself: what was generated is not generated again, and the job that
    it was at is listed as dead until it is run anew. (Half of the time is importing torch.)
    """
    monkeypatch.setenv("EVALKIT_TEST_SIGNAL", "9")
    tiny = [o for o in tiny_overrides if not o.startswith("tuning.")]
    arguments = [
        "run", "-m", *QUICK[:1], *tiny, "tuning=none", "pipeline=[prompt_only]", "store=store",
        "model.decoding.max_new_tokens=2,3", "model.engine._target_=faulty_engines.Struck",
        "model.engine.max_rows=1", "hydra.sweep.dir=sweep",
    ]  # fmt: skip
    given = [o for o in arguments if o != "model.decoding.max_new_tokens=8"]
    done = subprocess.run(
        [sys.executable, "-m", "evalkit.cli", *given], capture_output=True, text=True,
        timeout=240, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    assert cli.main(["sweep", "sweep"]) == 1
    assert [(r.status, r.reason) for r in records().values()] == [
        ("failed", "its process ended before the job did"), ("waiting", None),
    ]  # fmt: skip
    assert cli.main(["sweep", "sweep", "--resume"]) == 0
    assert list(statuses().values()) == ["finished"] * 2
    noted = Counter(faulty.read_text().split())
    assert noted.total() <= 12 + 1  # six questions twice, and at most the one in flight again
    assert Path("sweep/report.html").exists()
