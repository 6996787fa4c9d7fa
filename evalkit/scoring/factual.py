"""Factual correctness: ragas' own metric, where the judge can take an answer apart into claims."""

from __future__ import annotations

from evalkit.records import Sample
from evalkit.scoring.answers import abstains
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import (
    Result,
    abstained,
    metric,
    not_applicable,
    nothing_answers,
    scored,
)

EMPTY = "empty answer"


@metric(
    "correctness/generation/factual",
    "F1 of the claims of the answer and of the current answer: each supported by the other",
    source="ragas FactualCorrectness, unmodified (mode f1; ragas rounds to two decimals)",
    applies=nothing_answers,
    inputs=("answer", "current answers", "judge"),
    undefined=(EMPTY,),
    needs="claims",
)
def factual(sample: Sample, judge: Judge) -> Result:
    """The best over the current answers. The judge takes both texts apart and decides support."""
    answer = sample.parsed.answer
    if not answer:
        return not_applicable(EMPTY, "empty")
    if abstains(sample):
        return abstained()
    references = [current.text for current in sample.question.current_answers()]
    return scored(max(_factual_correctness(judge, answer, each) for each in references))


def _factual_correctness(judge: Judge, response: str, reference: str) -> float:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    from evalkit.scoring.judges.ragas_bridge import ragas_llm

    llm = ragas_llm(judge)  # before the import below, because it turns ragas' telemetry off
    from ragas.metrics.collections import FactualCorrectness

    scoring = FactualCorrectness(llm=llm).ascore(response=response, reference=reference)
    # In a thread of its own, because a caller (ragas itself) may run an event loop in this one.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return float(thread.submit(asyncio.run, scoring).result().value)
