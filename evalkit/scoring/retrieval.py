"""Retrieval: whether the right evidence was fetched, how high, and in what state."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.records import Retrieved, Sample
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import (
    Result,
    first_reason,
    metric,
    no_evidence,
    no_retriever,
    not_applicable,
    nothing_dated,
    scored,
)
from evalkit.scoring.passages import covered_share, covers, evidence_quotes, retrieved_passages


@metric(
    "faithfulness/retrieval/context_recall",
    "share of the evidence documents that a retrieved passage covers",
    source="id-based recall; ragas NonLLMContextRecall with named evidence",
    applies=first_reason(no_retriever, no_evidence),
)
def context_recall(sample: Sample, judge: Judge) -> Result:
    """Share of the documents with evidence valid at ``as_of`` that a retrieved passage covers."""
    return scored(covered_share(sample, retrieved_passages(sample)))


@metric(
    "faithfulness/retrieval/context_precision",
    "average precision of the ranking: passages that cover evidence should stand first",
    source="average precision over ranks, as ragas ContextPrecision",
    applies=first_reason(no_retriever, no_evidence),
)
def context_precision(sample: Sample, judge: Judge) -> Result:
    """Mean of precision at the rank of each relevant passage; 0 when none is relevant."""
    quotes = evidence_quotes(sample)
    relevant = [
        any(covers(passage, revisions) for revisions in quotes.values())
        for passage in retrieved_passages(sample)
    ]
    return scored(average_precision(relevant))


def average_precision(relevant: Sequence[bool]) -> float:
    """Mean of precision at k over the ranks k that are relevant, in [0, 1]; 0 when none is."""
    hits = 0
    total = 0.0
    for rank, is_relevant in enumerate(relevant, start=1):
        if is_relevant:
            hits += 1
            total += hits / rank
    return total / hits if hits else 0.0


def contract_breaches(retrieved: Sequence[Retrieved], *, dated: bool = True) -> list[str]:
    """What is wrong with each passage, in order; an empty string where it keeps the contract.

    The contract: an id, a title and a date; cut at a whole table, code block or JSON value; not
    the text of a passage before it; in the prompt untruncated. Where nothing is ``dated`` no date
    is asked for.
    """
    seen: set[str] = set()
    breaches = []
    for item in retrieved:
        passage = item.passage
        text = " ".join(passage.text.split())
        checks = (
            (not passage.id, "no id"),
            (not passage.title, "no title"),
            (dated and passage.valid_from is None, "no date"),
            (not passage.intact, "cut inside a table, code block or JSON value"),
            (text in seen, "duplicate"),
            (not item.shown, "not shown whole"),
        )
        breaches.append(", ".join(name for broken, name in checks if broken))
        seen.add(text)
    return breaches


def _contract(sample: Sample, strict: bool) -> Result:
    retrieved = sample.trace.retrieved or ()
    if not retrieved:
        return not_applicable("no passages retrieved")
    breaches = contract_breaches(retrieved, dated=nothing_dated(sample) is None)
    kept = sum(not breach for breach in breaches) / len(breaches)
    reason = "; ".join(
        f"{item.passage.id or '(no id)'}: {breach}"
        for item, breach in zip(retrieved, breaches, strict=True)
        if breach
    )
    return scored(float(kept == 1.0) if strict else kept, reason)


@metric(
    "format/retrieval/contract_strict",
    "1 if every retrieved passage keeps the context contract",
    version="2",
    applies=no_retriever,
)
def contract_strict(sample: Sample, judge: Judge) -> Result:
    """All passages have id, title and date (if any is dated), are intact, no duplicates, and shown whole."""
    return _contract(sample, strict=True)


@metric(
    "format/retrieval/contract_loose",
    "share of retrieved passages that keep the context contract",
    version="2",
    applies=no_retriever,
)
def contract_loose(sample: Sample, judge: Judge) -> Result:
    """The share of passages that keep the contract."""
    return _contract(sample, strict=False)
