"""Conflict: what is answered where passages disagree with each other, or with the weights.

Every question whose answer changed is in one of four states by what the generator was shown:
evidence in force, evidence of an answer that is right no more, both, or neither.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

from evalkit.records import Sample
from evalkit.scoring.answers import periods_named
from evalkit.scoring.freshness import no_past_evidence, not_time_sensitive, share_of
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import (
    Result,
    answer_too_long,
    answer_unknown,
    first_reason,
    metric,
    no_evidence,
    no_retriever,
    not_applicable,
)
from evalkit.scoring.passages import covered_share, outdated_evidence

Shown = Literal["both", "stale", "current", "neither"]
STATES: dict[Shown, str] = {
    "both": "current and superseded evidence were shown together",
    "stale": "only superseded evidence was shown",
    "current": "only current evidence was shown",
    "neither": "neither current nor superseded evidence was shown",
}
TOLD_ELSEWHERE = "a passage shown states a past answer, so that it need not come from memory"


def shown_evidence(sample: Sample) -> Shown:
    """Which evidence reached the prompt. Current: all of what is in force; superseded: a passage of
    an ended revision that holds the evidence of an answer that is right no more.
    """
    current = covered_share(sample, sample.trace.shown) == 1.0
    stale = bool(outdated_evidence(sample, sample.trace.shown))
    if current:
        return "both" if stale else "current"
    return "stale" if stale else "neither"


_outdated = share_of("outdated")
_conflict = partial(
    metric,
    direction="lower",
    version="2",
    applies=first_reason(
        not_time_sensitive,
        no_retriever,
        answer_unknown,
        answer_too_long,
        no_evidence,
        no_past_evidence,
    ),
    inputs=("answer", "dated answers", "passages shown", "their dates"),
)


def _others(*states: Shown) -> tuple[str, ...]:
    return tuple(words for state, words in STATES.items() if state not in states)


def _where(wanted: Shown) -> Callable[[Sample, Judge], Result]:
    def function(sample: Sample, judge: Judge) -> Result:
        state = shown_evidence(sample)
        if state != wanted:
            return not_applicable(STATES[state])
        return _outdated(sample, judge)

    function.__doc__ = "1 where the answer class is ``outdated``; the label is the class."
    return function


for _state in ("both", "stale", "current"):
    _conflict(
        f"freshness/generation/outdated_given_{_state}_shown",
        f"1 if the answer is a past wording and no other, where {STATES[_state]}",
        undefined=_others(_state),
    )(_where(_state))


@_conflict(
    "freshness/generation/memory_over_evidence",
    "1 if the answer is a past wording that no passage shown states, against current evidence shown",
    undefined=(*_others("current"), TOLD_ELSEWHERE),
)
def memory_over_evidence(sample: Sample, judge: Judge) -> Result:
    """Defined where only current evidence was shown and no passage shown states a past answer, so
    that one can only come from the weights. With base weights it is the floor that guessing gives;
    what an adapter trained on past answers adds to that floor, on the same evidence, it remembers.
    """
    state = shown_evidence(sample)
    if state != "current":
        return not_applicable(STATES[state])
    if any("outdated" in periods_named(sample, passage.text) for passage in sample.trace.shown):
        return not_applicable(TOLD_ELSEWHERE)
    return _outdated(sample, judge)
