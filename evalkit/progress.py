"""Progress on the terminal: one bar per stage with rate and time left; silent elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any


@dataclass
class Stage:
    """A running stage; :meth:`advance` says that ``n`` more items are done."""

    bars: Any = None
    task: Any = None
    detail: str = ""

    def advance(self, n: float = 1, detail: str | None = None) -> None:
        if detail is not None:
            self.detail = detail
        if self.bars is not None:
            self.bars.update(self.task, advance=n, detail=self.detail)


@dataclass
class Progress:
    """The stages of a run, shown while they last and timed for the report.

    ``shown=None`` shows bars exactly where standard error is a terminal.
    """

    shown: bool | None = None
    timings: list[dict[str, Any]] = field(default_factory=list)
    _bars: Any = None

    def __enter__(self) -> Progress:
        if self.shown if self.shown is not None else sys.stderr.isatty():
            self._bars = _bars()
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    @contextmanager
    def stage(self, name: str, doing: str, total: float | None = None) -> Iterator[Stage]:
        """Time a stage called ``name``; ``doing`` is what the bar says it does."""
        stage = Stage()
        if self._bars is not None:
            stage = Stage(
                self._bars, self._bars.add_task(f"{name:<9}", total=total, doing=doing, detail="")
            )
        started = time.perf_counter()
        yield stage
        seconds = time.perf_counter() - started
        if self._bars is not None:
            self._bars.update(stage.task, total=total or 1, completed=total or 1)
            self._bars.stop_task(stage.task)
        self.timings.append(
            {"stage": name, "seconds": round(seconds, 3), "detail": stage.detail or doing}
        )


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[doing]} {task.fields[detail]}"),
        console=Console(stderr=True),
    )
