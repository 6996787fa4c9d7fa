"""What is lost of a sweep's folder comes back from what is left, and nothing is run for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from sweeping import OBJECTIVE, Invented, document, records, statuses, sweep

from evalkit import cli
from evalkit.errors import EvalkitError
from evalkit.sweeps.record import JobRecord, SweepFolder, settled
from evalkit.sweeps.status import choose_baseline

BOTH = {"retriever.k=1": "finished", "retriever.k=2": "finished"}


@pytest.fixture
def finished(invented: Invented) -> Invented:
    """A sweep of two jobs with a baseline, an objective and a launcher, all finished."""
    assert sweep("retriever.k=1,2", OBJECTIVE, "hydra/launcher=basic") == 0
    choose_baseline(Path("sweep"), "1")
    invented.ran = []
    return invented


def _lose(*names: str) -> None:
    for name in names:
        path = Path("sweep") / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    ("lost", "look"),
    [("jobs", []), ("jobs", ["--resume"]), ("jobs/0.json", []), ("jobs/head.json", ["--resume"]),
     ("sweep.json", []), ("sweep.json", ["--resume"])],
)  # fmt: skip
def test_what_is_lost_is_made_again(lost: str, look: list[str], finished: Invented) -> None:
    """jobs/ from sweep.json, and sweep.json from jobs/: objective, baseline and all."""
    before = document()
    _lose(lost)
    assert cli.main(["sweep", "sweep", *look]) == 0
    assert document() == before
    assert finished.ran == []
    assert statuses() == BOTH


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schema": 1, "jobs": [{}]}'])
def test_a_damaged_document_is_made_again(
    damage: str, finished: Invented, caplog: pytest.LogCaptureFixture
) -> None:
    """And said, since somebody may have written into it."""
    before = document()
    Path("sweep/sweep.json").write_text(damage)
    assert cli.main(["sweep", "sweep"]) == 0
    assert document() == before
    assert "it is made again from jobs/" in caplog.text
    assert cli.main(["sweep", "sweep", "--resume"]) == 0
    assert finished.ran == []


def test_a_failed_job_stays_failed_when_its_record_is_lost(
    invented: Invented, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its reason; --resume tries it again, and it alone."""
    invented.broken = {2: EvalkitError("no such thing")}
    assert sweep("retriever.k=1,2") == 1
    _lose("jobs")
    assert cli.main(["sweep", "sweep"]) == 1
    assert "job 1 failed: no such thing" in capsys.readouterr().out
    invented.broken, invented.ran = {}, []
    assert cli.main(["sweep", "sweep", "--resume"]) == 0
    assert invented.ran == [2]


def test_the_same_command_knows_what_jobs_has_lost(finished: Invented) -> None:
    """More values in the folder run only what is new, also where jobs/ is gone."""
    _lose("jobs")
    assert sweep("retriever.k=1,2,3", OBJECTIVE) == 0
    assert finished.ran == [3]
    assert sorted(records()) == ["0", "1", "2"]


def test_without_either_head_the_command_is_asked_for(
    finished: Invented, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can know how the sweep was begun; its own command goes on with it."""
    _lose("sweep.json", "jobs/head.json")
    assert cli.main(["sweep", "sweep"]) == 0
    assert cli.main(["sweep", "sweep", "--resume"]) == 2
    assert "run its command again, with hydra.sweep.dir=" in capsys.readouterr().err
    assert sweep("retriever.k=1,2") == 0
    assert finished.ran == []


def test_looking_leaves_a_sweep_alone_that_somebody_runs(finished: Invented) -> None:
    """Its parent writes down what became of its jobs, and may try them again."""
    folder = SweepFolder(Path("sweep"))
    dead = JobRecord("1", {}, "key", status="running")
    with folder.whole():
        folder.write(dead)
        assert cli.main(["sweep", "sweep"]) == 1
        assert folder.record("1") == dead
    assert cli.main(["sweep", "sweep"]) == 1
    assert folder.record("1").reason == "its process ended before the job did"


def test_a_job_that_ends_while_somebody_looks_has_ended(finished: Invented) -> None:
    """What was read before is not written over what it has said since."""
    folder = SweepFolder(Path("sweep"))
    read_before = JobRecord("1", {}, "key", status="running")
    assert settled(folder, read_before) == folder.record("1")
    assert folder.record("1").status == "finished"


def test_another_version_is_refused(finished: Invented, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything in the folder is touched."""
    Path("sweep/sweep.json").write_text(json.dumps({"schema": 7}))
    assert sweep("retriever.k=1,2") == 2
    assert "schema 7, expected 1" in capsys.readouterr().err
    assert document() == {"schema": 7}
