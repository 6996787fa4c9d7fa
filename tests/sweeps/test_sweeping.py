"""A sweep from the command line: jobs that fail stop nothing, and what is done stays done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sweeping import OBJECTIVE, Invented, document, records, statuses, sweep

from evalkit import cli
from evalkit.errors import EvalkitError


def test_every_combination_is_a_job(invented: Invented) -> None:
    """sweep.json has each with its overrides as values, the keys that were swept, and the runs."""
    assert sweep("retriever.k=1,3", "prompt.system='be brief, please','tell all'") == 0
    made = document()
    assert made["schema"] == 1
    assert made["swept"] == ["retriever.k", "prompt.system"]
    assert [job["status"] for job in made["jobs"]] == ["finished"] * 4
    assert [(j["overrides"]["retriever.k"], j["overrides"]["prompt.system"]) for j in made["jobs"]] == [
        (1, "be brief, please"), (1, "tell all"), (3, "be brief, please"), (3, "tell all"),
    ]  # fmt: skip
    assert [job["run_dir"] for job in made["jobs"]] == ["0", "1", "2", "3"]
    assert all((Path("sweep") / job["run_dir"] / "results.json").exists() for job in made["jobs"])
    assert len({job["key"] for job in made["jobs"]}) == 4
    assert made["baseline"] is made["objective"] is None


def test_a_job_that_fails_stops_nothing(
    invented: Invented, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others run, a table says which failed and why, and the exit code is 1."""
    invented.broken = {
        1: EvalkitError("no such thing", todo="get one"),
        3: ZeroDivisionError("bug"),
    }
    assert sweep("retriever.k=1,2,3,4") == 1
    assert invented.ran == [1, 2, 3, 4]
    assert statuses() == {
        "retriever.k=1": "failed", "retriever.k=2": "finished",
        "retriever.k=3": "failed", "retriever.k=4": "finished",
    }  # fmt: skip
    said = capsys.readouterr().out
    assert "job 0 failed: no such thing\n  What to do: get one" in said
    assert "job 2 failed: ZeroDivisionError: bug" in said
    assert "2 finished, 2 failed" in said
    assert "evalkit sweep sweep --resume" in said
    assert "ZeroDivisionError: bug" in Path("sweep/jobs/2.log").read_text()
    assert "raise self.broken[k]" in Path("sweep/jobs/2.log").read_text()
    assert not Path("sweep/jobs/0.log").exists()


def test_a_sweep_goes_on_where_it_stopped(invented: Invented) -> None:
    """Finished jobs are not run again; those that failed are, under their numbers."""
    invented.broken = {2: EvalkitError("no")}
    assert sweep("retriever.k=1,2,3") == 1
    before = records()
    invented.broken, invented.ran = {}, []
    assert cli.main(["sweep", "sweep", "--resume"]) == 0
    assert invented.ran == [2]
    after = records()
    assert {i: r.status for i, r in after.items()} == dict.fromkeys("012", "finished")
    assert (after["0"], after["2"]) == (before["0"], before["2"])
    assert (after["1"].run_dir, after["1"].reason) == ("1", None)
    assert cli.main(["sweep", "sweep", "--resume"]) == 0
    assert invented.ran == [2]


def test_finished_jobs_are_known_by_what_they_compute(invented: Invented) -> None:
    """More values in the same folder run only what is new, wherever it stands in the order; the
    tracker and the store make no other job.
    """
    assert sweep("retriever.k=1,3") == 0
    assert sweep("retriever.k=1,2,3", "store=elsewhere", "tracking.enabled=false") == 0
    assert invented.ran == [1, 3, 2]
    assert statuses() == {f"retriever.k={k}": "finished" for k in (1, 2, 3)}
    assert sweep("retriever.k=1,3", "seed=5") == 0
    assert invented.ran == [1, 3, 2, 1, 3]


def test_a_run_that_was_deleted_is_run_again(invented: Invented) -> None:
    """The record alone is no result."""
    assert sweep("retriever.k=1,2") == 0
    Path("sweep/1/results.json").unlink()
    assert cli.main(["sweep", "sweep", "--resume"]) == 0
    assert invented.ran == [1, 2, 2]


def test_jobs_with_the_same_content_run_once(invented: Invented) -> None:
    """The second is named with the job whose run it has."""
    assert sweep("retriever.k=1,2", "+retriever.chunker.size=120,120") == 0
    twins = [r for r in records().values() if r.status == "skipped"]
    assert len(invented.ran) == 2
    assert {(r.run_dir, r.reason) for r in twins} == {
        ("0", "the same as job 0"), ("2", "the same as job 2"),
    }  # fmt: skip


