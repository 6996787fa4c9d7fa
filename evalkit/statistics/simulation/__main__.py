"""The command: ``python -m evalkit.statistics.simulation --out reports/statistics``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from evalkit.statistics.simulation import alternatives, coverage, prediction, verdicts
from evalkit.statistics.simulation.page import page

QUICK = (20, 200)
"""Simulations and resamples that show that the command works, and nothing else."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate everything and write ``coverage.md`` and ``coverage.json``."""
    options = _parser().parse_args(arguments)
    if options.quick:
        options.simulations, options.resamples = QUICK
    simulations, resamples, seed = options.simulations, options.resamples, options.seed
    settings = (simulations, resamples, seed)
    parts: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "coverage": lambda: coverage.rows("coverage", coverage.scenarios(), *settings),
        "hard cases": lambda: coverage.rows("hard", coverage.hard_scenarios(), *settings),
        "verdicts": lambda: verdicts.rows(*settings),
        "prediction-powered": lambda: prediction.rows(simulations, seed),
        "alternatives": lambda: alternatives.rows(*settings),
    }
    rows: list[dict[str, Any]] = []
    for name, part in parts.items():
        start = time.perf_counter()
        rows += part()
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    options.out.mkdir(parents=True, exist_ok=True)
    named = {"seed": seed, "simulations": simulations, "resamples": resamples}
    (options.out / "coverage.md").write_text(page(rows, **named), encoding="utf-8")
    document = json.dumps({**named, "rows": rows}, indent=1, allow_nan=False)
    (options.out / "coverage.json").write_text(document + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evalkit.statistics.simulation")
    parser.add_argument("--out", type=Path, default=Path("reports/statistics"))
    parser.add_argument("--simulations", type=int, default=3_000, help="of each scenario")
    parser.add_argument("--resamples", type=int, default=1_000, help="bootstrap resamples of each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK[0]} simulations: does the command work?"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
