"""What a retriever makes of the age of passages: nothing, a filter, or a decay of their scores.

The view of time (`visibility`) says what an index holds; recency says how it is asked. It lies over
any function that builds a retriever from `Materials`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import isnan
from typing import Literal, get_args

import numpy as np

from evalkit.errors import ConfigError
from evalkit.records import Passage, Retrieved
from evalkit.retrieval.build import Build, Materials
from evalkit.retrieval.ranking import lot
from evalkit.retrieval.retriever import HybridRetriever, Query, Results, Retriever
from evalkit.retrieval.visibility import Mask

Kind = Literal["none", "current_only", "newest_per_document", "decay"]

_HITS_AT_ONCE = 200_000


@dataclass(frozen=True)
class Recency:
    """How a retriever treats the age of passages.

    ``current_only`` searches revisions that are in force on the question's date;
    ``newest_per_document`` searches the newest revision of each document, which needs to know when
    revisions began but not when they ended, and so still finds what was withdrawn; ``decay`` lowers
    the scores of old passages (`decayed`). All know only what the index knew: one that was built
    in March does not know what was superseded in May.

    Attributes:
        kind: One of the four.
        half_life_days: For ``decay``: the age in days at which half of a score is left, above 0;
            infinity leaves every score as it is.
    """

    kind: Kind = "none"
    half_life_days: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            known = ", ".join(get_args(Kind))
            raise ConfigError(f"retriever.recency is {self.kind!r}; expected one of {known}")
        days = self.half_life_days
        if days is None and self.kind != "decay":
            return
        if isinstance(days, bool) or not isinstance(days, int | float) or isnan(days) or days <= 0:
            raise ConfigError(
                f"retriever.half_life_days is {days!r}; expected a number of days above 0",
                todo="for example retriever.half_life_days=180",
            )

    def over(self, build: Build) -> Build:
        """``build`` with this recency: what it builds obeys it."""
        if self.kind == "none":
            return build
        if self.kind == "decay":
            assert self.half_life_days is not None
            half_life = float(self.half_life_days)
            return lambda materials: _decaying(build(materials), half_life)
        narrowing = current_only if self.kind == "current_only" else newest_per_document

        def narrowed(materials: Materials) -> Retriever:
            visibility = replace(materials.visibility, narrowing=narrowing)
            return build(replace(materials, visibility=visibility))

        return narrowed


def current_only(passages: Sequence[Passage], shown: Mask, known_at: date) -> Mask:
    """Of the shown passages those that are in force on a date."""
    return _where(shown, (p.valid_at(known_at) for p in passages))


def newest_per_document(passages: Sequence[Passage], shown: Mask, known_at: date) -> Mask:
    """Of the shown passages those of each document's newest revision.

    A revision without a beginning is older than any with one; of revisions that began on the same
    day one is drawn by lot (`ranking.lot`).
    """
    newest: dict[str, tuple[date, bytes]] = {}
    for passage, seen in zip(passages, shown, strict=True):
        if seen:
            rank = _rank(passage)
            newest[passage.document] = max(rank, newest.get(passage.document, rank))
    return _where(shown, (newest.get(p.document) == _rank(p) for p in passages))


def _where(shown: Mask, kept: Iterable[bool]) -> Mask:
    narrowed: Mask = shown & np.fromiter(kept, dtype=bool, count=len(shown))
    return narrowed


def _rank(passage: Passage) -> tuple[date, bytes]:
    return passage.valid_from or date.min, lot(passage.revision)


def decayed(score: float, age_days: float, half_life_days: float) -> float:
    """``score - |score| * (1 - 0.5 ** (age_days / half_life_days))``.

    For a score of 0 or more that is ``score * 0.5 ** (age_days / half_life_days)``, the exponential
    prior of Li and Croft 2003 (doi 10.1145/956863.956951) in terms of its half-life, multiplied in as
    Elasticsearch's decay function ``exp`` does with ``decay=0.5``. A negative cosine would rise
    if it were multiplied, so that as much is taken off it as off the positive one. Age never
    raises a score, and the scale of scores does not matter: ``decayed(c * s) == c * decayed(s)``.
    """
    left: float = 0.5 ** (age_days / half_life_days)
    return score - abs(score) * (1.0 - left)


@dataclass(frozen=True)
class DecayRetriever:
    """Another retriever's findings, their scores lowered with age; exact.

    The age of a passage is the time from its beginning to the question's date. A passage without
    a beginning keeps its score, as in Elasticsearch. Equal scores stay in the retriever's order.
    """

    retriever: Retriever
    half_life_days: float

    @property
    def name(self) -> str:
        return f"decay({self.retriever.name},half_life_days={self.half_life_days:g})"

    def retrieve(self, queries: Sequence[Query], k: int) -> Results:
        """The ``k`` best after the decay; see ``Retriever.retrieve``.

        The retriever is asked for more until nothing that it has not returned could be among them:
        a passage decays to at most the score of the last one returned.
        """
        results: Results = [()] * len(queries)
        waiting = list(range(len(queries))) if k > 0 else []
        depth = max(4 * k, 32)
        while waiting:
            unsettled: list[int] = []
            at_once = max(1, _HITS_AT_ONCE // depth)
            for start in range(0, len(waiting), at_once):
                rows = waiting[start : start + at_once]
                found = self.retriever.retrieve([queries[row] for row in rows], depth)
                for row, hits in zip(rows, found, strict=True):
                    results[row] = self._best(hits, queries[row].as_of, k)
                    if len(hits) == depth and results[row][-1].score <= hits[-1].score:
                        unsettled.append(row)
            waiting, depth = unsettled, 4 * depth
        return results

    def _best(self, hits: Sequence[Retrieved], as_of: date, k: int) -> tuple[Retrieved, ...]:
        aged = [Retrieved(hit.passage, self._score(hit, as_of)) for hit in hits]
        return tuple(sorted(aged, key=lambda hit: -hit.score)[:k])

    def _score(self, hit: Retrieved, as_of: date) -> float:
        begun = hit.passage.valid_from
        if begun is None:
            return hit.score
        return decayed(hit.score, max(0, (as_of - begun).days), self.half_life_days)


def _decaying(retriever: Retriever, half_life_days: float) -> Retriever:
    """Decay each ranking that is fused, not the fusion.

    Fused scores lie too close together for it: by reciprocal rank the first of 50 has not even twice
    the score of the last, and any passage half a life younger would pass it.
    """
    if isinstance(retriever, HybridRetriever):
        fused = tuple(_decaying(each, half_life_days) for each in retriever.retrievers)
        return replace(retriever, retrievers=fused)
    return DecayRetriever(retriever, half_life_days)
