"""What an answer says, read against the dated list of right answers."""

from __future__ import annotations

from collections.abc import Iterable

from evalkit.records import Answer, AnswerClass, Sample
from evalkit.scoring.text import fold, refusal, spans, tokens, wording

Wording = tuple[str, ...]


def answer_class(sample: Sample) -> AnswerClass:
    """Class an answer by the periods whose wordings it contains.

    ``current``, ``outdated`` or ``premature``: wordings of that period only. ``mixed``: wordings
    of more than one period. ``abstained``: it declines and gives no known wording beside the
    refusal. ``wrong``: anything else, an empty answer included. A value that is right again
    counts as current; a wording inside a longer one of another period does not count.
    """
    answer = sample.parsed.answer
    if not answer:
        return "wrong"
    declined = refusal(answer, sample.format.abstention)
    periods = periods_named(sample, _without(answer, declined) if declined else answer)
    if len(periods) > 1:
        return "mixed"
    if periods:
        return next(iter(periods))
    return "abstained" if declined else "wrong"


def abstains(sample: Sample) -> bool:
    """Whether the answer is a recognised refusal."""
    return answer_class(sample) == "abstained"


def is_correct(sample: Sample) -> bool:
    """Whether the answer is right: it names a current wording and none of another period.

    Where no answer is valid at ``as_of`` (unanswerable or withdrawn), abstaining is right.
    """
    wanted = "current" if sample.question.answerable else "abstained"
    return answer_class(sample) == wanted


def periods_named(sample: Sample, text: str) -> set[AnswerClass]:
    """The periods (``current``, ``outdated``, ``premature``) whose wordings stand in a text."""
    question = sample.question
    current = _wordings(question.current_answers())
    past = _wordings(question.past_answers()) - current
    future = _wordings(question.future_answers()) - current - past
    haystack = tokens(text)
    found: list[tuple[tuple[int, int], AnswerClass]] = []
    named: list[tuple[set[Wording], AnswerClass]] = [
        (current, "current"),
        (past, "outdated"),
        (future, "premature"),
    ]
    for wordings, period in named:
        found += [(span, period) for needle in wordings for span in spans(needle, haystack)]
    return {period for span, period in found if not any(_inside(span, other) for other, _ in found)}


def says(sample: Sample, answers: Iterable[Answer]) -> bool:
    """Whether the parsed answer contains any wording of the given answers."""
    haystack = tokens(sample.parsed.answer or "")
    return any(spans(needle, haystack) for needle in _wordings(answers))


def _wordings(answers: Iterable[Answer]) -> set[Wording]:
    return {found for answer in answers for w in answer.wordings if (found := wording(w))}


def _inside(span: tuple[int, int], other: tuple[int, int]) -> bool:
    return span != other and other[0] <= span[0] and span[1] <= other[1]


def _without(answer: str, phrase: str) -> str:
    """The answer without its refusal, so that the "no" in "no information" answers nothing."""
    return fold(answer).replace(fold(phrase), " ", 1)
