"""A folder to sweep in, and runs that take no time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweeping import Invented


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a test, in which a sweep leaves what it leaves."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def invented(monkeypatch: pytest.MonkeyPatch, home: Path) -> Invented:
    """Runs that take no time, in this process."""
    runs = Invented()
    monkeypatch.setattr("evalkit.runner.run", runs.run)
    return runs


@pytest.fixture(autouse=True)
def no_workers_of_before() -> Iterator[None]:
    """joblib keeps its processes for the next sweep, with the variables of their first one."""
    yield
    if "joblib.externals.loky" in sys.modules:
        from joblib.externals.loky.reusable_executor import _executor

        if _executor is not None:
            _executor.shutdown(wait=True, kill_workers=True)
