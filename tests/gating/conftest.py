"""Makes the runs that are gated, and the module that describes them importable."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from made_runs import MakeRun, write_run


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """``make_run(name, cells, ...)`` writes a run folder and returns it."""
    return lambda name, cells, **more: write_run(tmp_path / name, cells, **more)
