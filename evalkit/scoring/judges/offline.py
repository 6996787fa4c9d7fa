"""A judge without a language model: sentence-level evidence, lexical plus embedding.

A statement is compared with windows of one and two sentences. A window supports it if every value
of the statement (number, date, time, amount) stands in the window, and either enough of the
statement's content words do, or a good part of them with a near embedding. A short statement
needs all of its words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from evalkit.scoring.judges.base import Embedder, Judgment
from evalkit.scoring.text import sentences, tokens

COVERAGE = 0.8
"""Share of a statement's content words in the window that suffices by itself; up to four words
that is all of them."""
COVERAGE_WITH_COSINE = 0.5
"""Share of content words that suffices together with `COSINE`."""
COSINE = 0.6
"""Cosine of statement and window that makes up for words said differently."""
SHORT = 3
"""Up to so many content words nearness does not count: two names may be near and still differ."""
WINDOWS_FOR_COSINE = 5
"""How many of the windows best by words are embedded."""

_STOP_WORDS = """
a an and are as at be been being but by can could did do does for from had has have how if in into
is it its may might must of on or our shall should so than that their them then there these they
this those to was we were what when where which who will with would you your i he she his her also
about per
"""
_STOP = frozenset(_STOP_WORDS.split())


@dataclass(frozen=True)
class _Window:
    text: str
    words: frozenset[str]
    values: frozenset[str]


@dataclass(frozen=True)
class _Match:
    """A statement's best window by words, and the windows where an embedding could decide."""

    coverage: float
    evidence: str
    enough: bool
    close: tuple[str, ...]


class OfflineJudge:
    """Decides support by words, values and, with an embedder, nearness.

    Deterministic and free of cost. Without an embedder it is lexical only, and its name says so.
    Embeddings are made only for pairs that words leave open, and kept by text.

    Against human labels (RAGTruth test, 1,902 sentences of answers and summaries, 139 of them
    marked as unsupported) the balanced accuracy per sentence is 0.74 with all-MiniLM-L6-v2 and
    0.61 without an embedder. The thresholds were set beforehand, and kept after six other settings
    were tried on half of these rows, so no row is quite unseen. It errs towards "not supported" on
    rewording, so compare pipelines by it and do not read it as an absolute rate.

    Args:
        embedder: ``encode(texts)`` gives an array of shape ``(n, d)`` with rows of length 1.
    """

    version = "1"

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder
        self._vectors: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """Which kinds of evidence it uses: lexical, and the embedder's ``name`` if it has one."""
        if self._embedder is None:
            return "offline-lexical"
        return f"offline-lexical+{getattr(self._embedder, 'name', 'embedding')}"

    @property
    def blind_to(self) -> tuple[str, ...]:
        """The kinds of change to a supported statement that it does not see."""
        return (
            "negation",
            "swapped roles",
            "a value taken from another fact of the same window",
            "a bare value that stands anywhere in the texts",
            "quantifiers and modality (all/some, must/may)",
            "conclusions from several windows",
        )

    def support(self, statements: Sequence[str], texts: Sequence[str]) -> list[Judgment]:
        """Whether any window of the texts supports each statement: one judgment each, in order.

        An embedder that raises makes only the statements fail that needed it.
        """
        windows = [window for text in texts for window in _windows(text)]
        matches = [_match(statement, windows) for statement in statements]
        open_pairs = [
            (statement, match)
            for statement, match in zip(statements, matches, strict=True)
            if self._embedder is not None and not match.enough and match.close
        ]
        error = self._embed_pairs(open_pairs)
        undecided = {statement for statement, _ in open_pairs}
        return [
            Judgment(None, error=error)
            if error is not None and statement in undecided
            else self._decide(statement, match)
            for statement, match in zip(statements, matches, strict=True)
        ]

    def _decide(self, statement: str, match: _Match) -> Judgment:
        if match.enough:
            return Judgment(True, match.coverage, match.evidence)
        if self._embedder is None or not match.close:
            return Judgment(False, match.coverage, match.evidence)
        cosine, evidence = max((self._cosine(statement, w), w) for w in match.close)
        if cosine >= COSINE:
            return Judgment(True, min(cosine, 1.0), evidence)
        return Judgment(False, match.coverage, match.evidence)

    def _cosine(self, statement: str, window: str) -> float:
        # Rounded, so that the padding of a batch cannot move a verdict across the threshold.
        return round(float(self._vectors[statement] @ self._vectors[window]), 4)

    def _embed_pairs(self, pairs: Sequence[tuple[str, _Match]]) -> str | None:
        texts = [text for statement, match in pairs for text in (statement, *match.close)]
        try:
            self._embed(texts)
        except Exception as error:
            return f"the embedder failed: {type(error).__name__}: {error}"
        return None

    def _embed(self, texts: Iterable[str]) -> None:
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if not new or self._embedder is None:
            return
        vectors = self._embedder.encode(new)
        if len(vectors) != len(new):
            raise ValueError(f"{len(vectors)} vectors for {len(new)} texts")
        self._vectors.update(zip(new, vectors, strict=True))


def _match(statement: str, windows: Iterable[_Window]) -> _Match:
    words, values = content(statement)
    best, evidence = 0.0, ""
    close: dict[str, float] = {}
    for window in windows:
        if not values <= window.values:
            continue
        coverage = len(words & window.words) / len(words) if words else float(bool(values))
        if coverage > best:
            best, evidence = coverage, window.text
        if len(words) > SHORT and COVERAGE_WITH_COSINE <= coverage < COVERAGE:
            close[window.text] = coverage
    near = sorted(close, key=lambda text: -close[text])[:WINDOWS_FOR_COSINE]
    return _Match(best, evidence, best >= COVERAGE, tuple(near))


@lru_cache(maxsize=4096)
def _windows(text: str) -> tuple[_Window, ...]:
    single = sentences(text)
    double = tuple(f"{a} {b}" for a, b in pairwise(single))
    return tuple(_Window(part, *content(part)) for part in single + double)


@lru_cache(maxsize=16384)
def content(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The stemmed content words and the values (tokens with a digit) of a text."""
    found = tokens(text)
    values = frozenset(token for token in found if _is_value(token))
    words = frozenset(_stem(t) for t in found if t not in _STOP and t not in values)
    if not words and not values:
        words = frozenset(_stem(token) for token in found)
    return words, values


def _is_value(token: str) -> bool:
    return any(character.isdigit() for character in token)


def _stem(word: str) -> str:
    """A light suffix rule: possessives, plurals, ``-ing`` and ``-ed``."""
    word = word.removesuffix("'s")
    for suffix, replacement in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", "")):
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            return (word[: -len(suffix)] + replacement).removesuffix("e")
    if word.endswith("s") and not word.endswith("ss") and len(word) > 3:
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 4 else word
