"""A sample from the fields that ragas uses, so that our metrics run on a ragas dataset."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from evalkit.records import (
    Answer,
    Evidence,
    FormatSpecification,
    Passage,
    Question,
    Retrieved,
    Revision,
    Sample,
    Trace,
)

NAME = "ragas"


def ragas_sample(
    *,
    response: str,
    user_input: str = "",
    reference: str | None = None,
    retrieved_contexts: Sequence[str] | None = None,
    reference_contexts: Sequence[str] = (),
    retrieved_context_ids: Sequence[str | int] | None = None,
    reference_context_ids: Sequence[str | int] | None = None,
) -> Sample:
    """A sample without dates, titles and format specification, for ragas' ``SingleTurnSample`` fields.

    Args:
        response: The answer.
        user_input: The question.
        reference: The right answer; without it nothing can be said about correctness.
        retrieved_contexts: The passages shown, best first; None where nothing is retrieved.
        reference_contexts: The evidence. A retrieved context covers it if both have the same id,
            or if it holds the text of the evidence.
        retrieved_context_ids: Ids of the retrieved contexts, one each.
        reference_context_ids: Ids of the reference contexts, one each.

    Raises:
        ValueError: There are not as many ids as contexts.
    """
    evidence = _named("reference", reference_contexts, reference_context_ids)
    passages = None
    if retrieved_contexts is not None:
        shown = _named("retrieved", retrieved_contexts, retrieved_context_ids)
        passages = tuple(
            Retrieved(_passage(name, text, evidence), 1 / rank)
            for rank, (name, text) in enumerate(shown, start=1)
        )
    revisions = {name: Revision(name, name, "", text) for name, text in evidence}
    named = tuple(Evidence(name) for name in revisions)
    answers = () if reference is None else (Answer(reference, evidence=named),)
    return Sample(
        Question(NAME, user_input, date.max, NAME, NAME, answers, format="free"),
        Trace(NAME, NAME, passages, "", response),
        FormatSpecification(),
        revisions,
    )


def _named(
    kind: str, contexts: Sequence[str], ids: Sequence[str | int] | None
) -> list[tuple[str, str]]:
    if ids is None:
        return [(f"{kind}-{number}", text) for number, text in enumerate(contexts, start=1)]
    if len(ids) != len(contexts):
        raise ValueError(
            f"{len(ids)} {kind}_context_ids for {len(contexts)} {kind}_contexts; give one each"
        )
    return list(zip(map(str, ids), contexts, strict=True))


def _passage(name: str, text: str, evidence: Sequence[tuple[str, str]]) -> Passage:
    """The passage, as one of the evidence that it covers if it covers any."""
    plain = " ".join(text.split())
    covered = [
        found for found, quote in evidence if found == name or " ".join(quote.split()) in plain
    ]
    revision = covered[0] if covered else name
    return Passage(name, revision, revision, "", text)
