"""Correctness: whether the answer is the right one on the question's date."""

from __future__ import annotations

from collections.abc import Callable

from evalkit.records import Sample
from evalkit.scoring.answers import abstains, answer_class, is_correct, says
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import Result, metric, nothing_answers, scored
from evalkit.scoring.text import squad_normalise, token_f1


def _something_answers(sample: Sample) -> str | None:
    return "an answer is valid at the question's date" if sample.question.answerable else None


@metric(
    "correctness/generation/correct",
    "1 if the answer names a current wording and no other period's, where one exists",
    source="containment on word boundaries, dated answers",
    version="2",
    applies=nothing_answers,
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
    applies=nothing_answers,
)
def exact_match(sample: Sample, judge: Judge) -> Result:
    """The best over the current wordings."""
    return _best(sample, lambda a, b: float(squad_normalise(a) == squad_normalise(b)))


@metric(
    "correctness/generation/token_f1",
    "token F1 of the answer with the nearest current wording",
    source="Rajpurkar et al. 2016, arXiv 1606.05250",
    applies=nothing_answers,
)
def best_token_f1(sample: Sample, judge: Judge) -> Result:
    """The best over the current wordings."""
    return _best(sample, token_f1)


@metric(
    "correctness/generation/contains",
    "1 if the answer contains a current wording, whatever else it says",
    applies=nothing_answers,
)
def contains_current(sample: Sample, judge: Judge) -> Result:
    """Containment on word boundaries, with spellings of values made equal."""
    return scored(says(sample, sample.question.current_answers()))


@metric(
    "correctness/generation/abstention",
    "1 if the pipeline abstains, where no answer is valid at the question's date",
    version="2",
    applies=_something_answers,
)
def abstention(sample: Sample, judge: Judge) -> Result:
    """Abstaining when due: on unanswerable and withdrawn questions."""
    return _declined(sample)


@metric(
    "correctness/generation/over_abstention",
    "1 if the pipeline abstains although an answer is valid at the question's date",
    direction="lower",
    applies=nothing_answers,
)
def over_abstention(sample: Sample, judge: Judge) -> Result:
    """Abstaining wrongly, which a pipeline that always abstains does every time."""
    return _declined(sample)


def _declined(sample: Sample) -> Result:
    declined = abstains(sample)
    return scored(declined, label="abstained" if declined else "answered")
