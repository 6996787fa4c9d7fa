"""Faithfulness: whether the texts support what the answer states."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.records import Passage, Revision, Sample
from evalkit.scoring.answers import abstains
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import (
    Result,
    abstained,
    failed,
    metric,
    no_evidence,
    no_retriever,
    not_applicable,
    scored,
)
from evalkit.scoring.text import sentences, tokens


def statements(sample: Sample) -> tuple[str, ...]:
    """What the answer states: the value of a structured answer, the sentences of a plain one.

    A value is one statement because it has no sentence of its own; it is supported where it
    stands in the texts. Sentences without a word or number state nothing.
    """
    answer = sample.parsed.answer or ""
    parts = (answer,) if sample.parsed.structured else sentences(answer)
    return tuple(part for part in parts if tokens(part))


def _titled(source: Passage | Revision) -> str:
    """The text under its title, which belongs to what a reader is shown."""
    return f"{source.title}\n\n{source.text}"


def _supported_share(sample: Sample, judge: Judge, texts: Sequence[str]) -> Result:
    if abstains(sample):
        return abstained()
    stated = statements(sample)
    if not stated:
        return not_applicable("no statements")
    if not texts:
        return not_applicable("no passages shown")
    judgments = judge.support(stated, texts)
    if len(judgments) != len(stated):
        return failed(f"the judge gave {len(judgments)} judgments for {len(stated)} statements")
    errors = [judgment.error for judgment in judgments if judgment.supported is None]
    if errors:
        return failed(f"the judge failed on {len(errors)} of {len(stated)} statements: {errors[0]}")
    missing = [s for s, j in zip(stated, judgments, strict=True) if not j.supported]
    reason = f"not supported: {missing[0][:80]}" if missing else ""
    return scored(1 - len(missing) / len(stated), reason)


@metric(
    "faithfulness/generation/faithfulness",
    "share of the answer's statements that the passages shown to it support",
    source="ragas Faithfulness, with the judge's notion of support",
    applies=no_retriever,
)
def faithfulness(sample: Sample, judge: Judge) -> Result:
    """Measured against what the prompt held, right or wrong, and never against the reference."""
    return _supported_share(sample, judge, [_titled(p) for p in sample.trace.shown])


@metric(
    "faithfulness/generation/groundedness",
    "share of the answer's statements that the reference evidence in force supports",
    source="ragas Faithfulness, against the reference",
    applies=no_evidence,
)
def groundedness(sample: Sample, judge: Judge) -> Result:
    """Defined for every pipeline, so that all can be compared."""
    return _supported_share(sample, judge, [_titled(r) for r in sample.reference_evidence()])
