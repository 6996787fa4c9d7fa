"""Rows that are stored soon after they came, also where nothing comes after them for long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from evalkit.errors import StoreError

EVERY = 1.0
"""Seconds between commits."""


class Writer:
    """Stores what is added about once a second, from a thread of its own, and at the end.

    A batch's rows come all at once and then none for as long as the next one takes: stored only when
    another row comes, they would be lost with it.

    Args:
        put: Stores values by key; never called twice at a time.
    """

    def __init__(self, put: Callable[[Mapping[str, Any]], None]) -> None:
        self._put = put
        self._pending: dict[str, Any] = {}
        self._changing = threading.Lock()
        self._over = threading.Event()
        self._failed: StoreError | None = None
        self._thread = threading.Thread(target=self._write_on, name="store", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def add(self, key: str, value: Any) -> None:
        """Have a value stored soon.

        Raises:
            StoreError: Earlier ones could not be stored; they are tried once more at the end.
        """
        if self._failed is not None:
            raise self._failed
        with self._changing:
            self._pending[key] = value

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Store what is left.

        Raises:
            StoreError: That cannot be written.
        """
        self._over.set()
        self._thread.join()
        self._write()

    def _write_on(self) -> None:
        while not self._over.wait(EVERY):
            try:
                self._write()
            except StoreError as error:
                self._failed = error
                return

    def _write(self) -> None:
        with self._changing:
            taken, self._pending = self._pending, {}
        if not taken:
            return
        try:
            self._put(taken)
        except BaseException:
            with self._changing:
                self._pending = taken | self._pending
            raise
