"""Freshness: whether what was fetched and said was in force on the question's date.

The denominator of the answer metrics is every time-sensitive question, answered or not: an
abstention is not current and not outdated. A withdrawn question (it had answers, none is valid at
``as_of``) has nothing current, so ``current`` is not applicable to it while ``outdated`` is scored,
and ``leak`` says the same of withdrawn questions alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from evalkit.records import Passage, Sample
from evalkit.scoring.answers import answer_class
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import (
    TOO_LONG,
    UNKNOWN,
    Applicability,
    Direction,
    Result,
    answer_too_long,
    answer_unknown,
    first_reason,
    metric,
    no_evidence,
    no_retriever,
    not_applicable,
    nothing_dated,
    scored,
    undefined_where,
)
from evalkit.scoring.passages import (
    covered_share,
    ended,
    evidence_quotes,
    outdated_evidence,
    past_quotes,
    retrieved_passages,
)
from evalkit.scoring.retrieval import NO_PASSAGES

NO_COMPETITION = "no evidence document has a current and a superseded passage"
NOT_WITHDRAWN = "no answer of it was withdrawn before its date"
NO_PAST_EVIDENCE = "the benchmark names no evidence for its past answers"
LEAK_FOUND, LEAK_MISSED = "withdrawn evidence was retrieved", "no withdrawn evidence was retrieved"
FOUND, MISSED = "current evidence was retrieved", "current evidence was missed"


@undefined_where("not time-sensitive")
def not_time_sensitive(sample: Sample) -> str | None:
    """Why the question says nothing about freshness, or None."""
    return None if sample.question.time_sensitive else "not time-sensitive"


@undefined_where("no answer is valid at the question's date")
def _nothing_current(sample: Sample) -> str | None:
    return None if sample.question.answerable else "no answer is valid at the question's date"


@undefined_where(NOT_WITHDRAWN, UNKNOWN, TOO_LONG)
def _not_withdrawn(sample: Sample) -> str | None:
    question = sample.question
    if not question.answers or question.past_answers() != question.answers:
        return NOT_WITHDRAWN
    if not any(answer.text for answer in question.answers):
        return UNKNOWN
    return answer_too_long(sample)


@undefined_where(NO_PAST_EVIDENCE)
def no_past_evidence(sample: Sample) -> str | None:
    """Why no passage can be told to hold an outdated answer, or None."""
    return None if past_quotes(sample) else NO_PAST_EVIDENCE


@metric(
    "freshness/retrieval/current_recall",
    "context recall of evidence in force, on time-sensitive questions",
    applies=first_reason(no_retriever, not_time_sensitive, no_evidence),
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
    undefined=(NO_PASSAGES,),
)
def stale_rate(sample: Sample, judge: Judge) -> Result:
    """Passages from superseded, withdrawn or not yet valid revisions, over all retrieved."""
    passages = retrieved_passages(sample)
    if not passages:
        return not_applicable(NO_PASSAGES)
    as_of = sample.question.as_of
    return scored(sum(not p.valid_at(as_of) for p in passages) / len(passages))


@metric(
    "freshness/retrieval/stale_above_current",
    "1 if a superseded passage of an evidence document ranks above its first current one",
    direction="lower",
    version="2",
    applies=first_reason(no_retriever, nothing_dated, no_evidence),
    undefined=(NO_COMPETITION,),
)
def stale_above_current(sample: Sample, judge: Judge) -> Result:
    """Compared within each evidence document; documents without both kinds are left out."""
    pairs = []
    for document in evidence_quotes(sample):
        passages = [p for p in retrieved_passages(sample) if p.document == document]
        in_force = [p.valid_at(sample.question.as_of) for p in passages]
        superseded = [ended(sample, p) for p in passages]
        if any(in_force) and any(superseded):
            pairs.append(superseded.index(True) < in_force.index(True))
    if not pairs:
        return not_applicable(NO_COMPETITION)
    return scored(any(pairs))


@metric(
    "freshness/retrieval/lag_days",
    "mean days since the retrieved passages' revisions were superseded (0 while in force)",
    direction="lower",
    unit="days",
    version="2",
    applies=first_reason(no_retriever, nothing_dated),
    undefined=(NO_PASSAGES,),
)
def lag_days(sample: Sample, judge: Judge) -> Result:
    """Mean over retrieved passages; a revision in force or not yet valid counts 0 days."""
    passages = retrieved_passages(sample)
    if not passages:
        return not_applicable(NO_PASSAGES)
    return scored(sum(_lag(p, sample) for p in passages) / len(passages))


@metric(
    "freshness/retrieval/leak_rate",
    "share of retrieved passages from documents that were withdrawn by the question's date",
    direction="lower",
    applies=first_reason(no_retriever, nothing_dated),
    undefined=(NO_PASSAGES,),
)
def leak_rate(sample: Sample, judge: Judge) -> Result:
    """A document is withdrawn when the last of its revisions has ended; a part of the stale rate."""
    passages = retrieved_passages(sample)
    if not passages:
        return not_applicable(NO_PASSAGES)
    as_of = sample.question.as_of
    living = {
        r.document for r in sample.revisions.values() if r.valid_to is None or as_of < r.valid_to
    }
    return scored(sum(p.document not in living for p in passages) / len(passages))


def _lag(passage: Passage, sample: Sample) -> int:
    """Days from the end of the passage's revision to ``as_of``; 0 where it has not ended."""
    if passage.valid_to is None or not ended(sample, passage):
        return 0
    return (sample.question.as_of - passage.valid_to).days


