"""Everything that a metric sees is in the key that its score is kept under."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from typing import Any

import pytest

from evalkit.records import (
    Answer,
    FormatSpecification,
    ParsedOutput,
    Passage,
    Question,
    Retrieved,
    Sample,
    Trace,
)
from evalkit.stages import scorer

DAY = date(2025, 6, 1)
PASSAGE = Passage("A#0", "A", "A@1", "Travel", "EUR 42 a day.", DAY)
SAMPLE = Sample(
    Question("q", "How much?", DAY, "changed", "A", (Answer("EUR 42"),)),
    Trace("q", "rag", (Retrieved(PASSAGE, 0.5),), "prompt", "EUR 42", 10, 4, seconds={"generation": 1.0}),
    FormatSpecification(), {}, ParsedOutput("EUR 42"),
)  # fmt: skip
OTHER: dict[type, dict[str, Any]] = {
    Trace: {
        "pipeline": "hybrid", "retrieved": None, "prompt": "other", "output": "other", "prompt_tokens": 11,
        "output_tokens": 5, "finish_reason": "length", "seconds": {"generation": 2.0}, "error": "no",
        "repeat": 1, "tokens_estimated": True,
    },
    Question: {
        "text": "Which?", "as_of": date(2025, 7, 1), "category": "new", "cluster": "B",
        "answers": (Answer("EUR 38"),), "format": "free", "tags": ("x",), "id": "r",
    },
    Passage: {
        "id": "A#1", "document": "B", "revision": "A@2", "title": "Trips", "text": "EUR 38", "start": 1,
        "valid_from": None, "valid_to": DAY, "end": 9, "intact": False,
    },
    Retrieved: {"score": 0.6, "shown": False},
    ParsedOutput: {"answer": "42", "source": "A", "effective": "2025", "structured": True},
}  # fmt: skip


def changed_sample(kind: type, name: str) -> Sample:
    """The sample with one thing in it changed."""
    (hit,) = SAMPLE.trace.retrieved or ()
    value = {name: OTHER[kind][name]}
    if kind is Question:
        return replace(SAMPLE, question=replace(SAMPLE.question, **value))
    if kind is ParsedOutput:
        return replace(SAMPLE, parsed=replace(SAMPLE.parsed, **value))
    if kind is Passage:
        hit = replace(hit, passage=replace(PASSAGE, **value))
    if kind is Retrieved:
        hit = replace(hit, **value)
    trace = replace(SAMPLE.trace, **(value if kind is Trace else {"retrieved": (hit,)}))
    return replace(SAMPLE, trace=trace)


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, names in OTHER.items() for n in names])
def test_whatever_a_metric_sees_is_in_the_key_of_its_score(kind: type, name: str) -> None:
    """Every field of a trace, a question, a passage and a parsed output."""
    assert scorer._key(changed_sample(kind, name)) != scorer._key(SAMPLE)


def test_no_field_that_a_metric_sees_is_left_out() -> None:
    """A field that is added to a record must be added here, and so to the key."""
    apart = {Trace: {"question"}, Retrieved: {"passage"}}  # a trace's question is in the sample
    for kind, others in OTHER.items():
        assert {f.name for f in fields(kind)} == set(others) | apart.get(kind, set()), kind
