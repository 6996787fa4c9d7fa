"""Nothing is computed twice: a rerun loads no model, and computes what has changed and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evalkit
from evalkit import preflight
from evalkit.configuration.assemble import Experiment
from evalkit.configuration.compose import compose, resolved
from evalkit.generation import transformers_engine
from evalkit.machine.hardware import surely_no_accelerator
from evalkit.progress import Progress
from evalkit.records import Passage, Retrieved, Sample
from evalkit.reporting import figures
from evalkit.results import measures
from evalkit.retrieval import HashEmbedder
from evalkit.scoring import METRICS
from evalkit.scoring.judges.offline import OfflineJudge
from evalkit.stages import preparing, scorer
from evalkit.stages.preparing import Indexed
from evalkit.stages.retrieving import Retrievals
from evalkit.store import Store, source_of
from evalkit.tuning import lora

ONE = "citation/generation/precision"


def counted(calls: Counter[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: Any, **named: Any) -> Any:
        calls[name] += 1
        return function(*given, **named)

    return call


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often whatever is slow was done."""
    found: Counter[str] = Counter()
    for owner, name in (
        (transformers_engine, "load_model"),
        (transformers_engine, "load_tokenizer"),
        (lora, "train"),
        (preparing, "update"),
        (HashEmbedder, "encode"),
        (scorer, "score"),
        (measures, "measure"),
        (figures, "save_figures"),
        (preflight, "instruction_faults"),
    ):
        monkeypatch.setattr(owner, name, counted(found, name, getattr(owner, name)))
    return found


def test_a_rerun_computes_nothing(quartet: Any, tmp_path: Path, calls: Counter[str]) -> None:
    """Every score and trace is equal, the seconds that were measured included; so are all results
    but the moments and the memory of this process."""
    again = evalkit.run(*quartet.overrides, f"run_dir={tmp_path / 'first'}")
    calls.clear()
    second = evalkit.run(*quartet.overrides, f"run_dir={tmp_path / 'second'}")
    assert calls == {}
    pd.testing.assert_frame_equal(quartet.result.scores, second.scores)
    pd.testing.assert_frame_equal(quartet.result.traces, second.traces)
    assert second.questions == quartet.result.questions
    apart = {"created", "timings", "environment"}
    one, other = (
        {k: v for k, v in run.results.items() if k not in apart} for run in (again, second)
    )
    memory = {"stage": "run", "name": "peak memory", "unit": "bytes"}
    for results in (one, other):
        results["costs"] = [row for row in results["costs"] if {**row, **memory} != row]
    assert one == other
    drawn = {f.name: f.read_bytes() for f in (tmp_path / "second" / "figures").iterdir()}
    assert drawn == {f.name: f.read_bytes() for f in (tmp_path / "first" / "figures").iterdir()}
    assert drawn


