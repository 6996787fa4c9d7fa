"""Faithfulness: whether the texts support what the answer states, and what it made of them.

All of these are measured on the answer's statements. An answer that declines is ``abstained``; an
empty one and one that states nothing are ``not_applicable``, labelled ``empty`` and
``no_statements``: none of the three is a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evalkit.records import Passage, Revision, Sample
from evalkit.scoring.answers import abstains, periods_named
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.judges.claims import claim, dated, repeats
from evalkit.scoring.metric import (
    MetricFunction,
    Result,
    abstained,
    answer_unknown,
    first_reason,
    metric,
    no_evidence,
    no_retriever,
    not_applicable,
    scored,
)
from evalkit.scoring.parse import answer_values
from evalkit.scoring.passages import covers_evidence
from evalkit.scoring.ranking import average_precision
from evalkit.scoring.support import failing_with_the_judge, stating, supported, titled
from evalkit.scoring.text import sentences

Statements = tuple[str, ...]
EMPTY, NO_STATEMENTS, NOTHING_SHOWN = "empty answer", "no statements", "no passages shown"


def statements(sample: Sample) -> Statements:
    """What the answer states: the values of a structured answer, the sentences of a plain one.

    A value is one statement, without its key; one of several sentences is as many. What is said
    twice counts once. A question, a lead-in, a bare yes or no, what has no word or number, and a
    sentence that only repeats the question (see `claims.repeats`) state nothing.
    """
    if not sample.parsed.structured:
        said = stating(sentences(sample.parsed.answer or ""))
        return tuple(part for part in said if not repeats(part, sample.question.text))
    values = answer_values(sample.trace.output, sample.format)
    return stating([part for value in values for part in _parts(value)])


def _parts(value: str) -> Sequence[str]:
    """The sentences of a value; one that is a single sentence keeps its marks (``- 18 °C``)."""
    found = sentences(value)
    return found if len(found) > 1 else (value,)


def _of_statements(measure: Callable[[Sample, Judge, Statements], Result]) -> MetricFunction:
    """A metric of the answer's statements: the status of an answer that has none comes first."""

    @failing_with_the_judge
    def function(sample: Sample, judge: Judge) -> Result:
        if not sample.parsed.answer:
            return not_applicable(EMPTY, "empty")
        if abstains(sample):
            return abstained()
        stated = statements(sample)
        if not stated:
            return not_applicable(NO_STATEMENTS, "no_statements")
        return measure(sample, judge, stated)

    function.__doc__ = measure.__doc__
    return function


def _judged(
    sample: Sample, judge: Judge, stated: Statements, sources: Sequence[Passage | Revision]
) -> list[bool]:
    """Whether the sources together support each statement.

    Each is judged as a reply to the question. The source and the date that a structured answer names
    belong to its statements: the source must be among these, and in force from that date.
    """
    parsed = sample.parsed
    told = [
        claim(each, parsed.source, parsed.effective, question=sample.question.text)
        for each in stated
    ]
    return supported(judge, told, [dated(s.document, s.valid_from, titled(s)) for s in sources])


def _supported_share(
    sample: Sample, judge: Judge, stated: Statements, sources: Sequence[Passage | Revision]
) -> Result:
    if not sources:
        return not_applicable(NOTHING_SHOWN)
    verdicts = _judged(sample, judge, stated, sources)
    missing = [statement for statement, found in zip(stated, verdicts, strict=True) if not found]
    reason = f"not supported: {missing[0][:80]}{_attributed(sample)}" if missing else ""
    return scored(1 - len(missing) / len(stated), reason)


def _attributed(sample: Sample) -> str:
    """Where a structured answer says that its values stand, which may be what is not supported."""
    given = [part for part in (sample.parsed.source, sample.parsed.effective) if part]
    return f" (by {', '.join(given)[:60]})" if given else ""


@metric(
    "faithfulness/generation/faithfulness",
    "share of the answer's statements that the passages shown to it support",
    source="ragas Faithfulness, with the judge's notion of support",
    version="3",
    applies=no_retriever,
    undefined=(EMPTY, NO_STATEMENTS, NOTHING_SHOWN),
)
@_of_statements
def faithfulness(sample: Sample, judge: Judge, stated: Statements) -> Result:
    """Measured against what the prompt held, right or wrong, and never against the reference. A value
    of a structured answer is supported if it answers this question in a passage of the source and
    the date that the answer names; a sentence is, if any passage says it.
    """
    return _supported_share(sample, judge, stated, sample.trace.shown)


