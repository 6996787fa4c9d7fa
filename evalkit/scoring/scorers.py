"""Score a sample on every metric: no row is ever lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.plurals import counted
from evalkit.records import Question, Sample, Score
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import (
    ABILITIES,
    CONTROL,
    CONTROL_QUESTION,
    METRICS,
    Metric,
    Result,
    failed,
    not_applicable,
    scored,
)
from evalkit.scoring.parse import parse

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "question",
    "pipeline",
    "repeat",
    "metric",
    "axis",
    "stage",
    "status",
    "value",
    "label",
    "reason",
    "category",
    "cluster",
    "as_of",
    "tags",
)
"""The columns of the table of scores."""
_OF_QUESTION = COLUMNS.index("category")
_TOLERANCE = 1e-9


def score(sample: Sample, judge: Judge, metrics: Iterable[str] | None = None) -> list[Score]:
    """Every metric on one sample, one score each, in the order of `METRICS`.

    A metric that raises gives a ``failed`` score with the error as its reason. A trace with an
    ``error`` gives ``failed`` for what it could not measure: all generation metrics, and in a
    pipeline with a retriever the retrieval metrics too unless retrieval had ended. An output not
    parsed yet is parsed.

    Args:
        sample: A question, its trace, and the revisions the benchmark knows.
        judge: Decides support.
        metrics: Metric ids; all of them when None.

    Raises:
        KeyError: A metric id is unknown.
    """
    chosen = METRICS if metrics is None else {name: metric_named(name) for name in metrics}
    if sample.parsed.answer is None and sample.trace.error is None:
        sample = replace(sample, parsed=parse(sample.trace.output, sample.format))
    return [_row(sample, metric, _result(sample, metric, judge)) for metric in chosen.values()]


def metric_named(name: str) -> Metric:
    """The metric of an id.

    Raises:
        KeyError: There is none; the message lists the nearest ids.
    """
    if name not in METRICS:
        from difflib import get_close_matches

        near = get_close_matches(name, METRICS, n=3, cutoff=0.3) or sorted(METRICS)
        raise KeyError(f"unknown metric {name!r}; did you mean {', '.join(near)}?")
    return METRICS[name]


def signature(name: str, judge: Judge) -> str:
    """What a number of this metric depends on in this room: metric and judge, with versions."""
    return f"{name}@{metric_named(name).version}|judge={judge.name}@{judge.version}"


def scores_frame(
    scores: Iterable[Score], questions: Iterable[Question] | Mapping[str, Question]
) -> pd.DataFrame:
    """The long table of scores: one row per question, pipeline, metric and repeat.

    Args:
        scores: Any number of scores.
        questions: The questions they belong to, for category, cluster, date and tags.

    Raises:
        KeyError: A score belongs to a question that is not among ``questions``.
    """
    import pandas as pd

    listed = questions.values() if isinstance(questions, Mapping) else questions
    by_id = {question.id: question for question in listed}
    facts = {name: described(question) for name, question in by_id.items()}
    rows = []
    for each in scores:
        if each.question not in facts:
            raise KeyError(
                f"score of metric {each.metric!r} for question {each.question!r}, which is not "
                f"among the {counted(len(by_id), 'question')} given; pass the benchmark's questions"
            )
        row = {name: getattr(each, name) for name in COLUMNS[:_OF_QUESTION]}
        rows.append(row | facts[each.question])
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"repeat": "int64", "value": "float64"})


def described(question: Question) -> dict[str, str]:
    """What the rows of a question say about it; several tags are joined by semicolons."""
    return {
        "category": question.category,
        "cluster": question.cluster,
        "as_of": question.as_of.isoformat(),
        "tags": ";".join(question.tags),
    }


def _result(sample: Sample, metric: Metric, judge: Judge) -> Result:
    try:
        reason = _unsuited(sample, metric, judge) or metric.applies(sample)
        if reason is not None:
            return not_applicable(reason)
        if sample.trace.error is not None and not _survives(sample, metric):
            return failed(f"the pipeline failed: {sample.trace.error}")
        return _bounded(metric, metric.function(sample, judge))
    except Exception as error:
        return failed(f"{type(error).__name__}: {error}")


def _unsuited(sample: Sample, metric: Metric, judge: Judge) -> str | None:
    """Control questions have their own metric, and share only the cost ones; some judges can more."""
    if sample.question.category == CONTROL and metric.axis not in ("retention", "cost"):
        return CONTROL_QUESTION
    if metric.needs and not hasattr(judge, metric.needs):
        return ABILITIES[metric.needs]
    return None


def _survives(sample: Sample, metric: Metric) -> bool:
    """Retrieval had ended if there are passages, or its time was taken and it found none."""
    trace = sample.trace
    return metric.stage == "retrieval" and (bool(trace.retrieved) or "retrieval" in trace.seconds)


def _bounded(metric: Metric, result: Result) -> Result:
    """A value outside the metric's range is a fault of the metric, so the score has failed."""
    if result.status != "scored" or result.value is None:
        return result
    low, high = metric.range
    if not low - _TOLERANCE <= result.value <= high + _TOLERANCE:
        return failed(f"value {result.value!r} is outside the range [{low}, {high}] of the metric")
    return scored(min(max(result.value, low), high), result.reason, result.label)


def _row(sample: Sample, metric: Metric, result: Result) -> Score:
    return Score(
        question=sample.question.id,
        pipeline=sample.trace.pipeline,
        metric=metric.id,
        status=result.status,
        value=result.value,
        label=result.label,
        reason=result.reason,
        repeat=sample.trace.repeat,
    )
