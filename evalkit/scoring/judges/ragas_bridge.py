"""The bridge to ragas, both ways.

`ragas_llm` lets a judge of ours drive ragas' own collections metrics (Faithfulness, ContextRecall,
ContextPrecision, ContextUtilization, NoiseSensitivity; FactualCorrectness with a judge that has
``claims(text)``) unmodified: it is a ragas "LLM" that reads the input at the end of the prompt and
answers with the response model that ragas asks for. `as_ragas_metric` makes a metric of ours a
ragas ``BaseMetric``. Written for ragas 0.4.3.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from inspect import signature
from typing import Any, cast

from evalkit.records import Sample
from evalkit.scoring.judges.base import Judge, Judgment
from evalkit.scoring.judges.chat import silence_telemetry
from evalkit.scoring.metric import Metric
from evalkit.scoring.ragas_sample import ragas_sample
from evalkit.scoring.scorers import metric_named, score
from evalkit.scoring.text import sentences

_OF_REFERENCE = ("correctness", "freshness", "retention")
"""Axes whose metrics take a missing answer to mean that nothing answers."""
_MARKER = "Now perform the same with the following input\ninput: "


class JudgeError(RuntimeError):
    """A judge that failed on a statement; raised, because ragas has no other way to say so."""


def ragas_llm(judge: Judge) -> Any:
    """A ``ragas.llms.base.InstructorBaseRagasLLM`` that answers with a judge's verdicts.

    A judge that is a language model itself gives that model, with ragas' own prompts. For others
    statements are sentences, and a context is useful for an answer (context precision) if it supports
    at least one of the answer's statements.

    Raises (when ragas calls it):
        TypeError: The response model belongs to a metric that this bridge does not know.
        JudgeError: The judge failed on a statement.
    """
    if (own := getattr(judge, "ragas_llm", None)) is not None:
        return own()
    silence_telemetry()
    from ragas.llms.base import InstructorBaseRagasLLM

    class JudgeLLM(InstructorBaseRagasLLM):
        """Dispatches on the response model."""

        def generate(self, prompt: str, response_model: type[Any]) -> Any:
            answer = _ANSWERS.get(response_model.__name__)
            if answer is None:
                raise TypeError(
                    f"judge {judge.name!r} cannot fill {response_model.__name__}; it can fill "
                    f"{', '.join(_ANSWERS)} (ragas Faithfulness, ContextRecall, ContextPrecision, "
                    f"ContextUtilization, NoiseSensitivity, FactualCorrectness)"
                )
            return response_model.model_validate(answer(judge, prompt_input(prompt)))

        async def agenerate(self, prompt: str, response_model: type[Any]) -> Any:
            return self.generate(prompt, response_model)

    return JudgeLLM()


def as_ragas_metric(name: str, judge: Judge) -> Any:
    """One of our metrics as a ``ragas.metrics.collections.base.BaseMetric``.

    Its ``ascore`` takes ``sample=``, a `Sample`, or ragas' own fields (``user_input``, ``response``,
    ``reference``, ``retrieved_contexts``, ``reference_contexts`` and their ids; see `ragas_sample`)
    and gives a ``MetricResult``. A sample on which the metric is not applicable, abstained or
    failed gives NaN, as ragas does, with the status and the cause in ``reason``.

    Raises:
        KeyError: The metric id is unknown.
    """
    metric = metric_named(name)
    silence_telemetry()
    from ragas.metrics.collections.base import BaseMetric
    from ragas.metrics.result import MetricResult

    class EvalkitMetric(BaseMetric):
        """A metric of evalkit under ragas' interface."""

        async def ascore(self, **kwargs: Any) -> Any:
            found = score(_sample(metric, kwargs), judge, [metric.id])[0]
            if found.value is None:
                return MetricResult(value=math.nan, reason=f"{found.status}: {found.reason}")
            return MetricResult(value=found.value, reason=found.reason or None)

    return EvalkitMetric(name=metric.id, allowed_values=metric.range)


