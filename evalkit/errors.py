"""Errors that a user can act on: each says what was wrong, where, and what to do."""

from __future__ import annotations


class EvalkitError(Exception):
    """A problem that the user can mend; printed without a traceback by the command line."""

    def __init__(self, problem: str, *, todo: str | None = None) -> None:
        self.problem = problem
        self.todo = todo
        super().__init__(problem if todo is None else f"{problem}\n  What to do: {todo}")


class ConfigError(EvalkitError):
    """A configuration key has a wrong value, or keys contradict each other."""


class WeightsError(EvalkitError):
    """Model weights could not be obtained, or are not what the configuration says."""


class StoreError(EvalkitError):
    """An artifact could not be written or read."""
