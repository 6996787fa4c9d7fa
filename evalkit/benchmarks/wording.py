"""Compare wordings: whole-word containment and near-equal questions."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import ceil

# A number keeps its decimals, its thousands and its minutes: "2" is not a word of "2.5" or "2:30".
_WORD = re.compile(r"\w+(?:[.,:]\d+)*|[€$£¥%]")


def words(text: str) -> tuple[str, ...]:
    """The words of ``text``: compatibility-normalised (NFKC), case-folded, without punctuation."""
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def contains_words(text: str, part: str) -> bool:
    """Whether the words of ``part`` stand in ``text`` in a row: "5 days" is not in "15 days"."""
    inner, outer = words(part), words(text)
    if not inner:
        return False
    width = len(inner)
    return any(outer[i : i + width] == inner for i in range(len(outer) - width + 1))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared words over all words of two sets, in [0, 1]; 1 for two empty sets."""
    union = len(a | b)
    return len(a & b) / union if union else 1.0


def near_duplicates(
    texts: Mapping[str, str], others: Mapping[str, str], threshold: float = 0.8
) -> list[tuple[str, str, float]]:
    """Pairs whose word sets have a Jaccard similarity of at least ``threshold``.

    Exact, yet without comparing all pairs: two sets that are so alike share one of the rarest
    words of each (prefix filtering; Chaudhuri, Ganti and Kaushik 2006).

    Args:
        texts: Wordings by id.
        others: The wordings to compare them with, by id.
        threshold: The similarity from which a pair counts, in (0, 1].

    Returns:
        ``(id in texts, id in others, similarity)``, in the order of ``texts``, best match first.
    """
    left = {key: frozenset(words(text)) for key, text in texts.items()}
    right = {key: frozenset(words(text)) for key, text in others.items()}
    frequency = Counter(word for group in (left, right) for bag in group.values() for word in bag)
    by_word: dict[str, list[str]] = defaultdict(list)
    for key, bag in right.items():
        for word in _rarest(bag, frequency, threshold):
            by_word[word].append(key)
    found: list[tuple[str, str, float]] = []
    for key, bag in left.items():
        candidates = {
            other for word in _rarest(bag, frequency, threshold) for other in by_word[word]
        }
        pairs = [(other, jaccard(bag, right[other])) for other in candidates]
        close = sorted((-similarity, other) for other, similarity in pairs)
        found += [(key, other, -s) for s, other in close if -s >= threshold]
    return found


def _rarest(bag: frozenset[str], frequency: Mapping[str, int], threshold: float) -> Sequence[str]:
    """The words of ``bag`` of which a set similar enough must share at least one."""
    ordered = sorted(bag, key=lambda word: (frequency[word], word))
    # The small slack keeps 0.8 * 5 from being rounded up to 5 words by floating point.
    return ordered[: len(bag) - ceil(threshold * len(bag) - 1e-9) + 1]
