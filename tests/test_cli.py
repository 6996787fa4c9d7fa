"""The command line: fast to answer, exact in its exit codes, and plain in its errors."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import evalkit
from evalkit import cli
from evalkit.errors import EvalkitError

HEAVY = (
    "torch",
    "pandas",
    "hydra",
    "mlflow",
    "ragas",
    "transformers",
    "numpy",
    "matplotlib",
    "datasets",
)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["log", "-h"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    """An answer at once, since no package is imported before a command needs it."""
    script = (
        "import sys\nfrom evalkit.cli import main\n"
        "try:\n    code = main(sys.argv[1:])\nexcept SystemExit as error:\n    code = error.code\n"
        f"print('LOADED', [m for m in {HEAVY!r} if m in sys.modules], code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout.splitlines()[-1] in ("LOADED [] 0", "LOADED [] None")


def test_help_warns_of_secrets_in_the_printed_configuration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["run", "--help"])
    (line,) = [x for x in capsys.readouterr().out.splitlines() if "--cfg job" in x]
    assert line.endswith("secrets included")


def test_without_a_command_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    said = capsys.readouterr().out
    for command in ("run", "check", "report", "log", "doctor"):
        assert f"\n    {command} " in said


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert (caught.value.code, capsys.readouterr().out) == (0, f"evalkit {evalkit.__version__}\n")


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["check"], ["report"], ["log", "x", "--nope"], ["doctor", "x"]]
)
def test_wrong_arguments_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 with a usage line, as every Unix tool does."""
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: evalkit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nonsense=1"], "Could not override 'nonsense'"),
        (
            ["experiment=quintet"],
            "Could not find 'experiments/quintet'. Options of experiments: conflict, endoflife, ladder,",
        ),
        (["-m", "nonsense=1,2"], "nonsense"),
        (
            ["--cfg", "job", "model=gpt9"],
            "Could not find 'model/gpt9'. Options of model: hub, openai, path, smollm2_135m, vllm.",
        ),
        (
            ["model/engine=openai"],
            "Could not find 'model/engine/openai'. Options of model/engine: transformers, vllm.",
        ),
        (["--cfg", "job", "nonsense=1"], "Could not override 'nonsense'"),
        (["limit=0"], "limit is 0"),
    ],
)
def test_a_wrong_override_is_one_plain_error(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2, what was wrong and what to do; no traceback, with Hydra's flags or without."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", *arguments]) == 2
    out, err = capfd.readouterr()
    assert err.startswith("evalkit: ")
    assert named in err
    assert "Traceback" not in err
    assert "HYDRA_FULL_ERROR" not in err
    # A sweep says what it is about to run; nothing else is on standard output.
    assert out == "" or ("-m" in arguments and out.count("\n") == 1)
    assert not list(tmp_path.rglob("results.json"))


def test_the_composed_configuration_can_be_printed(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "experiment=quartet", "--cfg", "job"]) == 0
    printed = capfd.readouterr().out
    assert "\nlimit: 120\n" in printed
    assert "pipelines:\n  prompt_only:" in printed


