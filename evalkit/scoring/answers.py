"""What an answer says, read against the dated list of right answers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from evalkit.records import Answer, AnswerClass, Question, Sample
from evalkit.scoring.text import Span, fold, refusal, tokens, wording
from evalkit.scoring.values import mentions, value_of

Wording = tuple[str, ...]
_DENIALS = frozenset({"not", "never", "neither", "nor"})
_DENIALS_OF_TWO = frozenset({("no", "longer"), ("rather", "than"), ("instead", "of")})


def answer_class(sample: Sample) -> AnswerClass:
    """Class an answer by the periods whose wordings it contains.

    ``current``, ``outdated`` or ``premature``: wordings of that period only. ``mixed``: wordings
    of more than one period. ``abstained``: it declines and gives no known wording beside the
    refusal. ``wrong``: anything else, an empty answer included. A value that is right again
    counts as current; a wording inside a longer one of another period does not count. A wording
    that is a value is also found in another unit, and without its unit as the whole answer. One
    that is denied ("not EUR 38", "no longer EUR 38") is not named.
    """
    return _class_of(sample.question, sample.parsed.answer or "", sample.format.abstention)


@lru_cache(maxsize=16)
def _class_of(question: Question, answer: str, abstention: str) -> AnswerClass:
    """Kept for a few answers, since a dozen metrics ask for the class of the same one."""
    if not answer:
        return "wrong"
    declined = refusal(answer, abstention)
    periods = _periods(question, _without(answer, declined) if declined else answer)
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


def periods_named(sample: Sample, text: str) -> frozenset[AnswerClass]:
    """The periods (``current``, ``outdated``, ``premature``) whose wordings stand in a text."""
    return _periods(sample.question, text)


@lru_cache(maxsize=256)
def _periods(question: Question, text: str) -> frozenset[AnswerClass]:
    """Kept for the passages of a few questions, which a dozen metrics and rules look into."""
    current = _wordings(question.current_answers())
    past = _others(_wordings(question.past_answers()), current)
    future = _others(_wordings(question.future_answers()), current | past)
    haystack = tokens(text)
    found: list[tuple[Span, AnswerClass]] = []
    named: list[tuple[set[Wording], AnswerClass]] = [
        (current, "current"),
        (past, "outdated"),
        (future, "premature"),
    ]
    for wordings, period in named:
        found += [(span, period) for needle in wordings for span in _named(needle, haystack)]
    outer = _outermost({span for span, _ in found})
    return frozenset(period for span, period in found if span in outer)


def says(sample: Sample, answers: Iterable[Answer]) -> bool:
    """Whether the parsed answer contains any wording of the given answers."""
    haystack = tokens(sample.parsed.answer or "")
    return any(_named(needle, haystack) for needle in _wordings(answers))


def _named(needle: Wording, haystack: Wording) -> list[Span]:
    """Where a wording is stated, without the places that say that it is not so."""
    return [span for span in mentions(needle, haystack) if not _denied(haystack, span[0])]


def _denied(haystack: Wording, start: int) -> bool:
    """Whether what stands right before a wording denies it; ``no later than`` does not."""
    words = haystack[max(0, start - 3) : start]
    if words and words[-1] in ("a", "an"):
        words = words[:-1]
    denied = bool(words) and (words[-1] in _DENIALS or words[-1].endswith("n't"))
    return denied or words[-2:] in _DENIALS_OF_TWO


def _wordings(answers: Iterable[Answer]) -> set[Wording]:
    return {found for answer in answers for w in answer.wordings if (found := wording(w))}


def _others(wordings: set[Wording], known: set[Wording]) -> set[Wording]:
    """The wordings that state something else than the known ones; 24 hours is not news after 1 day."""
    values = [value for each in known if (value := value_of(each))]
    return {
        each
        for each in wordings - known
        if (value := value_of(each)) is None or not any(value.equals(other) for other in values)
    }


def _outermost(spans: set[Span]) -> set[Span]:
    """The spans that stand inside no other."""
    outer, reached = set(), 0
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if end > reached:  # whatever could hold this one came before it
            outer.add((start, end))
            reached = end
    return outer


def _without(answer: str, phrase: str) -> str:
    """The answer without its refusal, so that the "no" in "no information" answers nothing."""
    return fold(answer).replace(fold(phrase), " ", 1)
