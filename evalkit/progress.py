"""Progress on the terminal: one line per stage with rate and time left; silent elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

_MOMENT_S = 0.5


@dataclass
class Rate:
    """Items per second since the first ones were done.

    What comes in the first moment is not counted: items that were at hand, or the first batch,
    the beginning of which nobody saw.
    """

    clock: Callable[[], float] = time.monotonic
    _first: float | None = None
    _since: float = 0.0
    _last: float = 0.0
    _done: float = 0.0

    def add(self, n: float) -> None:
        if n <= 0:
            return
        self._last = self.clock()
        if self._first is None:
            self._first = self._last
        if self._last - self._first < _MOMENT_S:
            self._since = self._last
        else:
            self._done += n

    def __str__(self) -> str:
        """The rate in two digits, or nothing where it is not known yet."""
        if not self._done or self._last - self._since < _MOMENT_S:
            return ""
        rate = self._done / (self._last - self._since)
        return f"{rate:.{0 if rate >= 9.95 else 1 if rate >= 0.95 else 2}f}/s"


@dataclass
class Stage:
    """A running stage; :meth:`advance` says that ``n`` more items are done."""

    bars: Any = None
    task: Any = None
    detail: str = ""
    rate: Rate = field(default_factory=Rate)

    def advance(self, n: float = 1, detail: str | None = None) -> None:
        if detail is not None:
            self.detail = detail
        self.rate.add(n)
        if self.bars is not None:
            self.bars.update(self.task, advance=n, detail=self.detail, rate=str(self.rate))


@dataclass
class Progress:
    """The stages of a run, shown while they last and timed for the report.

    ``shown=None`` shows bars exactly where standard error is a terminal; ``kept=False`` takes them
    away at the end.
    """

    shown: bool | None = None
    kept: bool = True
    timings: list[dict[str, Any]] = field(default_factory=list)
    _bars: Any = None

    def __enter__(self) -> Progress:
        if self.shown if self.shown is not None else sys.stderr.isatty():
            self._bars = _bars(self.kept)
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
            task = self._bars.add_task(name, total=total, doing=doing, detail="", rate="")
            stage = Stage(self._bars, task)
        started = time.perf_counter()
        yield stage
        seconds = time.perf_counter() - started
        if self._bars is not None:
            self._bars.update(
                stage.task, total=total or 1, completed=total or 1, detail=stage.detail
            )
            self._bars.stop_task(stage.task)
        self.timings.append(
            {"stage": name, "seconds": round(seconds, 3), "detail": stage.detail or doing}
        )


def _bars(kept: bool) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, TextColumn
    from rich.progress import Progress as Bars
    from rich.table import Column

    class Text(TextColumn):
        """Plain text in the terminal's colours; words of ours may hold square brackets."""

        def __init__(self, template: str, justify: Any = "left", **column: Any) -> None:
            layout = Column(no_wrap=True, **column)
            super().__init__(template, "default", justify, markup=False, table_column=layout)

    class Count(ProgressColumn):
        def render(self, task: Any) -> Any:
            return "" if task.total in (None, 1) else f"{task.completed:.0f}/{task.total:.0f}"

    class Clock(ProgressColumn):
        """How long it took, or how long it will take, where that can be told."""

        max_refresh = 0.5

        def render(self, task: Any) -> Any:
            if task.finished:
                return _time(task.finished_time)
            left = task.time_remaining if task.total else None
            return _time(task.elapsed) if left is None else f"{_time(left)} left"

    return Bars(
        Text("{task.description}", min_width=8),
        BarColumn(bar_width=16),
        Count(Column(justify="right", no_wrap=True)),
        Text("{task.fields[rate]}", justify="right"),
        Clock(Column(justify="right", no_wrap=True, min_width=9)),
        Text("{task.fields[doing]} {task.fields[detail]}", overflow="ellipsis", ratio=1),
        console=Console(stderr=True),
        expand=True,
        transient=not kept,
    )


def _time(seconds: float | None) -> str:
    minutes, rest = divmod(int(seconds or 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
