"""One job of a sweep, in whichever process the launcher gives it."""

from __future__ import annotations

import logging
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.errors import EvalkitError
from evalkit.progress import Progress
from evalkit.quiet import no_warnings
from evalkit.secrets import Redactor
from evalkit.sweeps.launchers import one_by_one
from evalkit.sweeps.planning import is_finished
from evalkit.sweeps.record import JobRecord, SweepFolder

if TYPE_CHECKING:
    from omegaconf import DictConfig

log = logging.getLogger(__name__)


def perform(config: DictConfig) -> float | None:
    """Run the job that Hydra has just composed, and write down how it went.

    Whatever goes wrong is in the job's record and is not raised, so that no launcher takes it for a
    reason to stop the others. A job that another process runs is waited for, and not run again.

    Returns:
        The value of the configured objective; None without one, and for a job that failed.
    """
    from hydra.core.hydra_config import HydraConfig

    no_warnings()  # which a launcher's processes have not been told
    hydra = HydraConfig.get()
    folder, job = SweepFolder(Path(hydra.sweep.dir)), str(hydra.sweep.subdir)
    with folder.turn(job):
        record = folder.record(job)
        if is_finished(folder, record):
            return record.objective
        record = replace(record, status="running", attempts=record.attempts + 1)
        folder.write(record)
        folder.log_of(job).unlink(missing_ok=True)
        alone = one_by_one(str(hydra.launcher.get("_target_", "")))
        record = _run(config, folder, record, alone=alone)
        folder.write(record)
    return record.objective


def _run(config: DictConfig, folder: SweepFolder, record: JobRecord, *, alone: bool) -> JobRecord:
    """The record of the job when it has ended.

    Args:
        alone: Whether no other job runs at the same time, so that it says itself how it goes on; the
            parent does for jobs that run at once.
    """
    if alone:
        print(record.heading, flush=True)
    progress = Progress(shown=None if alone else False, kept=False)
    started = time.perf_counter()
    try:
        place, objective = _finished(config, folder, record, progress)
    except Exception as error:
        ended = replace(record, status="failed", reason=_reason(error, config, folder, record.id))
        said = f"failed: {str(ended.reason).splitlines()[0]}"
    except BaseException:
        # Stopped by hand, or by the launcher: its process ends with it.
        folder.write(replace(record, status="failed", reason="it was stopped"))
        raise
    else:
        ended = replace(record, status="finished", reason=None, run_dir=str(place))
        ended = replace(ended, objective=objective)
        said = f"finished in {time.perf_counter() - started:.0f} s"
    if alone:
        print(f"  {said}", flush=True)
    return replace(ended, seconds=round(time.perf_counter() - started, 3))


def _finished(
    config: DictConfig, folder: SweepFolder, record: JobRecord, progress: Progress
) -> tuple[Path, float | None]:
    """The run's folder, relative to the sweep's where it lies in there, and its objective."""
    from omegaconf import open_dict

    from evalkit.api import open_run
    from evalkit.configuration.compose import resolved
    from evalkit.configuration.objective import read_objective
    from evalkit.runner import run

    if config.get("run_dir") is None:
        own = folder.path / record.id
        (own / "results.json").unlink(missing_ok=True)  # of a process that ended just after it
        with open_dict(config):
            config.run_dir = str(own)
    at = run(config, progress)
    objective = read_objective(resolved(config), list(config.pipelines))
    value = objective.value(open_run(at).results) if objective else None
    if objective and value is None:
        log.warning("job %s: no value of %s in %s", record.id, objective.metric, objective.pipeline)
    whole = at.resolve()
    inside = whole.is_relative_to(folder.path.resolve())
    return whole.relative_to(folder.path.resolve()) if inside else whole, value


def _reason(error: Exception, config: DictConfig, folder: SweepFolder, job: str) -> str:
    """What went wrong, without secrets; of what is not the user's to mend there is a log."""
    redactor = Redactor.collect(config)
    if isinstance(error, EvalkitError):
        return redactor.redact(str(error))
    text = redactor.redact("".join(traceback.format_exception(error)))
    folder.log_of(job).write_text(text, encoding="utf-8")
    said = redactor.redact(f"{type(error).__name__}: {error}")
    return f"{said}\n  What to do: see {folder.log_of(job)}"
