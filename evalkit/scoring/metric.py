"""What a metric is, and the registry that holds all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
CONTROL_QUESTION = "control question"
"""Why every other metric than retention and cost is not applicable to those."""
_INPUTS: dict[tuple[str, str], tuple[str, ...]] = {
    ("faithfulness", "retrieval"): ("passages retrieved", "evidence in force"),
    ("faithfulness", "generation"): ("answer", "passages shown", "judge"),
    ("format", "retrieval"): ("passages retrieved and shown",),
    ("format", "generation"): ("raw output", "format specification"),
    ("freshness", "retrieval"): ("passages retrieved", "their dates", "date of the question"),
    ("freshness", "generation"): ("answer", "dated answers", "date of the question"),
    ("correctness", "generation"): ("answer", "dated answers", "date of the question"),
    ("citation", "generation"): ("source and date in the answer", "evidence in force"),
    ("retention", "generation"): ("answer", "reference answer"),
    ("cost", "retrieval"): ("trace",),
    ("cost", "generation"): ("trace",),
}
ABILITIES = {"claims": "needs an LLM judge: this judge cannot take an answer apart into claims"}
"""What a judge may be able to do beside deciding support (the name of its method), and why a metric
that needs it is not applicable with a judge that cannot.
"""


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


def not_applicable(reason: str, label: str | None = None) -> Result:
    """The metric is undefined here, for the reason given."""
    return Result("not_applicable", None, label, reason)


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
        inputs: What it looks at, in words.
        undefined: Every reason for which it can be not applicable.
        needs: A key of `ABILITIES` that the judge must have; empty for most.
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
    inputs: tuple[str, ...] = ()
    undefined: tuple[str, ...] = ()
    needs: str = ""

    @property
    def details(self) -> str:
        """What the docstring of the function adds to the definition, on one line."""
        return " ".join((self.function.__doc__ or "").split())

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


_REASONS: dict[Applicability, tuple[str, ...]] = {}


def undefined_where(*reasons: str) -> Callable[[Applicability], Applicability]:
    """Name the reasons that an applicability can give, so that a metric can list them."""

    def name(applies: Applicability) -> Applicability:
        _REASONS[applies] = reasons
        return applies

    return name


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
    inputs: Iterable[str] | None = None,
    undefined: Iterable[str] = (),
    needs: str = "",
) -> Callable[[MetricFunction], MetricFunction]:
    """Register a function as a metric.

    Args:
        inputs: What it looks at, where that is more or less than its axis and stage say.
        undefined: Why the function itself says not applicable, beside what ``applies`` says.

    Other arguments are the attributes of `Metric`.

    Raises:
        ValueError: The id is not ``axis/stage/name`` with a known axis and stage, or is taken.
    """
    parts = id.split("/")
    if len(parts) != 3 or parts[0] not in AXES or parts[1] not in STAGES:
        raise ValueError(f"metric id {id!r}: expected axis/stage/name with {AXES} and {STAGES}")
    if id in METRICS:
        raise ValueError(f"metric id {id!r} is registered already; give the new one another name")
    bounds = range or ((0.0, 1.0) if unit == "share" else (0.0, inf))
    seen = _INPUTS.get((parts[0], parts[1]), ("trace",)) if inputs is None else tuple(inputs)
    reasons = (*_REASONS.get(applies, ()), *undefined, *((ABILITIES[needs],) if needs else ()))

    def register(function: MetricFunction) -> MetricFunction:
        METRICS[id] = Metric(
            id, direction, unit, bounds, definition, source, version, applies, function,
            seen, tuple(dict.fromkeys(reasons)), needs,
        )  # fmt: skip
        return function

    return register


@undefined_where("no retriever")
def no_retriever(sample: Sample) -> str | None:
    """Why there are no passages to look at, or None; ``retrieved`` is None only without one."""
    return "no retriever" if sample.trace.retrieved is None else None


NOTHING_ANSWERS = "nothing answers it: see abstention"
UNKNOWN = "the benchmark names evidence and no answer"


@undefined_where(UNKNOWN)
def answer_unknown(sample: Sample) -> str | None:
    """Why nothing can be said of a reply, or None: what the right answer is is not known."""
    question = sample.question
    return UNKNOWN if question.answerable and not question.answer_known else None


@undefined_where(NOTHING_ANSWERS, UNKNOWN)
def nothing_answers(sample: Sample) -> str | None:
    """Why no answer can be called right, or None. Where nothing answers the question, abstaining is
    right, and has its own metric.
    """
    return answer_unknown(sample) if sample.question.answerable else NOTHING_ANSWERS


LONGEST_WORDING = 12
"""Words of the longest answer that is looked for word by word in a reply."""
TOO_LONG = f"a right answer has more than {LONGEST_WORDING} words: see token_f1 and groundedness"


@undefined_where(TOO_LONG)
def answer_too_long(sample: Sample) -> str | None:
    """Why a reply cannot be held to the wording of the right answers, or None.

    A right answer in sentences is one of many ways to say it: not to repeat it is no fault.
    """
    wordings = ([w for w in a.wordings if w] for a in sample.question.answers if a.text)
    shortest = max((min(len(w.split()) for w in each) for each in wordings), default=0)
    return TOO_LONG if shortest > LONGEST_WORDING else None


@undefined_where("nothing is dated")
def nothing_dated(sample: Sample) -> str | None:
    """Why no passage can be out of date, or None."""
    revisions = sample.revisions.values()
    dated = any(r.valid_from is not None or r.valid_to is not None for r in revisions)
    return None if dated else "nothing is dated"


UNANSWERABLE = "unanswerable: no reference evidence"
WITHDRAWN = "no answer is valid at the question's date: no reference evidence"
UNNAMED = "the benchmark names no evidence"


@undefined_where(UNANSWERABLE, WITHDRAWN, UNNAMED)
def no_evidence(sample: Sample) -> str | None:
    """Why there is no reference evidence, or None."""
    if sample.reference_evidence():
        return None
    if not sample.question.answers:
        return UNANSWERABLE
    return UNNAMED if sample.question.answerable else WITHDRAWN


@undefined_where(UNANSWERABLE, WITHDRAWN)
def no_reference(sample: Sample) -> str | None:
    """Why there is neither reference evidence nor an answer to look for in its place, or None."""
    reason = no_evidence(sample)
    return None if reason == UNNAMED else reason


def first_reason(*conditions: Applicability) -> Applicability:
    """The first reason that any of the conditions gives."""

    def applies(sample: Sample) -> str | None:
        return next((reason for c in conditions if (reason := c(sample)) is not None), None)

    _REASONS[applies] = tuple(r for c in conditions for r in _REASONS.get(c, ()))
    return applies


no_literal_answer = first_reason(nothing_answers, answer_too_long)
"""Why no wording can decide whether a reply is right, or None."""
