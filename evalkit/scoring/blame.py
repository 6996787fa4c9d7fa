"""Blame: the stage at fault in one trace, by rules that can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from evalkit.records import Passage, Sample, Score
from evalkit.scoring.answers import answer_class, is_correct, periods_named
from evalkit.scoring.metric import CONTROL, answer_too_long, answer_unknown, first_reason
from evalkit.scoring.passages import covered_share, covers_evidence, evidence_quotes
from evalkit.scoring.proof import asked, missing_lines, other_periods, passage_line, said

FaultStage = Literal[
    "none",
    "pipeline_failed",
    "malformed",
    "should_have_abstained",
    "no_evidence",
    "not_retrieved",
    "retrieved_stale",
    "memory_overrode_evidence",
    "not_faithful",
    "ignored_evidence",
]

STAGES: tuple[FaultStage, ...] = get_args(FaultStage)
"""All of them, ``none`` first."""


@dataclass(frozen=True)
class Blame:
    """The stage at fault, the rule that found it, and the lines of the trace that prove it: the date
    and what was right on it, passages by id and dates, the output.
    """

    stage: FaultStage
    rule: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Case:
    sample: Sample
    scores: dict[str, Score]

    def value(self, metric: str) -> float | None:
        return self.scores[metric].value if metric in self.scores else None

    def fault(self, stage: FaultStage, rule: str, *lines: str) -> Blame:
        """A fault, proved by what was asked, the lines, and what was said."""
        return Blame(stage, rule, (asked(self.sample), *lines, said(self.sample)))


def blame(sample: Sample, scores: Iterable[Score]) -> Blame:
    """The first rule of `RULES` that fits; ``none`` where nothing is at fault.

    ``sample.parsed`` must hold the parsed output; ``scores`` are this sample's scores, of which
    strict format and faithfulness are read. Without them the rules on them do not fit.

    Raises:
        ValueError: A score belongs to another question or pipeline.
    """
    known: dict[str, Score] = {}
    for each in scores:
        if (each.question, each.pipeline) != (sample.question.id, sample.trace.pipeline):
            raise ValueError(
                f"score of {each.question!r} in {each.pipeline!r} given with the sample of "
                f"{sample.question.id!r} in {sample.trace.pipeline!r}; pass this sample's scores"
            )
        known[each.metric] = each
    case = _Case(sample, known)
    return next(found for rule in RULES if (found := rule(case)) is not None)


_unread = first_reason(answer_unknown, answer_too_long)


def blameable(sample: Sample) -> bool:
    """Whether anything could be found at fault: a right answer is known, short enough to be looked for,
    and the question is no control question.
    """
    return sample.question.category != CONTROL and _unread(sample) is None


def _failed(case: _Case) -> Blame | None:
    error = case.sample.trace.error
    return Blame("pipeline_failed", "the trace has an error", (error,)) if error else None


def _right(case: _Case) -> Blame | None:
    if not is_correct(case.sample):
        return None
    if case.value(STRICT) == 0.0:
        rule = "the answer is right and breaks its format"
        return case.fault("malformed", rule, *_format_lines(case))
    return Blame("none", "the answer is right")


def _unmeasured(case: _Case) -> Blame | None:
    if blameable(case.sample):
        return None
    reason = _unread(case.sample) or "a control question has no evidence to be at fault about"
    return Blame("none", reason)


def _empty(case: _Case) -> Blame | None:
    if case.sample.parsed.answer:
        return None
    rule = "no answer could be read from the output"
    return case.fault("malformed", rule, *_format_lines(case))


def _unanswerable(case: _Case) -> Blame | None:
    sample = case.sample
    if sample.question.answerable:
        return None
    holders = [p for p in _holders(sample) if not p.valid_at(sample.question.as_of)]
    if holders:
        rule = "the answer was withdrawn, and a passage with that value was shown"
        return case.fault("retrieved_stale", rule, *_lines(sample, holders))
    rule = "no answer is valid at the question's date and the pipeline answered"
    if answer_class(sample) == "outdated":
        rule += " with a withdrawn one that no passage shown holds"
    return case.fault("should_have_abstained", rule)


def _no_retrieval(case: _Case) -> Blame | None:
    if case.sample.trace.retrieved is not None:
        return None
    return case.fault("no_evidence", "the pipeline has no retriever, so no evidence was shown")


def _missed(case: _Case) -> Blame | None:
    sample = case.sample
    if _evidence_shown(sample):
        return None
    lines = missing_lines(sample) or ["no passage shown states an answer in force"]
    stale = [
        passage
        for passage in sample.trace.shown
        if not passage.valid_at(sample.question.as_of)
        and (passage.document in evidence_quotes(sample) or passage in _holders(sample))
    ]
    if stale:
        rule = "the evidence in force was not shown and another revision of its document was"
        return case.fault("retrieved_stale", rule, *lines, *_lines(sample, stale))
    rule = "the evidence in force was not among the passages shown"
    return case.fault("not_retrieved", rule, *lines)


def _other_period(case: _Case) -> Blame | None:
    sample = case.sample
    found = answer_class(sample)
    if found not in ("outdated", "premature", "mixed"):
        return None
    holders = _holders(sample)
    stale = [p for p in holders if not p.valid_at(sample.question.as_of)]
    shown = f"the answer is {found}, the evidence in force was shown"
    current = _current_lines(sample)
    if stale:
        rule = f"{shown}, and beside it a passage not in force with that value"
        return case.fault("retrieved_stale", rule, *current, *_lines(sample, stale))
    if holders:
        rule = f"{shown}, and that value stands only in passages in force"
        return case.fault("ignored_evidence", rule, *current, *_lines(sample, holders))
    rule = f"{shown}, no passage has that value"
    return case.fault("memory_overrode_evidence", rule, *current)


def _unsupported(case: _Case) -> Blame | None:
    share = case.value("faithfulness/generation/faithfulness")
    if share is None or share == 1.0:
        return None
    rule = "the answer is wrong and the passages shown do not support all of it"
    lines = (*_current_lines(case.sample), f"faithfulness {share:.2f}")
    return case.fault("not_faithful", rule, *lines)


def _ignored(case: _Case) -> Blame | None:
    rule = "the evidence in force was shown and the answer is not it"
    return case.fault("ignored_evidence", rule, *_current_lines(case.sample))


STRICT = "format/generation/strict"
RULES: tuple[Callable[[_Case], Blame | None], ...] = (
    _failed,
    _unmeasured,
    _right,
    _empty,
    _unanswerable,
    _no_retrieval,
    _missed,
    _other_period,
    _unsupported,
    _ignored,
)
"""The rules in order; the first that fits decides, and the last always fits."""


def _evidence_shown(sample: Sample) -> bool:
    """Whether all evidence in force was shown; without named evidence, whether a passage states a
    current answer.
    """
    shown = sample.trace.shown
    if sample.reference_evidence():
        return covered_share(sample, shown) == 1.0
    return any("current" in periods_named(sample, passage.text) for passage in shown)


def _holders(sample: Sample) -> list[Passage]:
    """The passages shown that state a value of the other period that the answer names."""
    said = periods_named(sample, sample.parsed.answer or "") - {"current"}
    return [p for p in sample.trace.shown if periods_named(sample, p.text) & said]


def _current_lines(sample: Sample) -> list[str]:
    found = [p for p in sample.trace.shown if covers_evidence(sample, p)]
    if not sample.reference_evidence():
        found = [p for p in sample.trace.shown if "current" in periods_named(sample, p.text)]
    return [passage_line(p, sample.question.current_answers()) for p in found]


def _lines(sample: Sample, passages: Iterable[Passage]) -> list[str]:
    return [passage_line(p, other_periods(sample)) for p in passages]


def _format_lines(case: _Case) -> list[str]:
    reason = case.scores[STRICT].reason if STRICT in case.scores else ""
    return [f"format: {reason}"] if reason else []
