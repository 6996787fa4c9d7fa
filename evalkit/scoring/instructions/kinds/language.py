"""Language: the natural language of a text, told offline."""

from __future__ import annotations

from evalkit.scoring.instructions.languages import language_of, same_language
from evalkit.scoring.instructions.limits import Undecided
from evalkit.scoring.instructions.parameters import Language, Unsure
from evalkit.scoring.instructions.registry import instruction


@instruction("language", source="IFEval, Zhou et al. 2023; Lui and Baldwin 2012, langid.py")
def language(text: str, *, language: Language, unsure: Unsure = "failed") -> str:
    """The text is in the language; where a few words do not tell, `unsure` says what that counts as."""
    return language_problem(text, language, unsure)


def language_problem(text: str, asked: str, unsure: str) -> str:
    """Why a text is not in a language; empty where it is.

    Raises:
        Undecided: The identifier is unsure, and ``unsure`` is ``failed``.
    """
    found = language_of(text)
    if found is not None:
        return "" if same_language(asked, found) else f"in language {found!r}, not {asked!r}"
    if unsure == "failed":
        raise Undecided(
            "too little text to tell its language; say with `unsure` whether that is met or not_met"
        )
    return "" if unsure == "met" else "too little text to tell its language"
