"""Parts: what separators, section headings and empty lines divide a text into."""

from __future__ import annotations

import regex

from evalkit.scoring.instructions import limits
from evalkit.scoring.instructions.parameters import Count, Flag, Position, Text, outside
from evalkit.scoring.instructions.registry import counted, instruction
from evalkit.scoring.instructions.units import paragraphs_of

IFEVAL = "IFEval, Zhou et al. 2023, arXiv 2311.07911"


@instruction("parts", source=IFEVAL)
def parts(text: str, *, separator: Text, count: Count, distinct: Flag = False) -> str:
    """The separator divides the text into `count` parts, none blank; with `distinct`, all differ.

    A separator at either end divides nothing off.
    """
    found = [part.strip() for part in text.split(separator)]
    found = found[not found[0] :]
    found = found[: len(found) - (bool(found) and not found[-1])]
    if "" in found:
        return f"a blank part between two {separator!r}"
    if distinct and len(set(found)) < len(found):
        return "two parts are the same"
    return outside(len(found), "part", {"exactly": count})


@counted("sections", "section", source=IFEVAL)
def sections(text: str, *, marker: Text) -> int:
    """The number of section marks: the marker and a number, such as "Section 1"."""
    pattern = regex.escape(marker) + r"\s?\d+"
    return len(regex.findall(pattern, text, timeout=limits.SECONDS))


@instruction("paragraph_first_word", source=IFEVAL)
def paragraph_first_word(text: str, *, word: Text, paragraph: Position, paragraphs: Count) -> str:
    """There are `paragraphs` paragraphs, and that numbered `paragraph` begins with the word."""
    found = paragraphs_of(text)
    if problem := outside(len(found), "paragraph", {"exactly": paragraphs}):
        return problem
    if paragraph > len(found):
        return f"no paragraph {paragraph}: the last is {len(found)}"
    first = found[paragraph - 1].split()[0].lstrip("'\"")
    begins = regex.split(r"[.,?!'\"]", first, maxsplit=1)[0]
    met = begins.lower() == word.strip().lower()
    return "" if met else f"paragraph {paragraph} begins with {begins[:40]!r}, not {word!r}"
