"""Errors that a user can act on: each says what was wrong, where, and what to do."""

from __future__ import annotations

import errno
from collections.abc import Callable


class EvalkitError(Exception):
    """A problem that the user can mend; printed without a traceback by the command line."""

    def __init__(self, problem: str, *, todo: str | None = None) -> None:
        self.problem = problem
        self.todo = todo
        super().__init__(self._text())

    def rewrite(self, change: Callable[[str], str]) -> None:
        """Apply ``change`` to the words of this error, for example to take secrets out."""
        self.problem = change(self.problem)
        self.todo = None if self.todo is None else change(self.todo)
        self.args = (self._text(),)

    def _text(self) -> str:
        return self.problem if self.todo is None else f"{self.problem}\n  What to do: {self.todo}"


class ConfigError(EvalkitError):
    """A configuration key has a wrong value, or keys contradict each other."""


class WeightsError(EvalkitError):
    """Model weights could not be obtained, or are not what the configuration says."""


class StoreError(EvalkitError):
    """An artifact could not be written or read."""


def is_disk_problem(error: BaseException) -> bool:
    """Whether an error says that the disk is full or read-only; faiss and safetensors tell it in
    words alone.
    """
    codes = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
    if isinstance(error, OSError) and error.errno in codes:
        return True
    return any(words in str(error) for words in ("No space left", "Read-only file system"))
