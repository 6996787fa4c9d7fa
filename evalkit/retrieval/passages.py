"""What is indexed of a passage."""

from __future__ import annotations

from evalkit.records import Passage


def passage_text(passage: Passage) -> str:
    """Its title and its text."""
    return f"{passage.title}\n{passage.text}"