def test_a_rerun_imports_no_model_library(quartet: Any, tmp_path: Path) -> None:
    """In a process of its own: no torch, and nothing else that takes its second to import."""
    evalkit.run(*quartet.overrides, f"run_dir={tmp_path / 'first'}")  # its hypotheses are left out
    heavy = (
        "torch",
        "transformers",
        "peft",
        "faiss",
        "datasets",
        "matplotlib",
        "jsonschema",
        "ragas",
    )
    script = (
        "import json, sys, evalkit; evalkit.run(*json.loads(sys.argv[1]));"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    given = json.dumps([*quartet.overrides, f"run_dir={tmp_path / 'second'}"])
    done = subprocess.run(
        [sys.executable, "-c", script, given], capture_output=True, text=True, check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    # Where there may be a GPU, torch must be asked about it.
    expected = [] if surely_no_accelerator() else ["torch"]
    assert done.stdout.splitlines()[-1] == str(expected)


def test_a_changed_metric_is_computed_again_and_no_other(
    quartet: Any, tmp_path: Path, calls: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without generating, counting or retrieving anything; the next rerun has the new scores."""
    asked: Counter[str] = Counter()

    def noted(sample: Sample, judge: Any, names: list[str]) -> Any:
        asked.update(names)
        return score(sample, judge, names)

    score = scorer.score
    monkeypatch.setattr(scorer, "score", noted)
    metric = METRICS[ONE]
    monkeypatch.setitem(METRICS, ONE, replace(metric, version="999"))
    changed = evalkit.run(*quartet.overrides, f"run_dir={tmp_path / 'changed'}")
    assert asked == {ONE: 24}
    assert not {"load_model", "load_tokenizer", "encode", "update", "train"} & set(calls)
    pd.testing.assert_frame_equal(changed.scores, quartet.result.scores)
    asked.clear()
    evalkit.run(*quartet.overrides, f"run_dir={tmp_path / 'again'}")
    assert asked == {}


def test_another_judge_scores_everything_again(
    quartet: Any, tmp_path: Path, calls: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new version of one is another judge. Nothing is generated or retrieved."""
    monkeypatch.setattr(OfflineJudge, "version", "999")
    evalkit.run(*quartet.overrides, f"run_dir={tmp_path / 'run'}")
    assert calls["score"] == 24
    assert not {"load_model", "load_tokenizer", "encode", "update", "train"} & set(calls)


def test_what_failed_is_scored_again(
    quartet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A metric that raised once is no score to keep; those of other traces are kept."""
    metric = METRICS[ONE]

    def broken(sample: Sample, judge: Any) -> Any:
        if sample.trace.question == "q1" and sample.trace.pipeline == "rag":
            raise OSError("gone")
        return metric.function(sample, judge)

    store = f"store={tmp_path / 'store'}"
    given = [*quartet.overrides, "pipeline=[rag]", store]
    with monkeypatch.context() as patch:
        patch.setitem(METRICS, ONE, replace(metric, function=broken))
        first = evalkit.run(*given, f"run_dir={tmp_path / 'first'}")
    assert (first.scores["reason"] == "OSError: gone").sum() == 1
    found: Counter[str] = Counter()
    monkeypatch.setattr(scorer, "score", counted(found, "score", scorer.score))
    second = evalkit.run(*given, f"run_dir={tmp_path / 'second'}")
    assert found == {"score": 1}
    assert (second.scores["status"] == "failed").sum() == 0


def test_a_judge_that_keeps_its_judgments_is_asked_each_time(quartet: Any, tmp_path: Path) -> None:
    """So that it can account for all that were given."""
    plain = Experiment(resolved(compose(quartet.overrides)))
    own = Experiment({**plain.config, "judge": {**plain.config["judge"], "stored": True}})
    store = Store(tmp_path / "store")
    assert scorer.Scorer(plain, plain.judge, store)._rows is not None
    assert scorer.Scorer(own, plain.judge, store)._rows is None


# --- retrieval ---------------------------------------------------------------------------------


@pytest.fixture
def retrievals(
    quartet: Any, tmp_path: Path, calls: Counter[str]
) -> Callable[..., tuple[Retrievals, Indexed, Experiment]]:
    def made(*overrides: str) -> tuple[Retrievals, Indexed, Experiment]:
        given = [*quartet.overrides, f"store={tmp_path / 'store'}", *overrides]
        experiment = Experiment(resolved(compose(given)))
        passages = experiment.chunker.passages(experiment.benchmark.revisions)
        found = Retrievals(experiment, passages, Store(tmp_path / "store"), Progress(shown=False))
        return found, found.complete(experiment.benchmark.questions), experiment

    return made


def test_only_new_questions_are_searched_for(
    retrievals: Callable[..., Any], calls: Counter[str]
) -> None:
    """Two first, then all six: the index is built for those that are missing, and then never again;
    it says each time what building it cost."""
    found, built, experiment = retrievals("limit=2", "control_limit=0")
    assert built.retriever is not None
    assert len(found.of(experiment.benchmark.questions).passages) == 2
    found, more, experiment = retrievals()
    assert more.retriever is not None
    assert calls["update"] == 2
    calls.clear()
    again, nothing, experiment = retrievals()
    assert calls == {}
    assert nothing == Indexed(None, built.seconds, built.bytes)
    questions = experiment.benchmark.questions
    assert again.of(questions) == found.of(questions)
    assert set(again.of(questions[:1]).seconds) == {questions[0].id}


def test_a_retriever_may_find_passages_of_its_own(
    retrievals: Callable[..., Any], calls: Counter[str]
) -> None:
    """They are kept whole, dates included, and come back equal."""
    found, _, _ = retrievals()
    web = Passage("web#1", "web", "web@1", "T", "text", date(2025, 1, 1), None, 2, 6, intact=False)
    known = next(iter(found._by_id.values()))
    for passage in (web, known, replace(known, valid_to=date(2025, 2, 3))):
        row = json.loads(json.dumps({"found": [found._plain(Retrieved(passage, 0.25))]}))
        assert found._revived(row) == (Retrieved(passage, 0.25),)


def test_the_code_of_somebodys_own_retriever_is_in_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours has versions; another's file is hashed; what has no file has none."""
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "own_retriever_4711.py"
    file.write_text("def build(materials): ...\n")
    before = source_of("own_retriever_4711.build")
    file.write_text("def build(materials): return None\n")
    after = source_of("own_retriever_4711.build")
    assert None is not before != after is not None
    assert source_of("evalkit.retrieval.build.dense") is None
    assert source_of("no_such_module_4711.build") is None
