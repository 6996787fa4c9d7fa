"""Length: words, tokens, sentences, paragraphs, lines.

A *word* is a run of letters, digits and underscores, as IFEval counts: "don't" is two. A *token* is
a word or any other single sign that is not blank; it depends on no model, so that all models are
held to the same length.
"""

from __future__ import annotations

import regex

from evalkit.scoring.instructions import limits
from evalkit.scoring.instructions.parameters import Count, outside
from evalkit.scoring.instructions.registry import counted, instruction
from evalkit.scoring.instructions.units import paragraphs_of, sentences_of

IFEVAL = "IFEval, Zhou et al. 2023, arXiv 2311.07911"


def _words(text: str) -> int:
    return len(regex.findall(r"\w+", text, timeout=limits.SECONDS))


@counted("words", "word", source=IFEVAL)
def words(text: str) -> int:
    """The number of words: runs of letters, digits and underscores ("don't" is two)."""
    return _words(text)


@instruction("max_words", source=IFEVAL)
def max_words(text: str, *, count: Count) -> str:
    """At most `count` words; short for `words` with `at_most`."""
    return outside(_words(text), "word", {"at_most": count})


@instruction("min_words", source=IFEVAL)
def min_words(text: str, *, count: Count) -> str:
    """At least `count` words; short for `words` with `at_least`."""
    return outside(_words(text), "word", {"at_least": count})


@counted("tokens", "token")
def tokens(text: str) -> int:
    """The number of tokens: words, and every other sign that is not blank; no model's tokens."""
    return len(regex.findall(r"\w+|[^\w\s]", text, timeout=limits.SECONDS))


@counted("characters", "character")
def characters(text: str) -> int:
    """The number of characters, blanks at both ends left out."""
    return len(text.strip())


@counted("sentences", "sentence", source=IFEVAL)
def sentences(text: str) -> int:
    """The number of sentences; a line end alone ends none, an abbreviation or "1." neither."""
    return len(sentences_of(text))


@counted("paragraphs", "paragraph")
def paragraphs(text: str) -> int:
    """The number of paragraphs: what empty lines divide."""
    return len(paragraphs_of(text))


@counted("lines", "line")
def lines(text: str) -> int:
    """The number of lines that are not blank."""
    return sum(bool(line.strip()) for line in text.splitlines())


@instruction("one_line")
def one_line(text: str) -> str:
    """Exactly one line, blank lines at both ends left out."""
    return outside(len(text.strip().splitlines()), "line", {"exactly": 1})
