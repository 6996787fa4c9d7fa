"""Which retrieved passages cover which reference evidence."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from evalkit.records import Passage, Sample
from evalkit.scoring.answers import periods_named


def evidence_quotes(sample: Sample) -> dict[str, dict[str, set[str | None]]]:
    """The quotes of the evidence valid at ``as_of``: document -> revision -> quotes."""
    valid = {revision.revision: revision.document for revision in sample.reference_evidence()}
    quotes: dict[str, dict[str, set[str | None]]] = {}
    for answer in sample.question.current_answers():
        for evidence in answer.evidence:
            document = valid.get(evidence.revision)
            if document is not None:
                revisions = quotes.setdefault(document, {})
                revisions.setdefault(evidence.revision, set()).add(evidence.quote)
    return quotes


def past_quotes(sample: Sample) -> dict[str, set[str | None]]:
    """The quotes of the evidence of answers that are right no more: revision -> quotes.

    A past answer that is right again is left out.
    """
    quotes: dict[str, set[str | None]] = {}
    for answer in sample.question.past_answers():
        if periods_named(sample, answer.text) == {"outdated"}:
            for evidence in answer.evidence:
                quotes.setdefault(evidence.revision, set()).add(evidence.quote)
    return quotes


def ended(sample: Sample, passage: Passage) -> bool:
    """Whether the passage's revision was superseded or withdrawn by the question's date."""
    return passage.valid_to is not None and passage.valid_to <= sample.question.as_of


def outdated_evidence(sample: Sample, passages: Iterable[Passage]) -> list[Passage]:
    """The passages of ended revisions that hold the evidence of an answer that is right no more."""
    quotes = past_quotes(sample)
    return [p for p in passages if ended(sample, p) and covers(p, quotes)]


def covers(passage: Passage, revisions: dict[str, set[str | None]]) -> bool:
    """Whether a passage is of an evidence revision and holds one of its quotes.

    Without a quote any passage of the revision does. Blanks are made equal first.
    """
    quotes = revisions.get(passage.revision)
    if quotes is None:
        return False
    text = _squeeze(passage.text)
    return any(quote is None or _squeeze(quote) in text for quote in quotes)


def covers_evidence(sample: Sample, passage: Passage) -> bool:
    """Whether a passage covers any of the evidence in force at the question's date."""
    return any(covers(passage, revisions) for revisions in evidence_quotes(sample).values())


def first_covering(sample: Sample, passages: Iterable[Passage]) -> list[bool]:
    """For each passage, best first, whether it is the first to cover an evidence document.

    Every evidence document is one thing to be found; the second passage of it finds nothing.
    """
    left = dict(evidence_quotes(sample))
    firsts = []
    for passage in passages:
        found = passage.document in left and covers(passage, left[passage.document])
        if found:
            del left[passage.document]
        firsts.append(found)
    return firsts


def covered_share(sample: Sample, passages: Iterable[Passage]) -> float:
    """The share of evidence documents that some passage covers, in [0, 1].

    Raises:
        ValueError: There is no reference evidence, so the share is undefined.
    """
    quotes = evidence_quotes(sample)
    if not quotes:
        raise ValueError(f"question {sample.question.id!r} has no evidence valid at its date")
    shown = tuple(passages)
    hits = sum(any(covers(p, revisions) for p in shown) for revisions in quotes.values())
    return hits / len(quotes)


def retrieved_passages(sample: Sample) -> tuple[Passage, ...]:
    """What the retriever returned, best first; empty where there is no retriever."""
    return tuple(r.passage for r in sample.trace.retrieved or ())


@lru_cache(maxsize=4096)
def _squeeze(text: str) -> str:
    return " ".join(text.split())
