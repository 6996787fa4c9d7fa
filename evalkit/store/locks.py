"""Wait for another process, and say so where it takes longer than a moment."""

from __future__ import annotations

import logging

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

MOMENT_S = 2.0


def take(lock: FileLock, what: str) -> None:
    """Take a lock, however long another process holds it.

    Raises:
        OSError: Its file cannot be written.
    """
    try:
        lock.acquire(timeout=MOMENT_S)
    except Timeout:
        log.warning("another process makes %s; waiting for it", what)
        lock.acquire()
