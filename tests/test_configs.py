"""Every shipped configuration file composes, names things that exist, and every study runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, ListConfig, OmegaConf

import evalkit
from evalkit.benchmarks import BenchmarkError
from evalkit.configuration.compose import compose, resolved, shipped_root
from evalkit.configuration.engines import WORKER_KEYS
from evalkit.configuration.making import make
from evalkit.results.costs import Prices
from evalkit.timeline.settings import Timeline

CONF = shipped_root() / "conf"
# conf/gate is composed by `evalkit gate` and tested with it.
OPTIONS = sorted(
    f"{f.parent.name}/{f.stem}" for f in CONF.glob("*/*.yaml") if f.parent.name != "gate"
)
STUDIES = sorted(f.stem for f in (shipped_root() / "experiments").glob("*.yaml"))
# Asks about things that change, which the tiny benchmark does not have; run in tests/timeline.
OVER_TIME = {"roll_forward", "endoflife"}
NEEDED = {
    "benchmark/endoflife": ["benchmark.path=somewhere"],
    "benchmark/jsonl": ["benchmark.path=somewhere"],
    "embedder/hub": ["embedder.weights.id=a/b"],
    "judge/llm": ["judge.chat.model=m"],
    "judge/nli": ["judge.weights.id=a/b"],
    "model/hub": ["model.weights.id=a/b"],
    "model/openai": ["model.name=m"],
    "model/path": ["model.weights.path=somewhere"],
    "model/vllm": ["model.weights.id=a/b"],
}
# They read a user's own copy of published data, which is not here.
SOURCES = {
    f"benchmark/{name}"
    for name in (
        "beir", "clapnq", "endoflife", "freshqa", "hotpotqa", "realtimeqa", "situatedqa", "squad", "xquad",
    )
}  # fmt: skip


def override_of(option: str) -> list[str]:
    group, name = option.split("/")
    chosen = f"[{name}]" if group == "pipeline" else name
    return [f"{group}={chosen}", *NEEDED.get(option, [])]


def targets(node: Any) -> Iterator[DictConfig]:
    """Every mapping with a ``_target_``, outermost first."""
    if isinstance(node, DictConfig):
        if "_target_" in node:
            yield node
        for key in node:
            yield from targets(node[key])
    elif isinstance(node, ListConfig):
        for item in node:
            yield from targets(item)


def test_the_files_on_disk_are_the_groups_that_are_documented() -> None:
    assert {o.split("/")[0] for o in OPTIONS} >= {
        "benchmark", "model", "embedder", "retriever", "tuning", "prompt", "pipeline", "judge", "tracking",
    }  # fmt: skip
    assert {"quartet", "ladder"} <= set(STUDIES)


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_composes_and_what_it_names_can_be_made(
    option: str, shared_benchmark: Path
) -> None:
    """No interpolation is left open, and no ``_target_`` has a wrong name or an unknown key."""
    group = option.split("/")[0]
    needed = [
        o.replace("benchmark.path=somewhere", f"benchmark.path={shared_benchmark}")
        for o in override_of(option)
    ]
    config = compose(needed)
    OmegaConf.resolve(config)
    assert OmegaConf.missing_keys(config) == set()
    part = config.pipelines if group == "pipeline" else config[group]
    if option in SOURCES:
        with pytest.raises(BenchmarkError, match=r"one of the two|no folder named YYYY-MM-DD"):
            make(OmegaConf.to_container(part), option)
        return
    for node in targets(part):
        own = {k: v for k, v in OmegaConf.to_container(node).items() if k not in WORKER_KEYS}
        made = make(own, option)
        assert made is not None
        if node.get("_partial_"):
            from inspect import signature

            signature(made)  # raises where a key is unknown to what it names


@pytest.mark.parametrize("option", [o for o in OPTIONS if o in NEEDED])
def test_an_option_that_needs_a_value_says_which(option: str, tmp_path: Path) -> None:
    """Without it the run stops before anything is done, and names the key."""
    key = NEEDED[option][0].partition("=")[0]
    with pytest.raises(evalkit.EvalkitError, match=rf"needs a value for {key}\n.*{key}=VALUE"):
        evalkit.run(override_of(option)[0], f"run_dir={tmp_path / 'run'}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("study", sorted(OVER_TIME))
def test_a_study_over_time_composes(study: str) -> None:
    """With dates in order, the knowledge that an adapter needs, and a title."""
    path = ["benchmark.path=somewhere"] if study == "endoflife" else []
    config = compose([f"experiment={study}", *path])
    assert config.name == study
    assert config.title
    assert len(Timeline.of(resolved(config)["timeline"], Prices.of(None)).dates) > 1
    assert "knowledge" in config.tuning.examples.kinds


@pytest.mark.parametrize("study", sorted(set(STUDIES) - OVER_TIME))
def test_a_study_runs_from_end_to_end(
    study: str, tiny_overrides: list[str], quartet: Any, tmp_path: Path
) -> None:
    """At tiny size, every pipeline that it names answers every question and gets its scores."""
    overrides = [f"experiment={study}", *tiny_overrides]
    config = compose(overrides)
    assert config.name == study
    assert config.title
    result = evalkit.run(*overrides, f"store={quartet.store}", f"run_dir={tmp_path / 'run'}")
    assert result.results["experiment"] == study
    assert [p["name"] for p in result.results["pipelines"]] == list(config.pipelines)
    assert result.traces.groupby("pipeline").size().to_dict() == dict.fromkeys(config.pipelines, 6)
    assert result.traces["error"].isna().all()
    assert {e["pipeline"] for e in result.results["estimates"]} == set(config.pipelines)
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
