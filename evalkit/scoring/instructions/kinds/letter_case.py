"""Letter case: a text in capitals, a text in small letters, words in capitals."""

from __future__ import annotations

from typing import Annotated

from evalkit.scoring.instructions.kinds.language import language_problem
from evalkit.scoring.instructions.parameters import Language, Unsure, one_of
from evalkit.scoring.instructions.registry import counted, instruction

IFEVAL = "IFEval, Zhou et al. 2023, arXiv 2311.07911"


@instruction("letter_case", source=IFEVAL)
def letter_case(
    text: str,
    *,
    case: Annotated[str, one_of("upper", "lower")],
    language: Language = "",
    unsure: Unsure = "failed",
) -> str:
    """All letters are capital (`upper`) or small (`lower`), and there are some.

    With ``language``, the text is in that language too; see the kind ``language``.
    """
    if not (text.isupper() if case == "upper" else text.islower()):
        return f"not all letters are {case} case"
    return language_problem(text, language, unsure) if language else ""


@counted("capital_words", "capital word", source=IFEVAL)
def capital_words(text: str) -> int:
    """The number of words, divided by blanks, whose letters are all capital."""
    return sum(word.isupper() for word in text.split())
