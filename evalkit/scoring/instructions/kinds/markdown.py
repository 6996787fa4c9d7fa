"""Markdown: elements of the document as CommonMark reads it, with tables."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any

from evalkit.scoring.instructions.parameters import one_of
from evalkit.scoring.instructions.registry import counted

_TYPES = {
    "heading": "heading_open",
    "bullet_list": "bullet_list_open",
    "numbered_list": "ordered_list_open",
    "list_item": "list_item_open",
    "table": "table_open",
    "code_block": "fence",
    "quote": "blockquote_open",
    "link": "link_open",
    "image": "image",
    "emphasis": "em_open",
    "bold": "strong_open",
    "code": "code_inline",
}
Element = Annotated[str, one_of(*_TYPES)]


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table")


def _tokens(text: str) -> Iterator[Any]:
    for token in _parser().parse(text):
        yield token
        yield from token.children or ()


@counted("markdown", "Markdown element", source="CommonMark 0.31")
def markdown(text: str, *, element: Element) -> int:
    """The number of elements of one type, nested ones included, as CommonMark reads the text."""
    return sum(token.type == _TYPES[element] for token in _tokens(text))
