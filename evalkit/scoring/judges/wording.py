"""What a sentence is made of, as a judge sees it: content stems, values, names, cues.

Everything here is a function of one text, kept by text, and knows nothing of what it is compared
with. Numbers, dates, times, amounts and units are in the one spelling of `evalkit.scoring.text`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from evalkit.scoring.text import tokens

_STOP_WORDS = """
a an and are as at be been being but by can could did do does for from had has have how if in into
is it its may might must of on or our shall should so than that their them then there these they
this those to was we were what when where which who will with would you your i he she his her also
about per us him me my s am such both each any some
"""


def word_set(text: str) -> frozenset[str]:
    """The words of a text of words with blanks between."""
    return frozenset(text.split())


STOP = word_set(_STOP_WORDS)
NEGATIONS = word_set(
    "not no never none nobody nothing neither nor without cannot hardly lack lacks lacking unable "
    "unavailable nowhere"
)
_CONTRACTED = re.compile(r"n't$")
_NAME = re.compile(r"(?<![\w.])[A-Z][\w'’&-]*[\w]|(?<![\w.])[A-Z](?![\w])")
_ZEROS = re.compile(r"(?<=\d)\.0+$")
_WORD = re.compile(r"[^\W\d_][\w'’-]*")


@dataclass(frozen=True)
class Wording:
    """A text taken apart. ``stems`` holds the content words and values in order, as they stand."""

    text: str
    stems: tuple[str, ...]
    content: frozenset[str]
    values: frozenset[str]
    names: frozenset[str]
    negations: int

    @property
    def replaceable(self) -> frozenset[str]:
        """Stems of names, days, months and units: what a small edit puts others in place of."""
        return frozenset(stem(name) for name in self.names) | _REPLACEABLE

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """Neighbouring content stems."""
        return frozenset(zip(self.stems, self.stems[1:], strict=False))


@lru_cache(maxsize=32768)
def wording(text: str) -> Wording:
    """Take a text apart."""
    found = tuple(_ZEROS.sub("", token) for token in tokens(text))
    kept = tuple(
        token if is_value(token) else stem(token)
        for token in found
        if token not in STOP and not is_negation(token)
    )
    return Wording(
        text=text,
        stems=kept,
        content=frozenset(k for k in kept if not is_value(k)),
        values=frozenset(k for k in kept if is_value(k)),
        names=names(text),
        negations=sum(is_negation(token) for token in found),
    )


def is_value(token: str) -> bool:
    """Whether a token is a number, a time, or a code with a digit."""
    return any(character.isdigit() for character in token)


def is_negation(token: str) -> bool:
    return token in NEGATIONS or bool(_CONTRACTED.search(token))


def names(text: str) -> frozenset[str]:
    """Capitalised words, folded, but for the first of the text unless another follows it at once."""
    found: set[str] = set()
    first = _WORD.search(text)
    for match in _NAME.finditer(text):
        if first is not None and match.start() == first.start():
            after = text[match.end() : match.end() + 2]
            if not (len(after) == 2 and after[0] == " " and after[1].isupper()):
                continue
        found.add(match[0].casefold().removesuffix("'s").removesuffix("’s"))
    return frozenset(found)


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The Snowball (English) stem."""
    return str(_stemmer().stemWord(word.removesuffix("'s")))


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")


_REPLACEABLE = frozenset(
    map(
        stem,
        word_set(
            "january february march april june july august september october november december monday "
            "tuesday wednesday thursday friday saturday sunday first last seconds minutes hours days "
            "weeks months years working eur usd gbp kg g km m cm mm"
        ),
    )
)