def test_a_bug_is_not_taken_for_a_users_error(
    tiny_overrides: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is not ours to explain comes out with its traceback, also from under Hydra's flags."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("evalkit.runner.refuse_early", broken)
    for flags in ([], ["--config-dir", str(tmp_path)]):
        with pytest.raises(ZeroDivisionError, match="a bug"):
            cli.main(["run", *flags, *tiny_overrides])


def test_a_command_line_leaves_the_process_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    """Hydra's flags need ``sys.argv`` and a variable; both are put back."""
    import os

    before = (list(sys.argv), os.environ.get("HYDRA_FULL_ERROR"))
    cli.main(["run", "--cfg", "job"])
    cli.main(["run", "--cfg", "job", "nonsense=1"])
    assert (sys.argv, os.environ.get("HYDRA_FULL_ERROR")) == before


def test_interrupting_is_said_and_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("evalkit.configuration.compose.compose", interrupt)
    assert cli.main(["run"]) == 130
    assert "stopped. Finished work is kept" in capsys.readouterr().err


def test_an_error_of_ours_is_printed_with_its_advice(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise EvalkitError("the disk is full", todo="free some")

    assert cli._guarded(fail) == 2
    assert capsys.readouterr().err == "evalkit: the disk is full\n  What to do: free some\n"


# --- check -------------------------------------------------------------------------------------


def test_check_says_what_is_there(
    shared_benchmark: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", str(shared_benchmark)]) == 0
    said = capsys.readouterr().out
    assert f"{shared_benchmark}: no problems" in said
    assert "2 documents in 3 revisions" in said
    assert "6 questions: 2 changed, 2 unchanged, 1 unanswerable, 1 control" in said
    assert "8 training examples" in said


def test_check_lists_every_problem_by_file_line_and_field(
    tiny_benchmark: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two broken lines are two problems, with exit code 1; a run of it stops with exit code 2."""
    questions = tiny_benchmark / "questions.jsonl"
    lines = questions.read_text().splitlines()
    broken = json.loads(lines[2])
    broken["answers"][0]["evidence"][0]["revision"] = "Z@2025-01-01"
    lines[0], lines[2] = "{not json", json.dumps(broken)
    questions.write_text("\n".join(lines) + "\n")
    assert cli.main(["check", str(tiny_benchmark)]) == 1
    said = capsys.readouterr().out
    assert "questions.jsonl:1" in said
    assert "questions.jsonl:3" in said
    assert "Z@2025-01-01" in said
    assert cli.main(["run", "benchmark=jsonl", f"benchmark.path={tiny_benchmark}"]) == 2
    assert "questions.jsonl:1" in capsys.readouterr().err


def test_check_lists_the_faults_of_the_format(
    tiny_benchmark: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An instruction that no run could check is found before one."""
    path = tiny_benchmark / "benchmark.json"
    options = json.loads(path.read_text())
    options["format"]["instructions"].append({"kind": "in_verse"})
    path.write_text(json.dumps(options))
    assert cli.main(["check", str(tiny_benchmark)]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("benchmark.json format: instructions[2]: ")
    assert "in_verse" in line


def test_check_of_a_folder_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", str(tmp_path / "none")]) == 1
    assert "none" in capsys.readouterr().out


# --- run, report, log --------------------------------------------------------------------------


def test_a_run_prints_its_scorecard_and_where_the_report_is(
    quartet: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """On standard output; standard error stays empty without a terminal."""
    folder = tmp_path / "run"
    assert cli.main(["run", *quartet.overrides, f"run_dir={folder}"]) == 0
    out, err = capfd.readouterr()
    for words in ("prompt_only", "hybrid", "context recall", "24 answers in"):
        assert words in out
    assert str(folder / "report.html") in out.replace("\n", "")
    assert err == ""


def test_report_writes_the_same_report_again(
    quartet: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Byte for byte, from results.json and questions.json alone; nothing else is touched."""
    folder = tmp_path / "copy"
    shutil.copytree(quartet.result.folder, folder)
    written = {f.relative_to(folder): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    for name in ("report.html", "scorecard.md"):
        (folder / name).unlink()
    shutil.rmtree(folder / "figures")
    assert cli.main(["report", str(folder)]) == 0
    again = {f.relative_to(folder): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    assert set(again) == set(written)
    different = [str(name) for name in written if again[name] != written[name]]
    assert different == []
    assert "24 answers in" in capfd.readouterr().out


@pytest.mark.parametrize("command", ["report", "log"])
def test_a_folder_that_holds_no_run_is_refused(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, str(tmp_path)]) == 2
    assert "holds no finished run" in capsys.readouterr().err


def test_log_sends_a_run_later(
    quartet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Once: the second time there is nothing to send."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "copy"
    shutil.copytree(quartet.result.folder, folder)
    uri = f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}"
    arguments = ["log", str(folder), "--uri", uri, "--experiment", "later"]
    assert cli.main(arguments) == 0
    assert capfd.readouterr().out.startswith(f"logged: {uri}, experiment later")
    assert cli.main(arguments) == 0
    assert capfd.readouterr().out.startswith("unchanged: ")


def test_log_of_a_run_just_logged_sends_nothing(
    quartet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The run has written its timings anew since, and nothing else."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder, uri = tmp_path / "run", f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}"
    overrides = [*quartet.overrides, "pipeline=[prompt_only]", "tracking=mlflow"]
    evalkit.run(*overrides, f"tracking.uri={uri}", f"run_dir={folder}")
    assert "log" in [t["stage"] for t in evalkit.open_run(folder).results["timings"]]
    assert cli.main(["log", str(folder), "--uri", uri]) == 0
    assert capfd.readouterr().out.startswith("unchanged: ")


def test_log_to_a_server_that_is_not_there(
    quartet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "copy"
    shutil.copytree(quartet.result.folder, folder)
    assert cli.main(["log", str(folder), "--uri", "http://127.0.0.1:9"]) == 2
    assert "127.0.0.1:9" in capfd.readouterr().err


def test_a_reader_that_has_gone_is_no_error(shared_benchmark: Path, tmp_path: Path) -> None:
    """``evalkit check DIR | head`` ends quietly with 0."""
    script = f"{sys.executable} -m evalkit.cli check {shared_benchmark} 2>err.txt | sleep 0; echo ${{PIPESTATUS[0]}}"
    home = Path(evalkit.__file__).parent.parent
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env={"PYTHONPATH": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "0"
    assert (tmp_path / "err.txt").read_text() == ""
