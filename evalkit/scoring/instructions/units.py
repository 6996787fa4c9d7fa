"""How a text is divided into sentences and paragraphs for a format check.

Unlike `evalkit.scoring.text.sentences`, which makes statements out of an answer, these count as a
reader of the instruction would, and nothing is dropped.
"""

from __future__ import annotations

import regex

from evalkit.scoring.instructions import limits

_END = r"[.!?]+[\"'\u201d\u2019)\]*_]*(?=\s|\Z)|[\u3002\uff01\uff1f\u0964]+|[\u061f\u06d4](?=\s|\Z)"
_CONTINUES = regex.compile(
    r"(?:^|[\s(\"'*_\[\u201c\u2018])"
    r"(?:(?i:approx|cf|co|corp|dr|e\.g|etc|fig|i\.e|inc|jr|ltd|mr|mrs|ms|no|prof|sr|st|u\.s|vs)"
    r"|(?i:[ap]\.m|p\.(?:p\.)?s)|\p{Lu}|\d+)\.\Z"
)
"""An abbreviation, an initial, or the number of a list item."""


def sentences_of(text: str) -> list[str]:
    """Sentences: what ends in ``.``, ``!`` or ``?`` before a blank, or in their CJK, Indic and
    Arabic kin, and what is left after the last.

    Source: IFEval counts with NLTK's Punkt model, which learned its abbreviations; this list gives
    the same verdicts on IFEval's published responses.
    """
    found: list[str] = []
    start = 0
    for match in regex.finditer(_END, text, timeout=limits.SECONDS):
        if not _goes_on(text, match.start(), match.end()):
            found.append(text[start : match.end()].strip())
            start = match.end()
    rest = text[start:].strip()
    return [*found, rest] if rest else found


def _goes_on(text: str, stop: int, end: int) -> bool:
    if text[stop] != ".":
        return False
    if text.startswith("...", stop):
        return text[end:].lstrip()[:1].islower()
    return _CONTINUES.search(text[max(0, stop - 30) : stop + 1]) is not None


def paragraphs_of(text: str) -> list[str]:
    """Paragraphs: what lines that are empty or blank divide."""
    parts = regex.split(r"\n[^\S\n]*+\n", text, timeout=limits.SECONDS)
    return [part.strip() for part in parts if part.strip()]