def share_of(wanted: str) -> Callable[[Sample, Judge], Result]:
    """A metric that is 1 where the answer is of one class."""

    def function(sample: Sample, judge: Judge) -> Result:
        found = answer_class(sample)
        return scored(found == wanted, label=found)

    function.__doc__ = f"1 where the answer class is ``{wanted}``; the label is the class."
    return function


def _given(retrieved: bool, wanted: str) -> Callable[[Sample, Judge], Result]:
    answer_share = share_of(wanted)

    def function(sample: Sample, judge: Judge) -> Result:
        has_evidence = covered_share(sample, retrieved_passages(sample)) == 1.0
        if has_evidence != retrieved:
            return not_applicable(FOUND if has_evidence else MISSED)
        return answer_share(sample, judge)

    function.__doc__ = answer_share.__doc__
    return function


def _register(name: str, definition: str, direction: Direction, applies: Applicability) -> None:
    register = partial(metric, direction=direction, version="3")
    register(f"freshness/generation/{name}", definition, applies=applies)(share_of(name))
    conditional = first_reason(applies, no_retriever, no_evidence)
    for suffix, retrieved, words in (
        ("given_retrieved", True, "all current evidence was retrieved"),
        ("given_missed", False, "not all current evidence was retrieved"),
    ):
        register(
            f"freshness/generation/{name}_{suffix}",
            f"{definition}, where {words}",
            applies=conditional,
            undefined=(MISSED if retrieved else FOUND,),
        )(_given(retrieved, name))


_register(
    "current",
    "1 if a time-sensitive question is answered with a wording in force, and no other",
    "higher",
    first_reason(not_time_sensitive, _nothing_current, answer_unknown, answer_too_long),
)
_register(
    "outdated",
    "1 if a time-sensitive question is answered with a past wording, and no other",
    "lower",
    first_reason(not_time_sensitive, answer_unknown, answer_too_long),
)


_leaks = partial(metric, direction="lower", version="2")
_leaked = share_of("outdated")
_leaks(
    "freshness/generation/leak",
    "1 if a question whose answer was withdrawn is still answered with it",
    applies=_not_withdrawn,
)(_leaked)


@_leaks(
    "freshness/generation/leak_given_retrieved",
    "1 if a withdrawn answer is given, where a retrieved passage holds its evidence",
    applies=first_reason(_not_withdrawn, no_retriever, no_past_evidence),
    undefined=(LEAK_MISSED,),
)
def leak_given_retrieved(sample: Sample, judge: Judge) -> Result:
    """How often what is left in an index is repeated; the label is the answer class."""
    if not outdated_evidence(sample, retrieved_passages(sample)):
        return not_applicable(LEAK_MISSED)
    return _leaked(sample, judge)


@_leaks(
    "freshness/generation/leak_given_missed",
    "1 if a withdrawn answer is given, where no retrieved passage holds its evidence",
    applies=first_reason(_not_withdrawn, no_past_evidence),
    undefined=(LEAK_FOUND,),
)
def leak_given_missed(sample: Sample, judge: Judge) -> Result:
    """The leak from weights; without a retriever all leaks are. The label is the answer class."""
    if outdated_evidence(sample, retrieved_passages(sample)):
        return not_applicable(LEAK_FOUND)
    return _leaked(sample, judge)
