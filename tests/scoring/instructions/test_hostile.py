"""Texts and patterns that would hang, crash or run a careless reader."""

from __future__ import annotations

import json
import socket
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.scoring.instructions import InstructionError, Undecided, check, kinds, limits
from evalkit.scoring.instructions.json_value import depth, strict_json
from evalkit.scoring.instructions.parameters import BOUNDS

AMBIGUOUS = r"(?:(?:a|aa)+)+b"
LAUGHS = (
    '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;">]><a>&d;</a>'
)
DOUBLING = {
    "$defs": {
        **{f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(40)},
        "a40": {"type": ["integer", "null"]},
    },
    "anyOf": [{"type": "null"}, {"type": "integer", "$ref": "#/$defs/a0"}],
}
JSON_SCHEMAS: dict[str, Any] = {
    "pattern": ({"pattern": AMBIGUOUS}, json.dumps("a" * 60)),
    "patternProperties": ({"patternProperties": {AMBIGUOUS: False}}, json.dumps({"a" * 60: 1})),
    "additionalProperties": (
        {"additionalProperties": False, "patternProperties": {AMBIGUOUS: True}},
        json.dumps({"a" * 60: 1}),
    ),
    "propertyNames": ({"propertyNames": {"pattern": AMBIGUOUS}}, json.dumps({"a" * 60: 1})),
    "doubling": (DOUBLING, "3"),
}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS", 0.05)


@pytest.mark.usefixtures("hasty")
def test_a_runaway_pattern_is_stopped() -> None:
    """A pattern that backtracks without end is undecided after the time limit, not unmet."""
    with pytest.raises(Undecided, match=r"'regex': undecided after 0.05 s on a text of 60"):
        check({"kind": "regex", "pattern": AMBIGUOUS}, "a" * 60)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("name", JSON_SCHEMAS)
def test_a_runaway_schema_is_stopped(name: str) -> None:
    """So is a schema, wherever in it the work grows without bound."""
    schema, text = JSON_SCHEMAS[name]
    with pytest.raises(Undecided, match=r"'json_schema': undecided after 0.05 s"):
        check({"kind": "json_schema", "schema": schema}, text)


@pytest.mark.usefixtures("hasty")
def test_a_schema_that_is_slow_on_anything_is_at_fault() -> None:
    """What could decide no text is found before the run."""
    schema = {"$defs": DOUBLING["$defs"], "$ref": "#/$defs/a0"}
    with pytest.raises(InstructionError, match=r"not checked within 0.05 s even on null"):
        check({"kind": "json_schema", "schema": schema}, "3")


def test_unique_items_take_no_quadratic_time() -> None:
    """Thirty thousand objects are compared in well under the time limit."""
    instruction = {"kind": "json_schema", "schema": {"uniqueItems": True}}
    objects = ", ".join(f'{{"a": {i}}}' for i in range(6_000))
    start = monotonic()
    assert check(instruction, f"[{objects}]") == ""
    assert "twice" in check(instruction, f'[{objects}, {{"a": 1}}]')
    assert monotonic() - start < 2


@pytest.mark.parametrize(
    ("text", "unique"),
    [("[1, 1.0]", False), ("[1, true]", True), ("[[1], [1.0]]", False), ('["1", 1]', True)],
)
def test_unique_items_compare_as_json_schema_says(text: str, unique: bool) -> None:
    """1 and 1.0 are one number; a number is no truth value and no string."""
    problem = check({"kind": "json_schema", "schema": {"uniqueItems": True}}, text)
    assert (problem == "") == unique


def test_a_schema_never_reaches_for_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference to an address is refused without a connection."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    instruction = {"kind": "json_schema", "schema": {"$ref": "http://example.com/schema"}}
    with pytest.raises(ValueError, match="leads nowhere"):
        check(instruction, "1")


def test_the_published_meta_schema_can_be_referred_to() -> None:
    """It comes with the library, so it needs no network."""
    schema = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
    assert check({"kind": "json_schema", "schema": schema}, '{"type": "object"}') == ""
    assert check({"kind": "json_schema", "schema": schema}, '{"type": 3}') != ""


def test_a_recursive_schema_reads_to_the_depth_limit() -> None:
    """What the depth limit lets pass, the validator can follow."""
    tree = {"properties": {"a": {"anyOf": [{"$ref": "#"}]}}, "type": "object"}
    deepest = '{"a":' * (limits.MAX_DEPTH - 1) + "{}" + "}" * (limits.MAX_DEPTH - 1)
    assert check({"kind": "json_schema", "schema": tree}, deepest) == ""


