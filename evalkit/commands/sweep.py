"""``evalkit sweep``: how a sweep stands, its report, and going on with it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

_HELP = """\
Show how the jobs of a sweep stand: SWEEP_DIR is what `evalkit run -m ...` printed.

  evalkit sweep SWEEP_DIR                     every job, and why where it failed
  evalkit sweep SWEEP_DIR --resume            run what has not finished; finished jobs are not run again
  evalkit sweep SWEEP_DIR --resume hydra/launcher=joblib   the same, with another launcher
  evalkit sweep SWEEP_DIR --report            compare the finished jobs in one page
"""


def add(commands: Any) -> None:
    """Register the command."""
    sweep = commands.add_parser(
        "sweep",
        help="show a sweep, go on with it, or write its report",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sweep.add_argument("sweep_dir", type=Path)
    sweep.add_argument(
        "--resume",
        nargs="*",
        metavar="KEY=VALUE",
        help="run the jobs that have not finished; overrides stand in place of those given then",
    )
    sweep.add_argument("--report", action="store_true", help="write the report of the sweep")
    sweep.add_argument(
        "--baseline", metavar="JOB[/PIPELINE]", help="what the report compares the others with"
    )
    sweep.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """0 when no job failed, 1 when some did."""
    from evalkit.sweeps.status import choose_baseline, conclude

    if options.baseline:
        choose_baseline(options.sweep_dir, options.baseline)
    resumed = options.resume is not None
    code = _resumed(options) if resumed else conclude(options.sweep_dir)
    if options.report and not resumed:  # which writes it anyway
        from rich.console import Console

        from evalkit.sweeps.ending import write_report

        write_report(options.sweep_dir, Console())
    return code


def _resumed(options: argparse.Namespace) -> int:
    from evalkit.commands.run import sweep
    from evalkit.sweeps.resume import resume

    return resume(options.sweep_dir, options.resume, sweep)
