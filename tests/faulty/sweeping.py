"""Sweeps whose runs are invented in no time; and reading what a sweep left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evalkit import cli
from evalkit.sweeps.record import JobRecord, SweepFolder


class Invented:
    """Stands in for the runner: a run takes no time, and its number is a function of ``retriever.k``.

    Attributes:
        ran: ``retriever.k`` of every run, in order.
        broken: By ``retriever.k``, what running it raises.
    """

    def __init__(self) -> None:
        self.ran: list[int] = []
        self.broken: dict[int, BaseException] = {}
        self.value: Callable[[Any], float | None] = lambda config: config.retriever.k / 10

    def run(self, config: Any, progress: Any = None) -> Path:
        k = int(config.retriever.k)
        self.ran.append(k)
        if k in self.broken:
            raise self.broken[k]
        folder = Path(config.run_dir)
        folder.mkdir(parents=True, exist_ok=True)
        row = {"pipeline": "rag", "metric": "correctness/generation/correct"}
        results = {"estimates": [row | {"value": self.value(config)}]}
        (folder / "results.json").write_text(json.dumps(results))
        return folder


QUICK = ["tracking=none", "pipeline=[rag]"]
OBJECTIVE = "objective={metric: correctness/generation/correct, pipeline: rag}"


def sweep(*arguments: str, into: str = "sweep") -> int:
    """``evalkit run -m`` into a folder of the working directory; its exit code."""
    return cli.main(["run", "-m", *QUICK, *arguments, f"hydra.sweep.dir={into}"])


def records(path: str | Path = "sweep") -> dict[str, JobRecord]:
    return {record.id: record for record in SweepFolder(Path(path)).records()}


def statuses(path: str | Path = "sweep") -> dict[str, str]:
    """Of each job, by its label."""
    return {record.label: record.status for record in records(path).values()}


def document(path: str | Path = "sweep") -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((Path(path) / "sweep.json").read_text())
    return loaded
