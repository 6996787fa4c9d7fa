"""``evalkit explain``: what a metric or a kind of format instruction is."""

from __future__ import annotations

import argparse
from typing import Any

from evalkit.errors import EvalkitError


def add(commands: Any) -> None:
    """Register the command."""
    explain = commands.add_parser(
        "explain",
        help="what a metric measures, where it is undefined, and where it comes from; what a format"
        " instruction asks for",
    )
    explain.add_argument(
        "metric",
        nargs="*",
        metavar="METRIC",
        help="an id (faithfulness/retrieval/ndcg), its last part (ndcg), an axis (freshness), or a kind"
        " of format instruction (json_schema); without one all are listed",
    )
    explain.add_argument(
        "--markdown", action="store_true", help="print the page of all metrics as Markdown"
    )
    explain.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """Print the explanations, the list of all, or the page.

    Raises:
        EvalkitError: Nothing fits a name; near ones are named.
    """
    from shutil import get_terminal_size

    from evalkit.scoring import describe

    columns = min(get_terminal_size((100, 24)).columns, 120)

    if options.markdown:
        print(describe.page(), end="")
        return 0
    if not options.metric:
        print(describe.listing(columns))
        print(
            "\nevalkit explain NAME says more of a metric, an axis or a kind of format instruction."
        )
        return 0
    found: list[str] = []
    for name in options.metric:
        told = [describe.explanation(each, columns) for each in describe.find(name)]
        told += [describe.kind_explanation(each, columns) for each in describe.find_kinds(name)]
        if not told:
            raise _unknown(name, describe.near(name))
        found += [each for each in told if each not in found]
    print("\n\n".join(found))
    return 0


def _unknown(name: str, near: list[str]) -> EvalkitError:
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    return EvalkitError(
        f"there is no metric {name!r}, and no such kind of format instruction",
        todo=f"{meant}evalkit explain lists all metrics",
    )
