"""An index at a date, and what bringing it there costs."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from evalkit.records import Passage
from evalkit.retrieval.build import Build, Materials
from evalkit.retrieval.passages import passage_text
from evalkit.retrieval.retriever import Retriever
from evalkit.retrieval.vectors import StoredVectors


@dataclass(frozen=True)
class IndexUpdate:
    """What it takes to turn one index into the next.

    Vectors that were at hand count with what they cost when they were made, so that an update that
    is repeated, or resumed after a kill, is reported as if it had been done in one go.

    Attributes:
        added: Passages that the index before did not hold.
        retired: Passages of the index before that are no longer held.
        embedded: Texts that had to be embedded: those without an equal in the index before.
        seconds: Wall seconds: embedding them, looking the others up, assembling the index. The
            embedder is loaded beforehand.
        bytes: Bytes of the vectors that were added to the store.
    """

    added: int
    retired: int
    embedded: int
    seconds: float
    bytes: int


def update(
    build: Build, materials: Materials, before: Iterable[Passage] = ()
) -> tuple[Retriever, IndexUpdate]:
    """Build a retriever over the materials' passages as the successor of one over ``before``."""
    before = tuple(before)
    vectors = StoredVectors(materials.vectors.rows)
    started = time.perf_counter()
    retriever = build(replace(materials, vectors=vectors))
    seconds = time.perf_counter() - started - vectors.spent
    embedded_before = {passage_text(passage) for passage in before}
    anew = [cost for text, cost in vectors.costs.items() if text not in embedded_before]
    old, new = ({p.id for p in passages} for passages in (before, materials.passages))
    cost = IndexUpdate(
        added=len(new - old),
        retired=len(old - new),
        embedded=len(anew),
        seconds=seconds + sum(each.seconds for each in anew),
        bytes=sum(each.bytes for each in anew),
    )
    return retriever, cost


def index_at(
    build: Build, materials: Materials, on: date, since: date | None = None
) -> tuple[Retriever, IndexUpdate]:
    """The retriever as it stood when it was last updated on a date, whenever it is asked.

    Args:
        build: Builds the retriever (`Recency.over` puts a recency over it).
        materials: Over all passages of all dates. The view of time says which of them an index
            holds at a date: ``history`` only ever adds, ``snapshot`` retires what is superseded.
        on: The date of the update. Questions of later dates see nothing newer.
        since: The date of the update before; None builds the index from nothing.

    Returns:
        The retriever, and what the update took.
    """
    before = () if since is None else _at(materials, since).passages
    return update(build, _at(materials, on), before)


def _at(materials: Materials, on: date) -> Materials:
    visibility = materials.visibility.frozen(on)
    return replace(
        materials,
        passages=[p for p in materials.passages if visibility.shows(p, on)],
        inputs={**materials.inputs, "held": str(visibility)},
        visibility=visibility,
    )
