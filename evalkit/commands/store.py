"""``evalkit store``: look into the store of artifacts, and clean it up."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.store.inventory import Item

_GC = """\
Remove what nobody needs. Without --yes it only says what would go.

  evalkit store gc                       leftovers of killed runs: unfinished builds, locks
  evalkit store gc --runs runs           and what no run in runs/ refers to
  evalkit store gc --older-than 30       and what was not used for 30 days
  evalkit store gc --runs runs --older-than 30    and what both holds for

What a running process uses or builds stays in any case.
"""
_INDENT = "    "


def add(commands: Any) -> None:
    """Register the command."""
    store = commands.add_parser("store", help="what is in the store of artifacts, and clean it up")
    actions = store.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("ls", help="every artifact: size, age, and what it was made of")
    listing.add_argument("kind", nargs="?", help="only this kind, such as index or generations")
    sums = actions.add_parser("du", help="how much room each kind takes")
    cleaning = actions.add_parser(
        "gc",
        help="remove what nobody needs",
        description=_GC,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cleaning.add_argument(
        "--runs", type=Path, nargs="+", metavar="DIR", help="run folders, or folders that hold some"
    )
    cleaning.add_argument("--older-than", type=_days, metavar="DAYS", help="not used for so long")
    cleaning.add_argument("--yes", action="store_true", help="do it")
    for action, function in ((listing, ls), (sums, du), (cleaning, gc)):
        action.add_argument(
            "--store",
            type=Path,
            default=Path(".evalkit/store"),
            metavar="DIR",
            help="the store (default: .evalkit/store)",
        )
        action.set_defaults(function=function)


def _days(text: str) -> float:
    from math import isfinite

    days = float(text)
    if not isfinite(days) or days < 0:
        raise argparse.ArgumentTypeError(f"{text} is no number of days of 0 or more")
    return days


def ls(options: argparse.Namespace) -> int:
    """Print every item, by kind; what it was made of is cut at the width of a terminal alone.

    Raises:
        StoreError: There is no store.
    """
    from shutil import get_terminal_size
    from time import time

    from evalkit.store.inventory import items

    now, found = time(), items(options.store)
    shown = [item for item in found if options.kind in (None, item.kind)]
    width = get_terminal_size().columns - len(_INDENT) if sys.stdout.isatty() else None
    for kind in dict.fromkeys(item.kind for item in shown):
        print(kind)
        for item in (i for i in shown if i.kind == kind):
            print(
                f"  {item.key}  {_size(item.bytes):>9}  used {_age(now - item.used):>8} ago  {_what(item)}"
            )
            print(f"{_INDENT}{inputs_line(item.inputs, width)}")
    if not shown:
        kinds = ", ".join(dict.fromkeys(item.kind for item in found))
        print(
            f"nothing in {options.store}" + (f" of this kind; there are {kinds}" if found else "")
        )
    return 0


def du(options: argparse.Namespace) -> int:
    """Print the sums by kind, and of leftovers.

    Raises:
        StoreError: There is no store.
    """
    from evalkit.store.inventory import items, leftovers

    found, left = items(options.store), leftovers(options.store)
    lines = []
    for kind in dict.fromkeys(item.kind for item in found):
        own = [item for item in found if item.kind == kind]
        rows = [item.rows for item in own if item.rows is not None]
        counted = f"{len(own)} tables, {sum(rows)} rows" if rows else f"{len(own)} artifacts"
        lines.append((kind, sum(item.bytes for item in own), counted))
    if left:
        lines.append(("leftovers", sum(each.bytes for each in left), f"{len(left)} (store gc)"))
    lines.append(("total", sum(size for _, size, _ in lines), ""))
    for name, size, counted in lines:
        print(f"{name:<14} {_size(size):>9}  {counted}".rstrip())
    return 0


def gc(options: argparse.Namespace) -> int:
    """Say what would go, and with ``--yes`` remove it.

    Raises:
        StoreError: There is no store, a run does not say what it uses, or a file cannot be removed.
    """
    from time import time

    from evalkit.store import cleaning

    planned = cleaning.plan(
        options.store, runs=options.runs, older_than_days=options.older_than, now=time()
    )
    done = cleaning.remove(options.store, planned) if options.yes else planned
    verb = "removed" if options.yes else "would remove"
    for item in done.items:
        print(f"{verb} {item.name}  {_size(item.bytes)}  {_what(item)}")
    for left in done.leftovers:
        print(f"{verb} {left.path}  {_size(left.bytes)}  {left.what}")
    for item in [*planned.busy, *getattr(done, "kept", ())]:
        print(f"kept {item.name}: a running process uses it")
    if not done.items and not done.leftovers:
        print("nothing to remove")
    else:
        ending = "" if options.yes else "; --yes does it"
        print(f"{_size(done.bytes)} {'freed' if options.yes else 'to be freed'}{ending}")
    return 0


def inputs_line(inputs: Mapping[str, Any] | None, width: int | None = None) -> str:
    """What something was made of, on one line: ``a=1 b.c=x``, of at most ``width`` characters."""
    if inputs is None:
        return "(its manifest cannot be read)"
    line = " ".join(f"{key}={value}" for key, value in _flat(inputs))
    return line if width is None or len(line) <= width else f"{line[: width - 1]}…"


def _flat(value: Mapping[str, Any], above: str = "") -> Sequence[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key, inner in value.items():
        name = f"{above}{key}"
        if isinstance(inner, Mapping):
            pairs += _flat(inner, f"{name}.")
        elif inner is not None and key != "_partial_":
            pairs.append((name, inner))
    return pairs


def _what(item: Item) -> str:
    if item.problem is not None:
        return f"DAMAGED: {item.problem}; it is built again when it is asked for"
    if item.rows is not None:
        return f"{item.rows} rows"
    return "" if item.seconds is None else f"built in {item.seconds:.3g} s"


def _size(count: int) -> str:
    """Bytes in the unit that gives one to three digits before the point."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _age(seconds: float) -> str:
    for most, each, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < most:
            return f"{max(0.0, seconds) / each:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"
