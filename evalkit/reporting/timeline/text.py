"""A study over time as Markdown and in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.plurals import counted
from evalkit.reporting.markdown import escaped, table_line
from evalkit.reporting.numbers import percent_of
from evalkit.reporting.timeline.reading import study_reading
from evalkit.reporting.timeline.tables import Table, study_tables
from evalkit.reporting.timeline.view import View
from evalkit.reporting.view import asked, confidence, judge_note

if TYPE_CHECKING:
    from rich.console import Console


def study_markdown(view: View) -> str:
    """The reading and the tables; names and notes cannot break them."""
    parts = [f"# Over time: {escaped(str(view.results.get('experiment') or 'study'))}", ""]
    parts += [escaped(line) for line in what(view)] + [""]
    parts += [f"- {escaped(sentence)}" for sentence in study_reading(view)] + [""]
    for table in study_tables(view):
        parts += [f"## {escaped(table.title)}", "", escaped(table.lead), ""]
        parts += [table_line(table.head), _rule(table)]
        parts += [table_line(row) for row in table.rows] + [""]
    if note := judge_note(view.results):
        parts += [escaped(note), ""]
    if warnings := list(view.results.get("warnings") or ()):
        parts += ["Warnings:", "", *(f"- {escaped(str(w))}" for w in warnings), ""]
    return "\n".join(parts)


def print_study(view: View, console: Console) -> None:
    """Print the most important tables and the reading."""
    from rich.padding import Padding
    from rich.table import Table as Grid
    from rich.text import Text

    for line in what(view):
        console.print(Text(line, style="dim"))
    for table in (each for each in study_tables(view) if each.brief):
        grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for i, name in enumerate(table.head):
            grid.add_column(
                Text(name), justify="left" if i in table.words else "right", overflow="fold"
            )
        for row in table.rows:
            grid.add_row(*(Text(cell) for cell in row))
        console.print()
        console.print(Text(table.title, style="bold"))
        console.print(grid)
    console.print()
    for sentence in study_reading(view):
        console.print(Padding(Text(f"· {sentence}"), (0, 0, 0, 1)))
    if note := judge_note(view.results):
        console.print(Text(note, style="dim"))


def what(view: View) -> list[str]:
    """What was studied, in two lines."""
    results = view.results
    benchmark, judge = results.get("benchmark") or {}, results.get("judge") or {}
    named = [str(results.get("title") or ""), str(results.get("model") or "")]
    studied = (
        f"{benchmark.get('name')} ({str(benchmark.get('fingerprint'))[:12]}), {asked(results)}"
        f" asked at {counted(len(view.dates), 'date')}, {view.first} to {view.last}, in the states"
        f" {', '.join(view.states)}; judge {judge.get('name')}"
    )
    level = percent_of(confidence(results))
    return [
        " · ".join(part for part in named if part),
        f"{studied}. Shares in %, {level} intervals.",
    ]


def _rule(table: Table) -> str:
    return "|" + "".join("---|" if i in table.words else "---:|" for i in range(len(table.head)))
