"""Passages follow the structure of a text, and lose nothing of it."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.records import Passage, Revision
from evalkit.retrieval import Chunker
from evalkit.retrieval.blocks import blocks
from evalkit.retrieval.chunk import count_words

HANDBOOK = """\
# Lockers

Lockers stand at Kelsham. They open at 06:00 and close at 22:00.

## Prices

Paid monthly:

- small: EUR 2
- large: EUR 5,
  or EUR 50 a year

| size | price |
|------|-------|
| S    | EUR 2 |
| L    | EUR 5 |

```json
{"size": "S",

 "price": 2}
```

{"open": ["06:00",
          "22:00"]}
"""


def revision(text: str) -> Revision:
    """A revision of the document D that holds the text."""
    return Revision("D", "D@2025-01-01", "Title", text, date(2025, 1, 1), date(2025, 6, 1))


def cut(text: str, max_words: int = 20, overlap: int = 0) -> list[Passage]:
    """The passages of a text."""
    return Chunker(max_words, overlap).split(revision(text))


def table(rows: int, width: int = 2) -> str:
    """A Markdown table of so many rows."""
    head = "| " + " | ".join(f"h{i}" for i in range(width)) + " |"
    rule = "|" + "---|" * width
    body = ["| " + " | ".join(f"r{n}c{i}" for i in range(width)) + " |" for n in range(rows)]
    return "\n".join([head, rule, *body])


def test_blocks_are_told_apart() -> None:
    """Each kind of block is seen for what it is, blank lines within code and JSON included."""
    assert [(b.kind, HANDBOOK[b.start : b.end].split("\n")[0]) for b in blocks(HANDBOOK)] == [
        ("heading", "# Lockers"),
        ("paragraph", "Lockers stand at Kelsham. They open at 06:00 and close at 22:00."),
        ("heading", "## Prices"),
        ("paragraph", "Paid monthly:"),
        ("item", "- small: EUR 2"),
        ("item", "- large: EUR 5,"),
        ("table", "| size | price |"),
        ("code", "```json"),
        ("json", '{"open": ["06:00",'),
    ]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Prices\n======\ntext", ["heading", "paragraph"]),
        ("a | b\nno rule below", ["paragraph"]),
        ("[a link](x) to read", ["paragraph"]),
        ("{not json}", ["paragraph"]),
        ("[1] see the note", ["paragraph"]),
        ("~~~\nopen to the end\n\nof the text", ["code"]),
        ("text\n# Heading\ntext", ["paragraph", "heading", "paragraph"]),
        ("1. first\n2. second\n   more\n\ntext", ["item", "item", "paragraph"]),
        ("Sizes:\n| a | b |\n|---|---|\n| 1 | 2 |\nafter", ["paragraph", "table", "paragraph"]),
        ("", []),
        (" \n\t\n", []),
    ],
)
def test_kinds_of_blocks(text: str, kinds: list[str]) -> None:
    """Look-alikes are not mistaken: a link is no JSON, a bar alone is no table."""
    assert [block.kind for block in blocks(text)] == kinds


def test_short_text_is_one_passage() -> None:
    """What fits is one passage, which carries its revision's name, title and dates."""
    assert cut("Lockers open at 06:00.\n") == [
        Passage(
            "D@2025-01-01#0",
            "D",
            "D@2025-01-01",
            "Title",
            "Lockers open at 06:00.",
            date(2025, 1, 1),
            date(2025, 6, 1),
            0,
            22,
        )
    ]


def test_heading_and_lead_in_stay_with_what_follows() -> None:
    """A heading or 'Paid monthly:' is never left behind at the end of a passage."""
    words = " ".join(f"w{i}" for i in range(18))
    assert [p.text for p in cut(f"{words}.\n\n## Prices\n\nPaid monthly:\n- small\n- large")] == [
        f"{words}.",
        "## Prices\n\nPaid monthly:\n- small\n- large",
    ]


def test_table_code_and_json_stay_whole_when_they_fit() -> None:
    """A block that fits is moved to the next passage rather than cut."""
    prose = " ".join(f"w{i}" for i in range(15)) + "."
    for block in (table(1), "```\nx = 1\ny = 2\n```", '{"a": 1,\n "b": 2, "c": 3, "d": 4}'):
        first, second = cut(f"{prose}\n\n{block}", max_words=16)
        assert (first.text, second.text) == (prose, block)
        assert first.intact
        assert second.intact


def test_long_table_is_cut_between_rows_with_its_header() -> None:
    """Each piece of a table has the header and whole rows, so it is intact."""
    # A row is 5 words, the header with its rule 6.
    pieces = cut(table(5), max_words=16)
    assert [p.text for p in pieces] == [
        table(2),
        "| h0 | h1 |\n|---|---|\n| r2c0 | r2c1 |\n| r3c0 | r3c1 |\n| r4c0 | r4c1 |",
    ]
    assert all(p.intact for p in pieces)


def test_row_code_and_json_that_are_cut_are_not_intact() -> None:
    """Only a cut inside a row, code or JSON breaks a passage; the rows around it are whole."""
    row = "| " + " ".join(f"w{i}" for i in range(30)) + " | x |"
    pieces = cut(f"{table(1)}\n{row}\n| last | row |", max_words=16)
    assert pieces[-1].text == "| h0 | h1 |\n|---|---|\n| last | row |"
    assert [p.intact for p in pieces] == [True, False, False, False, True]
    assert all(p.text.startswith("| h0 | h1 |\n|---|---|\n") for p in pieces)
    code = "```\n" + "\n".join(f"a{i} = {i} + {i}" for i in range(9)) + "\n```"
    data = '{"list": [' + ", ".join(str(i) for i in range(40)) + "]}"
    for text in (code, data):
        assert {p.intact for p in cut(text)} == {False}


