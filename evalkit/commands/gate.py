"""``evalkit gate``: may a candidate replace a baseline?"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from evalkit.gating import GateResult

IMPOSSIBLE = 3
_HELP = """\
May the candidate replace the baseline? Exit code 0 ship, 1 block, 2 inconclusive (it says how many
more questions would decide), 3 not comparable, nothing gated, or anything that went wrong.

  evalkit gate BASELINE CANDIDATE                      nothing got worse (gate=no_regression)
  evalkit gate A B gate=format_first pipelines=hybrid  another gate of conf/gate/, one pipeline
  evalkit gate A1,A2 B1,B2                             several seeds of the same configuration
  evalkit gate RUN                                     the hypotheses of one run
  evalkit gate --table a.csv b.csv --id question --metric correct --margin 0.02

A run is a folder or an MLflow run id. Any key of conf/gate.yaml can be given as KEY=VALUE.
"""
_TABLE_KEYS = ("confidence", "resamples", "seed", "failure_limit")


class _Parser(argparse.ArgumentParser):
    """Ends with 3 on a wrong option, since 2 means inconclusive; options may stand anywhere."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        found, rest = super().parse_known_args(args, namespace)
        if wrong := [word for word in rest if word.startswith("-")]:
            self.error(f"unknown option {wrong[0]}")
        found.words = [*found.words, *rest]
        return found, []

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(IMPOSSIBLE, f"{self.prog}: {message}\n")


def add(commands: Any) -> None:
    """Register the command."""
    commands.add_parser("gate", help="ship, block, or ask more: a candidate against a baseline")
    # argparse makes every command's parser of one class; this one has exit codes of its own.
    commands.choices["gate"] = parser = _Parser(
        prog="evalkit gate",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("words", nargs="*", metavar="RUN | KEY=VALUE")
    parser.add_argument("--uri", help="MLflow store of run ids; default MLFLOW_TRACKING_URI")
    for name in ("markdown", "junit", "json"):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"also write {name}")
    table = parser.add_argument_group("any table of paired results (CSV, TSV, JSON lines, Parquet)")
    table.add_argument("--table", nargs=2, metavar=("BASELINE", "CANDIDATE"))
    table.add_argument("--id", metavar="COLUMN", help="what pairs the rows")
    table.add_argument("--metric", metavar="COLUMN", help="numbers, true/false, or words")
    table.add_argument("--cluster", metavar="COLUMN", help="which rows belong together")
    table.add_argument("--kind", help="non_inferiority (default), superiority or equivalence")
    table.add_argument("--margin", type=float, help="in the metric's unit")
    table.add_argument("--lower-is-better", action="store_true")
    table.add_argument(
        "--state", action="append", metavar="WORD=VALUE", help="what a word is worth: refused=0"
    )
    parser.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """The exit code of the gate. Whatever goes wrong is 3: never 0, 1 or 2 by accident."""
    try:
        return _run(options)
    except Exception as error:  # a full disk, say: nobody may take that for a decision
        if not isinstance(error, OSError):
            traceback.print_exc()
        print(f"evalkit: the gate failed: {error}", file=sys.stderr)
        return IMPOSSIBLE


def _run(options: argparse.Namespace) -> int:
    from evalkit.errors import EvalkitError
    from evalkit.gating.result import not_comparable

    started = time.monotonic()
    try:
        result = _gated(options)
    except EvalkitError as error:
        result = not_comparable(error.problem, error.todo, {"runs": _named(options)}, None)
    document = result.document()
    _write(options, document, time.monotonic() - started)
    try:
        _print(document)
    except BrokenPipeError:
        # The reader has gone (`evalkit gate ... | head -1`); the decision stands.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return result.exit_code


def _gated(options: argparse.Namespace) -> GateResult:
    from evalkit.errors import ConfigError
    from evalkit.gating import gate

    _refuse_mixture(options)
    if options.table:
        return _table(options)
    runs = [word for word in options.words if "=" not in word or _is_run(word)]
    overrides = [word for word in options.words if word not in runs]
    if not 1 <= len(runs) <= 2:
        raise ConfigError(
            f"{len(runs)} runs are given, expected one or two",
            todo="evalkit gate BASELINE CANDIDATE; runs of several seeds are joined by commas",
        )
    return gate(runs[0], runs[1] if len(runs) == 2 else None, *overrides, uri=options.uri)


def _refuse_mixture(options: argparse.Namespace) -> None:
    from evalkit.errors import ConfigError

    of_tables = ("id", "metric", "cluster", "kind", "margin", "lower_is_better", "state")
    if not options.table:
        if given := [name for name in of_tables if getattr(options, name)]:
            raise ConfigError(
                f"--{given[0].replace('_', '-')} is for --table",
                todo="in a gate of runs, set it in hypotheses of conf/gate",
            )
    elif lacking := [f"--{name}" for name in ("id", "metric") if not getattr(options, name)]:
        raise ConfigError(f"--table needs {' and '.join(lacking)}", todo="name those columns")


def _table(options: argparse.Namespace) -> GateResult:
    from evalkit.errors import ConfigError
    from evalkit.gating import gate_tables
    from evalkit.gating.settings import read_settings

    keys = [word.partition("=")[0] for word in options.words]
    if wrong := [key for key in keys if key not in _TABLE_KEYS]:
        raise ConfigError(
            f"{wrong[0]!r} has no meaning with --table",
            todo=f"two files and, as KEY=VALUE, {', '.join(_TABLE_KEYS)}",
        )
    chosen = read_settings(options.words).completed({})
    return gate_tables(
        *options.table,
        id=options.id,
        metric=options.metric,
        cluster=options.cluster,
        kind=options.kind or "non_inferiority",
        margin=options.margin or 0.0,
        direction="lower" if options.lower_is_better else "higher",
        states=_states(options.state or ()),
        **chosen.testing,
    )


def _states(given: Sequence[str]) -> dict[str, float]:
    from math import isfinite

    from evalkit.errors import ConfigError

    found = {}
    for each in given:
        word, _, value = each.rpartition("=")
        try:
            found[word] = float(value)
        except ValueError:
            word = ""
        if not word or not isfinite(found[word]):
            raise ConfigError(f"--state {each!r}", todo="write WORD=NUMBER, such as refused=0")
    return found


def _is_run(word: str) -> bool:
    return all(Path(part).exists() for part in ([word] if Path(word).exists() else word.split(",")))


def _named(options: argparse.Namespace) -> list[str]:
    return list(options.table or [word for word in options.words if "=" not in word])


def _write(options: argparse.Namespace, document: dict[str, Any], seconds: float) -> None:
    from evalkit.reporting.gate import gate_markdown
    from evalkit.reporting.junit import gate_junit

    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    if options.markdown:
        _save(options.markdown, gate_markdown(document))
    if options.junit:
        _save(options.junit, gate_junit(document, created=created, seconds=seconds))
    if options.json:
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
        _save(options.json, text + "\n")


def _save(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _print(document: dict[str, Any]) -> None:
    from rich.console import Console

    from evalkit.reporting.gate import WIDTH, print_gate

    screen = Console()
    width = min(WIDTH, screen.width) if screen.is_terminal else WIDTH
    console = Console(width=width)
    with console.capture() as page:  # rich itself would end the program with 1 on a broken pipe
        print_gate(document, console)
    sys.stdout.write(page.get())
    sys.stdout.flush()
