"""The Python API: the same as the command line, from a notebook, with pandas frames."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.benchmarks.benchmark import Benchmark
from evalkit.errors import EvalkitError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunResult:
    """A finished run, read from its folder when asked."""

    folder: Path

    @cached_property
    def results(self) -> dict[str, Any]:
        """The whole of ``results.json``."""
        loaded: dict[str, Any] = _read_json(self.folder / "results.json")
        return loaded

    @cached_property
    def traces(self) -> pd.DataFrame:
        """One row per question and pipeline: passages, prompt, output, parsed answer, cost."""
        return self._parquet("traces")

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row per question, pipeline and metric, with its status."""
        return self._parquet("scores")

    @property
    def estimates(self) -> pd.DataFrame:
        """One row per pipeline and metric: value, interval, denominators, signature."""
        return self._frame("estimates")

    @property
    def comparisons(self) -> pd.DataFrame:
        """One row per pair of pipelines and metric: the paired difference ``b - a``."""
        return self._frame("comparisons")

    @property
    def effects(self) -> pd.DataFrame:
        """Effect of retrieval, of tuning, and their interaction, on every metric."""
        return self._frame("effects")

    @cached_property
    def questions(self) -> list[dict[str, Any]]:
        """Each question with the answers of every pipeline side by side, as the report shows them."""
        loaded: list[dict[str, Any]] = _read_json(self.folder / "questions.json")
        return loaded

    @property
    def report(self) -> Path:
        """The HTML page."""
        return self.folder / "report.html"

    def scorecard(self) -> str:
        """The scorecard as Markdown."""
        return (self.folder / "scorecard.md").read_text(encoding="utf-8")

    def _frame(self, part: str) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(self.results[part])

    def _parquet(self, name: str) -> pd.DataFrame:
        import pandas as pd

        return pd.read_parquet(self.folder / f"{name}.parquet")


def run(*overrides: str) -> RunResult:
    """Run an experiment: ``run("experiment=quartet", "limit=20")``.

    Args:
        overrides: what one would write after ``evalkit run``.

    Raises:
        EvalkitError: something to mend; finished work is kept.
    """
    from evalkit.configuration.compose import compose
    from evalkit.runner import run as run_config

    return RunResult(run_config(compose(overrides)))


def open_run(folder: str | Path) -> RunResult:
    """Open a finished run again.

    Raises:
        EvalkitError: the folder holds no finished run.
    """
    from evalkit.run_folder import state_of

    path = Path(folder)
    if not (path / "results.json").is_file():
        state = state_of(path)
        known = "" if state == "no run" else f" (the run is {state})"
        raise EvalkitError(
            f"{path} holds no finished run: there is no results.json{known}",
            todo="give a run folder; a run that was interrupted goes on when its command is run again",
        )
    return RunResult(path)


def load_benchmark(name_or_folder: str | Path) -> Benchmark:
    """A bundled benchmark by name (``handbook``), or the folder of your own.

    Raises:
        BenchmarkError: the files have problems; it lists them.
    """
    from evalkit.benchmarks import load, load_bundled

    path = Path(name_or_folder)
    return load(path) if path.is_dir() else load_bundled(str(name_or_folder))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EvalkitError(
            f"{path} is damaged: {error}",
            todo="run the experiment again; its answers are in the store",
        ) from error
