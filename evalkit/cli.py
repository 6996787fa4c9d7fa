"""The command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from evalkit import __version__
from evalkit.errors import EvalkitError
from evalkit.quiet import no_telemetry

EXIT_PROBLEM = 2
EXIT_INTERRUPTED = 130

_RUN_HELP = """\
Run an experiment: compose conf/ and experiments/, answer, score, compare, report.

  evalkit run experiment=quartet              the four pipelines on the bundled handbook
  evalkit run experiment=quartet limit=20     a quick look
  evalkit run benchmark=jsonl benchmark.path=DIR   your own documents and questions
  evalkit run --cfg job                       print the composed configuration, secrets included
  evalkit run -m retriever.k=1,3,5            sweep (Hydra's flags all work)

Any key of the configuration can be given as KEY=VALUE.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``evalkit``; returns the exit code.

    0 done, 1 problems found (``check``, ``doctor``), 2 an error to mend, 130 interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").setLevel(logging.ERROR)
    no_telemetry()
    parser = _parser()
    # `run` hands everything after it to Hydra, flags included, so argparse must not see it.
    if given[:1] == ["run"] and not {"-h", "--help"} & set(given):
        return _guarded(lambda: _run(given[1:]))
    options = parser.parse_args(given)
    if options.command is None:
        parser.print_help()
        return 0
    return _guarded(lambda: int(options.function(options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evalkit",
        description="For this model, these documents and these questions: what does retrieval buy, what does"
        " tuning buy, and what do both together buy?",
    )
    parser.add_argument("--version", action="version", version=f"evalkit {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    run = commands.add_parser(
        "run",
        help="run an experiment",
        description=_RUN_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    check = commands.add_parser("check", help="validate a benchmark's files and list every problem")
    check.add_argument(
        "folder", type=Path, help="folder with corpus.jsonl, questions.jsonl, training.jsonl"
    )
    check.set_defaults(function=_check)
    report = commands.add_parser(
        "report", help="write a finished run's scorecard, figures and page again"
    )
    report.add_argument("run_dir", type=Path)
    report.set_defaults(function=_report)
    log = commands.add_parser("log", help="send a finished run to MLflow")
    log.add_argument("run_dir", type=Path)
    log.add_argument("--uri", help="tracking server; default MLFLOW_TRACKING_URI, else ./mlflow.db")
    log.add_argument("--experiment", default="evalkit", help="MLflow experiment (default: evalkit)")
    log.set_defaults(function=_log)
    doctor = commands.add_parser(
        "doctor", help="what is installed and at hand, and what to do about the rest"
    )
    doctor.set_defaults(function=_doctor)
    return parser


def _guarded(command: Callable[[], int]) -> int:
    """Run a command; errors to mend are printed without a traceback."""
    try:
        code = command()
        sys.stdout.flush()  # a reader that has gone is noticed here, and not when Python ends
        return code
    except EvalkitError as error:
        print(f"evalkit: {error}", file=sys.stderr)
        return EXIT_PROBLEM
    except KeyboardInterrupt:
        print(
            "\nevalkit: stopped. Finished work is kept; the same command goes on from there.",
            file=sys.stderr,
        )
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`evalkit ... | head`); nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(arguments: list[str]) -> int:
    from evalkit import compose
    from evalkit.runner import run

    # Hydra's own flags, and `-m`, need Hydra's command line; a plain run gets plainer errors without.
    if any(a.startswith("-") for a in arguments):
        compose.main(arguments, lambda config: _show(run(config)))
        return 0
    _show(run(compose.compose(arguments)))
    return 0


def _show(folder: Path) -> None:
    """The scorecard on standard output, and where everything is."""
    from rich.console import Console
    from rich.markup import escape

    from evalkit.api import open_run
    from evalkit.reporting import print_scorecard

    result = open_run(folder)
    console = Console()
    print_scorecard(result.results, console)
    for warning in result.results["warnings"]:
        console.print(f"\n[bold]Warning:[/bold] {escape(warning)}")
        if warning.startswith("not logged"):
            console.print(f"  What to do: evalkit log {folder}")
    seconds = sum(t["seconds"] for t in result.results["timings"])
    console.print(
        f"\n{len(result.traces)} answers in {seconds:.0f} s · report: [bold]{result.report}[/bold]"
    )


def _check(options: argparse.Namespace) -> int:
    from evalkit.benchmarks import check, listing, load
    from evalkit.scoring.instructions import faults

    problems = check(options.folder)
    if problems:
        print(listing(problems))
        return 1
    benchmark = load(options.folder)
    if wrong := faults(benchmark.format):
        print("\n".join(f"benchmark.json format: {fault}" for fault in wrong))
        return 1
    counts = ", ".join(f"{n} {category}" for category, n in benchmark.categories.items())
    print(f"{options.folder}: no problems")
    print(f"  {len(benchmark.corpus.documents)} documents in {len(benchmark.revisions)} revisions")
    print(f"  {len(benchmark.questions)} questions: {counts}")
    print(f"  {len(benchmark.training)} training examples")
    print(f"  fingerprint {benchmark.fingerprint[:12]}")
    return 0


def _report(options: argparse.Namespace) -> int:
    from evalkit.api import open_run
    from evalkit.reporting import write_reports

    result = open_run(options.run_dir)
    # A page cannot hold the time that writing it takes; without it the same page is written again.
    timings = [t for t in result.results["timings"] if t["stage"] not in ("report", "log")]
    write_reports({**result.results, "timings": timings}, result.questions, options.run_dir)
    _show(options.run_dir)
    return 0


def _log(options: argparse.Namespace) -> int:
    from evalkit.api import open_run
    from evalkit.tracking import log_run

    open_run(options.run_dir)
    logged = log_run(options.run_dir, uri=options.uri, experiment=options.experiment)
    print(f"{logged.outcome}: {logged.uri}, experiment {logged.experiment}; {logged.url_hint}")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from functools import partial

    from evalkit import doctor, weights
    from evalkit.compose import compose

    config = compose([])
    sources = {config[part].name: config[part].weights for part in ("model", "embedder")}
    checks = doctor.diagnose(
        {name: partial(weights.at_hand, source) for name, source in sources.items()}
    )
    return doctor.print_checks(checks)


if __name__ == "__main__":
    sys.exit(main())
