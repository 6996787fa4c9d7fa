"""Correctness: whether the answer is the right one on the question's date."""

from __future__ import annotations

from collections.abc import Callable

from evalkit.records import Sample
from evalkit.scoring.answers import abstains, answer_class, is_correct, says
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import (
    Result,
    first_reason,
    metric,
    no_literal_answer,
    nothing_answers,
    scored,
    undefined_where,
)
from evalkit.scoring.text import squad_normalise, token_f1, tokens, wording
from evalkit.scoring.values import value_of, values

SOMETHING_ANSWERS = "an answer is valid at the question's date"
NO_VALUE = "no current wording is a number, amount, date or time"


@undefined_where(SOMETHING_ANSWERS)
def _something_answers(sample: Sample) -> str | None:
    return SOMETHING_ANSWERS if sample.question.answerable else None


@metric(
    "correctness/generation/correct",
    "1 if the answer names a current wording and no other period's, where one exists",
    source="containment on word boundaries, dated answers",
    version="4",
    applies=no_literal_answer,
)
def correct(sample: Sample, judge: Judge) -> Result:
    """The answer class decides; it is the label. It says nothing of what else the answer holds: one
    that says much may name the right wording by chance, which value_match and token F1 show.
    """
    return scored(is_correct(sample), label=answer_class(sample))


def _best(sample: Sample, compare: Callable[[str, str], float]) -> Result:
    answer = sample.parsed.answer or ""
    wordings = [w for a in sample.question.current_answers() for w in a.wordings]
    return scored(max(compare(answer, wording) for wording in wordings))


@metric(
    "correctness/generation/exact_match",
    "1 if the answer equals a current wording after SQuAD normalisation",
    source="Rajpurkar et al. 2016, arXiv 1606.05250",
    version="2",
    applies=no_literal_answer,
)
def exact_match(sample: Sample, judge: Judge) -> Result:
    """The best over the current wordings."""
    return _best(sample, lambda a, b: float(squad_normalise(a) == squad_normalise(b)))


@metric(
    "correctness/generation/token_f1",
    "token F1 of the answer with the nearest current wording",
    source="Rajpurkar et al. 2016, arXiv 1606.05250",
    version="2",
    applies=nothing_answers,
)
def best_token_f1(sample: Sample, judge: Judge) -> Result:
    """The best over the current wordings."""
    return _best(sample, token_f1)


@metric(
    "correctness/generation/contains",
    "1 if the answer contains a current wording, whatever else it says",
    version="3",
    applies=no_literal_answer,
)
def contains_current(sample: Sample, judge: Judge) -> Result:
    """Containment on word boundaries, with spellings and units of values made equal."""
    return scored(says(sample, sample.question.current_answers()))


@undefined_where(NO_VALUE)
def _no_value(sample: Sample) -> str | None:
    return None if any(map(value_of, _current_wordings(sample))) else NO_VALUE


@metric(
    "correctness/generation/value_match",
    "1 if the only value that the answer states equals a current wording",
    version="2",
    applies=first_reason(nothing_answers, _no_value),
)
def value_match(sample: Sample, judge: Judge) -> Result:
    """Numbers, amounts, dates and times, whatever their spelling and unit. A number without its unit
    equals one with it; a date whose day and month could change places equals none. Several values
    are right only if all of them are.
    """
    stated = [value for _, value in values(tokens(sample.parsed.answer or ""))]
    wanted = [value for words in _current_wordings(sample) if (value := value_of(words))]
    right = (any(value.equals(each) for each in wanted) for value in stated)
    return scored(bool(stated) and all(right))


def _current_wordings(sample: Sample) -> list[tuple[str, ...]]:
    return [wording(w) for answer in sample.question.current_answers() for w in answer.wordings]


@metric(
    "correctness/generation/abstention",
    "1 if the pipeline abstains, where no answer is valid at the question's date",
    version="4",
    applies=_something_answers,
)
def abstention(sample: Sample, judge: Judge) -> Result:
    """Abstaining when due: on unanswerable and withdrawn questions."""
    return _declined(sample)


@metric(
    "correctness/generation/over_abstention",
    "1 if the pipeline abstains although an answer is valid at the question's date",
    direction="lower",
    version="3",
    applies=nothing_answers,
)
def over_abstention(sample: Sample, judge: Judge) -> Result:
    """Abstaining wrongly, which a pipeline that always abstains does every time."""
    return _declined(sample)


def _declined(sample: Sample) -> Result:
    declined = abstains(sample)
    return scored(declined, label="abstained" if declined else "answered")
