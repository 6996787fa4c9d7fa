"""Format: instructions, strict and loose."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.scoring import faults
from evalkit.scoring.format import loose_variants, problems
from evalkit.scoring.instructions import limits

GOOD = '{"answer": "EUR 42", "source": "TRV", "effective": "2025-05-01"}'
STRICT, LOOSE = "format/generation/strict", "format/generation/loose"


@pytest.mark.parametrize(
    ("output", "strict", "loose"),
    [
        (GOOD, 1.0, 1.0),
        (f"\n{GOOD}\n", 1.0, 1.0),
        (f"```json\n{GOOD}\n```", 0.0, 1.0),
        (f"Here you are:\n{GOOD}", 0.0, 1.0),
        (f"{GOOD}\nI hope this helps.", 0.0, 1.0),
        (f"Here:\n{GOOD}\nBye.", 0.0, 1.0),
        (f"Here:\n```json\n{GOOD}\n```\nBye.", 0.0, 1.0),
        (f"Here: {GOOD}", 0.0, 0.0),
        (GOOD.replace("2025-05-01", "1 May 2025"), 0.0, 0.0),
        (GOOD.replace("2025-05-01", "2025-02-30"), 0.0, 0.0),
        (GOOD.replace('"TRV"', "7"), 0.0, 0.0),
        (f"{GOOD}{GOOD}", 0.0, 0.0),
        ("EUR 42", 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_strict_and_loose(world: Any, output: str, strict: float, loose: float) -> None:
    """Loose forgives a fence, a first line and a last line; a wrong value is wrong for both."""
    assert world.value(STRICT, output, spec=world.house) == strict
    assert world.value(LOOSE, output, spec=world.house) == loose


def test_instructions_are_counted_one_by_one(world: Any) -> None:
    """Prose meets the word limit and breaks the schema: one of two, and the reason says which."""
    found = world.score(
        "format/generation/instructions_strict", world.sample("EUR 42", spec=world.house)
    )
    assert found.value == 0.5
    assert "JSON" in found.reason


def test_no_instructions_is_not_applicable(world: Any) -> None:
    """A free answer has no format to break: neither 0 nor 1."""
    assert world.value(STRICT, "EUR 42", spec=world.free) == "not_applicable"


@pytest.mark.parametrize(
    ("output", "value"),
    [(GOOD, 1.0), (GOOD.replace("42", "38"), 0.0), ("EUR 42", "not_applicable")],
)
def test_correct_given_compliance(world: Any, output: str, value: Any) -> None:
    """Right and wrong are counted only among the answers in the right format."""
    metric = "format/generation/correct_given_compliance"
    assert world.value(metric, output, spec=world.house) == value
    unanswerable = world.score(metric, world.sample(output, spec=world.house, answers=()))
    assert unanswerable.reason == "nothing answers it: see abstention"


def test_the_specifications_here_are_sound(world: Any) -> None:
    """A sound specification, and one without instructions, has no faults."""
    assert faults(world.house) == faults(world.free) == []


def test_a_faulty_specification_fails_and_is_not_zero(world: Any) -> None:
    """An instruction that nobody can check is a failed score with its error as the reason."""
    spec = replace(world.house, instructions=({"kind": "haiku"},))
    found = world.score(STRICT, world.sample(GOOD, spec=spec))
    assert (found.status, found.value) == ("failed", None)
    assert "haiku" in found.reason


@pytest.mark.parametrize("metric", [STRICT, LOOSE])
def test_a_runaway_pattern_fails_and_is_not_unmet(
    world: Any, metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be decided in time is a failed score that says so, never a 0."""
    monkeypatch.setattr(limits, "SECONDS", 0.05)
    runaway = {"kind": "regex", "pattern": r"(?:(?:a|aa)+)+b"}
    spec = replace(world.free, instructions=(runaway,))
    found = world.score(metric, world.sample("a" * 60, spec=spec))
    assert (found.status, found.value) == ("failed", None)
    assert "'regex': undecided after 0.05 s" in found.reason


def test_a_variant_that_cannot_be_decided_does_not_count() -> None:
    """Where the raw output is decided, a shorter reading without a language changes nothing."""
    output = "The meal allowance is forty-two euros a day for every trip.\nOui."
    (problem,) = problems(output, ({"kind": "language", "language": "fr"},), loose=True)
    assert problem == "in language 'en', not 'fr'"


@pytest.mark.parametrize(
    ("output", "reading"),
    [
        ("*a*\nb\nc", "a\nb\nc"),
        ("*a*\nb\nc", "b\nc"),
        ("*a*\nb\nc", "*a*\nb"),
        ("*a*\nb\n*c*", "b"),
        ("*a*\n*b*\nc", "b"),
        ("```json\nnull\n```", "null"),
        ("Here:\n```json\nnull\n```\nBye", "null"),
        ("Here:\nnull\nBye\n", "null"),
    ],
)
def test_the_loose_readings(output: str, reading: str) -> None:
    """First line, last line, asterisks and a code fence may go, in any combination."""
    assert reading in loose_variants(output)


@pytest.mark.parametrize("value", ["null", '"json"', '"nosj"', "[null]"])
def test_a_fence_takes_nothing_from_its_value(value: str) -> None:
    """A fence marked json is removed as a whole: the letters of json within it stay.

    `.strip("json")`, which other tools use, leaves ``ull`` of ``null``.
    """
    instruction = ({"kind": "json_schema", "schema": {"const": json.loads(value)}},)
    fenced = f"```json\n{value}\n```"
    assert problems(fenced, instruction) != [""]
    assert problems(fenced, instruction, loose=True) == [""]


def test_one_line_is_nearly_free_loosely() -> None:
    """IFEval's rule leaves one line of three: a loose verdict says little about numbers of lines."""
    assert problems("a\nb\nc", ({"kind": "one_line"},)) != [""]
    assert problems("a\nb\nc", ({"kind": "one_line"},), loose=True) == [""]
    assert problems("a\nb\nc\nd", ({"kind": "one_line"},), loose=True) != [""]


@given(st.text(alphabet='{}[]"a1:, \n`json', max_size=60), st.integers(0, 8))
def test_loose_is_never_below_strict(text: str, count: int) -> None:
    """The raw output is one of the variants, so what passes strictly passes loosely."""
    instructions = (
        {"kind": "json_schema", "schema": {}},
        {"kind": "max_words", "count": count},
        {"kind": "one_line"},
    )
    assert loose_variants(text)[0] == text
    pairs = zip(problems(text, instructions), problems(text, instructions, True), strict=True)
    assert all(loose == "" for strict, loose in pairs if strict == "")
