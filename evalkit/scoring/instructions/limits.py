"""What a check may cost: the texts are a model's, and the patterns are anyone's."""

from __future__ import annotations

MAX_CHARACTERS = 100_000
"""The longest text that is checked; a longer one is undecided."""
MAX_DEPTH = 100
"""How deep JSON, YAML and XML may be nested."""
SECONDS = 1.0
"""How long one regular expression, or one schema, may work on one text."""


class Undecided(Exception):
    """A sound instruction that could not be decided on a text: out of time, or too little text."""
