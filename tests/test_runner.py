"""A run: everything is written, nothing is dropped, nothing is computed twice, nothing leaks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from omegaconf import OmegaConf

import evalkit
from evalkit import cli
from evalkit.compose import compose
from evalkit.errors import ConfigError
from evalkit.generation.transformers_engine import TransformersGenerator
from evalkit.runner import new_folder, run
from evalkit.scoring import METRICS

FILES = {
    "config.yaml", "manifest.json", "results.json", "questions.json", "traces.parquet", "scores.parquet",
    "scorecard.md", "report.html",
}  # fmt: skip
CELL = ["question", "pipeline", "metric", "repeat"]
TIMED = "cost/retrieval/seconds"  # retrieval is done anew in every run, and timed anew


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


# --- what a run leaves -------------------------------------------------------------------------


def test_every_file_of_the_run_folder_is_there(quartet: Any) -> None:
    """And no half-written one."""
    folder = quartet.result.folder
    assert FILES <= {f.name for f in folder.iterdir()}
    assert list((folder / "figures").iterdir())
    assert not list(folder.rglob("*.part"))
    for name in FILES:
        assert (folder / name).stat().st_size > 100, name


def test_there_is_a_trace_for_every_question_and_pipeline(quartet: Any) -> None:
    """Passages where there is a retriever, null where there is none; tokens and seconds counted."""
    traces = quartet.result.traces
    assert len(traces) == 24
    assert not traces.duplicated(["question", "pipeline"]).any()
    assert set(traces["pipeline"]) == {"prompt_only", "rag", "lora", "hybrid"}
    with_passages = traces[traces["passages"].notna()]
    assert set(with_passages["pipeline"]) == {"rag", "hybrid"}
    first = with_passages.iloc[0]["passages"][0]
    assert set(first) == {"id", "document", "revision", "valid_from", "valid_to", "score", "shown", "text"}
    assert traces["error"].isna().all()
    assert traces["output_tokens"].between(1, 8).all()
    assert (traces["generation_seconds"] > 0).all()
    # One token a byte and three of the chat template's own for each of the two messages.
    assert ((traces["prompt"].str.len() - traces["prompt_tokens"]) > 0).all()
    assert set(traces.loc[traces["finish_reason"] == "length", "output_tokens"]) <= {8}


def test_every_metric_has_a_status_for_every_trace(quartet: Any) -> None:
    """A number exactly where the status is scored, and a reason wherever it is not."""
    scores = quartet.result.scores
    assert len(scores) == 24 * len(METRICS)
    per_trace = scores.groupby(["question", "pipeline"])["metric"].agg(set)
    assert all(metrics == set(METRICS) for metrics in per_trace)
    assert set(scores["status"]) <= {"scored", "failed", "not_applicable", "abstained"}
    assert (scores["value"].notna() == (scores["status"] == "scored")).all()
    assert (scores.loc[scores["status"] != "scored", "reason"].str.len() > 0).all()


def test_the_corners_prompts_differ_only_in_the_context_block(quartet: Any) -> None:
    """Take the documents out of rag's prompt and prompt_only's is left, character for character;
    a tuned corner's prompt is its base corner's."""
    prompts = quartet.result.traces.set_index(["question", "pipeline"])["prompt"]
    for question in ("q1", "q3", "q5", "c1"):
        bare, rag = prompts[question, "prompt_only"], prompts[question, "rag"]
        start, end = rag.index("Documents:\n"), rag.index("Date: 2025-10-01")
        assert rag[:start] + rag[end:] == bare
        assert "allowance is EUR" in rag or "depot keys" in rag
        assert prompts[question, "lora"] == bare
        assert prompts[question, "hybrid"] == rag
    assert "Reply with JSON" in prompts["q1", "prompt_only"]
    assert "Reply with JSON" not in prompts["c1", "prompt_only"]


def test_history_shows_superseded_passages_and_never_a_future_one(quartet: Any) -> None:
    traces = quartet.result.traces
    seen = {p["revision"] for shown in traces.loc[traces["passages"].notna(), "passages"] for p in shown}
    assert "A@2025-01-01" in seen
    assert seen <= {"A@2025-01-01", "A@2025-06-01", "B@2025-01-01"}


def test_lora_and_hybrid_use_one_adapter(quartet: Any) -> None:
    adapters = {p["name"]: p["adapter"] for p in quartet.result.results["pipelines"]}
    assert adapters["lora"] == adapters["hybrid"]
    assert adapters["lora"].startswith("lora:")
    assert adapters["prompt_only"] is adapters["rag"] is None
    assert len([f for f in (quartet.store / "adapter").iterdir() if f.is_dir()]) == 1


def test_the_manifest_says_what_a_rerun_needs(quartet: Any) -> None:
    """Fingerprint, seed, weights and adapter identities, versions; and the config composes again."""
    manifest = json.loads((quartet.result.folder / "manifest.json").read_text())
    results = quartet.result.results
    assert manifest["fingerprint"] == results["benchmark"]["fingerprint"]
    assert manifest["seed"] == 0
    assert manifest["weights"].startswith("path:")
    assert manifest["adapters"] == [results["pipelines"][2]["adapter"]]
    assert set(manifest["environment"]["packages"]) >= {"torch", "transformers", "peft", "ragas", "datasets"}
    config = OmegaConf.load(quartet.result.folder / "config.yaml")
    assert config.name == "quartet"
    assert config.model.weights.path == quartet.overrides[2].partition("=")[2]


# --- again, and after an accident --------------------------------------------------------------


def test_a_rerun_generates_and_trains_nothing_and_scores_the_same(
    quartet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every score is equal, the stored seconds of generation included."""

    def nothing(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("evalkit.generation.transformers_engine.load_model", nothing)
    monkeypatch.setattr("evalkit.tuning.lora.train", nothing)
    monkeypatch.setattr(TransformersGenerator, "_complete", nothing)
    again = evalkit.run(*quartet.overrides, f"run_dir={tmp_path / 'again'}")
    before, after = (r.scores[r.scores["metric"] != TIMED].reset_index(drop=True) for r in (quartet.result, again))
    pd.testing.assert_frame_equal(before, after)
    kept = [c for c in again.traces.columns if c != "retrieval_seconds"]
    pd.testing.assert_frame_equal(quartet.result.traces[kept], again.traces[kept])


def test_a_smaller_look_at_the_same_questions_generates_nothing(
    quartet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalkit.generation.transformers_engine.load_model", lambda *_: 1 / 0)
    part = evalkit.run(*quartet.overrides, "limit=2", f"run_dir={tmp_path / 'part'}")
    assert len(part.traces) == 8


@pytest.mark.parametrize("struck", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_stopped_while_generating_goes_on_where_it_was(
    struck: signal.Signals, quartet: Any, faulty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command finishes it: finished completions are kept, and the scores are those of a
    run that nothing disturbed. Ctrl-C is said in one line, with exit code 130."""
    monkeypatch.setenv("EVALKIT_TEST_SIGNAL", str(int(struck)))
    overrides = [
        *quartet.overrides, "model.engine._target_=faulty_engines.Struck", "pipeline=[prompt_only,rag]",
        "model.engine.max_rows=2", f"store={tmp_path / 'store'}", f"run_dir={tmp_path / 'run'}",
    ]  # fmt: skip
    stopped = subprocess.run(
        **command(overrides, tmp_path), capture_output=True, timeout=200, check=False
    )
    if struck == signal.SIGINT:
        assert stopped.returncode == 130
        assert "stopped. Finished work is kept; the same command goes on from there." in stopped.stderr
        assert "Traceback" not in stopped.stderr
    else:
        assert stopped.returncode == -signal.SIGKILL, stopped.stderr
    assert len(faulty.read_text().split()) == 4
    assert not (tmp_path / "run" / "results.json").exists()

    assert cli.main(["run", *overrides]) == 0
    finished = evalkit.open_run(tmp_path / "run")
    completed = faulty.read_text().split()
    assert len(set(completed)) == 12
    assert len(completed) < 16  # at least one of the first four was kept
    whole = scores_of(quartet.result)
    expected = whole[whole["pipeline"].isin(["prompt_only", "rag"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(scores_of(finished), expected)


def test_two_runs_at_once_share_the_work(
    quartet: Any, faulty: Path, tmp_path: Path
) -> None:
    """With one store: the adapter is trained once, both finish, with the same scores."""
    common = [
        *quartet.overrides, "tuning.train._target_=faulty_engines.noted_train", "pipeline=[lora]",
        f"store={tmp_path / 'store'}",
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
    assert faulty.read_text().split() == ["trained"]
    one, two = (scores_of(evalkit.open_run(tmp_path / name)) for name in ("one", "two"))
    pd.testing.assert_frame_equal(one, two)


# --- failures ----------------------------------------------------------------------------------


@pytest.fixture
def failed(
    quartet: Any, faulty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[evalkit.RunResult, list[str]]:
    """A run of two pipelines in which one question of six failed in both; and its overrides."""
    overrides = [
        *quartet.overrides, "model.engine._target_=faulty_engines.Failing", "pipeline=[prompt_only,rag]",
        f"store={tmp_path / 'store'}",
    ]  # fmt: skip
    monkeypatch.setenv("EVALKIT_TEST_FAIL", "1")
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
        others = quartet.result.scores.query("pipeline == @pipeline and metric == @metric and question != 'q2'")
        assert row["value"] == pytest.approx(others["value"].mean())
    rows = result.scores.query("question == 'q2' and metric == @metric")
    assert list(rows["status"]) == ["failed", "failed"]
    assert all("lightning struck" in reason for reason in rows["reason"])
    comparison = result.comparisons.set_index("metric").loc[metric]
    assert comparison["failed_share"] == pytest.approx(1 / 5)
    assert not comparison["decidable"]
    assert comparison["worst_low"] <= comparison["difference"] <= comparison["worst_high"]


def test_a_failed_answer_is_said_everywhere_a_reader_looks(
    failed: tuple[evalkit.RunResult, list[str]]
) -> None:
    result, _ = failed
    assert result.results["warnings"] == [
        "2 of 12 answers failed; the first: prompt_only, q2: lightning struck"
    ]
    assert "lightning struck" in result.report.read_text()
    table = {q["question"]: q for q in result.questions}
    assert table["q2"]["answers"]["rag"]["output"] == "(failed: lightning struck)"


def test_a_failed_answer_is_tried_again_by_a_rerun(
    failed: tuple[evalkit.RunResult, list[str]], quartet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure is not stored as if it were an answer."""
    monkeypatch.delenv("EVALKIT_TEST_FAIL")
    mended = evalkit.run(*failed[1], f"run_dir={tmp_path / 'mended'}")
    assert mended.results["warnings"] == []
    whole = scores_of(quartet.result)
    expected = whole[whole["pipeline"].isin(["prompt_only", "rag"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(scores_of(mended), expected)


def test_a_tracker_that_cannot_be_reached_costs_nothing(
    quartet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The run finishes with exit code 0, and says how to send it later."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    overrides = [
        *quartet.overrides, "pipeline=[prompt_only]", "tracking=mlflow",
        "tracking.uri=http://127.0.0.1:9", f"run_dir={tmp_path / 'run'}",
    ]  # fmt: skip
    assert cli.main(["run", *overrides]) == 0
    assert f"`evalkit log {tmp_path / 'run'}` sends the run later" in caplog.text
    (warning,) = evalkit.open_run(tmp_path / "run").results["warnings"]
    assert warning.startswith("not logged to MLflow: ")
    assert "127.0.0.1:9" in warning
    assert {f.name for f in (tmp_path / "run").iterdir()} >= FILES


# --- the run folder ----------------------------------------------------------------------------


def test_a_folder_that_holds_a_finished_run_is_refused(quartet: Any) -> None:
    """And left as it is."""
    folder = quartet.result.folder
    before = {f: f.stat().st_mtime_ns for f in folder.rglob("*")}
    with pytest.raises(ConfigError, match=r"run_dir=.* holds a finished run\n.*choose another run_dir"):
        evalkit.run(*quartet.overrides, f"run_dir={folder}")
    assert {f: f.stat().st_mtime_ns for f in folder.rglob("*")} == before


def test_runs_that_start_in_the_same_second_get_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = {new_folder({"name": "quick", "run_dir": None}) for _ in range(3)}
    assert len(made) == 3
    assert all(f.is_dir() and f.name.startswith("quick-") for f in made)


def test_a_run_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"could not make the run folder .*\n.*run_dir=DIR"):
        new_folder({"name": "x", "run_dir": str(tmp_path / "file" / "run")})
    with pytest.raises(ConfigError, match=r"could not make the run folder|run_dir"):
        new_folder({"name": "x", "run_dir": str(tmp_path / "file")})


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
    wrong = ["model.weights.path='${oc.env:TEAM_GREETING}'", f"nonsense.api_key={GIVEN}"]
    for override in wrong:
        assert cli.main(["run", *quartet.overrides, override, f"run_dir={tmp_path / 'run'}"]) == 2
        assert cli.main(["run", "-m", *quartet.overrides, override, f"run_dir={tmp_path / 'run'}",
                         f"hydra.sweep.dir={tmp_path / 'sweep'}"]) == 2  # fmt: skip
    out, err = capfd.readouterr()
    assert "<redacted>" in err
    assert "Traceback" not in err
    assert FROM_ENVIRONMENT not in out + err
    assert GIVEN not in out + err
    for where, text in texts(tmp_path).items():
        assert FROM_ENVIRONMENT not in text, where
        assert GIVEN not in text, where


def test_a_run_from_python_takes_a_composed_configuration(quartet: Any, tmp_path: Path) -> None:
    """What the command line does: compose, then run."""
    folder = run(compose([*quartet.overrides, "pipeline=[prompt_only]", f"run_dir={tmp_path / 'run'}"]))
    assert folder == tmp_path / "run"
    assert set(evalkit.open_run(folder).traces["pipeline"]) == {"prompt_only"}
