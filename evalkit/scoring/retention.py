"""Retention: what the pipeline still does on control questions."""

from __future__ import annotations

from evalkit.records import Sample
from evalkit.scoring.answers import is_correct
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import CONTROL, Result, metric, scored


def _no_control(sample: Sample) -> str | None:
    if sample.question.category != CONTROL:
        return "not a control question"
    return None if sample.question.answers else "the control question has no reference answer"


@metric(
    "retention/generation/correct",
    "1 if a control question is answered with a reference wording",
    applies=_no_control,
)
def correct(sample: Sample, judge: Judge) -> Result:
    """The same test as for correctness, on everyday knowledge and simple instructions."""
    return scored(is_correct(sample))
