"""Composition: studies, a user's own options, and errors that name what was wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from evalkit.configuration.compose import compose, hydra_arguments, search_path, shipped_root
from evalkit.errors import ConfigError

PINNED = "sk-live-0123456789abcdef"


def test_the_default_is_the_square_on_the_handbook() -> None:
    """Without an argument: four pipelines, the shipped benchmark, no study."""
    config = compose([])
    assert list(config.pipelines) == ["prompt_only", "rag", "lora", "hybrid"]
    assert {n: (p.context, p.tuned, p.shots) for n, p in config.pipelines.items()} == {
        "prompt_only": ("none", False, 0),
        "rag": ("retrieved", False, 0),
        "lora": ("none", True, 0),
        "hybrid": ("retrieved", True, 0),
    }
    assert (config.name, config.benchmark.name, config.limit) == ("custom", "handbook", None)
    assert config.retriever.view == "history"
    assert config.tuning.examples["kinds"] == ["behaviour"]


def test_a_study_sets_what_it_says_and_the_command_line_has_the_last_word() -> None:
    quartet = compose(["experiment=quartet"])
    assert (quartet.name, quartet.limit, quartet.control_limit) == ("quartet", 120, 24)
    assert compose(["experiment=quartet", "limit=8"]).limit == 8
    assert compose(["limit=8", "experiment=quartet"]).limit == 8
    ladder = compose(["experiment=ladder"])
    assert list(ladder.pipelines) == ["prompt_only", "rag", "lora", "hybrid", "few_shot", "oracle"]


def test_experiment_is_short_for_its_group() -> None:
    """Only the key itself; and flags go first, since Hydra takes none between overrides."""
    assert hydra_arguments(["experiment=quartet", "limit=3"]) == ["experiments=quartet", "limit=3"]
    assert hydra_arguments(["tracking.experiment=mine"]) == ["tracking.experiment=mine"]
    assert hydra_arguments(["k=1", "-m", "experiment=a,b"]) == ["-m", "k=1", "experiments=a,b"]
    assert hydra_arguments(["limit=3", "--cfg", "job"]) == ["--cfg", "job", "limit=3"]


def test_a_seed_and_a_device_reach_every_part() -> None:
    """Parts refer to one value, so that no part can be forgotten."""
    config = compose(["seed=7", "model.engine.device=cpu", "model.engine.dtype=float32"])
    assert config.tuning.settings.seed == config.model.decoding.seed == 7
    assert (config.tuning.settings.device, config.tuning.settings.dtype) == ("cpu", "float32")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, elsewhere, as the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_users_option_joins_a_shipped_group(home: Path) -> None:
    """conf/retriever/mine.yaml in the working directory is retriever=mine; shipped ones remain."""
    (home / "conf" / "retriever").mkdir(parents=True)
    (home / "conf" / "retriever" / "mine.yaml").write_text("defaults: [bm25]\nname: mine\nk: 9\n")
    mine = compose(["retriever=mine"]).retriever
    assert (mine.name, mine.k, mine.build._target_) == ("mine", 9, "evalkit.retrieval.build.bm25")
    assert compose(["retriever=bm25"]).retriever.name == "bm25"


def test_a_users_option_wins_over_the_shipped_one_of_the_same_name(home: Path) -> None:
    (home / "conf" / "statistics").mkdir(parents=True)
    (home / "conf" / "statistics" / "default.yaml").write_text("resamples: 77\nconfidence: 0.9\n")
    assert dict(compose([]).statistics) == {"resamples": 77, "confidence": 0.9}


def test_a_users_study_and_pipeline_are_found(home: Path) -> None:
    """A new pipeline is a YAML file, and a study in ./experiments names it."""
    (home / "experiments").mkdir()
    (home / "experiments" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /pipeline: [rag, wide]\nname: mine\nlimit: 5\n"
    )
    (home / "conf" / "pipeline").mkdir(parents=True)
    (home / "conf" / "pipeline" / "wide.yaml").write_text(
        "# @package pipelines.wide\ncontext: retrieved\ntuned: false\nshots: 1\n"
    )
    config = compose(["experiment=mine"])
    assert (config.name, config.limit, list(config.pipelines)) == ("mine", 5, ["rag", "wide"])
    assert compose(["experiment=quartet"]).name == "quartet"


def test_the_working_directory_itself_is_searched_only_for_studies(home: Path) -> None:
    """A folder `model` of the user's, with no experiments beside it, is not ours to read."""
    assert search_path() == [shipped_root() / "conf", shipped_root()]
    (home / "conf").mkdir()
    assert search_path()[0] == home / "conf"
    assert home not in search_path()
    (home / "experiments").mkdir()
    assert search_path()[:2] == [home / "conf", home]


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("nonsense=1", "Could not override 'nonsense'"),
        ("retriever.kk=1", "Could not override 'retriever.kk'"),
        ("model=gpt9", "Could not find 'model/gpt9'"),
        ("experiment=quintet", "Could not find 'experiments/quintet'"),
        ("pipeline=[rag,nope]", "Could not load 'pipeline/nope'"),
        ("limit", "limit"),
        ("limit=[1", r"\[1"),
    ],
)
def test_an_override_that_fits_nothing_is_named(override: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        compose([override])
    assert "What to do: `evalkit run --cfg job` prints the keys" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_an_unknown_option_lists_every_option_there_is() -> None:
    """All of them, and not Hydra's search path."""
    with pytest.raises(ConfigError) as caught:
        compose(["pipeline=[nope]"])
    listed = "Options of pipeline: few_shot, hybrid, lora, oracle, oracle_tuned, prompt_only, rag, system."
    assert listed in caught.value.problem
    assert "provider=" not in caught.value.problem


def test_a_broken_file_of_the_users_is_named(home: Path) -> None:
    (home / "conf" / "retriever").mkdir(parents=True)
    (home / "conf" / "retriever" / "mine.yaml").write_text("k: [1\n")
    with pytest.raises(ConfigError, match=r"retriever/mine\.yaml"):
        compose(["retriever=mine"])


def test_a_secret_in_an_override_that_fits_nothing_is_not_repeated() -> None:
    """Hydra's message quotes the override; ours has the key only."""
    with pytest.raises(ConfigError, match=r"nonsense\.api_key=<redacted>") as caught:
        compose([f"nonsense.api_key={PINNED}"])
    assert PINNED not in str(caught.value)


def test_a_sweep_runs_every_combination_and_writes_no_secret(
    tiny_overrides: list[str], tmp_path: Path
) -> None:
    """`evalkit run -m` on the command line: a run folder each, whose configs differ in the swept
    key; multirun.yaml is there, and the key that was given is in no file and not on the terminal."""
    command = [
        sys.executable, "-m", "evalkit.cli", "run", "pipeline=[rag]", "-m", *tiny_overrides,
        "retriever.k=1,2", f"+model.api_key={PINNED}", "name=sweep-${retriever.k}", "store=store",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(shipped_root())}
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    folders = sorted(f.parent for f in (tmp_path / "runs").glob("sweep-*/*/results.json"))
    assert [f.name for f in folders] == ["0", "1"]
    for folder, k in zip(folders, (1, 2), strict=True):
        assert OmegaConf.load(folder / "config.yaml").retriever.k == k
        assert json.loads((folder / "results.json").read_text())["experiment"] == f"sweep-{k}"
    sweep = next((tmp_path / "runs").glob("sweep-*/multirun.yaml"))
    written = OmegaConf.load(sweep)
    assert written.model.api_key == "<redacted>"
    assert "retriever.k=1,2" in written.hydra.overrides.task
    assert "+model.api_key=<redacted>" in written.hydra.overrides.task
    assert PINNED not in done.stdout + done.stderr
    for file in (tmp_path / "runs").rglob("*"):
        assert file.is_dir() or PINNED.encode() not in file.read_bytes(), file
