"""Which sweeps ran in this process, for the command that began them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from evalkit.secrets import Redactor


@dataclass
class Ran:
    """A sweep that ran in this process.

    Attributes:
        path: Its folder.
        trackers: Where its jobs are logged: store (None is the default one) and experiment.
        redactor: Knows its secrets.
    """

    path: Path
    trackers: list[tuple[str | None, str]] = field(default_factory=list)
    redactor: Redactor = field(default_factory=Redactor.collect)


_RAN: ContextVar[list[Ran] | None] = ContextVar("_RAN", default=None)


@contextmanager
def listening() -> Iterator[list[Ran]]:
    """The sweeps that run in here, in the order in which they begin."""
    heard: list[Ran] = []
    token = _RAN.set(heard)
    try:
        yield heard
    finally:
        _RAN.reset(token)


def announce(sweep: Ran) -> None:
    """Tell whoever listens that a sweep has begun."""
    if (heard := _RAN.get()) is not None:
        heard.append(sweep)
