"""Marks in plain text: highlights, bullets, a title, placeholders, a postscript, quotes."""

from __future__ import annotations

import regex

from evalkit.scoring.instructions import limits
from evalkit.scoring.instructions.parameters import Text
from evalkit.scoring.instructions.registry import counted, instruction

IFEVAL = "IFEval, Zhou et al. 2023, arXiv 2311.07911"


@counted("highlights", "highlighted passage", source=IFEVAL)
def highlights(text: str) -> int:
    """The number of passages *between asterisks*, single or double, none blank or over a line."""
    found = regex.findall(r"\*[^\n*]*\*", text, timeout=limits.SECONDS)
    found += regex.findall(r"\*\*[^\n*]*\*\*", text, timeout=limits.SECONDS)
    return sum(bool(each.strip("*").strip()) for each in found)


@counted("bullets", "bullet", source=IFEVAL)
def bullets(text: str) -> int:
    """The number of lines that begin with `-`, or with one `*`."""
    return sum(bool(regex.match(r"\s*+(?:-|\*[^*])", line)) for line in text.splitlines())


@counted("placeholders", "placeholder", source=IFEVAL)
def placeholders(text: str) -> int:
    """The number of placeholders: words in square brackets, such as [address]."""
    return len(regex.findall(r"\[.*?\]", text, timeout=limits.SECONDS))


@instruction("title", source=IFEVAL)
def title(text: str) -> str:
    """There is a title in double angular brackets, such as <<a title>>."""
    found = regex.findall(r"<<[^\n]+>>", text, timeout=limits.SECONDS)
    titled = any(each.lstrip("<").rstrip(">").strip() for each in found)
    return "" if titled else "no title in double angular brackets"


@instruction("postscript", source=IFEVAL)
def postscript(text: str, *, marker: Text) -> str:
    """The marker of a postscript occurs, such as P.S.; in any case, blanks after full stops allowed.

    As in IFEval it may stand anywhere.
    """
    letters = [regex.escape(part) for part in marker.strip().split(".")]
    pattern = r"\.\s?".join(letters)
    found = regex.search(pattern, text, regex.IGNORECASE, timeout=limits.SECONDS)
    return "" if found else f"no postscript that begins with {marker!r}"


@instruction("quoted", source=IFEVAL)
def quoted(text: str) -> str:
    """The whole text stands in double quotes."""
    whole = text.strip()
    met = len(whole) > 1 and whole[0] == whole[-1] == '"'
    return "" if met else "does not begin and end with a double quote"
