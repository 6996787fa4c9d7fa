"""Retention: what the pipeline still does on control questions."""

from __future__ import annotations

from evalkit.records import Sample
from evalkit.scoring.answers import is_correct
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import (
    CONTROL,
    Result,
    answer_too_long,
    first_reason,
    metric,
    scored,
    undefined_where,
)

NOT_CONTROL, NO_REFERENCE = "not a control question", "the control question has no reference answer"


@undefined_where(NOT_CONTROL, NO_REFERENCE)
def _no_control(sample: Sample) -> str | None:
    if sample.question.category != CONTROL:
        return NOT_CONTROL
    return None if sample.question.answers else NO_REFERENCE


@metric(
    "retention/generation/correct",
    "1 if a control question is answered with a reference wording",
    version="3",
    applies=first_reason(_no_control, answer_too_long),
)
def correct(sample: Sample, judge: Judge) -> Result:
    """The same test as for correctness, on everyday knowledge and simple instructions."""
    return scored(is_correct(sample))
