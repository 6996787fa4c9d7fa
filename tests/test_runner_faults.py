"""Accidents: a run that is stopped, answers that fail, a tracker that is away, secrets."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from omegaconf import OmegaConf

import evalkit
from evalkit import cli
from evalkit.generation.transformers_engine import TransformersGenerator

CELL = ["question", "pipeline", "metric", "repeat"]


def scores_of(result: evalkit.RunResult) -> pd.DataFrame:
    """The scores but for what a clock says."""
    kept = result.scores[~result.scores["metric"].str.endswith("/seconds")]
    return kept.sort_values(CELL).reset_index(drop=True)


def command(overrides: list[str], tmp_path: Path) -> dict[str, Any]:
    """Arguments for a child process that runs ``evalkit run`` on one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return {
        "args": [sys.executable, "-m", "evalkit.cli", "run", *overrides],
        "cwd": tmp_path, "env": environment, "text": True,
    }  # fmt: skip


# --- again, and after an accident --------------------------------------------------------------


def test_a_smaller_look_at_the_same_questions_generates_nothing(
    quartet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalkit.generation.transformers_engine.load_model", lambda *_: 1 / 0)
    part = evalkit.run(
        *quartet.overrides, "limit=2", "control_limit=0", f"run_dir={tmp_path / 'part'}"
    )
    assert len(part.traces) == 8


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("struck", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_stopped_while_generating_goes_on_where_it_was(
    struck: signal.Signals,
    quartet: Any,
    faulty: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The same command finishes it: all finished completions are kept, and the scores are those of a
    run that nothing disturbed. Ctrl-C is said in one line, with exit code 130."""
    monkeypatch.setenv("EVALKIT_TEST_SIGNAL", str(int(struck)))
    overrides = [
        *quartet.overrides, "model.engine._target_=faulty_engines.Struck", "pipeline=[prompt_only,rag]",
        "model.engine.max_rows=2", f"store={tmp_path / 'store'}", f"run_dir={tmp_path / 'run'}",
    ]  # fmt: skip
    if struck == signal.SIGINT:
        assert cli.main(["run", *overrides]) == 130
        said = capfd.readouterr().err
        assert "stopped. Finished work is kept; the same command goes on from there." in said
        assert "Traceback" not in said
    else:
        killed = subprocess.run(
            **command(overrides, tmp_path), capture_output=True, timeout=200, check=False
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(faulty.read_text().split()) == 4
    assert not (tmp_path / "run" / "results.json").exists()

    assert cli.main(["run", *overrides]) == 0
    finished = evalkit.open_run(tmp_path / "run")
    completed = faulty.read_text().split()
    assert len(completed) == len(set(completed)) == 12
    whole = scores_of(quartet.result)
    expected = whole[whole["pipeline"].isin(["prompt_only", "rag"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(scores_of(finished), expected)


def test_two_runs_at_once_share_the_work(quartet: Any, faulty: Path, tmp_path: Path) -> None:
    """With one store: the adapter is trained once, every passage and question embedded once, both
    finish, with the same scores."""
    common = [
        *quartet.overrides, "tuning.train._target_=faulty_engines.noted_train", "pipeline=[hybrid]",
        "embedder.encoder._target_=faulty_engines.NotedEmbedder", f"store={tmp_path / 'store'}",
    ]  # fmt: skip
    children = [
        subprocess.Popen(
            **command([*common, f"run_dir={tmp_path / name}"], tmp_path),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    for child in children:
        _, err = child.communicate(timeout=200)
        assert child.returncode == 0, err
    noted = Counter(faulty.read_text().split())
    assert noted == {
        "trained": 1,
        "embedded": 3,
        "asked": 6 + 1,
    }  # the first also to load what is needed
    one, two = (scores_of(evalkit.open_run(tmp_path / name)) for name in ("one", "two"))
    pd.testing.assert_frame_equal(one, two)


# --- failures ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def failed(
    quartet: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[evalkit.RunResult, list[str]]:
    """A run of two pipelines in which one question of six failed in both; and its overrides."""
    tmp_path = tmp_path_factory.mktemp("failed")
    overrides = [
        *quartet.overrides, "model.engine._target_=faulty_engines.Failing", "pipeline=[prompt_only,rag]",
        f"store={tmp_path / 'store'}",
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent / "faulty"))
        patch.setenv("EVALKIT_TEST_FAIL", "1")
        return evalkit.run(*overrides, f"run_dir={tmp_path / 'failed'}"), overrides


def test_a_failed_answer_is_counted_and_never_dropped(
    failed: tuple[evalkit.RunResult, list[str]], quartet: Any
) -> None:
    """It stays in the total as failed; the mean of the others is what it was without it, and the
    comparison says that it cannot be decided."""
    result, _ = failed
    metric = "format/generation/loose"
    for pipeline in ("prompt_only", "rag"):
        row = result.estimates.set_index(["pipeline", "metric"]).loc[(pipeline, metric)]
        assert (row["n_total"], row["n_scored"], row["n_failed"]) == (6, 4, 1)
        others = quartet.result.scores.query(
            "pipeline == @pipeline and metric == @metric and question != 'q2'"
        )
        assert row["value"] == pytest.approx(others["value"].mean())
    rows = result.scores.query("question == 'q2' and metric == @metric")
    assert list(rows["status"]) == ["failed", "failed"]
    assert all("lightning struck" in reason for reason in rows["reason"])
    comparison = result.comparisons.set_index("metric").loc[metric]
    assert comparison["failed_share"] == pytest.approx(1 / 5)
    assert not comparison["decidable"]
    assert comparison["worst_low"] <= comparison["difference"] <= comparison["worst_high"]


def test_a_failed_answer_is_said_everywhere_a_reader_looks(
    failed: tuple[evalkit.RunResult, list[str]],
) -> None:
    result, _ = failed
    assert result.results["warnings"] == [
        "2 of 12 answers failed; the first: prompt_only, q2: lightning struck",
        "10 of 12 answers were cut at model.decoding.max_new_tokens=8 (prompt_only 5, rag 5)",
    ]
    assert "lightning struck" in result.report.read_text()
    table = {q["question"]: q for q in result.questions}
    assert table["q2"]["answers"]["rag"]["output"] == "(failed: lightning struck)"


def test_a_failed_answer_is_tried_again_by_a_rerun(
    failed: tuple[evalkit.RunResult, list[str]], quartet: Any, faulty: Path, tmp_path: Path
) -> None:
    """A failure is not stored as if it were an answer."""
    mended = evalkit.run(*failed[1], f"run_dir={tmp_path / 'mended'}")
    assert not [w for w in mended.results["warnings"] if "failed" in w]
    whole = scores_of(quartet.result)
    expected = whole[whole["pipeline"].isin(["prompt_only", "rag"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(scores_of(mended), expected)


@pytest.mark.parametrize("flags", [[], ["-m"]])
def test_a_tracker_that_cannot_be_reached_costs_nothing(
    flags: list[str],
    quartet: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The run finishes with exit code 0, and says how to send it later, in a sweep as well."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    overrides = [
        *quartet.overrides, "pipeline=[prompt_only]", "tracking=mlflow",
        "tracking.uri=http://127.0.0.1:9", f"run_dir={tmp_path / 'run'}",
    ]  # fmt: skip
    assert cli.main(["run", *flags, *overrides]) == 0
    assert f"`evalkit log {tmp_path / 'run'}` sends the run later" in caplog.text
    warning = evalkit.open_run(tmp_path / "run").results["warnings"][-1]
    assert warning.startswith("not logged to MLflow: ")
    assert "127.0.0.1:9" in warning
    assert (tmp_path / "run" / "report.html").is_file()


# --- secrets -----------------------------------------------------------------------------------

FROM_ENVIRONMENT = "Correct-Horse-Battery-4711"
GIVEN = "sk-given-on-the-command-line-0815"


def texts(folder: Path) -> dict[str, str]:
    """Every file of a folder as text, tables decoded (a compressed page hides what it holds)."""
    found = {}
    for file in folder.rglob("*"):
        if file.is_file():
            found[file.name] = file.read_bytes().decode("latin-1")
        if file.suffix == ".parquet":
            found[file.name] += pd.read_parquet(file).to_json(orient="records")
    return found


def test_secrets_reach_no_file_of_the_run_and_not_the_terminal(
    quartet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A value from the environment, even inside the prompt itself, and a key named like a secret;
    the model is still given what the configuration says."""
    monkeypatch.setenv("TEAM_GREETING", FROM_ENVIRONMENT)
    prompts: list[str] = []
    render = TransformersGenerator.render

    def noted(self: TransformersGenerator, messages: Any) -> str:
        prompts.append(render(self, messages))
        return prompts[-1]

    monkeypatch.setattr(TransformersGenerator, "render", noted)
    overrides = [
        *quartet.overrides, "pipeline=[rag]", "prompt.system='Say ${oc.env:TEAM_GREETING} first.'",
        f"+model.api_key={GIVEN}", f"store={tmp_path / 'store'}", f"run_dir={tmp_path / 'run'}",
    ]  # fmt: skip
    assert cli.main(["run", *overrides]) == 0
    assert any(FROM_ENVIRONMENT in prompt for prompt in prompts)
    out, err = capfd.readouterr()
    for where, text in {**texts(tmp_path / "run"), "stdout": out, "stderr": err}.items():
        assert FROM_ENVIRONMENT not in text, where
        assert GIVEN not in text, where
    written = OmegaConf.load(tmp_path / "run" / "config.yaml")
    assert written.model.api_key == "<redacted>"
    assert len(evalkit.open_run(tmp_path / "run").traces) == 6


def test_secrets_are_not_repeated_by_errors(
    quartet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An error names what was wrong, but not with a secret's value."""
    monkeypatch.setenv("TEAM_GREETING", FROM_ENVIRONMENT)
    # A sweep goes on past a job that fails, and ends with 1; what no job can take is refused at once.
    wrong = {"model.weights.path='${oc.env:TEAM_GREETING}'": 1, f"nonsense.api_key={GIVEN}": 2}
    for override, of_sweep in wrong.items():
        assert cli.main(["run", *quartet.overrides, override, f"run_dir={tmp_path / 'run'}"]) == 2
        assert cli.main(["run", "-m", *quartet.overrides, override, f"run_dir={tmp_path / 'run'}",
                         f"hydra.sweep.dir={tmp_path / 'sweep'}"]) == of_sweep  # fmt: skip
    out, err = capfd.readouterr()
    assert "<redacted>" in err
    assert "Traceback" not in err
    assert FROM_ENVIRONMENT not in out + err
    assert GIVEN not in out + err
    for where, text in texts(tmp_path).items():
        assert FROM_ENVIRONMENT not in text, where
        assert GIVEN not in text, where


def test_a_disk_that_fills_up_while_reporting_costs_nothing(
    quartet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to do; the folder does not look finished, and the same command ends it."""
    command = [*quartet.overrides, f"run_dir={tmp_path / 'run'}"]

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("evalkit.reporting.write_reports", full)
        with pytest.raises(evalkit.EvalkitError, match=r"No space left[\s\S]*free disk space"):
            evalkit.run(*command)
    assert not (tmp_path / "run" / "results.json").exists()
    assert evalkit.run(*command).report.is_file()