def test_a_value_that_is_missing_fails_its_job_alone(invented: Invented) -> None:
    """A job whose configuration means nothing is listed like one that failed."""
    assert sweep("benchmark=handbook,jsonl") == 1
    assert statuses() == {"benchmark=handbook": "finished", "benchmark=jsonl": "failed"}
    (failed,) = [r for r in records().values() if r.status == "failed"]
    assert "needs a value for benchmark.path" in str(failed.reason)


def test_a_key_that_does_not_exist_runs_nothing(
    invented: Invented, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip in the command itself is one plain error before anything runs."""
    assert sweep("retriever.kk=1,2") == 2
    assert "retriever.kk" in capsys.readouterr().err
    assert invented.ran == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["limit=0", "seed=1,2"], "jobs 0, 1 failed: limit is 0"),
        (
            ["benchmark=jsonl", "benchmark.path=nowhere"],
            "job 0 failed: the benchmark in nowhere cannot be used",
        ),
    ],
)
def test_a_mistake_of_all_jobs_is_told_once(
    arguments: list[str], named: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason stands below the table with the numbers of the jobs; no traceback."""
    assert sweep(*arguments) == 1
    said = capsys.readouterr()
    assert said.out.count(named) == 1
    assert "Traceback" not in said.out + said.err


def test_jobs_are_told_apart_on_the_terminal(
    invented: Invented, capsys: pytest.CaptureFixture[str]
) -> None:
    """A heading with the overrides that differ, before what the job prints."""
    sweep("retriever.k=1,3", "limit=7")
    said = capsys.readouterr().out
    assert "\njob 0 · retriever.k=1\n  finished in 0 s\njob 1 · retriever.k=3\n" in said
    assert "limit=7" not in said


def test_the_objective_is_noted(invented: Invented, capsys: pytest.CaptureFixture[str]) -> None:
    """Also when it is chosen after the jobs ran, which does not make other jobs of them."""
    assert sweep("retriever.k=1,3") == 0
    assert sweep("retriever.k=1,3", OBJECTIVE) == 0
    assert invented.ran == [1, 3]
    assert [job["objective"] for job in document()["jobs"]] == [0.1, 0.3]
    assert document()["objective"] == {
        "metric": "correctness/generation/correct", "pipeline": "rag",
    }  # fmt: skip
    assert "objective" in capsys.readouterr().out


def test_secrets_are_in_no_file(invented: Invented, home: Path) -> None:
    """Neither keys named like secrets nor passwords in addresses; the jobs get them as given."""
    seen: list[Any] = []
    invented.value = lambda config: seen.append((config.model.api_key, config.tracking.uri)) or 0.5
    place = "postgresql://me:hunter2hunter2@db/x"
    assert sweep("retriever.k=1,2", "+model.api_key=sk-0123456789", f"+tracking.uri={place}") == 0
    assert seen == [("sk-0123456789", place)] * 2
    for file in home.rglob("*"):
        if file.is_file():
            text = file.read_bytes()
            assert b"sk-0123456789" not in text, file
            assert b"hunter2hunter2" not in text, file


def test_a_sweep_with_secrets_asks_for_them_when_it_goes_on(
    invented: Invented, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are not written down; another key of the same service makes no other jobs."""
    assert sweep("retriever.k=1,2", "+model.api_key=sk-0123456789") == 0
    assert cli.main(["sweep", "sweep", "--resume"]) == 2
    assert (
        "give them again: evalkit sweep DIR --resume model.api_key=VALUE" in capsys.readouterr().err
    )
    assert cli.main(["sweep", "sweep", "--resume", "+model.api_key=sk-another-one"]) == 0
    assert invented.ran == [1, 2]


def test_the_name_of_a_variable_is_no_secret(
    invented: Invented, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep whose secrets come from the environment goes on without asking for them."""
    monkeypatch.setenv("SERVER_KEY", "sk-0123456789")
    seen: list[str] = []
    invented.value = lambda config: seen.append(config.model.api_key) or 0.5
    assert sweep("retriever.k=1,2", "+model.api_key=${oc.env:SERVER_KEY}") == 0
    Path("sweep/1/results.json").unlink()
    assert cli.main(["sweep", "sweep", "--resume"]) == 0
    assert seen == ["sk-0123456789"] * 3
    assert not [f for f in home.rglob("*") if f.is_file() and b"sk-0123456789" in f.read_bytes()]


def test_a_sweep_goes_on_from_any_folder(
    invented: Invented, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative paths of the first command mean what they meant."""
    invented.broken = {2: EvalkitError("no")}
    (home / "conf" / "prompt").mkdir(parents=True)
    (home / "conf" / "prompt" / "mine.yaml").write_text("defaults: [contract]\nname: mine\n")
    assert sweep("retriever.k=1,2", "prompt=mine") == 1
    invented.broken = {}
    (home / "away").mkdir()
    monkeypatch.chdir(home / "away")
    assert cli.main(["sweep", "../sweep", "--resume"]) == 0
    assert Path.cwd() == home / "away"
    assert statuses("../sweep") == {"retriever.k=1": "finished", "retriever.k=2": "finished"}


def test_ctrl_c_says_how_to_go_on(invented: Invented, capsys: pytest.CaptureFixture[str]) -> None:
    """What was finished is listed, what was not is run by --resume."""
    invented.broken = {2: KeyboardInterrupt()}
    assert sweep("retriever.k=1,2,3") == cli.EXIT_INTERRUPTED
    assert "evalkit sweep sweep --resume" in capsys.readouterr().err
    assert [job["status"] for job in document()["jobs"]] == ["finished", "failed", "waiting"]
    invented.broken = {}
    assert cli.main(["sweep", "sweep", "--resume"]) == 0
    assert invented.ran == [1, 2, 2, 3]


def test_the_folder_of_a_job_is_its_number(
    invented: Invented, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sweep("retriever.k=1,2", "hydra.sweep.subdir=x") == 2
    assert "hydra.sweep.subdir cannot be chosen" in capsys.readouterr().err


def test_one_parent_at_a_time(invented: Invented, capsys: pytest.CaptureFixture[str]) -> None:
    """A second command on the same folder would give out the same jobs."""
    from evalkit.sweeps.record import SweepFolder

    with SweepFolder(Path("sweep")).whole():
        assert sweep("retriever.k=1,2") == 2
    assert "another process runs the sweep" in capsys.readouterr().err
    assert sweep("retriever.k=1,2") == 0


@pytest.mark.parametrize(
    "arguments", [["nowhere"], ["nowhere", "--resume"], ["nowhere", "--report"]]
)
def test_a_folder_that_is_no_sweeps_is_refused(
    arguments: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sweep", *arguments]) == 2
    assert "nowhere is not the folder of a sweep" in capsys.readouterr().err


def test_a_baseline_is_a_job_of_the_sweep(
    invented: Invented, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep("retriever.k=1,2")
    assert cli.main(["sweep", "sweep", "--baseline", "7"]) == 2
    assert "no job '7'" in capsys.readouterr().err
    assert cli.main(["sweep", "sweep", "--baseline", "1/rag"]) == 0
    assert document()["baseline"] == "1/rag"
    assert cli.main(["sweep", "sweep", "--resume"]) == 0
    assert document()["baseline"] == "1/rag"


def test_the_tracker_is_made_once_before_the_jobs(
    invented: Invented, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the parent, however many jobs log there; one out of reach costs nothing."""
    from evalkit.tracking import TrackingError

    made: list[tuple[Any, str, int]] = []

    def ensure(uri: str | None, experiment: str) -> str:
        made.append((uri, experiment, len(invented.ran)))
        raise TrackingError("out of reach")

    monkeypatch.setattr("evalkit.tracking.ensure_experiment", ensure)
    monkeypatch.setattr("evalkit.tracking.sweep.log_sweep", lambda *_, **given: ensure(None, ""))
    assert sweep("tracking=mlflow", "retriever.k=1,2", "tracking.experiment=mine") == 0
    assert made[0] == (None, "mine", 0)
    assert len(made) == 2  # and once at the end
    assert invented.ran == [1, 2]


def test_multirun_yaml_is_written_without_secrets(invented: Invented) -> None:
    """What Hydra's own sweeper writes, with the overrides of the sweep."""
    from omegaconf import OmegaConf

    sweep("retriever.k=1,2", "+model.api_key=sk-0123456789")
    written = OmegaConf.load("sweep/multirun.yaml")
    assert written.hydra.sweep.dir == "sweep"
    assert "retriever.k=1,2" in written.hydra.overrides.task
    assert "+model.api_key=<redacted>" in written.hydra.overrides.task
