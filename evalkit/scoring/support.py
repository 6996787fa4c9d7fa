"""What texts support: a judge's verdicts, without which there is no number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import wraps

from evalkit.plurals import counted
from evalkit.records import Passage, Revision, Sample
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import MetricFunction, Result, failed
from evalkit.scoring.text import tokens

_BARE = tuple(tokens(word) for word in ("yes", "no", "true", "false"))
"""What states nothing without its question, so that no text can support it."""
_OPEN = re.compile(r"[?:\uff1f\uff1a\u061f][\"'\u201d\u2019)\]*_\s]*$")


class JudgeFailed(Exception):
    """The judge gave no verdict on some statement."""


def supported(judge: Judge, stated: Sequence[str], texts: Sequence[str]) -> list[bool]:
    """Whether the texts together support each statement.

    Raises:
        JudgeFailed: A verdict is missing; one missing verdict makes the whole score fail.
    """
    if not stated:
        return []
    judgments = judge.support(stated, texts)
    if len(judgments) != len(stated):
        raise JudgeFailed(
            f"the judge gave {counted(len(judgments), 'judgment')}"
            f" for {counted(len(stated), 'statement')}"
        )
    errors = [judgment.error for judgment in judgments if judgment.supported is None]
    if errors:
        raise JudgeFailed(
            f"the judge failed on {len(errors)} of {counted(len(stated), 'statement')}: {errors[0]}"
        )
    return [bool(judgment.supported) for judgment in judgments]


def failing_with_the_judge(function: MetricFunction) -> MetricFunction:
    """A metric whose score fails where the judge does."""

    @wraps(function)
    def guarded(sample: Sample, judge: Judge) -> Result:
        try:
            return function(sample, judge)
        except JudgeFailed as error:
            return failed(str(error))

    return guarded


def stating(parts: Sequence[str]) -> tuple[str, ...]:
    """The different parts that state something: no question, no lead-in, no bare yes or no, nothing
    without a word or number. What is said twice counts once, so that circles weigh no more.
    """
    return tuple(part for part in dict.fromkeys(parts) if _states(part))


def _states(part: str) -> bool:
    found = tokens(part)
    return bool(found) and found not in _BARE and _OPEN.search(part) is None


def titled(source: Passage | Revision) -> str:
    """The text under its title, which belongs to what a reader is shown."""
    return f"{source.title}\n\n{source.text}"
