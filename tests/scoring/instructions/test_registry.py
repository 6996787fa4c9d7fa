"""The registry: kinds with their parameters, and specifications that are at fault."""

from __future__ import annotations

import re
from typing import Any

import pytest

from evalkit.records import FormatSpecification
from evalkit.scoring.instructions import InstructionError, check, faults, kinds
from evalkit.scoring.instructions.parameters import Count
from evalkit.scoring.instructions.registry import _KINDS, counted, instruction

LOST = {"$ref": "#/$defs/nowhere"}


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        ({"kind": "haiku"}, "'haiku': unknown; known kinds: bullets, capital_words"),
        ({"kind": "max_word"}, r"unknown \(did you mean 'max_words'\?\)"),
        ({}, "kind None"),
        ({"kind": "max_words"}, r"missing parameters \['count'\]"),
        ({"kind": "one_line", "count": 1}, r"unknown parameters \['count'\]"),
        ({"kind": "regex", "pattern": "("}, "pattern '\\(' is invalid"),
        ({"kind": "regex", "pattern": 7}, "expected a regular expression"),
        ({"kind": "regex", "pattern": "a", "match": "some"}, "expected 'full' or 'search'"),
        ({"kind": "json_schema", "schema": {"type": "colour"}}, "schema itself is invalid"),
        ({"kind": "json_schema", "schema": ["answer"]}, "expected a JSON schema"),
        ({"kind": "json_schema", "schema": {"pattern": "("}}, "invalid"),
        ({"kind": "json_schema", "schema": {"$defs": {"a": {"pattern": "(?<"}}}}, "invalid"),
        ({"kind": "json_schema", "schema": LOST}, "nowhere' leads nowhere"),
        ({"kind": "json_schema", "schema": {"$ref": "https://a.b/c"}}, "'https://a.b/c' leads"),
        ({"kind": "json_schema", "schema": {"$ref": "#"}}, "refers to itself without end"),
        (
            {
                "kind": "json_schema",
                "schema": {"patternProperties": {"a": True}, "unevaluatedProperties": False},
            },
            "use additionalProperties",
        ),
        ({"kind": "max_words", "count": "30"}, "count='30'; expected a whole number"),
        ({"kind": "max_words", "count": True}, "count=True; expected a whole number"),
        ({"kind": "words"}, "no bound; expected at_least, at_most or exactly"),
        ({"kind": "words", "exactly": 1, "at_most": 2}, "expected exactly alone"),
        ({"kind": "words", "at_least": 3, "at_most": 2}, "at_least=3 is above at_most=2"),
        ({"kind": "words", "at_least": -1}, "at_least=-1; expected a whole number, 0 or more"),
        ({"kind": "required_phrases", "phrases": "yes"}, "expected a list of texts"),
        ({"kind": "forbidden_phrases", "phrases": [""]}, "expected a list of texts"),
        ({"kind": "phrase", "phrase": " ", "exactly": 1}, "expected a text"),
        ({"kind": "letter", "letter": "ab", "exactly": 1}, "expected one character"),
        ({"kind": "required_phrases", "phrases": ["a"], "whole_words": 1}, "expected true or"),
        ({"kind": "sql", "dialect": "postgress"}, "'postgress' is unknown; known dialects"),
        ({"kind": "language", "language": "xx"}, "'xx' is unknown; known codes: .*, en,"),
        ({"kind": "language", "language": "en", "unsure": "maybe"}, "expected 'failed' or 'met'"),
        ({"kind": "markdown", "element": "footer", "exactly": 1}, "expected 'heading' or"),
        ({"kind": "parts", "separator": "-", "count": 0.5}, "expected a whole number"),
        (
            {"kind": "paragraph_first_word", "word": "a", "paragraph": 0, "paragraphs": 1},
            "expected a whole number, 1 or more",
        ),
    ],
)
def test_a_faulty_instruction_says_what_is_wrong(instruction: dict[str, Any], message: str) -> None:
    """The error names the kind and what was expected, in a run and before it."""
    with pytest.raises(InstructionError, match=message):
        check(instruction, "text")
    (found,) = faults(FormatSpecification(instructions=({"kind": "one_line"}, instruction)))
    assert found.startswith("instructions[1]: format instruction of kind ")
    assert re.search(message, found)


def test_every_faulty_instruction_of_a_specification_is_listed() -> None:
    """Two faults are two texts, in order."""
    spec = FormatSpecification(
        instructions=({"kind": "one_lin"}, {"kind": "one_line"}, {"kind": "regex", "pattern": "("})
    )
    first, second = faults(spec)
    assert "instructions[0]: " in first
    assert "did you mean 'one_line'?" in first
    assert "instructions[2]: " in second
    assert "is invalid" in second


def test_a_sound_instruction_that_nothing_decides_is_no_fault() -> None:
    """A specification is not at fault because an empty text has no language."""
    assert faults(FormatSpecification(instructions=({"kind": "language", "language": "fr"},))) == []


def test_every_kind_is_described() -> None:
    """What `kinds` lists is enough to write an instruction: a line, and each parameter in words."""
    listed = kinds()
    assert [kind.name for kind in listed] == sorted(kind.name for kind in listed)
    for kind in listed:
        assert kind.description.endswith(".")
        assert len(kind.description) <= 100
        assert all(parameter.expected for parameter in kind.parameters)
    regex = next(kind for kind in listed if kind.name == "regex")
    described = [(each.name, each.required, each.default) for each in regex.parameters]
    assert described == [("pattern", True, None), ("match", False, "full")]


def test_a_kind_is_one_decorated_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function becomes a kind with its parameters, and a second one of its name is refused."""
    kinds()
    for name in ("shout", "marks"):
        monkeypatch.setitem(_KINDS, name, None)
        del _KINDS[name]

    @instruction("shout")
    def shout(text: str, *, count: Count = 1) -> str:
        """Ends in exclamation marks."""
        return "" if text.endswith("!" * count) else "no shout"

    @counted("marks", "mark")
    def marks(text: str) -> int:
        """The number of exclamation marks."""
        return text.count("!")

    assert check({"kind": "shout", "count": 2}, "a!") == "no shout"
    assert check({"kind": "shout"}, "a!") == ""
    assert check({"kind": "marks", "at_most": 1}, "a!!") == "2 marks, at most 1 allowed"
    with pytest.raises(ValueError, match="'shout' is registered already"):
        instruction("shout")(shout)
