"""The demo, reduced: the real model, embedder and handbook, and what is measured with them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evalkit
from evalkit import cli

# Twelve steps of two examples: enough for the shape of an answer, and no more.
REDUCED = [
    "experiment=quartet",
    "limit=8",
    "control_limit=2",
    "tuning.examples.limit=24",
    "tuning.settings.batch_size=2",
    "store=store",
]
pytestmark = pytest.mark.slow
PIPELINES = ["prompt_only", "rag", "lora", "hybrid"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> evalkit.RunResult:
    """The demo's command with ten questions and 24 training examples."""
    home = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert cli.main(["run", *REDUCED, "run_dir=run"]) == 0
    return evalkit.open_run(home / "run")


def values(result: evalkit.RunResult, metric: str) -> dict[str, Any]:
    return {e["pipeline"]: e["value"] for e in result.results["estimates"] if e["metric"] == metric}


def test_every_pipeline_answered_every_question(demo: evalkit.RunResult) -> None:
    """Ten answers each, with words in them, none failed, nothing to warn of."""
    traces = demo.traces
    assert traces.groupby("pipeline").size().to_dict() == dict.fromkeys(PIPELINES, 10)
    assert traces["error"].isna().all()
    assert (traces["output"].str.strip().str.len() > 0).mean() > 0.9
    assert [w for w in demo.results["warnings"] if "were cut at" not in w] == []
    assert demo.results["benchmark"]["name"] == "handbook"
    assert demo.results["benchmark"]["categories"]["control"] == 2


def test_the_base_model_does_not_keep_the_format(demo: evalkit.RunResult) -> None:
    """Instructed alone, a model of this size writes no answer in the house format."""
    assert values(demo, "format/generation/strict")["prompt_only"] == 0.0


def test_a_little_tuning_teaches_the_shape_of_an_answer(demo: evalkit.RunResult) -> None:
    """Most answers of both tuned pipelines open a JSON object, and meet the format strictly;
    few or none of the base model's do. Training lowers the loss."""
    asked = [q["question"] for q in demo.questions if q["category"] != "control"]
    outputs = demo.traces.set_index(["pipeline", "question"])["output"]
    opened = {p: sum(outputs[p, q].lstrip().startswith("{") for q in asked) for p in PIPELINES}
    assert (
        min(opened["lora"], opened["hybrid"])
        > len(asked) / 2
        > max(opened["prompt_only"], opened["rag"])
    )
    strict = values(demo, "format/generation/strict")
    assert min(strict["lora"], strict["hybrid"]) > 0.5 > strict["rag"]
    losses = demo.results["training"]["losses"]
    assert len(losses) == 12
    assert sum(losses[-4:]) < sum(losses[:4]) / 2


def test_tuning_on_behaviour_teaches_no_facts(demo: evalkit.RunResult) -> None:
    """Without documents no pipeline knows what an invented company decided."""
    facts = demo.scores.merge(pd.DataFrame(demo.questions)[["question", "expected"]])
    known = facts.query(
        "metric == 'correctness/generation/correct' and expected != '(abstain)' and status == 'scored'"
        " and pipeline in ['prompt_only', 'lora']"
    )
    assert len(known) > 8
    assert known["value"].mean() < 0.2


def test_retrieval_finds_evidence(demo: evalkit.RunResult) -> None:
    """Both pipelines with a retriever see the same passages, and some of them are the evidence."""
    recall = values(demo, "faithfulness/retrieval/context_recall")
    assert recall["rag"] == recall["hybrid"] > 0.3
    assert recall["prompt_only"] is recall["lora"] is None
    passages = demo.traces.set_index(["pipeline", "question"])["passages"]
    for question in {q for _, q in passages.index}:
        rag, hybrid = ([p["id"] for p in passages[name, question]] for name in ("rag", "hybrid"))
        assert rag == hybrid
        assert len(rag) == 3


def test_prompts_speak_for_us_and_not_for_the_models_maker(demo: evalkit.RunResult) -> None:
    """The chat template's default system message is not in any prompt."""
    assert not demo.traces["prompt"].str.contains("SmolLM", regex=False).any()
    assert demo.traces["prompt"].str.contains("<|im_start|>system", regex=False).all()


def test_the_demo_is_logged_and_its_page_stands_alone(demo: evalkit.RunResult) -> None:
    """One parent run and one for each pipeline in ./mlflow.db; the page loads nothing."""
    from mlflow import MlflowClient

    database = demo.folder.parent / "mlflow.db"
    (record,) = json.loads((demo.folder / "tracking.json").read_text())["logged"]
    assert record["uri"] == f"sqlite:///{database}"
    assert set(record["runs"]) == {"", *PIPELINES}
    client = MlflowClient(tracking_uri=record["uri"])
    for name in PIPELINES:
        run = client.get_run(record["runs"][name])
        assert run.data.tags["mlflow.parentRunId"] == record["runs"][""]
        strict = run.data.metrics["format/generation/strict"]
        assert strict == pytest.approx(values(demo, "format/generation/strict")[name])
    page = demo.report.read_text()
    assert not re.findall(
        r"""(?:src|href)=["']?(?!#|data:)[^\s>]+|@import|url\((?!["']?[#d])""", page
    )
    for name in PIPELINES:
        assert f">{name}<" in page


def test_logging_the_demo_again_sends_nothing(
    demo: evalkit.RunResult, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What a run writes after it was logged is no change."""
    monkeypatch.chdir(demo.folder.parent)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert cli.main(["log", "run"]) == 0
    assert capfd.readouterr().out.startswith("unchanged: ")


def test_the_whole_demo_again_is_all_at_hand(
    demo: evalkit.RunResult, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With its store the model is not even loaded, and the answers are the same."""

    def nothing(*_: object, **__: object) -> None:
        raise AssertionError("loaded again")

    monkeypatch.chdir(demo.folder.parent)
    monkeypatch.setattr("evalkit.generation.transformers_engine.load_model", nothing)
    again = evalkit.run(*REDUCED, "tracking=none", "judge=offline", f"run_dir={tmp_path / 'again'}")
    assert again.traces["output"].tolist() == demo.traces["output"].tolist()
