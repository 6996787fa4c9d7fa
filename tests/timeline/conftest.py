"""A benchmark in which things change, and one finished study over it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import evalkit

sys.path.append(str(Path(__file__).parent))  # a configuration names the clerk by its module

from moving import DATES, rows, write


@pytest.fixture(scope="session")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the benchmark."""
    return write(tmp_path_factory.mktemp("moving") / "benchmark", rows())


@pytest.fixture(scope="session")
def moving_benchmark(moving: Path) -> evalkit.Benchmark:
    return evalkit.load_benchmark(moving)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that look like a model's; the clerk reads none of them."""
    folder = tmp_path_factory.mktemp("weights")
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_text("{}")
    return folder


@pytest.fixture(scope="session")
def overrides(weights: Path, moving: Path) -> list[str]:
    """The study over the small benchmark, answered by the clerk. The adapter's purse pays for a
    training of two seconds every other time.
    """
    return [
        "experiment=roll_forward", "model=path", f"model.weights.path={weights}",
        "model.engine._target_=clerk.Clerk", "model.engine.device=cpu", "model.engine.dtype=float32",
        "tuning.train._target_=clerk.memorise", "tuning.examples.limit=null", "embedder=hash",
        "judge=offline", "tracking=none", "statistics.resamples=200", "benchmark=jsonl",
        f"benchmark.path={moving}", "retriever.k=5", "limit=null", "timeline.examples=null",
        f"timeline.dates=[{','.join(DATES)}]", "timeline.budget={index: 1000, adapter: 1}",
    ]  # fmt: skip


@pytest.fixture(scope="session")
def study(overrides: list[str], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One finished study: ``.result``, its ``.overrides`` and ``.store``."""
    folder = tmp_path_factory.mktemp("study")
    given = [*overrides, f"store={folder / 'store'}"]
    result = evalkit.run(*given, f"run_dir={folder / 'run'}")
    return SimpleNamespace(result=result, overrides=given, store=folder / "store")
