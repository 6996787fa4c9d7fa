"""Say how the jobs of a sweep go on, wherever they run: their own words stay where they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

from evalkit.errors import EvalkitError
from evalkit.sweeps.record import JobRecord, SweepFolder

_EVERY_S = 1.0


@contextmanager
def watched(folder: SweepFolder, jobs: Sequence[str]) -> Iterator[None]:
    """Print a line for each of these jobs as it ends, as long as the block lasts."""
    left = list(jobs)
    over = Event()

    def look() -> None:
        for record in _ended(folder, left):
            left.remove(record.id)
            print(_line(record), flush=True)

    def keep_looking() -> None:
        while not over.wait(_EVERY_S):
            look()

    watcher = Thread(target=keep_looking, name="evalkit-sweep", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        look()


def _ended(folder: SweepFolder, jobs: Sequence[str]) -> list[JobRecord]:
    found = []
    for job in jobs:
        try:
            record = folder.record(job)
        except EvalkitError:  # somebody else says that it is damaged
            continue
        if record.ended:
            found.append(record)
    return found


def _line(record: JobRecord) -> str:
    if record.status == "failed":
        return f"{record.heading}: failed: {str(record.reason).splitlines()[0]}"
    took = "" if record.seconds is None else f" in {record.seconds:.0f} s"
    return f"{record.heading}: {record.status}{took}"
