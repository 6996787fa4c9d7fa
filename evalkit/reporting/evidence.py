"""Hypotheses and repeats as Markdown and in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evalkit.reporting.claims import Claim, claims, explained, further_note
from evalkit.reporting.labels import HEADLINES, label_of
from evalkit.reporting.markdown import escaped, table_line
from evalkit.reporting.numbers import number
from evalkit.reporting.view import Results, confidence, pipeline_names

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_MARKS = {"supported": "✓", "refuted": "✗", "inconclusive": "?"}
_COLOURS = {"supported": "green", "refuted": "red", "inconclusive": "yellow"}
_VERDICT_WIDTH = 16


def hypotheses_markdown(results: Results) -> list[str]:
    """A heading and a table of the hypotheses; no lines where the run tested none."""
    found = claims(results)
    if not found:
        return []
    head = ["verdict", "hypothesis", "effect", "needed", "p", "n"]
    lines = ["## Hypotheses", "", table_line(head), "|---|---|---:|---|---:|---:|"]
    lines += [_markdown_row(claim) for claim in found]
    return [*lines, "", *(f"- {escaped(note)}" for note in _notes(results, found)), ""]


def repeats_markdown(results: Results) -> list[str]:
    """A heading and a table of what repeats add to the uncertainty; no lines without repeats."""
    table, names = _headline_repeats(results), pipeline_names(results)
    if not table:
        return []
    lines = ["", "## Repeats", "", repeats_lead(results), "", table_line(["metric", *names])]
    lines.append("|---|" + "---:|" * len(names))
    return lines + [table_line([name, *cells]) for name, cells in table]


def print_hypotheses(results: Results, console: Console) -> None:
    """Print the hypotheses, each as a short block beside its verdict; nothing where there are none."""
    from rich.table import Table
    from rich.text import Text

    found = claims(results)
    if not found:
        return
    console.print(Text("Hypotheses", style="bold"))
    grid = Table.grid()
    grid.add_column(width=_VERDICT_WIDTH, no_wrap=True)
    grid.add_column()
    for claim in found:
        verdict = f"{_MARKS.get(claim.verdict, '')} {claim.verdict}"
        style = f"bold {_COLOURS.get(claim.verdict, 'default')}"
        grid.add_row()
        grid.add_row(Text(verdict, style=style), _block(claim))
    console.print(grid)
    console.print()
    for note in _notes(results, found):
        console.print(Text(note, style="dim"))


def print_repeats(results: Results, console: Console) -> None:
    """Print what repeats add to the uncertainty, a line for each headline metric that has them."""
    from rich.text import Text

    if table := _headline_repeats(results):
        console.print(Text(repeats_lead(results), style="dim"))
        for name, cells in table:
            named = zip(pipeline_names(results), cells, strict=True)
            parts = ", ".join(f"{pipeline} {cell}" for pipeline, cell in named)
            console.print(Text(f" {name}: {parts}"))
        console.print()


def repeats_lead(results: Results) -> str:
    """What a share of uncertainty is, and what was repeated."""
    times = results.get("repeats")
    asked = f"Every question was asked {times} times. " if times else ""
    return (
        f"{asked}Values are averaged within a question first; shown is the share of the squared "
        "standard error that the repeats (sampling seeds) cause. The choice of questions causes "
        "the rest."
    )


def variation_rows(results: Results) -> list[tuple[str, list[str]]]:
    """Metrics (headlines first) with the share of uncertainty that repeats cause, by pipeline."""
    found = {(r["metric"], r["pipeline"]): r for r in results.get("variation") or ()}
    known = sorted({str(metric) for metric, _ in found})
    order = [m for m in HEADLINES if m in known] + [m for m in known if m not in HEADLINES]
    names = pipeline_names(results)
    return [(m, [_percent(found.get((m, name))) for name in names]) for m in order]


def _percent(variation: Mapping[str, Any] | None) -> str:
    share = None if variation is None else variation.get("share_repeats")
    return number(share) if share is None else f"{number(share)} %"


def _notes(results: Results, found: Sequence[Claim]) -> list[str]:
    notes = (explained(len(found), confidence(results)), further_note(found))
    return [note for note in notes if note]


def _markdown_row(claim: Claim) -> str:
    said = " ".join([f"**{claim.claim}**.", f"{claim.about}.", *claim.remarks])
    verdict = f"{_MARKS.get(claim.verdict, '')} {claim.verdict}"
    effect = f"**{claim.effect}** {claim.interval}"
    p = claim.p_words.removeprefix("p ")
    return table_line([verdict, said, effect, claim.needed, p, claim.n])


def _block(claim: Claim) -> Text:
    from rich.text import Text

    numbers = f"{claim.effect} {claim.interval}".strip()
    numbers += f", needed {claim.needed}; {claim.p_words}; {claim.n}"
    text = Text(claim.claim, style="bold")
    text.append(f"\n{numbers}", style="not bold")
    text.append(f"\n{claim.about}", style="not bold dim")
    for remark in claim.remarks:
        text.append(f"\n{remark}", style="not bold")
    return text


def _headline_repeats(results: Results) -> list[tuple[str, list[str]]]:
    return [(label_of(m).name, c) for m, c in variation_rows(results) if m in HEADLINES]
