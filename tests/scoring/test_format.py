"""Format: instructions, strict and loose."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.records import FormatSpecification
from evalkit.scoring import faults
from evalkit.scoring.format import loose_variants, problems
from evalkit.scoring.instructions import CHECKERS, InstructionError, check, strict_json

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


@pytest.mark.parametrize(
    ("instruction", "text", "met"),
    [
        ({"kind": "regex", "pattern": r"\d+"}, "42", True),
        ({"kind": "regex", "pattern": r"\d+"}, "42 days", False),
        ({"kind": "regex", "pattern": r"\d+", "match": "search"}, "42 days", True),
        ({"kind": "max_words", "count": 2}, "a b", True),
        ({"kind": "max_words", "count": 2}, "a b c", False),
        ({"kind": "min_words", "count": 3}, "a b", False),
        ({"kind": "min_words", "count": 3}, "a b c", True),
        ({"kind": "required_phrases", "phrases": ["no"]}, "I know", False),
        ({"kind": "required_phrases", "phrases": ["no", "yes"]}, "No. Yes!", True),
        ({"kind": "forbidden_phrases", "phrases": ["no"]}, "I know", True),
        ({"kind": "forbidden_phrases", "phrases": ["no"]}, "No.", False),
        ({"kind": "one_line"}, "a\n", True),
        ({"kind": "one_line"}, "a\nb", False),
        ({"kind": "json_schema", "schema": {}}, "null", True),
        ({"kind": "json_schema", "schema": {}}, "NaN", False),
        ({"kind": "json_schema", "schema": {}}, '{"a": 1, "a": 2}', False),
        ({"kind": "json_schema", "schema": {}}, "[" * 20000, False),
    ],
)
def test_each_kind(instruction: dict[str, Any], text: str, met: bool) -> None:
    """Every kind has a text that meets it and one that does not."""
    assert (check(instruction, text) == "") == met


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        ({"kind": "haiku"}, "'haiku': unknown; known kinds: json_schema, regex"),
        ({"kind": "max_word"}, r"unknown \(did you mean 'max_words'\?\)"),
        ({}, "kind None"),
        ({"kind": "max_words"}, r"missing parameters \['count'\]"),
        ({"kind": "one_line", "count": 1}, r"unknown parameters \['count'\]"),
        ({"kind": "regex", "pattern": "("}, "is invalid"),
        ({"kind": "regex", "pattern": "a", "match": "some"}, "expected 'full' or 'search'"),
        ({"kind": "json_schema", "schema": {"type": "colour"}}, "schema itself is invalid"),
        ({"kind": "json_schema", "schema": ["answer"]}, "expected a JSON schema"),
        ({"kind": "max_words", "count": "30"}, "count='30'; expected a whole number"),
        ({"kind": "max_words", "count": True}, "count=True; expected a whole number"),
        ({"kind": "required_phrases", "phrases": "yes"}, "expected a list of texts"),
        ({"kind": "forbidden_phrases", "phrases": [""]}, "expected a list of texts"),
        ({"kind": "regex", "pattern": 7}, "expected a regular expression"),
    ],
)
def test_a_faulty_instruction_says_what_is_wrong(instruction: dict[str, Any], message: str) -> None:
    """The error names the kind and what was expected, in a run and before it."""
    with pytest.raises(InstructionError, match=message):
        check(instruction, "text")
    (found,) = faults(FormatSpecification(instructions=({"kind": "one_line"}, instruction)))
    assert found.startswith("instructions[1]: format instruction of kind ")
    assert re.search(message, found)


def test_every_faulty_instruction_of_a_specification_is_listed(world: Any) -> None:
    """A sound specification has no faults; two faults are two texts, in order."""
    assert faults(world.house) == faults(world.free) == []
    spec = FormatSpecification(
        instructions=({"kind": "one_lin"}, {"kind": "one_line"}, {"kind": "regex", "pattern": "("})
    )
    first, second = faults(spec)
    assert "instructions[0]: " in first
    assert "did you mean 'one_line'?" in first
    assert "instructions[2]: " in second
    assert "is invalid" in second


def test_a_faulty_specification_fails_and_is_not_zero(world: Any) -> None:
    """An instruction that nobody can check is a failed score with its error as the reason."""
    spec = replace(world.house, instructions=({"kind": "haiku"},))
    found = world.score(STRICT, world.sample(GOOD, spec=spec))
    assert (found.status, found.value) == ("failed", None)
    assert "haiku" in found.reason


def test_a_runaway_pattern_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern that backtracks without end is an error after the time limit."""
    monkeypatch.setattr("evalkit.scoring.instructions.REGEX_SECONDS", 0.05)
    with pytest.raises(InstructionError, match="ran longer"):
        check({"kind": "regex", "pattern": r"(?:(?:a|aa)+)+b"}, "a" * 60)


@pytest.mark.parametrize("text", ['{"a": 1} x', "x", "", "'a'", "{'a': 1}", "Infinity"])
def test_strict_json_refuses(text: str) -> None:
    """Only one whole JSON value passes."""
    with pytest.raises(ValueError, match=r"."):
        strict_json(text)


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


def test_every_kind_is_listed_with_its_parameters() -> None:
    """The registry is the documentation of the kinds."""
    assert set(CHECKERS) == {
        "json_schema",
        "regex",
        "max_words",
        "min_words",
        "required_phrases",
        "forbidden_phrases",
        "one_line",
    }
