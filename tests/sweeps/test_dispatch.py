"""Launchers that die, forget jobs or never begin: every job is seen to its end all the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError, EvalkitError
from evalkit.sweeps.dispatch import Dispatch
from evalkit.sweeps.planning import Planned
from evalkit.sweeps.record import JobRecord, SweepFolder, settled


class Launcher:
    """Runs jobs by ``act(number)``; what that raises ends the launch, as in Hydra's launchers.

    Attributes:
        launches: The jobs of each launch.
    """

    def __init__(self, folder: SweepFolder, act: Callable[[str], str]) -> None:
        self.folder, self.act = folder, act
        self.launches: list[list[str]] = []

    def launch(self, overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[Any]:
        jobs = [given[-1].partition("=")[2].strip("'") for given in overrides]
        self.launches.append(jobs)
        for job in jobs:
            record = self.folder.record(job)
            self.folder.write(replace(record, status="running", attempts=record.attempts + 1))
            self.folder.write(replace(self.folder.record(job), status=self.act(job)))
        return []


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    (tmp_path / "a'b" / "jobs").mkdir(parents=True)
    return SweepFolder(tmp_path / "a'b")


def planned(folder: SweepFolder, count: int) -> list[Planned]:
    jobs = [Planned(JobRecord(str(i), {}, f"key{i}"), (f"k={i}",)) for i in range(count)]
    for job in jobs:
        folder.write(job.record)
    return jobs


def ended(folder: SweepFolder) -> list[str]:
    return [record.status for record in folder.records()]


def test_a_process_that_dies_once_is_tried_again_by_itself(folder: SweepFolder) -> None:
    """And what the launcher had not begun when it broke is launched again."""
    deaths = ["1"]

    def act(job: str) -> str:
        if job in deaths:
            deaths.remove(job)
            raise RuntimeError("a worker process was killed")
        return "finished"

    launcher = Launcher(folder, act)
    Dispatch(folder, launcher, str).run(planned(folder, 4))
    assert launcher.launches == [["0", "1", "2", "3"], ["2", "3"], ["1"]]
    assert ended(folder) == ["finished"] * 4


def test_the_end_of_each_job_is_said(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever it ran: what a launcher's processes print stays on their machines."""

    jobs = planned(folder, 2)
    reason = "no such thing\n  What to do: get one"
    folder.write(replace(jobs[0].record, label="k=1", seconds=4.2))
    folder.write(replace(jobs[1].record, reason=reason))
    Dispatch(folder, Launcher(folder, lambda job: "failed" if job == "1" else "finished"), str).run(
        jobs
    )
    said = capsys.readouterr().out.splitlines()
    assert sorted(said) == ["job 0 · k=1: finished in 4 s", "job 1: failed: no such thing"]


def test_a_process_that_always_dies_fails_alone(folder: SweepFolder) -> None:
    """The others finish, and the reason says what to suspect."""

    def act(job: str) -> str:
        if job == "0":
            raise RuntimeError("killed")
        return "finished"

    Dispatch(folder, Launcher(folder, act), str).run(planned(folder, 3))
    assert ended(folder) == ["failed", "finished", "finished"]
    assert "died" not in str(folder.record("0").reason)
    assert "its process ended before the job did, twice" in str(folder.record("0").reason)
    assert folder.record("0").attempts == 2


def test_a_failed_job_is_not_launched_again(folder: SweepFolder) -> None:
    """Only processes that end without a word are suspected of bad luck."""
    launcher = Launcher(folder, lambda job: "failed" if job == "1" else "finished")
    Dispatch(folder, launcher, str).run(planned(folder, 3))
    assert launcher.launches == [["0", "1", "2"]]


def test_a_launcher_that_begins_nothing_is_an_error(folder: SweepFolder) -> None:
    """It would begin nothing the next time either; what it said is told without secrets."""

    class Broken:
        def launch(self, *_: Any) -> None:
            raise RuntimeError("no cluster for user s3cret")

    jobs = planned(folder, 2)
    with pytest.raises(EvalkitError, match="Broken began none of 2 jobs: RuntimeError: no cluster"):
        Dispatch(folder, Broken(), lambda text: text).run(jobs)
    with pytest.raises(EvalkitError, match="for user <hidden>"):
        Dispatch(folder, Broken(), lambda text: text.replace("s3cret", "<hidden>")).run(jobs)


def test_a_launchers_own_words_are_kept(folder: SweepFolder) -> None:
    class Refusing:
        def launch(self, *_: Any) -> None:
            raise ConfigError("num_cpus is too much", todo="lower it")

    with pytest.raises(ConfigError, match="num_cpus is too much"):
        Dispatch(folder, Refusing(), str).run(planned(folder, 1))


def test_a_folder_may_have_any_name(folder: SweepFolder) -> None:
    """Quotes in its path survive Hydra's grammar, and the path is whole wherever a job starts."""
    from evalkit.sweeps.planning import parse

    given: list[list[str]] = []

    class Noting(Launcher):
        def launch(self, overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[Any]:
            given.extend(list(o) for o in overrides)
            return super().launch(overrides, initial_job_idx)

    Dispatch(folder, Noting(folder, lambda _: "finished"), str).run(planned(folder, 1))
    values = {o.get_key_element(): o.value() for o in parse(given[0])}
    assert values == {
        "k": 0, "hydra.sweep.dir": str(folder.path.resolve()), "hydra.sweep.subdir": "0",
    }  # fmt: skip


def test_a_job_that_somebody_runs_is_running(folder: SweepFolder) -> None:
    """One whose process is gone without a word has failed, whatever its record says."""
    folder.write(JobRecord("0", {}, "k", status="running"))
    with folder.turn("0"):
        assert settled(folder, folder.record("0")).status == "running"
    gone = settled(folder, folder.record("0"))
    assert (gone.status, gone.reason) == ("failed", "its process ended before the job did")


@pytest.mark.parametrize("damage", ["{", "[]", '{"id": "0"}', '{"nonsense": 1}'])
def test_a_damaged_record_is_named(folder: SweepFolder, damage: str) -> None:
    """With the file and what deleting it costs."""
    (folder.path / "jobs" / "0.json").write_text(damage)
    with pytest.raises(EvalkitError, match=r"jobs/0\.json") as caught:
        folder.records()
    assert "delete it" in str(caught.value.todo)
