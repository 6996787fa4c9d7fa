"""What running processes use of a store, written down where whoever cleans up sees it."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from evalkit.shared import Shared

SESSIONS = ".sessions"


class Session:
    """One process's list of ``kind/key``, valid while its lock is held: until the process ends,
    however it ends. In a store that cannot be written there is no list, and nothing to protect.
    """

    def __init__(self, root: Path) -> None:
        self.used: set[str] = set()
        self._lock: FileLock | None = None
        self._list = Path()
        path = root / SESSIONS / f"{os.getpid()}-{uuid.uuid4().hex[:8]}.lock"
        lock = FileLock(path, thread_local=False)
        try:
            path.parent.mkdir(exist_ok=True)
            lock.acquire()
        except OSError:
            return
        self._lock, self._list = lock, path.with_suffix(".used")

    def use(self, name: str) -> None:
        """Note ``kind/key``; on the disk when this returns."""
        if name in self.used:
            return
        self.used.add(name)
        if self._lock is not None:
            # A list that a full disk cuts short protects less; the run itself will say so.
            with suppress(OSError), self._list.open("a", encoding="utf-8") as handle:
                handle.write(name + "\n")

    def end(self) -> None:
        """Give the list up."""
        if self._lock is not None:
            _end(self._lock, self._list)


_SESSIONS: Shared[Session] = Shared(Session.end)


def session_of(holder: object, root: Path) -> Session:
    """The session of this process in a store, for as long as there is a ``holder``."""
    return _SESSIONS.hold(holder, str(root.resolve()), lambda: Session(root))[0]


def in_use(root: Path) -> set[str]:
    """Every ``kind/key`` that a running process uses; the lists of ended ones are removed."""
    found: set[str] = set()
    for path in (root / SESSIONS).glob("*.lock"):
        if is_ended(path):
            continue
        with suppress(OSError):
            found.update(path.with_suffix(".used").read_text(encoding="utf-8").split())
    return found


def is_ended(path: Path) -> bool:
    """Whether the session of a lock file is over; then its files are removed."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return False
    _end(lock, path.with_suffix(".used"))
    return True


def _end(lock: FileLock, used: Path) -> None:
    with suppress(OSError):
        used.unlink(missing_ok=True)
        used.with_suffix(".lock").unlink(missing_ok=True)
    with suppress(OSError):
        lock.release()
