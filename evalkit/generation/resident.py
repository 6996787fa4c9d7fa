"""One base model in memory for the generators of a run, of which one may merge its adapter into it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from evalkit.shared import Shared


class Resident:
    """A base model that is loaded at first use and kept for whoever comes next."""

    def __init__(self) -> None:
        self._model: Any = None
        self._users = 0

    def use(self, load: Callable[[], Any]) -> Any:
        """The model as it is, until ``release``."""
        if self._model is None:
            self._model = load()
        self._users += 1
        return self._model

    def release(self) -> None:
        """One user less."""
        self._users -= 1

    def take(self, load: Callable[[], Any]) -> Any:
        """A model to be changed: the resident one where nobody uses it, which is then gone from here."""
        if self._users or self._model is None:
            return load()
        model, self._model = self._model, None
        return model

    def drop(self) -> None:
        """Free its memory."""
        self._model = None


_RESIDENTS: Shared[Resident] = Shared(Resident.drop)


def hold(holder: object, key: Hashable) -> tuple[Resident, Callable[[], Any]]:
    """The model under ``key``, shared with other holders; and a function that lets go."""
    return _RESIDENTS.hold(holder, key, Resident)