def test_long_paragraph_is_cut_between_sentences() -> None:
    """A sentence stays whole where it fits, and a longer one is cut without being broken code."""
    first = "One two three four five six seven."
    second = "Eight nine ten (cf. no. 5) eleven!"
    third = "Alpha beta gamma delta epsilon zeta."
    assert [p.text for p in cut(f"{first} {second}\n{third}", max_words=14)] == [
        f"{first} {second}",
        third,
    ]
    long = " ".join(f"w{i}" for i in range(45))
    pieces = cut(long)
    assert [count_words(p.text) for p in pieces] == [20, 20, 5]
    assert all(p.intact for p in pieces)


def test_overlap_repeats_whole_sentences_only() -> None:
    """The next passage starts with the last sentences of the one before, within ``overlap``."""
    sentences = [f"S{i} has just these six words." for i in range(6)]
    pieces = cut(" ".join(sentences), max_words=18, overlap=8)
    assert [p.text for p in pieces] == [
        " ".join(sentences[0:3]),
        " ".join(sentences[2:5]),
        " ".join(sentences[4:6]),
    ]


def test_overlap_never_repeats_a_piece_of_a_table() -> None:
    """Only prose is repeated: rows without their header would mean nothing."""
    start, end = "One two three.", "Four five six seven eight nine ten and so on further."
    text = f"{start}\n\n{table(1)}\n\n{end}"
    assert [p.text for p in cut(text, max_words=24, overlap=12)] == [
        f"{start}\n\n{table(1)}",
        end,
    ]


def test_scripts_without_spaces_are_cut_too() -> None:
    """Each Han character or kana counts as a word, so such a text does not end in one passage."""
    assert count_words("東京に3台 lockers") == 6
    sentence = "東京都庁前停留所。"
    assert [p.text for p in cut(sentence * 3, max_words=10)] == [sentence] * 3


@pytest.mark.parametrize(("max_words", "overlap"), [(7, 0), (20, 11), (20, -1)])
def test_senseless_sizes_are_refused(max_words: int, overlap: int) -> None:
    """Sizes that cannot work are refused when the chunker is made."""
    with pytest.raises(ConfigError, match="expected"):
        Chunker(max_words, overlap)


LINES = st.sampled_from(
    [
        "", "# Heading", "Underlined", "====", "Lead in:", "- item one of two", "  continued here",
        "1. step first. And more. Much more of it.", "| a | b |", "|---|---|", "| 1 | 2 three |",
        "```", "code = 1", '{"a": 1}', '{"a":', "[1, 2]", "Plain words. Some more! And on?",
        " ".join(f"w{i}" for i in range(23)), "東京。大阪。", "x" * 50, "\t \u00a0", "Ünï — dash",
        table(6), table(3, 12), table(2, 30), "| " + "w " * 45 + "|", "```\nx = 1\n\ny = 2\n```",
    ]
)  # fmt: skip
TEXTS = st.lists(LINES, max_size=25).map("\n".join) | st.text(max_size=200)
CHUNKERS = st.builds(Chunker, st.integers(8, 40), st.integers(0, 4))


@given(TEXTS, CHUNKERS)
def test_passages_cover_the_text_exactly(text: str, chunker: Chunker) -> None:
    """Every character that is not white space is in a passage, at the offsets it gives."""
    covered = set()
    for passage in chunker.split(revision(text)):
        body = text[passage.start : passage.end]
        assert passage.text.endswith(body)
        covered |= set(range(passage.start, passage.end))
    assert all(i in covered for i, char in enumerate(text) if not char.isspace())


@given(TEXTS, CHUNKERS)
def test_passages_are_never_empty_and_in_order(text: str, chunker: Chunker) -> None:
    """No passage is blank or padded, ids number them, and each goes further than the last."""
    passages = chunker.split(revision(text))
    assert [p.id for p in passages] == [f"D@2025-01-01#{i}" for i in range(len(passages))]
    for passage in passages:
        assert passage.text == passage.text.strip() != ""
    starts = [p.start for p in passages]
    ends = [p.end for p in passages]
    assert starts == sorted(set(starts))
    assert ends == sorted(set(ends))


@given(TEXTS, CHUNKERS)
def test_passages_keep_to_their_size(text: str, chunker: Chunker) -> None:
    """A passage exceeds ``max_words`` by a heading or a repeated header at most."""
    for passage in chunker.split(revision(text)):
        own = count_words(text[passage.start : passage.end])
        assert own <= chunker.max_words * 1.25
        assert count_words(passage.text) <= chunker.max_words * 1.5


@given(TEXTS, CHUNKERS)
def test_without_overlap_no_word_is_in_two_passages(text: str, chunker: Chunker) -> None:
    """Spans do not overlap unless asked to; a repeated table header is outside the span."""
    passages = Chunker(chunker.max_words).split(revision(text))
    assert all(a.end <= b.start for a, b in pairwise(passages))


@given(TEXTS)
def test_blocks_leave_out_white_space_only(text: str) -> None:
    """Blocks are in order and apart, and what lies between them is white space."""
    position = 0
    for block in blocks(text):
        assert not text[position : block.start].strip()
        assert block.start < block.end
        position = block.end
    assert not re.sub(r"\s", "", text[position:])
