"""Every kind of instruction: texts that meet it and texts that do not."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.scoring.instructions import check, kinds

Row = tuple[dict[str, Any], str, bool]

LENGTH: list[Row] = [
    ({"kind": "words", "at_most": 2}, "a b", True),
    ({"kind": "words", "at_most": 2}, "a b c", False),
    ({"kind": "words", "exactly": 2}, "don't", True),
    ({"kind": "words", "at_least": 1}, "!?", False),
    ({"kind": "max_words", "count": 2}, "a, b!", True),
    ({"kind": "max_words", "count": 2}, "a b c", False),
    ({"kind": "min_words", "count": 3}, "a b", False),
    ({"kind": "min_words", "count": 3}, "a b c", True),
    ({"kind": "tokens", "exactly": 4}, "EUR 4.2", True),
    ({"kind": "tokens", "at_most": 1}, "a b", False),
    ({"kind": "characters", "exactly": 3}, " abc\n", True),
    ({"kind": "characters", "at_most": 2}, "abc", False),
    ({"kind": "sentences", "exactly": 2}, "It is so. Is it?", True),
    ({"kind": "sentences", "exactly": 1}, "Dr. A. Ng lives at no. 5, i.e. here.", True),
    ({"kind": "sentences", "exactly": 1}, "1. Open the door", True),
    ({"kind": "sentences", "exactly": 1}, "It costs 4.50 a day... or more.", True),
    ({"kind": "sentences", "exactly": 2}, "彼は来た。私も来た。", True),
    ({"kind": "sentences", "exactly": 2}, '"Go!" She went', True),
    ({"kind": "sentences", "at_least": 2}, "a heading\na line", False),
    ({"kind": "paragraphs", "exactly": 2}, "a\nb\n\n \n\nc\n", True),
    ({"kind": "paragraphs", "exactly": 2}, "a\nb", False),
    ({"kind": "lines", "exactly": 2}, "a\n\nb\n", True),
    ({"kind": "lines", "at_most": 1}, "a\nb", False),
    ({"kind": "one_line"}, "a\n", True),
    ({"kind": "one_line"}, "a\nb", False),
    ({"kind": "one_line"}, "a\n\nb", False),
]
PHRASES: list[Row] = [
    ({"kind": "required_phrases", "phrases": ["no"]}, "I know", False),
    ({"kind": "required_phrases", "phrases": ["no"], "whole_words": False}, "I know", True),
    ({"kind": "required_phrases", "phrases": ["no", "yes"]}, "No. Yes!", True),
    ({"kind": "required_phrases", "phrases": ["the"]}, "the end", True),
    ({"kind": "required_phrases", "phrases": ["in  force"]}, "in\nForce", True),
    ({"kind": "required_phrases", "phrases": ["don't"]}, "I don’t", True),
    ({"kind": "required_phrases", "phrases": ["a.c"]}, "abc", False),
    ({"kind": "forbidden_phrases", "phrases": ["no"]}, "I know", True),
    ({"kind": "forbidden_phrases", "phrases": ["no"]}, "No.", False),
    ({"kind": "forbidden_phrases", "phrases": ["the"]}, "the end", False),
    ({"kind": "forbidden_phrases", "phrases": [","]}, "a,b", False),
    ({"kind": "phrase", "phrase": "war", "exactly": 1}, "War and warfare", True),
    ({"kind": "phrase", "phrase": "war", "whole_words": False, "exactly": 2}, "War, warfare", True),
    ({"kind": "phrase", "phrase": "war", "at_least": 2}, "War and warfare", False),
    ({"kind": "letter", "letter": "A", "exactly": 3}, "Banana", True),
    ({"kind": "letter", "letter": "#", "at_least": 1}, "Banana", False),
    ({"kind": "choice", "options": ["Yes.", "No."]}, "My answer: Yes.", True),
    ({"kind": "choice", "options": ["Yes.", "No."]}, "yes.", False),
    ({"kind": "starts_with", "phrase": "Dear all"}, " dear ALL, hello", True),
    ({"kind": "starts_with", "phrase": "Dear all"}, "To dear all", False),
    ({"kind": "ends_with", "phrase": "Thanks."}, '"So long. thanks."', True),
    ({"kind": "ends_with", "phrase": "Thanks."}, "Thanks. Bye", False),
]
STRUCTURE: list[Row] = [
    ({"kind": "parts", "separator": "***", "count": 2}, "a\n***\nb", True),
    ({"kind": "parts", "separator": "***", "count": 2}, "***\na\n***\nb\n***", True),
    ({"kind": "parts", "separator": "***", "count": 2}, "a\n***\n***\nb", False),
    ({"kind": "parts", "separator": "***", "count": 1}, "a\n***\nb", False),
    ({"kind": "parts", "separator": "***", "count": 1}, "***", False),
    ({"kind": "parts", "separator": "******", "count": 2, "distinct": True}, "a******a", False),
    ({"kind": "parts", "separator": "******", "count": 2, "distinct": True}, "a******b", True),
    ({"kind": "sections", "marker": "Section", "exactly": 2}, "Section 1\na\nSection 2\nb", True),
    ({"kind": "sections", "marker": "Section", "at_least": 1}, "Section one", False),
    (
        {"kind": "paragraph_first_word", "word": "it", "paragraph": 2, "paragraphs": 2},
        "A\n\n'It, too",
        True,
    ),
    (
        {"kind": "paragraph_first_word", "word": "it", "paragraph": 2, "paragraphs": 2},
        "A\n\nItem",
        False,
    ),
    (
        {"kind": "paragraph_first_word", "word": "it", "paragraph": 3, "paragraphs": 2},
        "A\n\nIt",
        False,
    ),
    ({"kind": "highlights", "exactly": 2}, "*one* and **two**", True),
    ({"kind": "highlights", "at_least": 1}, "* * and ** ** and 2*3", False),
    ({"kind": "bullets", "exactly": 2}, "* one\n- two\n**bold**", True),
    ({"kind": "bullets", "exactly": 1}, "1. one", False),
    ({"kind": "placeholders", "at_least": 2}, "[name], [address]", True),
    ({"kind": "placeholders", "at_least": 2}, "[name]", False),
    ({"kind": "title"}, "<<Happy days>>\ntext", True),
    ({"kind": "title"}, "<< >> <Happy>", False),
    ({"kind": "postscript", "marker": "P.S."}, "Bye.\nP. S. Call me", True),
    ({"kind": "postscript", "marker": "P.P.S"}, "Bye.\nP.S. Call me", False),
    ({"kind": "quoted"}, ' "so"\n', True),
    ({"kind": "quoted"}, '"', False),
    ({"kind": "markdown", "element": "heading", "exactly": 2}, "# A\n\nB\n===\n", True),
    ({"kind": "markdown", "element": "heading", "at_least": 1}, "```\n# A\n```", False),
    ({"kind": "markdown", "element": "list_item", "exactly": 3}, "- a\n- b\n  1. c", True),
    ({"kind": "markdown", "element": "numbered_list", "exactly": 1}, "1. a\n2. b", True),
    ({"kind": "markdown", "element": "table", "exactly": 1}, "|a|b|\n|-|-|\n|1|2|", True),
    ({"kind": "markdown", "element": "code_block", "exactly": 1}, "```py\nx\n```", True),
    ({"kind": "markdown", "element": "link", "exactly": 1}, "see [a](http://a.b)", True),
    ({"kind": "markdown", "element": "bold", "at_least": 1}, "2 ** 3 ** 4", False),
    ({"kind": "letter_case", "case": "upper"}, "STOP! 5", True),
    ({"kind": "letter_case", "case": "upper"}, "Stop", False),
    ({"kind": "letter_case", "case": "lower"}, "stop", True),
    ({"kind": "letter_case", "case": "lower"}, "42", False),
    ({"kind": "capital_words", "exactly": 2}, "The EU and NATO met", True),
    ({"kind": "capital_words", "at_least": 1}, "Stop 5", False),
    ({"kind": "citations", "form": "number"}, "So it is [1, 2].", True),
    ({"kind": "citations", "form": "number"}, "So it is [a].", False),
    ({"kind": "citations", "form": "id"}, "So [TRV-01; HR-2].", True),
    ({"kind": "citations", "form": "id"}, "So [address].", False),
    ({"kind": "citations", "form": "author_year"}, "So (Ng et al., 2020a).", True),
    ({"kind": "citations", "form": "author_year"}, "So (in 2020).", False),
    ({"kind": "citations", "form": "footnote"}, "So.[^1]", True),
    ({"kind": "citations", "form": "number", "every": "sentence"}, "It is. [1] So [2].", True),
    ({"kind": "citations", "form": "number", "every": "sentence"}, "It is [1]. So.", False),
    (
        {"kind": "citations", "form": "number", "every": "paragraph"},
        "It is. So [1].\n\nAh [2].",
        True,
    ),
    ({"kind": "citations", "form": "number", "every": "paragraph"}, "A [1].\n\nC.", False),
]
LANGUAGES: list[Row] = [
    ({"kind": "regex", "pattern": r"\d+"}, "42", True),
    ({"kind": "regex", "pattern": r"\d+"}, "42 days", False),
    ({"kind": "regex", "pattern": r"\d+", "match": "search"}, "42 days", True),
    ({"kind": "json"}, "null", True),
    ({"kind": "json"}, " [1]\n", True),
    ({"kind": "json"}, "NaN", False),
    ({"kind": "json"}, "-Infinity", False),
    ({"kind": "json"}, "1e999", False),
    ({"kind": "json"}, "9" * 5000, False),
    ({"kind": "json"}, '{"a": 1, "a": 2}', False),
    ({"kind": "json"}, "{'a': 1}", False),
    ({"kind": "json"}, "```json\n1\n```", False),
    ({"kind": "json", "fenced": True}, "```json\nnull\n```", True),
    ({"kind": "json", "fenced": True}, "Here: ```json\nnull\n```", False),
    ({"kind": "json_schema", "schema": {"type": "null"}}, "null", True),
    ({"kind": "json_schema", "schema": {"format": "date"}}, '"2025-02-30"', False),
    ({"kind": "xml"}, '<?xml version="1.0"?>\n<a b="1">x &amp; y<c/></a>', True),
    ({"kind": "xml", "root": "a"}, "<b/>", False),
    ({"kind": "xml"}, "<a><b></a>", False),
    ({"kind": "xml"}, "<a/><b/>", False),
    ({"kind": "xml"}, "<a>&nope;</a>", False),
    ({"kind": "xml"}, "x", False),
    ({"kind": "yaml"}, "a: 1\nb: [x, y]", True),
    ({"kind": "yaml"}, "just some prose", False),
    ({"kind": "yaml"}, "a: 1\na: 2", False),
    ({"kind": "yaml"}, "a: [1", False),
    ({"kind": "yaml"}, "a: 1\n---\nb: 2", False),
    ({"kind": "csv"}, 'a,b\n1,"x, y"\n', True),
    ({"kind": "csv"}, "a,b\n1", False),
    ({"kind": "csv"}, "a,b", False),
    ({"kind": "csv"}, "a\nb", False),
    ({"kind": "csv", "columns": ["a"]}, "a\nb", True),
    ({"kind": "csv", "columns": ["a", "b"], "delimiter": ";"}, "a; b\n1;2", True),
    ({"kind": "csv", "columns": ["a", "b"]}, "b,a\n1,2", False),
    ({"kind": "csv"}, 'a,b\n1,"x', False),
    ({"kind": "sql"}, "SELECT a FROM t WHERE b = 1;", True),
    ({"kind": "sql"}, "INSERT INTO t VALUES (1); DROP TABLE t", True),
    ({"kind": "sql"}, "SELECT a FROM t WHERE", False),
    ({"kind": "sql"}, "SELECT 'open", False),
    ({"kind": "sql"}, "forty two", False),
    ({"kind": "sql"}, "Update the docs", False),
    ({"kind": "sql"}, "Show me the tables", False),
    ({"kind": "sql"}, "-- nothing", False),
    ({"kind": "sql", "dialect": "bigquery"}, "SELECT `a` FROM `p.d.t`", True),
    ({"kind": "sql", "dialect": "postgres"}, "SELECT `a` FROM `p.d.t`", False),
]
ENGLISH = "The meal allowance is forty-two euros a day for every trip."
FRENCH = "L'indemnité de repas est de quarante-deux euros par jour."
SPOKEN: list[Row] = [
    ({"kind": "language", "language": "fr"}, FRENCH, True),
    ({"kind": "language", "language": "fr"}, ENGLISH, False),
    ({"kind": "language", "language": "en"}, ENGLISH.upper(), True),
    ({"kind": "language", "language": "en"}, "asdkjh qwlkej zxmcn qpwoe lkjasd", False),
    ({"kind": "letter_case", "case": "upper", "language": "en"}, ENGLISH.upper(), True),
    ({"kind": "letter_case", "case": "upper", "language": "en"}, FRENCH.upper(), False),
]
TABLE = [*LENGTH, *PHRASES, *STRUCTURE, *LANGUAGES, *SPOKEN]


@pytest.mark.parametrize(("instruction", "text", "met"), TABLE)
def test_each_kind(instruction: dict[str, Any], text: str, met: bool) -> None:
    """A text meets an instruction or a problem is named, never both."""
    assert (check(instruction, text) == "") == met


def test_every_kind_is_tested() -> None:
    """The table has a text that meets each kind, and one that does not."""
    for met in (True, False):
        tested = {instruction["kind"] for instruction, _, verdict in TABLE if verdict == met}
        assert {kind.name for kind in kinds()} - tested == set()


@pytest.mark.parametrize(
    ("instruction", "text", "problem"),
    [
        ({"kind": "words", "at_least": 3}, "a b", "2 words, at least 3 required"),
        ({"kind": "words", "at_most": 1}, "a b", "2 words, at most 1 allowed"),
        ({"kind": "words", "at_least": 3}, "a", "1 word, at least 3 required"),
        ({"kind": "bullets", "exactly": 1}, "a", "0 bullets, exactly 1 required"),
        ({"kind": "forbidden_phrases", "phrases": ["a", "b"]}, "a", "forbidden but present: ['a']"),
        (
            {"kind": "citations", "form": "id", "every": "sentence"},
            "It. So.",
            "no citation in 2 of",
        ),
        ({"kind": "csv"}, "a,b\n1,2\n3", "row 3 has 1 field, the header 2"),
        ({"kind": "xml", "root": "a"}, "<b/>", "outermost element is 'b', not 'a'"),
        ({"kind": "yaml"}, "a: 1\na: 2", "key 'a' stands twice"),
        ({"kind": "language", "language": "fr"}, ENGLISH, "in language 'en', not 'fr'"),
        ({"kind": "json_schema", "schema": {"required": ["a"]}}, "{}", "JSON at $: 'a' is a"),
    ],
)
def test_a_problem_says_what_was_found(
    instruction: dict[str, Any], text: str, problem: str
) -> None:
    """The reason names what was there and what was asked."""
    assert problem in check(instruction, text)
