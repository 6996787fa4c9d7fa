"""BM25 over passages that scores only what a question may see."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from evalkit.errors import ConfigError
from evalkit.records import Passage
from evalkit.retrieval.passages import passage_text
from evalkit.retrieval.ranking import Ranking, ranked, rounded
from evalkit.retrieval.visibility import Mask


class LexicalIndex:
    """BM25 as Lucene computes it, by the library ``bm25s`` (Lù 2024, arXiv 2407.03618).

    Word statistics (document frequencies, mean length) are those of the whole index: a question
    does not see a later passage, but the weight of a word may have been influenced by it.
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        *,
        k1: float = 0.9,
        b: float = 0.4,
        language: str = "english",
    ) -> None:
        """Index the passages by the words of title and text.

        Args:
            passages: What to index.
            k1: Saturation of a word's frequency; the default is Anserini's.
            b: Normalisation by length; the default is Anserini's.
            language: For stemming (where PyStemmer is installed) and, in English, stop words.
        """
        import bm25s

        # On being imported it sets itself to DEBUG, and so says on a user's terminal what it does.
        logging.getLogger("bm25s").setLevel(logging.WARNING)
        self.passages = tuple(passages)
        self.settings = f"k1={k1:g},b={b:g},{language}"
        self._words = _tokenizer(language)
        self._model: Any = None
        corpus = [self._words(passage_text(passage)) for passage in passages]
        if any(corpus):
            self._model = bm25s.BM25(method="lucene", k1=k1, b=b)
            self._model.index(corpus, show_progress=False)

    def __len__(self) -> int:
        return len(self.passages)

    def search(
        self, queries: Sequence[str], k: int, visible: Sequence[Mask] | None = None
    ) -> list[Ranking]:
        """The ``k`` best passages of each query among those it may see and shares a word with.

        Args:
            queries: The questions.
            k: How many at most.
            visible: For each query which passages it sees, boolean of shape ``(len(self),)``;
                None lets every query see all.

        Returns:
            For each query ``(position, BM25 score)``, best first, ties by lot (`ranking.ranked`); scores to
            6 decimals, above 0.

        Raises:
            ConfigError: there is not one mask a query.
        """
        if visible is not None and len(visible) != len(queries):
            raise ConfigError(f"{len(visible)} masks for {len(queries)} queries; expected as many")
        return [
            self._search_one(query, k, None if visible is None else visible[row])
            for row, query in enumerate(queries)
        ]

    def _search_one(self, query: str, k: int, mask: Mask | None) -> Ranking:
        words = self._words(query)
        if self._model is None or not words or k < 1:
            return []
        weights = None if mask is None else mask.astype(np.float32)
        scores = rounded(self._model.get_scores(words, weight_mask=weights))
        matching = np.flatnonzero(scores > 0)
        if len(matching) > k:
            # All that tie with the k-th, so that the id decides among them.
            least = np.partition(scores[matching], -k)[-k]
            matching = matching[scores[matching] >= least]
        hits = zip(matching.tolist(), scores[matching].tolist(), strict=True)
        return ranked(hits, self.passages, k)


def _tokenizer(language: str) -> Callable[[str], list[str]]:
    import re

    from bm25s.stopwords import STOPWORDS_EN

    stop = frozenset(STOPWORDS_EN) if language == "english" else frozenset()
    stem = _stemmer(language)
    word = re.compile(r"\w+(?:[.,:]\d+)*")

    def tokenize(text: str) -> list[str]:
        return [stem(each) for each in word.findall(text.casefold()) if each not in stop]

    return tokenize


@lru_cache
def _stemmer(language: str) -> Callable[[str], str]:
    try:
        import Stemmer
    except ImportError:
        return str
    try:
        stemmer = Stemmer.Stemmer(language)
    except KeyError:
        known = ", ".join(Stemmer.algorithms())
        raise ConfigError(f"no stemmer for {language!r}; expected one of {known}") from None
    return lru_cache(maxsize=100_000)(stemmer.stemWord)
