"""Citations in running text: their form, and where one must stand."""

from __future__ import annotations

from typing import Annotated

import regex

from evalkit.plurals import counted
from evalkit.scoring.instructions import limits
from evalkit.scoring.instructions.parameters import one_of
from evalkit.scoring.instructions.registry import instruction
from evalkit.scoring.instructions.units import paragraphs_of, sentences_of

_ID = r"(?=[^\]\s,;]*\d)\p{L}[\w.:/@#-]*+"
_FORMS = {
    "number": r"\[\d+(?:\s*[,;\u2013-]\s*\d+)*+\]",
    "id": rf"\[{_ID}(?:\s*[,;]\s*{_ID})*+\]",
    "author_year": r"\((?=\p{Lu})[^()\n]{1,200}?\b\d{4}[a-z]?\)",
    "footnote": r"\[\^[\w-]++\]",
}


@instruction("citations")
def citations(
    text: str,
    *,
    form: Annotated[str, one_of(*_FORMS)],
    every: Annotated[str, one_of("text", "paragraph", "sentence")] = "text",
) -> str:
    """Each sentence, paragraph or text (`every`) cites: [1], [TRV-01], (Ng, 2020) or [^1] by `form`.

    A citation right after a full stop belongs to the sentence before it. Whether the source exists
    is another question: see the citation metrics.
    """
    pattern = _FORMS[form]
    parts = [text]
    if every == "paragraph":
        parts = paragraphs_of(text)
    elif every == "sentence":
        parts = _sentences(text, pattern)
    without = [part for part in parts if not _cites(part, pattern)]
    if not without:
        return ""
    return (
        f"no citation in {len(without)} of {counted(len(parts), every)}, first {without[0][:60]!r}"
    )


def _cites(text: str, form: str) -> bool:
    return regex.search(form, text, timeout=limits.SECONDS) is not None


def _sentences(text: str, form: str) -> list[str]:
    before_stop = rf"([.!?]++)\s*+((?:{form}\s*+)++)"
    return sentences_of(regex.sub(before_stop, r" \2\1 ", text, timeout=limits.SECONDS))
