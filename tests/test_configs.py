"""Every shipped configuration file composes, names things that exist, and every study runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, ListConfig, OmegaConf

import evalkit
from evalkit.assemble import make
from evalkit.compose import compose, shipped_root

CONF = shipped_root() / "conf"
OPTIONS = sorted(f"{f.parent.name}/{f.stem}" for f in CONF.glob("*/*.yaml"))
STUDIES = sorted(f.stem for f in (shipped_root() / "experiments").glob("*.yaml"))
NEEDED = {
    "benchmark/jsonl": ["benchmark.path=somewhere"],
    "embedder/hub": ["embedder.weights.id=a/b"],
    "model/hub": ["model.weights.id=a/b"],
    "model/path": ["model.weights.path=somewhere"],
}


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
    for node in targets(part):
        made = make(OmegaConf.to_container(node), option)
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


@pytest.mark.parametrize("study", STUDIES)
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
