"""Cost: what a question took."""

from __future__ import annotations

from collections.abc import Callable

from evalkit.records import Sample
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import Result, metric, no_retriever, not_applicable, scored

NOT_MEASURED = "not measured"


@metric(
    "cost/generation/prompt_tokens",
    "tokens of the prompt",
    direction="lower",
    unit="tokens",
)
def prompt_tokens(sample: Sample, judge: Judge) -> Result:
    """As the generator counted them."""
    return scored(sample.trace.prompt_tokens)


@metric(
    "cost/generation/output_tokens",
    "tokens of the output",
    direction="lower",
    unit="tokens",
)
def output_tokens(sample: Sample, judge: Judge) -> Result:
    """As the generator counted them."""
    return scored(sample.trace.output_tokens)


def _seconds(stage: str) -> Callable[[Sample, Judge], Result]:
    def function(sample: Sample, judge: Judge) -> Result:
        seconds = sample.trace.seconds.get(stage)
        return not_applicable(NOT_MEASURED) if seconds is None else scored(seconds)

    function.__doc__ = "As the trace recorded it, whatever else shared its batch."
    return function


metric(
    "cost/generation/seconds",
    "wall seconds to generate",
    direction="lower",
    unit="seconds",
    undefined=(NOT_MEASURED,),
)(_seconds("generation"))
metric(
    "cost/retrieval/seconds",
    "wall seconds to retrieve",
    direction="lower",
    unit="seconds",
    applies=no_retriever,
    undefined=(NOT_MEASURED,),
)(_seconds("retrieval"))
