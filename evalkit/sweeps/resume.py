"""Go on with a sweep: the same command in the same folder, where finished jobs are not run again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from evalkit.errors import ConfigError
from evalkit.secrets import REDACTED
from evalkit.sweeps.dispatch import sweep_dir_override
from evalkit.sweeps.record import Head, open_sweep

_GROUPS = ("hydra/launcher", "hydra/sweeper")


def resume(path: Path, overrides: Sequence[str], sweep: Callable[[Sequence[str]], int]) -> int:
    """Run the jobs of a sweep that have not finished.

    Args:
        overrides: In place of those that began the sweep, by key: its secrets, which are not
            written down, or another launcher. What changes the jobs makes other jobs.
        sweep: Runs a sweep with the arguments of ``evalkit run -m``.

    Returns:
        What ``sweep`` returns.

    Raises:
        EvalkitError: The folder is no sweep's, or a secret has to be given again.
    """
    path = path.resolve()
    head = open_sweep(path).head()
    if not head.command:
        raise ConfigError(
            f"{path} does not say how the sweep was begun",
            todo="run its command again, with " + sweep_dir_override(path),
        )
    arguments = _merged(head, overrides)
    flags = ["--config-dir", head.config_dir] if head.config_dir else []
    with _within(Path(head.folder)):
        return sweep([*flags, *arguments, sweep_dir_override(path)])


def _merged(head: Head, overrides: Sequence[str]) -> list[str]:
    given = {_key(override): override for override in overrides}
    stale = [group for group in _GROUPS if group in given]
    kept = [
        override
        for override in head.command
        if _key(override) not in given
        and not any(override.startswith(f"{group.replace('/', '.')}.") for group in stale)
    ]
    if lost := [_key(override) for override in kept if REDACTED in override]:
        raise ConfigError(
            f"the secrets of this sweep are not written down: {', '.join(lost)}",
            todo=f"give them again: evalkit sweep DIR --resume {lost[0]}=VALUE",
        )
    return [*kept, *given.values()]


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


@contextmanager
def _within(folder: Path) -> Iterator[None]:
    """In the folder where the sweep was begun, as long as there is one."""
    before = Path.cwd()
    if folder.is_dir():
        os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
