"""Phrases: words that must occur, must not, or must stand at one end."""

from __future__ import annotations

import regex

from evalkit.scoring.instructions import limits
from evalkit.scoring.instructions.parameters import Character, Flag, Text, Texts
from evalkit.scoring.instructions.registry import counted, instruction
from evalkit.scoring.text import fold

IFEVAL = "IFEval, Zhou et al. 2023, arXiv 2311.07911"


def _times(text: str, phrase: str, whole_words: bool) -> int:
    """How often a phrase occurs; case, blanks and the form of apostrophes do not matter.

    As a whole word, "no" is not in "know"; a phrase that begins or ends with a sign, such as a
    comma, needs no word boundary there.
    """
    text, phrase = fold(text), fold(phrase)
    if not whole_words:
        return text.count(phrase)
    before = r"(?<!\w)" if regex.match(r"\w", phrase) else ""
    after = r"(?!\w)" if regex.search(r"\w\Z", phrase) else ""
    pattern = before + regex.escape(phrase) + after
    return len(regex.findall(pattern, text, timeout=limits.SECONDS))


@instruction("required_phrases", source=IFEVAL)
def required_phrases(text: str, *, phrases: Texts, whole_words: Flag = True) -> str:
    """Every phrase occurs, in any case; as whole words, or anywhere without `whole_words`."""
    missing = [phrase for phrase in phrases if not _times(text, phrase, whole_words)]
    return f"required but missing: {missing}" if missing else ""


@instruction("forbidden_phrases", source=IFEVAL)
def forbidden_phrases(text: str, *, phrases: Texts, whole_words: Flag = True) -> str:
    """None of the phrases occurs, in any case; as whole words, or anywhere without `whole_words`."""
    present = [phrase for phrase in phrases if _times(text, phrase, whole_words)]
    return f"forbidden but present: {present}" if present else ""


@counted("phrase", "occurrence", source=IFEVAL)
def phrase(text: str, *, phrase: Text, whole_words: Flag = True) -> int:
    """How often the phrase occurs, in any case."""
    return _times(text, phrase, whole_words)


@counted("letter", "occurrence", source=IFEVAL)
def letter(text: str, *, letter: Character) -> int:
    """How often a letter or sign occurs, in any case."""
    return text.lower().count(letter.lower())


@instruction("choice", source=IFEVAL)
def choice(text: str, *, options: Texts) -> str:
    """One of the options occurs, written exactly so."""
    return "" if any(option in text for option in options) else f"none of {list(options)} occurs"


@instruction("starts_with", source=IFEVAL)
def starts_with(text: str, *, phrase: Text) -> str:
    """The text begins with the phrase, in any case."""
    met = text.strip().lower().startswith(phrase.strip().lower())
    return "" if met else f"does not begin with {phrase[:80]!r}"


@instruction("ends_with", source=IFEVAL)
def ends_with(text: str, *, phrase: Text) -> str:
    """The text ends with the phrase, in any case; a closing double quote may follow."""
    met = text.strip().strip('"').lower().endswith(phrase.strip().lower())
    return "" if met else f"does not end with {phrase[:80]!r}"
