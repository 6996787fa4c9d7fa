"""When a sweep is over: how its jobs stand, what they found, and the tracker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.errors import EvalkitError, is_disk_problem
from evalkit.sweeps.ran import Ran
from evalkit.sweeps.status import conclude

if TYPE_CHECKING:
    from rich.console import Console

_MOST_NOTES = 3


def end(sweep: Ran) -> int:
    """List the jobs, write the report of those that finished, and send it to the tracker.

    Returns:
        1 when some failed. Neither report nor tracker can make a sweep fail.
    """
    from rich.console import Console

    console = Console()
    code = conclude(sweep.path, console)
    try:
        write_report(sweep.path, console)
        for uri, experiment in sweep.trackers[:1]:
            _log(sweep, uri, experiment, console)
    except (EvalkitError, OSError) as error:
        if isinstance(error, OSError) and not is_disk_problem(error):
            raise
        said = sweep.redactor.redact(f"no report: {error}")
        later = f"evalkit sweep {sweep.path} --report"
        _say(console, f"{said}\n  The jobs are complete; for the report alone: {later}", whole=True)
    return code


def write_report(path: Path, console: Console) -> None:
    """Compare the finished jobs in one page, and print what counts most.

    Raises:
        EvalkitError: The folder is no sweep's, or its baseline or objective is not in it.
    """
    from evalkit.reporting.sweep import View, sweep_reading, write_sweep
    from evalkit.sweeps.analysis import analyse

    found = analyse(path)
    page = write_sweep(found, path)["report.html"]
    console.print()
    for sentence in sweep_reading(View(found)):
        _say(console, sentence)
    notes = found["notes"]
    for note in notes[:_MOST_NOTES]:
        _say(console, f"Note: {note}")
    if len(notes) > _MOST_NOTES:
        _say(console, f"Notes: {len(notes) - _MOST_NOTES} more in the report.")
    _say(console, f"\nreport: {page}", whole=True)


def _log(sweep: Ran, uri: str | None, experiment: str, console: Console) -> None:
    from evalkit.tracking import TrackingError
    from evalkit.tracking.sweep import log_sweep

    try:
        logged = log_sweep(sweep.path, uri=uri, experiment=experiment, redactor=sweep.redactor)
    except TrackingError as error:
        said = f"not logged to MLflow: {error.problem}\n  What to do: evalkit log {sweep.path}"
        _say(console, said, whole=True)
    else:
        _say(console, f"MLflow: {logged.url_hint}", whole=True)


def _say(console: Console, text: str, *, whole: bool = False) -> None:
    """Words of ours may hold square brackets; ``whole`` leaves lines with paths unbroken."""
    console.print(text, markup=False, highlight=False, soft_wrap=whole)
