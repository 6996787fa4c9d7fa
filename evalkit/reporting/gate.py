"""The outcome of a gate: in a terminal, and as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalkit.plurals import counted
from evalkit.reporting.claims import Claim, claims, explained
from evalkit.reporting.labels import label_of
from evalkit.reporting.markdown import escaped, table_line
from evalkit.reporting.numbers import MINUS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Document = Mapping[str, Any]
WIDTH = 100
MARKER = "<!-- evalkit gate -->"
"""The first line of the Markdown, by which a bot finds its earlier comment."""
HEADS = {"ship": "SHIP", "block": "BLOCK", "inconclusive": "INCONCLUSIVE",
         "not comparable": "NOT COMPARABLE"}  # fmt: skip
_STYLES = {"ship": "green", "block": "red", "supported": "green", "refuted": "red"}
_ORDER = ("refuted", "inconclusive", "supported")
# In a terminal: more rows than these are folded into one line, and so many flips are named.
_MOST_SUPPORTED, _MOST_OPEN, _FLIPS_SHOWN, _TEXT_SHOWN = 8, 15, 3, 60
# A comment on a pull request may have 65,536 characters.
_FLIPS_LISTED, _CLAIMS_LISTED = 10, 40
_OPPOSITE = "‡"
_COLUMNS = ("hypothesis", "effect", "must be", "p", "better / worse", "verdict", "ask")


def headline(document: Document) -> str:
    """The decision and why, on one line."""
    return f"{HEADS[document['decision']]}: {document['reason']}"


def print_gate(document: Document, console: Console) -> None:
    """Print what was tested: a table, the reasons of what is open, and the questions that flipped.

    Args:
        document: ``GateResult.document()``.
        console: Where to print; 100 columns hold the table.
    """
    from rich.text import Text

    head, reason = HEADS[document["decision"]], document["reason"]
    style = _STYLES.get(document["decision"], "yellow")
    console.print(Text.assemble((head, f"bold {style}"), f": {reason}"))
    if document["todo"]:
        console.print(Text(f"  {document['todo']}"))
    for line in sides(document):
        console.print(Text(line, style="dim"))
    if found := _tested(document):
        shown, hidden = _folded(found)
        console.print()
        console.print(_rich_table(shown))
        for line in _named(hidden):
            console.print(Text(line, style="dim"))
        for line in _details(shown):
            console.print(Text(line))
        console.print()
        console.print(Text(_explanation(document), style="dim"))
    for line in (*_absent(document), *_states(document), *document["notes"]):
        console.print(Text(line, style="dim"))


def gate_markdown(document: Document) -> str:
    """The same for a pull request; what is supported and the lists of questions are folded."""
    found = _tested(document)
    open_ones = [each for each in found if each.verdict != "supported"]
    supported = [each for each in found if each.verdict == "supported"]
    parts = [MARKER, f"## Gate: {HEADS[document['decision']]}", _said(document["reason"])]
    parts += [_said(document["todo"])] if document["todo"] else []
    parts += ["\n".join(f"- {_said(line)}" for line in sides(document))]
    if open_ones:
        parts += _markdown_claims(open_ones)
    if supported:
        parts.append(_fold(f"{len(supported)} supported", _markdown_claims(supported)))
    if flips := list(_markdown_flips(found)):
        parts.append(_fold("Questions that changed", flips))
    notes = [*_absent(document), *_states(document), *document["notes"]]
    notes += [_explanation(document)] if found else []
    parts += ["\n".join(f"- {_said(line)}" for line in notes)] if notes else []
    return "\n\n".join(parts) + "\n"


def sides(document: Document) -> list[str]:
    """What was compared, a line a side."""
    named = [("baseline", document["baseline"]), ("candidate", document["candidate"])]
    if document["candidate"] is None:
        named = [("run", document["baseline"])]
    return [f"{name} {_side(side)}" for name, side in named if side]


def _side(side: Mapping[str, Any]) -> str:
    facts = [side.get("experiment"), side.get("model")]
    facts.append(str(side.get("created") or "")[:16].replace("T", " "))
    if side.get("fingerprint"):
        facts.append(f"{side.get('benchmark')} {str(side['fingerprint'])[:12]}")
    if side.get("questions") is not None:
        facts.append(counted(int(side["questions"]), "question"))
    return " · ".join([" + ".join(side["runs"]), *(str(fact) for fact in facts if fact)])


@dataclass(frozen=True)
class _Tested:
    """A hypothesis: its short name, its numbers as text, and the questions that flipped."""

    name: str
    claim: Claim
    moved: str
    flips: Sequence[Mapping[str, Any]]

    @property
    def verdict(self) -> str:
        return self.claim.verdict

    @property
    def cells(self) -> list[str]:
        claim = self.claim
        size = claim.effect.strip().removesuffix(" points")
        effect = "–" if claim.value is None else f"{size} {claim.interval}".strip()
        p = claim.p + (_OPPOSITE if claim.p_of == "opposite" else "")
        ask = claim.needs.removeprefix("about ").partition(" ")[0]
        return [self.name, effect, claim.needed, p, self.moved, self.verdict, ask]


def _tested(document: Document) -> list[_Tested]:
    """Refuted first, then what is open, then supported; in the order of the gate within."""
    flips: dict[int, list[Mapping[str, Any]]] = {}
    for flip in document["flips"]:
        flips.setdefault(int(flip["hypothesis"]), []).append(flip)
    rows = document["hypotheses"]
    found = [
        _Tested(row["name"], claim, f"{row['gained']} / {row['lost']}", flips.get(i, []))
        for i, (row, claim) in enumerate(
            zip(rows, claims({"hypotheses": rows, "pipelines": []}), strict=True)
        )
    ]
    return sorted(found, key=lambda each: _ORDER.index(each.verdict))


def _rich_table(found: Sequence[_Tested]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    grid = Table(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold"
    )
    for name in _COLUMNS:
        grid.add_column(name, overflow="fold", no_wrap=name in ("p", "verdict", "ask"))
    for each in found:
        style = _STYLES.get(each.verdict, "yellow")
        cells = [Text(cell, style=style if cell == each.verdict else "") for cell in each.cells]
        grid.add_row(*cells)
    return grid


def _folded(found: Sequence[_Tested]) -> tuple[list[_Tested], list[_Tested]]:
    """What a terminal shows in full, and what it only names: supported ones, where others are open
    or they are many, and the last of many open ones.
    """
    by = {verdict: [e for e in found if e.verdict == verdict] for verdict in _ORDER}
    refuted, open_ones, supported = (by[verdict] for verdict in _ORDER)
    if len(supported) > _MOST_SUPPORTED:
        kept = 0 if refuted or open_ones else _MOST_SUPPORTED
        supported, named = supported[:kept], supported[kept:]
    else:
        named = []
    shown = [*refuted, *open_ones[:_MOST_OPEN], *supported]
    return shown, [*open_ones[_MOST_OPEN:], *named]


def _named(hidden: Sequence[_Tested]) -> Iterator[str]:
    for verdict in _ORDER:
        if names := [each.name for each in hidden if each.verdict == verdict]:
            yield f"and {len(names)} more, {verdict}: {'; '.join(names)}"


def _details(shown: Sequence[_Tested]) -> Iterator[str]:
    """The questions that flipped in what is not supported, and each reason once."""
    for each in shown:
        if each.verdict == "supported" or not each.flips:
            continue
        yield ""
        yield f"{each.name}, {each.claim.n}"
        for change, word in (("lost", "worse"), ("gained", "better")):
            if chosen := [flip for flip in each.flips if flip["change"] == change]:
                yield f"  {word} on {len(chosen)}: {_listed(chosen, each.verdict == 'refuted')}"
    reasons: dict[str, list[str]] = {}
    for each in shown:
        if each.claim.note:
            reasons.setdefault(each.claim.note, []).append(each.name)
    for note, names in reasons.items():
        yield ""
        yield f"{'; '.join(names)}: {note}"


def _listed(flips: Sequence[Mapping[str, Any]], quoted: bool) -> str:
    named = [
        f"{flip['question']}{_quoted(flip['text']) if quoted else ''} {_moved(flip)}"
        for flip in flips[:_FLIPS_SHOWN]
    ]
    return "; ".join(named) + ("; ..." if len(flips) > _FLIPS_SHOWN else "")


def _quoted(text: str) -> str:
    short = text if len(text) <= _TEXT_SHOWN else text[: _TEXT_SHOWN - 1].rstrip() + "…"
    return f" “{short}”" if short else ""


def _moved(flip: Mapping[str, Any]) -> str:
    return f"{flip['before']:.3g} → {flip['after']:.3g}".replace("-", MINUS)


def _explanation(document: Document) -> str:
    confidence = float(document["settings"].get("confidence") or 0.95)
    said = explained(len(document["hypotheses"]), confidence)
    return (
        f"{said} {_OPPOSITE} p of the opposite. Shares are in points. ask: further questions, of the"
        " kind that the row is about, that would decide it at 80 % power, if the true effect is the"
        " one estimated here."
    )


def _absent(document: Document) -> list[str]:
    """What a pattern named and neither side has, by reason."""
    grouped: dict[str, dict[str, list[str]]] = {}
    for row in document["not_applicable"]:
        names = grouped.setdefault(row["reason"], {})
        names.setdefault(label_of(row["metric"]).name, []).append(row["pipeline"])
    return [
        f"not applicable, {reason}: "
        + ", ".join(
            f"{name} ({', '.join(filter(None, pipelines))})" if any(pipelines) else name
            for name, pipelines in names.items()
        )
        for reason, names in grouped.items()
    ]


def _states(document: Document) -> list[str]:
    moves = [f"{m['before']} → {m['after']} {m['n']}" for m in document["states"]]
    return [f"third states, before → after: {', '.join(moves)}"] if moves else []


def _said(text: str) -> str:
    """Text for a comment: nothing in it is markup, or calls a user."""
    return escaped(text).replace("@", "&#64;")


def _fold(summary: str, parts: Sequence[str]) -> str:
    inside = "\n\n".join(parts)
    return f"<details><summary>{summary}</summary>\n\n{inside}\n\n</details>"


def _markdown_claims(found: Sequence[_Tested]) -> list[str]:
    lines = [table_line([*_COLUMNS, "n", "why"]), "|---" * (len(_COLUMNS) + 2) + "|"]
    for each in found:
        cells = [*each.cells, each.claim.n, each.claim.note]
        lines.append(table_line([cell.replace("*", "∗").replace("@", "&#64;") for cell in cells]))
    return ["\n".join(lines)]


def _markdown_flips(found: Sequence[_Tested]) -> Iterator[str]:
    changed = [each for each in found if each.flips]
    for each in changed[:_CLAIMS_LISTED]:
        lines = [f"{_said(each.name)}: {each.claim.flips}", ""]
        lines += [
            f"- {flip['change']} {_said(flip['question'] + _quoted(flip['text']))} {_moved(flip)}"
            for flip in each.flips[:_FLIPS_LISTED]
        ]
        if len(each.flips) > _FLIPS_LISTED:
            lines.append(f"- and {len(each.flips) - _FLIPS_LISTED} more")
        yield "\n".join(lines)
    if len(changed) > _CLAIMS_LISTED:
        yield f"and {len(changed) - _CLAIMS_LISTED} more hypotheses with changes"
