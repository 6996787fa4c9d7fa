"""A run: everything is written, nothing is dropped, nothing is computed twice, nothing leaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

import evalkit
from evalkit.configuration.compose import compose
from evalkit.errors import ConfigError
from evalkit.runner import new_folder, run
from evalkit.scoring import METRICS

FILES = {
    "config.yaml", "manifest.json", "results.json", "questions.json", "traces.parquet", "scores.parquet",
    "scorecard.md", "report.html",
}  # fmt: skip


# --- what a run leaves -------------------------------------------------------------------------


def test_every_file_of_the_run_folder_is_there(quartet: Any) -> None:
    """And no half-written one."""
    folder = quartet.result.folder
    assert {f.name for f in folder.iterdir()} >= FILES
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
    assert set(first) == {
        "id",
        "document",
        "revision",
        "valid_from",
        "valid_to",
        "score",
        "shown",
        "text",
    }
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
    seen = {
        p["revision"] for shown in traces.loc[traces["passages"].notna(), "passages"] for p in shown
    }
    assert "A@2025-01-01" in seen
    assert seen <= {"A@2025-01-01", "A@2025-06-01", "B@2025-01-01"}


def test_lora_and_hybrid_use_one_adapter(quartet: Any) -> None:
    adapters = {p["name"]: p["adapter"] for p in quartet.result.results["pipelines"]}
    assert adapters["lora"] == adapters["hybrid"]
    assert adapters["lora"].startswith("lora:")
    assert adapters["prompt_only"] is adapters["rag"] is None
    assert quartet.adapters == 1


def test_the_manifest_says_what_a_rerun_needs(quartet: Any) -> None:
    """Fingerprint, seed, weights and adapter identities, versions; and the config composes again."""
    manifest = json.loads((quartet.result.folder / "manifest.json").read_text())
    results = quartet.result.results
    assert manifest["fingerprint"] == results["benchmark"]["fingerprint"]
    assert manifest["seed"] == 0
    assert manifest["weights"].startswith("path:")
    assert manifest["adapters"] == [results["pipelines"][2]["adapter"]]
    assert set(manifest["environment"]["packages"]) >= {
        "torch",
        "transformers",
        "peft",
        "ragas",
        "datasets",
    }
    config = OmegaConf.load(quartet.result.folder / "config.yaml")
    assert config.name == "quartet"
    assert config.model.weights.path == quartet.overrides[2].partition("=")[2]


# --- the run folder ----------------------------------------------------------------------------


def test_a_folder_that_holds_a_finished_run_is_refused(quartet: Any) -> None:
    """And left as it is."""
    folder = quartet.result.folder
    before = {f: f.stat().st_mtime_ns for f in folder.rglob("*")}
    with pytest.raises(
        ConfigError, match=r"run_dir=.* holds a finished run\n.*choose another run_dir"
    ):
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


def test_a_run_from_python_takes_a_composed_configuration(quartet: Any, tmp_path: Path) -> None:
    """What the command line does: compose, then run."""
    folder = run(
        compose([*quartet.overrides, "pipeline=[prompt_only]", f"run_dir={tmp_path / 'run'}"])
    )
    assert folder == tmp_path / "run"
    assert set(evalkit.open_run(folder).traces["pipeline"]) == {"prompt_only"}


def test_a_page_that_does_not_show_all_questions_says_so(
    quartet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of questions has all of them, the page the first, and a note for the reader."""
    for module in ("results.document", "tables.run_tables", "reporting.write"):
        monkeypatch.setattr(f"evalkit.{module}.PAGE_QUESTIONS", 3)
    given = [*quartet.overrides, "pipeline=[prompt_only]", f"run_dir={tmp_path / 'run'}"]
    result = evalkit.run(*given)
    said = (
        "The page shows the answers to the first 3 of 6 questions; questions.json has all of them."
    )
    assert said in result.results["notes"]
    assert len(result.questions) == 6
    page = result.report.read_text()
    assert said in page
    shown = [row["text"] in page for row in result.questions]
    assert shown == [True] * 3 + [False] * 3
    assert evalkit.open_run(quartet.result.folder).results["notes"] == []
