"""Correctness: whether the answer is the right one on the question's date."""

from __future__ import annotations

from collections.abc import Callable

from evalkit.records import Sample
from evalkit.scoring.answers import abstains, answer_class, is_correct, says
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import Result, metric, scored
from evalkit.scoring.text import squad_normalise, token_f1


def _not_answerable(sample: Sample) -> str | None:
    return None if sample.question.answerable else "no answer is valid at the question's date"


@metric(
    "correctness/generation/correct",
    "1 if the answer names a current wording and no other period's; where none exists, abstains",
    source="containment on word boundaries, dated answers",
)
def correct(sample: Sample, judge: Judge) -> Result:
    """The answer class decides; it is the label."""
    return scored(is_correct(sample), label=answer_class(sample))


def _best(sample: Sample, compare: Callable[[str, str], float]) -> Result:
    answer = sample.parsed.answer or ""
    wordings = [w for a in sample.question.current_answers() for w in a.wordings]
    return scored(max(compare(answer, wording) for wording in wordings))


@metric(
    "correctness/generation/exact_match",
    "1 if the answer equals a current wording after SQuAD normalisation",
    source="Rajpurkar et al. 2016, arXiv 1606.05250",
    applies=_not_answerable,
)
def exact_match(sample: Sample, judge: Judge) -> Result:
    """The best over the current wordings."""
    return _best(sample, lambda a, b: float(squad_normalise(a) == squad_normalise(b)))


@metric(
    "correctness/generation/token_f1",
    "token F1 of the answer with the nearest current wording",
    source="Rajpurkar et al. 2016, arXiv 1606.05250",
    applies=_not_answerable,
)
def best_token_f1(sample: Sample, judge: Judge) -> Result:
    """The best over the current wordings."""
    return _best(sample, token_f1)


@metric(
    "correctness/generation/contains",
    "1 if the answer contains a current wording, whatever else it says",
    applies=_not_answerable,
)
def contains_current(sample: Sample, judge: Judge) -> Result:
    """Containment on word boundaries, with spellings of values made equal."""
    return scored(says(sample, sample.question.current_answers()))


@metric(
    "correctness/generation/abstention",
    "1 if the pipeline abstains exactly when no answer is valid at the question's date",
)
def abstention(sample: Sample, judge: Judge) -> Result:
    """Agreement of two yes/no facts: it abstained, and nothing answers."""
    declined = abstains(sample)
    return scored(
        declined != sample.question.answerable, label="abstained" if declined else "answered"
    )
