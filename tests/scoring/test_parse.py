"""Parsing: what can be read out of a raw output."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.scoring import parse

GOOD = '{"answer": "EUR 42", "source": "TRV", "effective": "2025-05-01"}'


@pytest.mark.parametrize(
    "output",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"Here is the JSON you asked for:\n\n{GOOD}\nI hope this helps!",
        f"Sure {{you}} asked: {GOOD}",
        f'{{"note": "first"}} {GOOD}',
        f"{GOOD} {GOOD.replace('42', '99')}",
    ],
)
def test_the_first_object_with_the_answer_is_read(world: Any, output: str) -> None:
    """Fences, lead-ins, closing lines and stray braces do not hide the answer."""
    found = parse(output, world.house)
    assert (found.answer, found.source, found.effective) == ("EUR 42", "TRV", "2025-05-01")
    assert found.structured


INSTRUCTED = (
    'Reply with JSON. If the documents do not say, reply {"answer": "not in the handbook"}.'
)


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        (INSTRUCTED, INSTRUCTED),
        (f"System: {INSTRUCTED}\nWhat is it?\n{GOOD}", "EUR 42"),
        ('do not  say,\n reply {"answer":\n"not in the handbook"}', None),
        ('{"answer": "not in the handbook"}', "not in the handbook"),
        ('My answer: {"answer": "not in the handbook"}', "not in the handbook"),
    ],
)
def test_an_instruction_that_is_repeated_is_no_answer(
    world: Any, output: str, answer: str | None
) -> None:
    """A model that gives its prompt back has not abstained by the example in it."""
    from dataclasses import replace

    found = parse(output, replace(world.house, instruction=INSTRUCTED))
    assert found.answer == (output if answer is None else answer)
    assert found.structured == (answer not in (None, INSTRUCTED))


def test_null_survives_a_json_fence(world: Any) -> None:
    """No letter of ``json`` is stripped off the value: ``null`` stays null and abstains."""
    found = parse('```json\n{"answer": null, "source": null}\n```', world.house)
    assert found.answer == world.house.abstention
    assert found.source is None
    assert parse('{"answer": "jsonnoj"}', world.house).answer == "jsonnoj"


@pytest.mark.parametrize(
    ("value", "answer"),
    [("42", "42"), ("true", "true"), ('["a", "b"]', "a, b"), ('"  x "', "x"), ('""', None)],
)
def test_other_json_values_are_written_out(world: Any, value: str, answer: str | None) -> None:
    """A number, a truth value or a list is read as a person would write it."""
    assert parse(f'{{"answer": {value}}}', world.house).answer == answer


@pytest.mark.parametrize("output", ["EUR 42", "```\nEUR 42\n```", "  EUR 42\n"])
def test_prose_is_the_answer_where_no_object_is(world: Any, output: str) -> None:
    """What was said counts although the form is wrong; the form is another axis."""
    found = parse(output, world.house)
    assert (found.answer, found.structured) == ("EUR 42", False)


def test_broken_json_is_read_as_text(world: Any) -> None:
    """An object that was cut off is not repaired, and its text is still the answer."""
    found = parse('{"answer": "EUR 42", "source": "TR', world.house)
    assert not found.structured
    assert "EUR 42" in (found.answer or "")


@pytest.mark.parametrize("output", ["", "  \n", "```\n```"])
def test_an_empty_output_has_no_answer(world: Any, output: str) -> None:
    """Nothing said is None, not an empty string."""
    assert parse(output, world.house).answer is None
    assert parse(output, world.free).answer is None


def test_free_format_takes_the_stripped_text(world: Any) -> None:
    """Without fields a JSON object is just text."""
    assert parse(f" {GOOD}\n", world.free).answer == GOOD


@given(st.text(min_size=1, max_size=40).filter(lambda t: t.strip() == t))
def test_rendered_answers_are_read_back(text: str) -> None:
    """Whatever is written as JSON comes back unchanged."""
    from evalkit.records import FormatSpecification

    spec = FormatSpecification(fields={"answer": "a"})
    assert parse(json.dumps({"a": text}), spec).answer == text


@given(st.text(max_size=60))
def test_no_output_breaks_the_parser(text: str) -> None:
    """Any output gives a result; braces and quotes included."""
    from evalkit.records import FormatSpecification

    spec = FormatSpecification(fields={"answer": "answer"})
    for output in (text, "{" + text, '{"answer": ' + text):
        found = parse(output, spec)
        assert found.answer is None or found.answer.strip()


def test_deep_nesting_is_survived(world: Any) -> None:
    """An output of thousands of open braces gives text, not a crash."""
    assert parse('{"a":' * 3000, world.house).structured is False
