"""The report of a sweep as Markdown; names and reasons cannot break it."""

from __future__ import annotations

from evalkit.reporting.markdown import escaped, table_line
from evalkit.reporting.sweep import tables
from evalkit.reporting.sweep.page import facts
from evalkit.reporting.sweep.reading import sweep_reading
from evalkit.reporting.sweep.tables import Table
from evalkit.reporting.sweep.view import SHOWN, View


def sweep_markdown(view: View) -> str:
    """The reading and the tables; of a long leaderboard the beginning."""
    parts = [f"# Sweep {escaped(view.title)}", ""]
    parts += [f"- **{name}**: {escaped(text)}" for name, text in facts(view)] + [""]
    parts += ["## Reading", "", *(f"- {escaped(s)}" for s in sweep_reading(view)), ""]
    if notes := list(view.analysis["notes"]):
        parts += ["Notes:", "", *(f"- {escaped(str(note))}" for note in notes), ""]
    for table in _tables(view):
        parts += [f"## {escaped(table.title)}", ""]
        parts += [escaped(table.lead), ""] if table.lead else []
        parts += [table_line(table.head), _rule(table)]
        parts += [table_line(row) for row in table.rows] + [""]
    return "\n".join(parts)


def _tables(view: View) -> list[Table]:
    if not view.candidates:
        return tables.left_out_tables(view)
    found: list[Table | None] = []
    if view.analysis["selection"]["naive"] is not None:
        found.append(tables.selection_table(view))
    found += [_leaderboard(view), tables.headline_table(view)]
    found.append(
        tables.effects_table(
            view, [view.metric], "Main effect of every key", tables.effects_lead(view)
        )
    )
    found += [tables.front_table(view, kind) for kind in view.analysis["fronts"]]
    found.append(tables.seeds_table(view, [view.metric]))
    return [table for table in found if table is not None] + tables.left_out_tables(view)


def _leaderboard(view: View) -> Table:
    head = tables.leaderboard_head(view)
    shown = view.candidates[:SHOWN]
    rows = tuple(tables.leaderboard_row(view, i, c) for i, c in enumerate(shown, 1))
    lead = tables.leaderboard_lead(view)
    if len(view.candidates) > SHOWN:
        lead += f" The first {SHOWN} of {len(view.candidates)}; `analysis.json` has all."
    keys = len(view.changing)
    words = frozenset({1, 2, 8 + keys, *range(3, 3 + keys)})
    return Table("Leaderboard", lead, head, rows, words)


def _rule(table: Table) -> str:
    cells = [":--" if i in table.words else "--:" for i in range(len(table.head))]
    return f"| {' | '.join(cells)} |"
