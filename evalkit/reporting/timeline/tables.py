"""The tables of a study over time, as text: the page, the Markdown and the terminal show the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from evalkit.plurals import counted
from evalkit.reporting.evidence import repeats_lead
from evalkit.reporting.numbers import DASH, number, quantity
from evalkit.reporting.timeline.view import CURRENT, CURVES, LEAK, OUTDATED, View
from evalkit.reporting.view import Cell

_RETRIEVED, _MISSED = f"{OUTDATED}_given_retrieved", f"{OUTDATED}_given_missed"


@dataclass(frozen=True)
class Table:
    """A table of text; the columns ``words`` hold words, the others numbers. A terminal shows what
    is ``brief``.
    """

    title: str
    lead: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[int] = (0, 1)
    brief: bool = False


def study_tables(view: View) -> list[Table]:
    """Every table that the study has something for, in the order of the page."""
    made: list[Callable[[View], Table]] = [
        lambda v: _over_time(
            v, CURRENT, "Current answers",
            "Share of the questions with an answer in force that are answered with it and no other.",
        ),
        lambda v: _over_time(
            v, OUTDATED, "Outdated answers",
            "Share of all questions answered with what was right once. At the first date only answers"
            " that had changed before can be outdated.",
        ),
        lambda v: _over_time(
            v, LEAK, "Withdrawn and still answered",
            "Share of the questions whose answer was withdrawn, with nothing in its place, that are"
            " still answered with it. The right reply is to abstain.",
        ),
        _evidence, _fresh, _updates, _decisions, _dates, _repeats,
    ]  # fmt: skip
    tables = (make(view) for make in made)
    return [table for table in tables if table.rows]


def _over_time(view: View, metric: str, title: str, lead: str) -> Table:
    lines = [
        line for line in view.lines if any(c.scored or c.failed for c in view.curve(line, metric))
    ]
    rows = [
        [line.pipeline, line.name, *(_with_n(cell) for cell in view.curve(line, metric))]
        for line in lines
    ]
    return Table(title, f"{lead} In brackets the interval, then the questions.",
                 ["pipeline", "state", *view.dates], rows, brief=True)  # fmt: skip


def _evidence(view: View) -> Table:
    """At the last date: what retrieval brought, and how often the answer was outdated then."""
    columns = (
        ("current evidence found", "freshness/retrieval/current_recall"),
        ("stale passages", "freshness/retrieval/stale_rate"),
        ("withdrawn passages", "freshness/retrieval/leak_rate"),
        ("outdated, evidence found", _RETRIEVED),
        ("outdated, evidence missed", _MISSED),
        ("leak, withdrawn evidence found", f"{LEAK}_given_retrieved"),
        ("leak, from weights", f"{LEAK}_given_missed"),
    )
    found = {
        line: [view.cell(view.last, line.state, line.pipeline, metric) for _, metric in columns]
        for line in view.lines
    }
    found = {line: cells for line, cells in found.items() if any(c.scored for c in cells[:-1])}
    kept = [i for i in range(len(columns)) if any(cells[i].scored for cells in found.values())]
    rows = [
        [line.pipeline, line.name, *(_with_n(cells[i]) for i in kept)]
        for line, cells in found.items()
    ]
    return Table(
        f"What was retrieved, and what was said, on {view.last}",
        "Outdated answers where all current evidence was retrieved, and where it was not; withdrawn"
        " answers where a passage with them was retrieved, and where none was.",
        ["pipeline", "state", *(columns[i][0] for i in kept)],
        rows,
    )


def _fresh(view: View) -> Table:
    """By way to update: what it takes until a changed document is answered from."""
    rows = []
    for way in dict.fromkeys(row["way"] for row in view.results["updates"]):
        done = [row for row in view.results["updates"] if row["way"] == way and _counts(row)]
        if done:
            rows.append([way, *_summed(view, done)])
    return Table(
        "Time to fresh, and cost per changed fact",
        "Over all periods. Time to fresh: seconds from a changed document until the pipeline can answer"
        " from it, the update and one answer; whether it does, the curves say. A changed fact is, for the"
        " index, one that the benchmark asks for; for the adapter, one that its examples teach.",
        [
            "way", "updates", "time to fresh, median", "longest", "seconds in all", "written",
            "changed facts", "seconds per fact", *(["price", "per fact"] if _priced(view) else []),
        ],
        rows,
        words=(0,),
        brief=True,
    )  # fmt: skip


def _counts(row: Mapping[str, Any]) -> bool:
    return row["since"] is not None and not row["idle"]


def _summed(view: View, done: Sequence[Mapping[str, Any]]) -> list[str]:
    fresh = [row["time_to_fresh"] for row in done if row["time_to_fresh"] is not None]
    seconds = sum(row["seconds"] for row in done)
    facts = sum(row["changed_facts"] or 0 for row in done)
    cells = [
        str(len(done)),
        quantity(median(fresh), "s") if fresh else DASH,
        quantity(max(fresh), "s") if fresh else DASH,
        quantity(seconds, "s"),
        quantity(sum(row["bytes"] for row in done), "bytes"),
        str(facts),
        quantity(seconds / facts, "s") if facts else DASH,
    ]
    if _priced(view):
        money = sum(row["price"] for row in done)
        cells += [_money(money, view), _money(money / facts if facts else None, view)]
    return cells


def _updates(view: View) -> Table:
    rows = []
    for row in view.results["updates"]:
        built = row["since"] is None
        rows.append(
            [
                row["way"] if not built else f"build the {row['artifact']}",
                row["date"],
                "nothing had changed" if row["idle"] else quantity(row["seconds"], "s"),
                quantity(row["bytes"], "bytes"),
                counted(row["worked"], "passage" if row["artifact"] == "index" else "example"),
                DASH if row["changed_facts"] is None else str(row["changed_facts"]),
                DASH if row["seconds_per_fact"] is None else quantity(row["seconds_per_fact"], "s"),
                DASH if row["time_to_fresh"] is None else quantity(row["time_to_fresh"], "s"),
                *([_money(row["price"], view)] if _priced(view) else []),
            ]
        )
    return Table(
        "Every update",
        "As measured. Only passages without an equal are embedded; an adapter is trained anew.",
        [
            "what", "date", "seconds", "written", "worked on", "changed facts", "seconds per fact",
            "time to fresh", *(["price"] if _priced(view) else []),
        ],
        rows,
    )  # fmt: skip


def _decisions(view: View) -> Table:
    rows = [
        [
            row["way"], row["date"], _amount(row["purse"], row, view), _amount(row["cost"], row, view),
            "yes" if row["updated"] else "no", row["reason"], row["stands"],
        ]
        for row in view.results["decisions"]
    ]  # fmt: skip
    return Table(
        "What the budget allowed",
        "Each period adds to a purse for the index and to one for the adapter; what is left is kept.",
        ["way", "date", "in the purse", "would cost", "updated", "why", "then of"],
        rows,
        words=(0, 1, 4, 5, 6),
        brief=True,
    )


def _dates(view: View) -> Table:
    rows = [
        [
            row["date"], str(row["questions"]), str(row["answerable"]), str(row["not_yet"]),
            str(row["withdrawn"]),
            DASH if row["changed_facts"] is None else str(row["changed_facts"]),
            DASH if row["changed_documents"] is None else str(row["changed_documents"]),
        ]
        for row in view.results["dates"]
    ]  # fmt: skip
    return Table(
        "The dates",
        "The same questions at every date. Where a fact does not exist yet, or no longer, the right reply"
        " is to abstain. Facts and documents: of the whole benchmark, since the date before.",
        [
            "date",
            "questions",
            "answerable",
            "not yet",
            "withdrawn",
            "facts changed",
            "documents changed",
        ],
        rows,
        words=(0,),
    )


def _repeats(view: View) -> Table:
    """Of the curves' metrics: how much of their uncertainty is from asking again."""
    found = {
        (row["metric"], row["date"], row["state"], row["pipeline"]): row["share_repeats"]
        for row in view.results.get("variation") or ()
    }
    rows = []
    for metric, name in CURVES:
        for line in view.lines:
            shares = [found.get((metric, on, line.state, line.pipeline)) for on in view.dates]
            if any(share is not None for share in shares):
                rows.append([name, line.pipeline, line.name, *(quantity(s, "%") for s in shares)])
    return Table("Repeats", repeats_lead(view.results),
                 ["answers", "pipeline", "state", *view.dates], rows, words=(0, 1, 2))  # fmt: skip


def _with_n(cell: Cell) -> str:
    return f"{cell.whole} ({cell.n})" if cell.scored else cell.text


def _amount(value: float, row: Mapping[str, Any], view: View) -> str:
    return quantity(value, "s") if row["unit"] == "seconds" else _money(value, view)


def _money(value: float | None, view: View) -> str:
    return DASH if value is None else f"{number(value, 'value')} {view.currency}".strip()


def _priced(view: View) -> bool:
    return any(row["price"] is not None for row in view.results["updates"])
