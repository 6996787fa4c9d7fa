"""Regular expressions, with a time limit."""

from __future__ import annotations

from typing import Annotated

import regex as library

from evalkit.scoring.instructions import limits
from evalkit.scoring.instructions.parameters import Pattern, one_of
from evalkit.scoring.instructions.registry import instruction


@instruction("regex")
def regex(
    text: str, *, pattern: Pattern, match: Annotated[str, one_of("full", "search")] = "full"
) -> str:
    """The pattern matches the whole text (`full`) or a part of it (`search`)."""
    function = library.fullmatch if match == "full" else library.search
    found = function(pattern, text, timeout=limits.SECONDS)
    return "" if found else f"does not match {pattern!r}"
