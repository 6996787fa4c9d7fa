"""``evalkit log``: send a finished run, or a sweep with its jobs, to MLflow."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Register the command."""
    log = commands.add_parser("log", help="send a finished run or sweep to MLflow")
    log.add_argument("run_dir", type=Path)
    log.add_argument("--uri", help="tracking server; default MLFLOW_TRACKING_URI, else ./mlflow.db")
    log.add_argument("--experiment", default="evalkit", help="MLflow experiment (default: evalkit)")
    log.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """0 when the run arrived."""
    from evalkit.api import open_run
    from evalkit.tracking import log_run
    from evalkit.tracking.sweep import log_sweep

    if (options.run_dir / "sweep.json").is_file():
        sweep = log_sweep(options.run_dir, uri=options.uri, experiment=options.experiment)
        print(
            f"{sweep.outcome}: {len(sweep.job_run_ids)} jobs nested in it; {sweep.uri}, experiment"
            f" {sweep.experiment}; {sweep.url_hint}"
        )
        return 0
    open_run(options.run_dir)
    logged = log_run(options.run_dir, uri=options.uri, experiment=options.experiment)
    print(f"{logged.outcome}: {logged.uri}, experiment {logged.experiment}; {logged.url_hint}")
    return 0