def test_a_long_string_under_a_slow_format_is_undecided() -> None:
    """The grammar of an IRI takes seconds on such a string."""
    with pytest.raises(Undecided, match="3000 characters under format 'iri'"):
        check({"kind": "json_schema", "schema": {"format": "iri"}}, json.dumps("a" * 3000))


@pytest.mark.parametrize(
    ("instruction", "text", "problem"),
    [
        ({"kind": "json"}, "[" * 50_000, "nested more than 100 deep"),
        ({"kind": "json_schema", "schema": {}}, '{"a":' * 19_000, "nested more than 100 deep"),
        ({"kind": "xml"}, "<a>" * 30_000, "nested more than 100 deep"),
        ({"kind": "yaml"}, "[" * 90_000, "nested more than 100 deep"),
        ({"kind": "yaml"}, "- " * 40_000, "nested more than 100 deep"),
        ({"kind": "xml"}, LAUGHS, "a document type is not allowed"),
        (
            {"kind": "xml"},
            '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
            "a document type is not allowed",
        ),
        ({"kind": "yaml"}, "a: &a [x]\nb: [*a, *a]", "an alias (*a) is not allowed"),
        ({"kind": "yaml"}, "a: &a {x: 1}\nb: {<<: *a}", "an alias (*a) is not allowed"),
        ({"kind": "yaml"}, "a: !!python/object/apply:os.getcwd []", "not YAML"),
        ({"kind": "xml"}, "<a>\ud800</a>", "not well-formed"),
        ({"kind": "yaml"}, "a: \ud800", "not YAML"),
    ],
)
def test_a_hostile_text_is_refused_at_once(
    instruction: dict[str, Any], text: str, problem: str
) -> None:
    """Deep nesting, entities, aliases and object tags are problems of the text, found quickly."""
    start = monotonic()
    assert problem in check(instruction, text)
    assert monotonic() - start < 2


def test_sql_is_never_nested_into_a_crash() -> None:
    """What the parser cannot follow is undecided, not a crash and not unmet."""
    with pytest.raises(Undecided, match="nested too deeply"):
        check({"kind": "sql"}, "SELECT " + "(" * 4_000 + "1" + ")" * 4_000)


def test_a_huge_text_is_undecided() -> None:
    """Nothing above the limit is read, by any kind."""
    with pytest.raises(Undecided, match=r"100001 characters; at most 100000 are read"):
        check({"kind": "one_line"}, "a" * 100_001)


@pytest.mark.parametrize("text", ['{"a": 1} x', "x", "", "'a'", "{'a': 1}", "Infinity", "1e999"])
def test_strict_json_refuses(text: str) -> None:
    """Only one whole JSON value passes."""
    with pytest.raises(ValueError, match=r"."):
        strict_json(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_what_json_writes_is_json(value: Any) -> None:
    """Every value survives the strict reader, and brackets inside strings are no nesting."""
    assert strict_json(json.dumps(value)) == value
    assert depth(json.dumps(json.dumps(value))) == 0


ARGUMENTS: dict[str, Any] = {
    "schema": {"type": "object"}, "pattern": "a+", "count": 1, "phrases": ["a"], "phrase": "a",
    "letter": "a", "options": ["a"], "separator": "a", "marker": "a", "word": "a", "paragraph": 1,
    "paragraphs": 1, "form": "number", "every": "sentence", "element": "heading", "case": "lower",
    "language": "en", "dialect": "duckdb", "root": "a", "columns": ["a"], "delimiter": ",",
    "match": "full", "fenced": True, "whole_words": True, "distinct": True, "unsure": "failed",
}  # fmt: skip


@given(st.text(alphabet="a \n\t.*-#[]{}()<>:,;'\"`|&!\\é1P\x00\ud800", max_size=60))
def test_no_text_breaks_a_checker(text: str) -> None:
    """Every kind meets any text with a problem, none, or `Undecided`: never with another error."""
    for kind in kinds():
        arguments = {p.name: ARGUMENTS[p.name] for p in kind.parameters if p.name not in BOUNDS}
        bounds = {"at_least": 1} if kind.counts else {}
        try:
            assert isinstance(check({"kind": kind.name, **arguments, **bounds}, text), str)
        except Undecided:
            assert kind.name in ("language", "letter_case")
