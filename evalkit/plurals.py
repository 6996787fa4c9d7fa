"""Counts in sentences."""

from __future__ import annotations


def counted(count: float, noun: str, plural: str = "") -> str:
    """A count with its noun: ``1 question``, ``2,000 questions``.

    Args:
        count: At least 0; a fraction where each of several repeats counts in part.
        noun: In the singular.
        plural: Where it is not the noun with an s, such as ``hypotheses``.
    """
    return f"{count:,.10g} {noun if count == 1 else plural or noun + 's'}"
