"""Freshness: whether what was fetched and said was in force on the question's date.

The denominator of the answer metrics is every time-sensitive question, answered or not: an
abstention is not current and not outdated. A withdrawn question (it had answers, none is valid at
``as_of``) has nothing current, so ``current`` is not applicable to it while ``outdated`` is scored.
"""

from __future__ import annotations

from collections.abc import Callable

from evalkit.records import Passage, Sample
from evalkit.scoring.answers import answer_class
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import (
    Applicability,
    Direction,
    Result,
    first_reason,
    metric,
    no_evidence,
    no_retriever,
    not_applicable,
    nothing_dated,
    scored,
)
from evalkit.scoring.passages import covered_share, evidence_quotes, retrieved_passages


def _not_time_sensitive(sample: Sample) -> str | None:
    return None if sample.question.time_sensitive else "not time-sensitive"


def _nothing_current(sample: Sample) -> str | None:
    return None if sample.question.answerable else "no answer is valid at the question's date"


@metric(
    "freshness/retrieval/current_recall",
    "context recall of evidence in force, on time-sensitive questions",
    applies=first_reason(no_retriever, _not_time_sensitive, no_evidence),
)
def current_recall(sample: Sample, judge: Judge) -> Result:
    """Share of the evidence documents whose revision in force at ``as_of`` was retrieved."""
    return scored(covered_share(sample, retrieved_passages(sample)))


@metric(
    "freshness/retrieval/stale_rate",
    "share of retrieved passages whose revision is not in force at the question's date",
    direction="lower",
    version="2",
    applies=first_reason(no_retriever, nothing_dated),
)
def stale_rate(sample: Sample, judge: Judge) -> Result:
    """Passages from superseded, withdrawn or not yet valid revisions, over all retrieved."""
    passages = retrieved_passages(sample)
    if not passages:
        return not_applicable("no passages retrieved")
    as_of = sample.question.as_of
    return scored(sum(not p.valid_at(as_of) for p in passages) / len(passages))


@metric(
    "freshness/retrieval/stale_above_current",
    "1 if a superseded passage of an evidence document ranks above its first current one",
    direction="lower",
    version="2",
    applies=first_reason(no_retriever, nothing_dated, no_evidence),
)
def stale_above_current(sample: Sample, judge: Judge) -> Result:
    """Compared within each evidence document; documents without both kinds are left out."""
    pairs = []
    for document in evidence_quotes(sample):
        passages = [p for p in retrieved_passages(sample) if p.document == document]
        in_force = [p.valid_at(sample.question.as_of) for p in passages]
        superseded = [_superseded(p, sample) for p in passages]
        if any(in_force) and any(superseded):
            pairs.append(superseded.index(True) < in_force.index(True))
    if not pairs:
        return not_applicable("no evidence document has a current and a superseded passage")
    return scored(any(pairs))


@metric(
    "freshness/retrieval/lag_days",
    "mean days since the retrieved passages' revisions were superseded (0 while in force)",
    direction="lower",
    unit="days",
    version="2",
    applies=first_reason(no_retriever, nothing_dated),
)
def lag_days(sample: Sample, judge: Judge) -> Result:
    """Mean over retrieved passages; a revision in force or not yet valid counts 0 days."""
    passages = retrieved_passages(sample)
    if not passages:
        return not_applicable("no passages retrieved")
    return scored(sum(_lag(p, sample) for p in passages) / len(passages))


def _superseded(passage: Passage, sample: Sample) -> bool:
    return passage.valid_to is not None and passage.valid_to <= sample.question.as_of


def _lag(passage: Passage, sample: Sample) -> int:
    """Days from the end of the passage's revision to ``as_of``; 0 where it has not ended."""
    if passage.valid_to is None or not _superseded(passage, sample):
        return 0
    return (sample.question.as_of - passage.valid_to).days


def _share_of(wanted: str) -> Callable[[Sample, Judge], Result]:
    def function(sample: Sample, judge: Judge) -> Result:
        found = answer_class(sample)
        return scored(found == wanted, label=found)

    function.__doc__ = f"1 where the answer class is ``{wanted}``; the label is the class."
    return function


def _given(retrieved: bool, wanted: str) -> Callable[[Sample, Judge], Result]:
    answer_share = _share_of(wanted)

    def function(sample: Sample, judge: Judge) -> Result:
        has_evidence = covered_share(sample, retrieved_passages(sample)) == 1.0
        if has_evidence != retrieved:
            return not_applicable(
                "current evidence was retrieved" if has_evidence else "current evidence was missed"
            )
        return answer_share(sample, judge)

    return function


def _register(name: str, definition: str, direction: Direction, applies: Applicability) -> None:
    metric(f"freshness/generation/{name}", definition, direction=direction, applies=applies)(
        _share_of(name)
    )
    conditional = first_reason(applies, no_retriever, no_evidence)
    for suffix, retrieved, words in (
        ("given_retrieved", True, "all current evidence was retrieved"),
        ("given_missed", False, "not all current evidence was retrieved"),
    ):
        metric(
            f"freshness/generation/{name}_{suffix}",
            f"{definition}, where {words}",
            direction=direction,
            applies=conditional,
        )(_given(retrieved, name))


_register(
    "current",
    "1 if a time-sensitive question is answered with a wording in force, and no other",
    "higher",
    first_reason(_not_time_sensitive, _nothing_current),
)
_register(
    "outdated",
    "1 if a time-sensitive question is answered with a past wording, and no other",
    "lower",
    _not_time_sensitive,
)
