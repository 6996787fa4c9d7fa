"""Give jobs to a launcher and see each of them to its end, whatever happens to the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.sweeps.launchers import one_by_one
from evalkit.sweeps.planning import Planned
from evalkit.sweeps.record import SweepFolder
from evalkit.sweeps.watching import watched

_MOST_ATTEMPTS = 2
_DIED = "its process ended before the job did, {} (was it killed, or out of memory?)"


@dataclass(frozen=True)
class Dispatch:
    """Runs jobs with one of Hydra's launchers.

    Launchers stop at the first process that dies, and some kill or forget the other jobs then. So
    what is left is launched again; a job whose own process ended is tried once more by itself.
    """

    folder: SweepFolder
    launcher: Any
    hide: Callable[[str], str]
    """Takes secrets out of what a launcher says."""

    def run(self, jobs: Sequence[Planned]) -> None:
        """Return when every job has ended, well or not.

        Raises:
            EvalkitError: The launcher began none of the jobs.
        """
        left, alone = list(jobs), list[Planned]()
        while left:
            self._launch(left)
            left = self._not_ended(left)
            begun = [job for job in left if self._attempts(job)]
            alone += begun
            left = [job for job in left if job not in begun]
        for job in alone:
            while self._not_ended([job]):
                attempts = self._attempts(job)
                if attempts >= _MOST_ATTEMPTS:
                    self._give_up(job, attempts)
                else:
                    self._launch([job])

    def _launch(self, jobs: Sequence[Planned]) -> None:
        before = [self.folder.record(job.id) for job in jobs]
        trouble: Exception | None = None
        at_once = not one_by_one(type(self.launcher).__name__)
        with watched(self.folder, [job.id for job in jobs]) if at_once else nullcontext():
            try:
                self.launcher.launch([self._overrides(job) for job in jobs], int(jobs[0].id))
            except Exception as error:  # each launcher has its own
                trouble = error
            for job in jobs:
                # What a launcher has let go of may still run, on a cluster say.
                with self.folder.turn(job.id):
                    pass
        if before == [self.folder.record(job.id) for job in jobs]:
            if isinstance(trouble, EvalkitError):
                raise trouble
            name = type(self.launcher).__name__
            said = (
                self.hide(f"{type(trouble).__name__}: {trouble}")
                if trouble
                else "it gave no reason"
            )
            raise EvalkitError(
                f"{name} began none of {len(jobs)} jobs: {said}",
                todo="`evalkit doctor` says which launchers can work here; then go on with"
                f" `evalkit sweep {self.folder.path} --resume`",
            ) from None

    def _overrides(self, job: Planned) -> list[str]:
        return [
            *job.overrides,
            sweep_dir_override(self.folder.path),  # absolute: a job can start in another folder
            f"hydra.sweep.subdir={_quoted(job.id)}",
        ]

    def _not_ended(self, jobs: Sequence[Planned]) -> list[Planned]:
        return [job for job in jobs if not self.folder.record(job.id).ended]

    def _attempts(self, job: Planned) -> int:
        return self.folder.record(job.id).attempts

    def _give_up(self, job: Planned, attempts: int) -> None:
        record = self.folder.record(job.id)
        reason = _DIED.format("twice" if attempts == 2 else f"{attempts} times")
        self.folder.write(replace(record, status="failed", reason=reason))


def sweep_dir_override(path: Path) -> str:
    """The override that names a sweep's folder, which may have any name."""
    return f"hydra.sweep.dir={_quoted(str(path.resolve()))}"


def _quoted(text: str) -> str:
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(text, Quote.single).with_quotes()
