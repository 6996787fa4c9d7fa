"""A sweep on the terminal: every job, how it stands, and why where it failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evalkit.sweeps.record import STATUSES, JobRecord, open_sweep, settled

_COLOURS = {"finished": "green", "failed": "bold red", "running": "yellow"}


def conclude(path: Path, console: Console | None = None) -> int:
    """List the jobs of a sweep and what to do next; 1 when some failed.

    Raises:
        EvalkitError: The folder is no sweep's.
    """
    console = console or Console()
    folder = open_sweep(path)
    # Only where no parent does: it writes down itself what became of its jobs.
    with folder.unless_held() as alone:
        before = folder.records()
        records = [settled(folder, record) for record in before]
        if alone:
            for record in records:
                if record not in before:
                    folder.write(record)
            folder.assemble(folder.head())
    show(records, console)
    counts = Counter(record.status for record in records)
    said = ", ".join(f"{counts[s]} {s}" for s in STATUSES if counts[s])
    console.print(f"\njobs: {said} · {path}", markup=False, highlight=False, soft_wrap=True)
    left = counts["failed"] + (counts["waiting"] if alone else 0)
    if left:
        todo = f"  What to do: evalkit sweep {path} --resume"
        console.print(todo, markup=False, highlight=False, soft_wrap=True)
    return int(counts["failed"] > 0)


def show(records: Sequence[JobRecord], console: Console) -> None:
    """A table of the jobs; the reasons of those that failed below it, each once."""
    table = Table(title="sweep", title_justify="left")
    table.add_column("job", justify="right")
    table.add_column("overrides", overflow="fold")
    table.add_column("")
    table.add_column("s", justify="right")
    if objective := any(r.objective is not None for r in records):
        table.add_column("objective", justify="right")
    for record in records:
        seconds = "" if record.seconds is None else f"{record.seconds:.0f}"
        cells = [
            Text(record.id),
            Text(record.label),
            Text(record.status, style=_COLOURS.get(record.status, "")),
            Text(seconds),
        ]
        if objective:
            cells.append(Text("" if record.objective is None else f"{record.objective:.3g}"))
        table.add_row(*cells)
    console.print(table)
    by_reason: dict[str, list[str]] = {}
    for record in records:
        if record.status == "failed":
            by_reason.setdefault(record.reason or "no reason was kept", []).append(record.id)
    for reason, jobs in by_reason.items():
        named = f"job {jobs[0]}" if len(jobs) == 1 else f"jobs {', '.join(jobs)}"
        console.print(Text(f"\n{named} failed: {reason}"), soft_wrap=True)


def choose_baseline(path: Path, baseline: str) -> None:
    """Note which job (``ID`` or ``ID/PIPELINE``) the others are compared with.

    Raises:
        EvalkitError: The folder is no sweep's, or has no such job.
    """
    from evalkit.errors import EvalkitError

    folder = open_sweep(path)
    ids = [record.id for record in folder.records()]
    if baseline.partition("/")[0] not in ids:
        raise EvalkitError(f"{path} has no job {baseline!r}", todo=f"its jobs are {', '.join(ids)}")
    with folder.whole():
        folder.assemble(replace(folder.head(), baseline=baseline))
