"""Retrieval: whether the right evidence was fetched, how high, and in what state.

Relevance is binary, by the revision and the words that the benchmark names as evidence. Recall
at k is ``context_recall``. It and ``context_precision`` ask the judge where no evidence is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from evalkit.records import Retrieved, Sample
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import (
    Result,
    first_reason,
    metric,
    no_evidence,
    no_reference,
    no_retriever,
    not_applicable,
    nothing_dated,
    scored,
)
from evalkit.scoring.passages import (
    covered_share,
    covers_evidence,
    evidence_quotes,
    first_covering,
    retrieved_passages,
)
from evalkit.scoring.ranking import average_precision, ndcg, reciprocal_rank
from evalkit.scoring.support import failing_with_the_judge, stating, supported, titled
from evalkit.scoring.text import sentences

NO_PASSAGES = "no passages retrieved"
STATES_NOTHING = "no evidence is named and the current answer states nothing by itself"
TREC_EVAL = "trec_eval (https://github.com/usnistgov/trec_eval), binary relevance"


_JUDGED = ("passages retrieved", "evidence in force", "without it: current answers and judge")
_RAGAS = "without named evidence ragas ContextRecall and ContextPrecision, with our judge"


@metric(
    "faithfulness/retrieval/context_recall",
    "share of the evidence documents that a retrieved passage covers",
    source=f"id-based recall, as ragas NonLLMContextRecall; {_RAGAS}",
    version="2",
    applies=first_reason(no_retriever, no_reference),
    inputs=_JUDGED,
    undefined=(STATES_NOTHING,),
)
@failing_with_the_judge
def context_recall(sample: Sample, judge: Judge) -> Result:
    """Where the benchmark names no evidence: the share of the current answer's statements that the
    retrieved passages support, of the wording that does best.
    """
    if evidence_quotes(sample):
        return scored(covered_share(sample, retrieved_passages(sample)))
    wordings = _reference_statements(sample)
    if not wordings:
        return not_applicable(STATES_NOTHING)
    texts = [titled(passage) for passage in retrieved_passages(sample)]
    verdicts = [supported(judge, stated, texts) if texts else [False] for stated in wordings]
    return scored(max(sum(found) / len(found) for found in verdicts))


@metric(
    "faithfulness/retrieval/context_precision",
    "average precision of the ranking: passages that cover evidence should stand first",
    source=f"average precision over ranks, as ragas ContextPrecision; {_RAGAS}",
    version="2",
    applies=first_reason(no_retriever, no_reference),
    inputs=_JUDGED,
    undefined=(STATES_NOTHING,),
)
@failing_with_the_judge
def context_precision(sample: Sample, judge: Judge) -> Result:
    """Mean of precision at the rank of each relevant passage; 0 when none is relevant. Where the
    benchmark names no evidence a passage is relevant that supports a statement of a current answer.
    """
    if evidence_quotes(sample):
        return scored(average_precision(_relevant(sample)))
    stated = sum(_reference_statements(sample), ())
    if not stated:
        return not_applicable(STATES_NOTHING)
    passages = retrieved_passages(sample)
    return scored(average_precision([any(supported(judge, stated, [titled(p)])) for p in passages]))


def _reference_statements(sample: Sample) -> list[tuple[str, ...]]:
    """The statements of each wording of the current answers, where it states any."""
    answers = sample.question.current_answers()
    wordings = [stating(sentences(w)) for answer in answers for w in answer.wordings]
    return [stated for stated in wordings if stated]


def _relevant(sample: Sample) -> list[bool]:
    return [covers_evidence(sample, passage) for passage in retrieved_passages(sample)]


def _firsts(sample: Sample) -> list[bool]:
    return first_covering(sample, retrieved_passages(sample))


_evidence_ranked = partial(
    metric, source=TREC_EVAL, applies=first_reason(no_retriever, no_evidence)
)


@_evidence_ranked(
    "faithfulness/retrieval/precision",
    "share of the retrieved passages that cover evidence (precision at k)",
)
def precision(sample: Sample, judge: Judge) -> Result:
    """The k is the number of passages that were retrieved; 0 where nothing was."""
    relevant = _relevant(sample)
    return scored(sum(relevant) / len(relevant) if relevant else 0.0)


@_evidence_ranked(
    "faithfulness/retrieval/hit",
    "1 if a retrieved passage covers an evidence document (success at k)",
)
def hit(sample: Sample, judge: Judge) -> Result:
    """Mean over questions: the share for which anything useful was fetched."""
    return scored(any(_relevant(sample)))


@_evidence_ranked(
    "faithfulness/retrieval/mrr",
    "one over the rank of the first passage that covers evidence, 0 if none does",
)
def mrr(sample: Sample, judge: Judge) -> Result:
    """Its mean over questions is the mean reciprocal rank."""
    return scored(reciprocal_rank(_relevant(sample)))


@_evidence_ranked(
    "faithfulness/retrieval/map",
    "average precision over the evidence documents, each found by its first covering passage",
)
def mean_average_precision(sample: Sample, judge: Judge) -> Result:
    """Unlike context precision it is lowered by evidence that was not found."""
    return scored(average_precision(_firsts(sample), len(evidence_quotes(sample))))


@_evidence_ranked(
    "faithfulness/retrieval/ndcg",
    "nDCG at k over the evidence documents, each found by its first covering passage",
)
def normalised_gain(sample: Sample, judge: Judge) -> Result:
    """Binary gains. The k is the number of passages that were retrieved; 0 where nothing was."""
    return scored(ndcg(_firsts(sample), len(evidence_quotes(sample))))


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
        return not_applicable(NO_PASSAGES)
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
    undefined=(NO_PASSAGES,),
)
def contract_strict(sample: Sample, judge: Judge) -> Result:
    """All passages have id, title and date (if any is dated), are intact, no duplicates, and shown whole."""
    return _contract(sample, strict=True)


@metric(
    "format/retrieval/contract_loose",
    "share of retrieved passages that keep the context contract",
    version="2",
    applies=no_retriever,
    undefined=(NO_PASSAGES,),
)
def contract_loose(sample: Sample, judge: Judge) -> Result:
    """The share of passages that keep the contract."""
    return _contract(sample, strict=False)