def _sample(metric: Metric, given: dict[str, Any]) -> Sample:
    """The sample given, or one made of ragas' fields.

    Raises:
        TypeError: Neither was given, or a field is unknown or missing.
    """
    if isinstance(given.get("sample"), Sample) and len(given) == 1:
        return cast(Sample, given["sample"])
    fields = list(signature(ragas_sample).parameters)
    if "response" not in given or not set(given) <= set(fields):
        raise TypeError(
            f"metric {metric.id!r}: got arguments {sorted(given)}; expected only sample=, an "
            f"evalkit.records.Sample, or of ragas' fields response= and {', '.join(fields[1:])}"
        )
    if metric.axis in _OF_REFERENCE and given.get("reference") is None:
        raise TypeError(f"metric {metric.id!r} compares with the right answer; give reference=")
    return ragas_sample(**{name: value for name, value in given.items() if value is not None})


def prompt_input(prompt: str) -> dict[str, Any]:
    """The input object at the end of a ragas collections prompt.

    Raises:
        ValueError: The prompt does not have the form of ragas 0.4.3.
        TypeError: Its input is JSON and not an object.
    """
    start = prompt.rfind(_MARKER)
    if start < 0:
        raise ValueError(f"no {_MARKER!r} in the prompt; expected the prompt form of ragas 0.4.3")
    value, _ = json.JSONDecoder().raw_decode(prompt, start + len(_MARKER))
    if not isinstance(value, dict):
        raise TypeError(f"the prompt's input is {type(value).__name__}; expected a JSON object")
    return value


def _verdicts(judge: Judge, statements: Sequence[str], context: str) -> list[Judgment]:
    judgments = judge.support(statements, [context])
    for statement, judgment in zip(statements, judgments, strict=True):
        if judgment.supported is None:
            raise JudgeError(f"judge {judge.name!r} failed on {statement!r}: {judgment.error}")
    return judgments


def _rows(judge: Judge, statements: Sequence[str], context: str, verdict: str) -> list[Any]:
    judgments = _verdicts(judge, statements, context)
    return [
        {"statement": statement, "reason": _reason(j), verdict: int(bool(j.supported))}
        for statement, j in zip(statements, judgments, strict=True)
    ]


def _reason(judgment: Judgment) -> str:
    return f"support {judgment.score:.2f}; nearest: {judgment.evidence or 'nothing'}"


def _statements(judge: Judge, data: dict[str, Any]) -> dict[str, Any]:
    # NoiseSensitivity names the same field otherwise.
    return {"statements": list(sentences(data["answer"] if "answer" in data else data["text"]))}


def _claims(judge: Judge, data: dict[str, Any]) -> dict[str, Any]:
    take_apart = getattr(judge, "claims", None)
    if take_apart is None:
        raise TypeError(f"judge {judge.name!r} cannot take a text apart into claims")
    return {"claims": list(take_apart(data["response"]))}


def _nli(judge: Judge, data: dict[str, Any]) -> dict[str, Any]:
    return {"statements": _rows(judge, data["statements"], data["context"], "verdict")}


def _recall(judge: Judge, data: dict[str, Any]) -> dict[str, Any]:
    stated = sentences(data["answer"])
    return {"classifications": _rows(judge, stated, data["context"], "attributed")}


def _precision(judge: Judge, data: dict[str, Any]) -> dict[str, Any]:
    judgments = _verdicts(judge, sentences(data["answer"]), data["context"])
    best = max(judgments, key=lambda j: (bool(j.supported), j.score), default=Judgment(False))
    return {"reason": _reason(best), "verdict": int(bool(best.supported))}


_ANSWERS = {
    "StatementGeneratorOutput": _statements,
    "ClaimDecompositionOutput": _claims,
    "NLIStatementOutput": _nli,
    "StatementFaithfulnessOutput": _nli,
    "ContextRecallOutput": _recall,
    "ContextPrecisionOutput": _precision,
}
