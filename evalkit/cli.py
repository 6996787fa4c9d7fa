"""The command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence

from evalkit import __version__
from evalkit.commands import (
    calibrate,
    check,
    correct,
    doctor,
    explain,
    gate,
    log,
    report,
    run,
    store,
    sweep,
)
from evalkit.errors import EvalkitError
from evalkit.quiet import no_telemetry, no_warnings

COMMANDS = (run, sweep, gate, check, report, log, calibrate, correct, explain, store, doctor)
EXIT_PROBLEM = 2
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``evalkit``; returns the exit code.

    0 done, 1 problems found (``check``, ``doctor``), 2 an error to mend, 130 interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    no_warnings()
    no_telemetry()
    parser = _parser()
    # `run` hands everything after it to Hydra, flags included, so argparse must not see it.
    if given[:1] == ["run"] and not {"-h", "--help"} & set(given):
        return _guarded(lambda: run.run_experiment(given[1:]))
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
    for command in COMMANDS:
        command.add(commands)
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


if __name__ == "__main__":
    sys.exit(main())
