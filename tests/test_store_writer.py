"""What came is stored soon, whether or not more comes, and nothing is lost to a disk that was full."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import StoreError
from evalkit.store import Rows, Writer, writer

PATIENCE = 30.0
"""Seconds that a commit may take on a busy machine."""


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "EVERY", 0.05)


def until(true: Callable[[], bool]) -> None:
    """Wait for it."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_batch_is_stored_while_the_next_one_is_computed(tmp_path: Path) -> None:
    """All of its rows come at once, and then none for as long as the next batch takes."""
    path = tmp_path / "rows.sqlite"
    batch = {f"row {number}": number for number in range(64)}
    with Writer(Rows(path).put) as kept:
        for key, value in batch.items():
            kept.add(key, value)
        until(lambda: Rows(path).get(batch) == batch)


def test_what_is_left_is_stored_at_the_end_also_after_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "EVERY", 3600)
    path = tmp_path / "rows.sqlite"

    def work() -> None:
        with Writer(Rows(path).put) as kept:
            kept.add("row", 1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert Rows(path).get(["row"]) == {"row": 1}


class Full:
    """A disk that is full so many times."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.stored: dict[str, Any] = {}

    def put(self, values: Mapping[str, Any]) -> None:
        if self.times:
            self.times -= 1
            raise StoreError("the disk is full")
        self.stored |= values


def refused(kept: Writer) -> bool:
    try:
        kept.add("later", 2)
    except StoreError:
        return True
    return False


def test_a_full_disk_ends_the_work_soon_and_what_came_is_tried_again() -> None:
    """The work hears of it with one of its next rows; those that came before are stored after all."""
    disk = Full(times=1)
    with Writer(disk.put) as kept:
        kept.add("first", 1)
        until(lambda: refused(kept))
    assert disk.stored["first"] == 1


def test_a_disk_that_stays_full_is_said() -> None:
    disk = Full(times=1000)
    with pytest.raises(StoreError, match="disk is full"), Writer(disk.put) as kept:
        kept.add("first", 1)
