"""What a metric is, and the registry that holds all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Literal

from evalkit.records import Sample, Status
from evalkit.scoring.judges.base import Judge

Direction = Literal["higher", "lower", "none"]
AXES = ("faithfulness", "format", "freshness", "correctness", "citation", "retention", "cost")
STAGES = ("retrieval", "generation")
CONTROL = "control"
"""The category of questions that measure retention and nothing else."""


@dataclass(frozen=True)
class Result:
    """What a metric says of one sample; see the functions below."""

    status: Status
    value: float | None = None
    label: str | None = None
    reason: str = ""


def scored(value: float, reason: str = "", label: str | None = None) -> Result:
    """A number."""
    return Result("scored", float(value), label, reason)


def not_applicable(reason: str) -> Result:
    """The metric is undefined here, for the reason given."""
    return Result("not_applicable", None, None, reason)


def failed(reason: str) -> Result:
    """The metric is defined here and could not be computed."""
    return Result("failed", None, None, reason)


def abstained(reason: str = "the answer declines to answer") -> Result:
    """The pipeline declined, so there is nothing to measure."""
    return Result("abstained", None, "abstained", reason)


MetricFunction = Callable[[Sample, Judge], Result]
Applicability = Callable[[Sample], str | None]


@dataclass(frozen=True)
class Metric:
    """One cell's measure.

    Attributes:
        id: ``axis/stage/name``.
        direction: Which way is better.
        unit: ``share``, ``tokens``, ``seconds`` or ``days``.
        range: Smallest and largest possible value.
        definition: One line.
        source: Where the formula comes from.
        version: Raised whenever the same sample could get another value.
        applies: Why the metric is undefined for a question, specification or pipeline, or None.
            It never looks at the output, so a failed trace has the denominator of a good one.
        function: Computes the result.
    """

    id: str
    direction: Direction
    unit: str
    range: tuple[float, float]
    definition: str
    source: str
    version: str
    applies: Applicability
    function: MetricFunction

    @property
    def axis(self) -> str:
        """The first part of the id."""
        return self.id.split("/")[0]

    @property
    def stage(self) -> str:
        """The second part of the id."""
        return self.id.split("/")[1]


METRICS: dict[str, Metric] = {}
"""Every metric by id, in the order of the scorecard (see `order_metrics`)."""


def order_metrics() -> None:
    """Put `METRICS` in the order of the scorecard: by axis, stage, and order of registration."""
    ordered = sorted(
        METRICS.values(), key=lambda each: (AXES.index(each.axis), STAGES.index(each.stage))
    )
    METRICS.clear()
    METRICS.update({each.id: each for each in ordered})


def _always(sample: Sample) -> str | None:
    return None


def metric(
    id: str,
    definition: str,
    *,
    direction: Direction = "higher",
    unit: str = "share",
    range: tuple[float, float] | None = None,
    source: str = "evalkit",
    version: str = "1",
    applies: Applicability = _always,
) -> Callable[[MetricFunction], MetricFunction]:
    """Register a function as a metric.

    Raises:
        ValueError: The id is not ``axis/stage/name`` with a known axis and stage, or is taken.
    """
    parts = id.split("/")
    if len(parts) != 3 or parts[0] not in AXES or parts[1] not in STAGES:
        raise ValueError(f"metric id {id!r}: expected axis/stage/name with {AXES} and {STAGES}")
    if id in METRICS:
        raise ValueError(f"metric id {id!r} is registered already; give the new one another name")
    bounds = range or ((0.0, 1.0) if unit == "share" else (0.0, inf))

    def register(function: MetricFunction) -> MetricFunction:
        METRICS[id] = Metric(
            id, direction, unit, bounds, definition, source, version, applies, function
        )
        return function

    return register


def no_retriever(sample: Sample) -> str | None:
    """Why there are no passages to look at, or None; ``retrieved`` is None only without one."""
    return "no retriever" if sample.trace.retrieved is None else None


def nothing_answers(sample: Sample) -> str | None:
    """Why no answer can be right, or None: abstaining is right there, and has its own metric."""
    return None if sample.question.answerable else "nothing answers it: see abstention"


def nothing_dated(sample: Sample) -> str | None:
    """Why no passage can be out of date, or None."""
    revisions = sample.revisions.values()
    dated = any(r.valid_from is not None or r.valid_to is not None for r in revisions)
    return None if dated else "nothing is dated"


def no_evidence(sample: Sample) -> str | None:
    """Why there is no reference evidence, or None."""
    if sample.reference_evidence():
        return None
    if not sample.question.answers:
        return "unanswerable: no reference evidence"
    if not sample.question.answerable:
        return "no answer is valid at the question's date: no reference evidence"
    return "the benchmark names no evidence"


def first_reason(*conditions: Applicability) -> Applicability:
    """The first reason that any of the conditions gives."""

    def applies(sample: Sample) -> str | None:
        return next((reason for c in conditions if (reason := c(sample)) is not None), None)

    return applies