@metric(
    "faithfulness/generation/groundedness",
    "share of the answer's statements that the reference evidence in force supports",
    source="ragas Faithfulness, against the reference",
    version="3",
    applies=no_evidence,
    inputs=("answer", "evidence in force", "judge"),
    undefined=(EMPTY, NO_STATEMENTS),
)
@_of_statements
def groundedness(sample: Sample, judge: Judge, stated: Statements) -> Result:
    """Defined for every pipeline, so that all can be compared. The source and the date that a structured
    answer names must be those of the evidence, as for faithfulness.
    """
    return _supported_share(sample, judge, stated, sample.reference_evidence())


@metric(
    "faithfulness/generation/context_utilisation",
    "average precision of the passages shown: those that the answer rests on should stand first",
    source="ragas ContextUtilization; a passage is useful if it supports a statement of the answer",
    version="2",
    applies=no_retriever,
    undefined=(EMPTY, NO_STATEMENTS, NOTHING_SHOWN),
)
@_of_statements
def context_utilisation(sample: Sample, judge: Judge, stated: Statements) -> Result:
    """Each passage is judged by itself. 0 where the answer rests on none of them."""
    if not sample.trace.shown:
        return not_applicable(NOTHING_SHOWN)
    useful = [any(_judged(sample, judge, stated, [p])) for p in sample.trace.shown]
    return scored(average_precision(useful))


def _noise(sample: Sample, judge: Judge, stated: Statements, relevant: bool) -> Result:
    if not sample.trace.shown:
        return not_applicable(NOTHING_SHOWN)
    wrong = _wrong(sample, judge, stated)
    from_relevant, from_others = (
        _supported_by_one(sample, judge, wrong, covering) for covering in (True, False)
    )
    found = from_relevant if relevant else from_others - from_relevant
    reason = f"taken over: {sorted(found)[0][:80]}" if found else ""
    return scored(sum(statement in found for statement in stated) / len(stated), reason)


def _wrong(sample: Sample, judge: Judge, stated: Statements) -> Statements:
    """The statements that the current answers do not bear out.

    One that names wordings of current answers alone is right; one that names another period's is
    wrong; the judge decides on the others.
    """
    named = {statement: periods_named(sample, statement) for statement in stated}
    unnamed = [statement for statement in stated if not named[statement]]
    reference = [answer.text for answer in sample.question.current_answers()]
    verdicts = dict(zip(unnamed, supported(judge, unnamed, reference), strict=True))
    return tuple(s for s in stated if not verdicts.get(s, named[s] == {"current"}))


def _supported_by_one(sample: Sample, judge: Judge, stated: Statements, covering: bool) -> set[str]:
    """The statements that a single passage supports, of those that cover evidence or the others."""
    return {
        statement
        for passage in sample.trace.shown
        if covers_evidence(sample, passage) == covering
        for statement, found in zip(stated, _judged(sample, judge, stated, [passage]), strict=True)
        if found
    }


_NOISE = "ragas NoiseSensitivity (RAGChecker, Ru et al. 2024, arXiv 2408.08067)"


@metric(
    "faithfulness/generation/noise_sensitivity_relevant",
    "share of the answer's statements that are wrong and that a passage with evidence supports",
    direction="lower",
    source=_NOISE,
    version="2",
    applies=first_reason(no_retriever, no_evidence, answer_unknown),
    inputs=("answer", "dated answers", "passages shown", "evidence in force", "judge"),
    undefined=(EMPTY, NO_STATEMENTS, NOTHING_SHOWN),
)
@_of_statements
def noise_sensitivity_relevant(sample: Sample, judge: Judge, stated: Statements) -> Result:
    """What was taken from the right passage and is not the answer."""
    return _noise(sample, judge, stated, relevant=True)


@metric(
    "faithfulness/generation/noise_sensitivity_irrelevant",
    "share of the answer's statements that are wrong and that only passages without evidence support",
    direction="lower",
    source=_NOISE,
    version="2",
    applies=first_reason(no_retriever, no_evidence, answer_unknown),
    inputs=("answer", "dated answers", "passages shown", "evidence in force", "judge"),
    undefined=(EMPTY, NO_STATEMENTS, NOTHING_SHOWN),
)
@_of_statements
def noise_sensitivity_irrelevant(sample: Sample, judge: Judge, stated: Statements) -> Result:
    """What was taken from a passage that is beside the point or superseded."""
    return _noise(sample, judge, stated, relevant=False)
