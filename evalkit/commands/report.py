"""``evalkit report``: write a finished run's reports again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from evalkit.commands.run import show


def add(commands: Any) -> None:
    """Register the command."""
    report = commands.add_parser(
        "report", help="write a finished run's scorecard, figures and page again"
    )
    report.add_argument("run_dir", type=Path)
    report.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """0 when the reports are written."""
    from evalkit.api import open_run
    from evalkit.reporting import write_reports

    result = open_run(options.run_dir)
    # A page cannot hold the time that writing it takes; without it the same page is written again.
    timings = [t for t in result.results["timings"] if t["stage"] not in ("report", "log")]
    write_reports({**result.results, "timings": timings}, result.questions, options.run_dir)
    show(options.run_dir)
    return 0
