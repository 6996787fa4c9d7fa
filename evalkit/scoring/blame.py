"""Blame: the stage at fault in one trace, by rules that can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from evalkit.records import Sample, Score
from evalkit.scoring.answers import answer_class, is_correct, periods_named
from evalkit.scoring.metric import CONTROL
from evalkit.scoring.passages import covered_share, evidence_quotes

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


@dataclass(frozen=True)
class Blame:
    """The stage at fault, the rule that found it, and what the rule saw."""

    stage: FaultStage
    rule: str
    proof: str = ""


@dataclass(frozen=True)
class _Case:
    sample: Sample
    values: dict[str, float | None]

    def value(self, metric: str) -> float | None:
        return self.values.get(metric)


def blame(sample: Sample, scores: Iterable[Score]) -> Blame:
    """The first rule of `RULES` that fits; ``none`` where nothing is at fault.

    ``sample.parsed`` must hold the parsed output; ``scores`` are this sample's scores, of which
    strict format and faithfulness are read. Without them the rules on them do not fit.

    Raises:
        ValueError: A score belongs to another question or pipeline.
    """
    values: dict[str, float | None] = {}
    for each in scores:
        if (each.question, each.pipeline) != (sample.question.id, sample.trace.pipeline):
            raise ValueError(
                f"score of {each.question!r} in {each.pipeline!r} given with the sample of "
                f"{sample.question.id!r} in {sample.trace.pipeline!r}; pass this sample's scores"
            )
        values[each.metric] = each.value
    case = _Case(sample, values)
    for rule in RULES:
        found = rule(case)
        if found is not None:
            return found
    return Blame("ignored_evidence", "the evidence in force was shown and the answer is not it")


def _failed(case: _Case) -> Blame | None:
    error = case.sample.trace.error
    return Blame("pipeline_failed", "the trace has an error", error) if error else None


def _right(case: _Case) -> Blame | None:
    if not is_correct(case.sample):
        return None
    if case.value("format/generation/strict") == 0.0:
        return Blame("malformed", "the answer is right and breaks its format")
    return Blame("none", "the answer is right")


def _unmeasured(case: _Case) -> Blame | None:
    if case.sample.question.category == CONTROL:
        return Blame("none", "a control question has no evidence to be at fault about")
    return None


def _empty(case: _Case) -> Blame | None:
    if case.sample.parsed.answer:
        return None
    return Blame("malformed", "no answer could be read from the output", case.sample.trace.output)


def _unanswerable(case: _Case) -> Blame | None:
    if case.sample.question.answerable:
        return None
    rule = "no answer is valid at the question's date and the pipeline answered"
    return Blame("should_have_abstained", rule, case.sample.parsed.answer or "")


def _no_retrieval(case: _Case) -> Blame | None:
    if case.sample.trace.retrieved is not None:
        return None
    return Blame("no_evidence", "the pipeline has no retriever, so no evidence was shown")


def _missed(case: _Case) -> Blame | None:
    sample = case.sample
    if not sample.reference_evidence() or covered_share(sample, sample.trace.shown) == 1.0:
        return None
    stale = [
        passage.id
        for passage in sample.trace.shown
        if passage.document in evidence_quotes(sample)
        and not passage.valid_at(sample.question.as_of)
    ]
    if stale:
        rule = "the evidence in force was not shown and another revision of its document was"
        return Blame("retrieved_stale", rule, ", ".join(stale))
    return Blame("not_retrieved", "the evidence in force was not among the passages shown")


def _other_period(case: _Case) -> Blame | None:
    sample = case.sample
    found = answer_class(sample)
    if found not in ("outdated", "premature", "mixed"):
        return None
    said = periods_named(sample, sample.parsed.answer or "") - {"current"}
    holders = [p.id for p in sample.trace.shown if periods_named(sample, p.text) & said]
    if holders:
        rule = f"the answer is {found}, and a passage with that value was shown beside the evidence"
        return Blame("retrieved_stale", rule, ", ".join(holders))
    rule = f"the answer is {found}, the evidence in force was shown, no passage has that value"
    return Blame("memory_overrode_evidence", rule, sample.parsed.answer or "")


def _unsupported(case: _Case) -> Blame | None:
    share = case.value("faithfulness/generation/faithfulness")
    if share is None or share == 1.0:
        return None
    rule = "the answer is wrong and the passages shown do not support all of it"
    return Blame("not_faithful", rule, f"faithfulness {share:.2f}")


RULES: tuple[Callable[[_Case], Blame | None], ...] = (
    _failed,
    _right,
    _unmeasured,
    _empty,
    _unanswerable,
    _no_retrieval,
    _missed,
    _other_period,
    _unsupported,
)
"""The rules in order; the first that fits decides, and ``ignored_evidence`` is what remains."""
