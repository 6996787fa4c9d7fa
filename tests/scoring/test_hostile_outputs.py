"""Outputs that no model should give: every metric has a status, in bounded time."""

from __future__ import annotations

import json
from time import process_time
from typing import Any

import pytest

from evalkit.scoring import answer_class, blame, score
from evalkit.scoring.text import tokens

NOW = "TRV@2025-05-01"
LOUD = ("correctness", "faithfulness", "freshness", "citation")
ODD = {
    "zero width": "\u200b\ufeff",
    "controls": "\x00\x07\x1b[31m",
    "marks": "?!...—«»🙂",
    "half a pair": '{"answer": "\\ud800"}',
    "infinity": '{"answer": Infinity}',
    "right to left": "\u202eEUR 42\u202c",
    "arabic digits": "EUR \u0664\u0662",
    "lists for texts": '{"answer": ["EUR 42"], "source": {"a": 1}, "effective": [7]}',
    "two objects": '{"answer": "EUR 42"} {"answer": "EUR 38"}',
    "other keys": '{"reply": "EUR 42"}',
    "a bare string": '"EUR 42"',
}
HUGE = {
    "one value": "EUR 42 " * 10_000,
    "one sentence": "It is so. " * 10_000,
    "lines": "- x\n" * 50_000,
    "a word": "a" * 200_000,
    "digits": "9" * 200_000,
    "braces": "{" * 200_000,
    "open objects": '{"a":' * 50_000,
    "objects": '{"x":1}' * 40_000,
    "quotes": '"' * 200_000,
}


@pytest.mark.parametrize("output", ODD.values(), ids=ODD)
@pytest.mark.parametrize("house", [True, False])
def test_every_metric_has_a_status_and_a_reason(world: Any, output: str, house: bool) -> None:
    """Nothing raises; what is no number says why, and none has failed."""
    sample = world.sample(output, spec=world.house if house else world.free, retrieved=[NOW])
    rows = score(sample, world.judge)
    assert all(row.status == "scored" or row.reason for row in rows)
    assert not [row for row in rows if row.status == "failed"]
    assert blame(sample, rows).rule


@pytest.mark.parametrize("name", ["zero width", "controls", "marks"])
def test_what_says_nothing_is_worth_nothing(world: Any, name: str) -> None:
    """No metric of what was said gives it a point."""
    for row in score(world.sample(ODD[name], retrieved=[NOW]), world.judge):
        axis, stage, _ = row.metric.split("/")
        if axis in LOUD and stage == "generation":
            assert not row.value


@pytest.mark.parametrize("output", HUGE.values(), ids=HUGE)
def test_an_output_without_end_is_scored_in_seconds(world: Any, output: str) -> None:
    """A model that goes round in circles costs time in proportion to what it said."""
    started = process_time()
    sample = world.sample(output, spec=world.house, retrieved=[NOW])
    rows = score(sample, world.judge)
    assert process_time() - started < 20
    assert {row.metric.split("/")[0] for row in rows if row.status == "failed"} <= {"format"}


def test_a_raised_figure_is_no_last_digit() -> None:
    """A power or a footnote mark does not make another number: 10² is not 102."""
    assert tokens("10²") == tokens("10 2") != tokens("102")
    assert tokens("25 m²") == tokens("25 m2")


@pytest.mark.parametrize("structured", [True, False])
def test_naming_every_period_is_mixed(world: Any, structured: bool) -> None:
    """An answer that says all that was ever right is not right."""
    said = "EUR 38, EUR 42 or EUR 45"
    output = json.dumps({"answer": said}) if structured else said
    assert answer_class(world.sample(output, spec=world.house)) == "mixed"
