"""Text that cannot break the Markdown it is put into."""

from __future__ import annotations

from collections.abc import Sequence


def escaped(text: str, *, bold: bool = False) -> str:
    """Text that cannot end a cell, start a tag or a link; ``bold`` leaves asterisks alone."""
    safe = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
    safe = safe.replace("<", "&lt;").replace("`", "\\`")
    return safe if bold else safe.replace("*", "\\*")


def table_line(cells: Sequence[str]) -> str:
    """One line of a table; cells may hold bold text."""
    return "| " + " | ".join(escaped(cell, bold=True) for cell in cells) + " |"
