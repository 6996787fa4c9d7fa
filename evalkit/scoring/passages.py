"""Which retrieved passages cover which reference evidence."""

from __future__ import annotations

from collections.abc import Iterable

from evalkit.records import Passage, Sample


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


def covers(passage: Passage, revisions: dict[str, set[str | None]]) -> bool:
    """Whether a passage is of an evidence revision and holds one of its quotes.

    Without a quote any passage of the revision does. Blanks are made equal first.
    """
    quotes = revisions.get(passage.revision)
    if quotes is None:
        return False
    text = _squeeze(passage.text)
    return any(quote is None or _squeeze(quote) in text for quote in quotes)


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


def _squeeze(text: str) -> str:
    return " ".join(text.split())
