"""``evalkit run``: run an experiment."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_SWEEPING = {"-m", "--multirun", "hydra.mode=MULTIRUN"}
_HELP = """\
Run an experiment: compose conf/ and experiments/, answer, score, compare, report.

  evalkit run experiment=quartet              the four pipelines on the bundled handbook
  evalkit run experiment=quartet limit=20     a quick look
  evalkit run benchmark=jsonl benchmark.path=DIR   your own documents and questions
  evalkit run --cfg job                       print the composed configuration, secrets included
  evalkit run -m retriever.k=1,3,5            sweep: every value, and a report that compares them
  evalkit run -m hydra/launcher=joblib ...    the same, several jobs at once; also slurm, ray

Any key of the configuration can be given as KEY=VALUE.
"""


def add(commands: Any) -> None:
    """Register the command; its arguments are Hydra's (see :func:`run_experiment`)."""
    run = commands.add_parser(
        "run",
        help="run an experiment",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("overrides", nargs="*", metavar="KEY=VALUE")


def run_experiment(arguments: Sequence[str]) -> int:
    """Run the experiment that ``arguments`` compose, or the sweep.

    Returns:
        0 when it is finished, 1 when jobs of a sweep failed.
    """
    from evalkit.configuration import compose
    from evalkit.runner import run

    if _SWEEPING & set(arguments):
        return sweep([a for a in arguments if a not in _SWEEPING])
    # Hydra's own flags need Hydra's command line; a plain run gets plainer errors without.
    if any(a.startswith("-") for a in arguments):
        compose.main(arguments, lambda config: show(run(config)))
        return 0
    show(run(compose.compose(arguments)))
    return 0


def sweep(arguments: Sequence[str]) -> int:
    """Run the sweep that overrides and flags compose, list its jobs and compare them.

    Returns:
        1 when some failed.
    """
    from evalkit.configuration import compose
    from evalkit.sweeps.ending import end
    from evalkit.sweeps.plugins import plugins
    from evalkit.sweeps.ran import listening
    from evalkit.sweeps.task import perform

    with listening() as sweeps:
        try:
            compose.main(["-m", *arguments], perform, plugins)
        except KeyboardInterrupt:
            for each in sweeps:
                print(f"\nevalkit: to go on: evalkit sweep {each.path} --resume", file=sys.stderr)
            raise
    return max(map(end, sweeps), default=0)


def show(folder: Path, console: Console | None = None) -> None:
    """The scorecard, and where everything is; on standard output if no console is given."""
    from rich.console import Console
    from rich.markup import escape

    from evalkit.api import open_run
    from evalkit.reporting import print_scorecard

    result = open_run(folder)
    console = console or Console()
    print_scorecard(result.results, console)
    for warning in result.results["warnings"]:
        console.print(f"\n[bold]Warning:[/bold] {escape(warning)}")
        if warning.startswith("not logged"):
            console.print(f"  What to do: evalkit log {folder}")
    seconds = sum(t["seconds"] for t in result.results["timings"])
    console.print(
        f"\n{len(result.traces)} answers in {seconds:.0f} s · report: [bold]{result.report}[/bold]"
    )
