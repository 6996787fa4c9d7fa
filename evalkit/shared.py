"""What several objects use together, for as long as one of them is in use."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar
from weakref import finalize

T = TypeVar("T")


class Shared(Generic[T]):
    """Things by key, each made once and dropped when its last holder lets go or is gone.

    The generators of one run are made together: so they count against one spending cap, and answer
    from one resident model. The next run starts anew.

    Args:
        drop: What is to be done with a thing that nobody holds any more.
    """

    def __init__(self, drop: Callable[[T], Any] = lambda _: None) -> None:
        self._drop = drop
        self._held: dict[Hashable, tuple[T, int]] = {}
        self._turn = (
            threading.RLock()
        )  # a holder can be collected, and let go, in the midst of this

    def hold(
        self, holder: object, key: Hashable, make: Callable[[], T]
    ) -> tuple[T, Callable[[], Any]]:
        """What is held under ``key``, or what ``make()`` gives; and a function that lets go."""
        with self._turn:
            thing, holders = self._held.get(key) or (make(), 0)
            self._held[key] = (thing, holders + 1)
        return thing, finalize(holder, self._let_go, key)

    def _let_go(self, key: Hashable) -> None:
        with self._turn:
            thing, holders = self._held.pop(key)
            if holders > 1:
                self._held[key] = (thing, holders - 1)
            else:
                self._drop(thing)
