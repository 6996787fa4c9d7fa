"""The scorecard as Markdown and in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from evalkit.reporting.evidence import (
    hypotheses_markdown,
    print_hypotheses,
    print_repeats,
    repeats_markdown,
)
from evalkit.reporting.markdown import escaped, table_line
from evalkit.reporting.numbers import unit_word
from evalkit.reporting.reading import reading
from evalkit.reporting.view import (
    Cell,
    Results,
    Row,
    absences,
    any_failed,
    asked,
    checked,
    conditioned_rows,
    confidence_words,
    folded,
    judge_note,
    pipeline_names,
    scorecard_rows,
    statements_note,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# A cell such as "77† [71, 83]" with its padding; the columns before the first cell.
_CELL_WIDTH, _HEAD_WIDTH = 16, 34
_ARROWS = {"lower": " ↓", "higher": "", "neither": ""}


def scorecard_markdown(results: Results) -> str:
    """The scorecard, its legend and the reading as Markdown.

    Args:
        results: A results mapping, schema version 1.

    Returns:
        Text that ends in a newline; names and notes cannot break the table.

    Raises:
        ResultsError: The mapping is of another schema version or has no pipelines or estimates.
    """
    table, empty = folded(scorecard_rows(checked(results)))
    names = pipeline_names(results)
    head = [f"# Scorecard: {escaped(str(results.get('experiment') or 'run'))}", ""]
    head += [escaped(line) for line in _what(results)] + [""]
    head += [f"- {escaped(sentence)}" for sentence in reading(results)] + [""]
    if tested := hypotheses_markdown(results):
        head += [*tested, "## Every axis and stage", ""]
    lines = _markdown_rows(table, names)
    tail = ["", *(f"- {escaped(text)}" for text in legend(results, table, empty, cell_n=True))]
    if conditioned := conditioned_rows(results):
        tail += ["", "## Outdated answers, by what was retrieved", ""]
        tail += _markdown_rows(conditioned, names)
    notes = [
        f"- {escaped(str(n))}" for n in (*_list(results, "notes"), *_list(results, "warnings"))
    ]
    tail += repeats_markdown(results)
    return "\n".join([*head, *lines, *tail, *(["", "Notes:", "", *notes] if notes else []), ""])


def _markdown_rows(table: Sequence[Row], names: Sequence[str]) -> list[str]:
    lines = [table_line(["axis", "stage", "metric", *names])]
    lines.append("|---|---|---|" + "---:|" * len(names))
    lines += [
        table_line([row.axis, row.stage, _named(row), *(_markdown_cell(c) for c in row.cells)])
        for row in table
    ]
    return lines


def print_scorecard(results: Results, console: Console) -> None:
    """Print the scorecard; pipelines that do not fit the width go into a block below.

    Args:
        results: A results mapping, schema version 1.
        console: Where to print; 100 columns hold four pipelines.

    Raises:
        ResultsError: The mapping is of another schema version or has no pipelines or estimates.
    """
    from rich.padding import Padding
    from rich.text import Text

    if results.get("kind") == "timeline":
        from evalkit.reporting.timeline import print_timeline

        print_timeline(results, console)
        return
    table, empty = folded(scorecard_rows(checked(results)))
    names = pipeline_names(results)
    for line in _what(results):
        console.print(Text(line, style="dim"))
    console.print()
    for block in _blocks(len(names), console.width):
        console.print(_rich_table(table, names, block))
        console.print()
    for text in legend(results, table, empty, cell_n=False):
        console.print(Text(text, style="dim"))
    console.print()
    print_repeats(results, console)
    for sentence in reading(results):
        console.print(Padding(Text(sentence), (0, 0, 1, 0)))
    print_hypotheses(results, console)


def legend(
    results: Results, table: Sequence[Row], empty: Sequence[str], *, cell_n: bool
) -> list[str]:
    """What the marks in a scorecard mean, with the reasons of its n/a cells and folded rows."""
    n = "n is the number of questions scored" + ("" if cell_n else ", a range over pipelines")
    lines = [
        f"Shares in per cent with {confidence_words(results)} intervals; {n}. ↓ lower is better."
    ]
    if any_failed(table):
        lines.append("† Some questions failed; they are counted and left out of the value.")
    lines += [text for text in (statements_note(table), judge_note(results)) if text]
    lines += [f"n/a: {reason}." for reason in absences(table)]
    return lines + [f"n/a in every pipeline: {text}." for text in empty]


def _what(results: Results) -> list[str]:
    benchmark = results.get("benchmark") or {}
    judge = results.get("judge") or {}
    first = [
        f"benchmark {benchmark.get('name', '?')}",
        asked(results),
        f"fingerprint {str(benchmark.get('fingerprint', '?'))[:12]}",
    ]
    second = [
        f"judge {judge['name']} {judge.get('version', '')}".strip() if judge else "no judge",
        f"evalkit {results.get('evalkit', '?')}",
        str(results.get("created", "")),
    ]
    return [" · ".join(first), " · ".join(part for part in second if part)]


def _named(row: Row) -> str:
    unit = "" if row.unit in ("share", "days") else f" ({unit_word(row.unit)})"
    repeated = row.unit in row.name or row.name.startswith("seconds")
    return f"{row.name}{'' if repeated else unit}{_ARROWS[row.direction]}"


def _markdown_cell(cell: Cell) -> str:
    if not cell.scored:
        return cell.text
    percent = " %" if cell.unit == "share" else ""
    mark = f" †{cell.failed}" if cell.failed else ""
    return f"**{cell.text}{percent}** {cell.interval} n={cell.n}{mark}".replace("  ", " ")


def _blocks(count: int, width: int) -> Iterable[range]:
    fitting = max(1, (width - _HEAD_WIDTH) // _CELL_WIDTH)
    blocks = -(-count // fitting)
    size = -(-count // blocks)
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def _rich_table(table: Sequence[Row], names: Sequence[str], block: range) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    grid = Table(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold"
    )
    grid.add_column("", no_wrap=True, overflow="ellipsis", min_width=24)
    grid.add_column("n", justify="right", style="dim", no_wrap=True)
    for i in block:
        grid.add_column(
            Text(names[i]), justify="right", no_wrap=True, overflow="ellipsis", min_width=13
        )
    for (axis, stage), group in groupby(table, key=lambda row: (row.axis, row.stage)):
        grid.add_row(f"[bold]{axis}[/] [dim]{stage}[/]", "", *("" for _ in block))
        for row in group:
            cells = (_rich_cell(row.cells[i]) for i in block)
            grid.add_row(f" {_named(row)}", row.n, *cells)
    return grid


def _rich_cell(cell: Cell) -> str:
    if not cell.scored:
        return f"[dim]{cell.text}[/]"
    mark = "†" if cell.failed else ""
    if cell.unit != "share":
        return f"[bold]{cell.text}[/]{mark}"
    return f"[bold]{cell.text}[/]{mark} [dim]{cell.interval.replace('[', chr(92) + '[')}[/]"


def _list(results: Results, key: str) -> list[object]:
    return list(results.get(key) or ())
