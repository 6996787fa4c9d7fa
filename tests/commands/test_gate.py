"""``evalkit gate``: its exit codes are a contract with CI, so an accident is never 0, 1 or 2."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from evalkit.cli import main
from evalkit.commands import gate as command

OPTIONS = ("--id", "question", "--metric", "correct", "--margin", "0.05")


def table(path: Path, n: int, zeros: int) -> str:
    rows = "".join(f"q{i},{int(i >= zeros)}\n" for i in range(n))
    path.write_text(f"question,correct\n{rows}")
    return str(path)


@pytest.fixture
def tables(tmp_path: Path) -> tuple[str, str]:
    """A table with 5 % wrong and one with 50 % wrong, 200 rows each."""
    return table(tmp_path / "good.csv", 200, 10), table(tmp_path / "bad.csv", 200, 100)


def test_exit_codes(tables: tuple[str, str], tmp_path: Path) -> None:
    """0 ship, 1 block, 2 inconclusive, 3 not comparable."""
    good, bad = tables
    assert main(["gate", "--table", bad, good, *OPTIONS]) == 0
    assert main(["gate", "--table", good, bad, *OPTIONS]) == 1
    few = table(tmp_path / "few.csv", 12, 4)
    assert main(["gate", "--table", few, few, *OPTIONS]) == 2
    (tmp_path / "other.csv").write_text("question,correct\nx,1\n")
    assert main(["gate", "--table", few, str(tmp_path / "other.csv"), *OPTIONS]) == 3


def test_the_first_line_says_the_decision_and_why(
    tables: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tables
    main(["gate", "--table", good, bad, *OPTIONS])
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "BLOCK: the one hypothesis is refuted: correct"
    assert max(map(len, said)) <= 100


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nowhere", "nowhere"],
        ["a", "b", "c"],
        ["a", "b", "gate=nope"],
        ["a", "--unknown"],
        ["--table", "a.csv"],
        ["--table", "a.csv", "b.csv"],
        ["--table", "a.csv", "b.csv", *OPTIONS],
        ["--table", "a.csv", "b.csv", "pipelines=rag", *OPTIONS],
        ["--table", "a.csv", "b.csv", *OPTIONS, "--state", "refused"],
        ["--table", "a.csv", "b.csv", *OPTIONS, "--margin", "much"],
        ["a", "b", "--margin", "1"],
    ],
)
def test_whatever_goes_wrong_is_3(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """argparse's own 2 would read as inconclusive, and Python's 1 as block."""
    try:
        code = main(["gate", *arguments])
    except SystemExit as error:
        code = error.code
    assert code == 3
    captured = capsys.readouterr()
    assert captured.out or captured.err


def test_a_fault_of_the_gate_itself_is_3(
    tables: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bug ends in a traceback and 3, not in Python's exit code 1."""

    def broken(options: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(command, "_gated", broken)
    assert main(["gate", "--table", *tables, *OPTIONS]) == 3
    assert "a bug" in capsys.readouterr().err


def test_an_outcome_that_cannot_be_written_is_3(tables: tuple[str, str], tmp_path: Path) -> None:
    good, bad = tables
    assert main(["gate", "--table", bad, good, *OPTIONS, "--json", str(tmp_path)]) == 3


def test_a_reader_that_leaves_does_not_change_the_decision(tables: tuple[str, str]) -> None:
    """``evalkit gate ... | head -1`` keeps its exit code."""
    good, bad = tables
    script = "import sys; from evalkit.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", script, "gate", "--table", good, bad, *OPTIONS],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 1


def test_interrupting_is_no_decision(
    tables: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C is 130, as everywhere."""

    def interrupted(options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_gated", interrupted)
    assert main(["gate", "--table", *tables, *OPTIONS]) == 130


def test_files_are_written_also_when_nothing_could_be_compared(tmp_path: Path) -> None:
    """CI shows what happened: the JSON, the Markdown and the JUnit file say why there is no verdict."""
    out = tmp_path / "new"
    files = {name: out / f"gate.{name}" for name in ("json", "markdown", "junit")}
    options = [part for name, path in files.items() for part in (f"--{name}", str(path))]
    assert main(["gate", "nowhere", *options]) == 3
    assert json.loads(files["json"].read_text())["decision"] == "not comparable"
    assert "nowhere" in files["markdown"].read_text()
    (error,) = ElementTree.fromstring(files["junit"].read_text()).findall(".//error")
    assert "nowhere" in str(error.get("message"))


def test_options_may_stand_anywhere(tables: tuple[str, str], tmp_path: Path) -> None:
    good, bad = tables
    written = tmp_path / "g.json"
    arguments = [*OPTIONS, "confidence=0.9", "--table", bad, good, "--json", str(written), "seed=3"]
    assert main(["gate", *arguments]) == 0
    settings = json.loads(written.read_text())["settings"]
    assert (settings["confidence"], settings["seed"]) == (0.9, 3)


def test_state_gives_a_word_a_value(tmp_path: Path) -> None:
    good = table(tmp_path / "a.csv", 300, 30)
    other = tmp_path / "b.csv"
    other.write_text(Path(good).read_text().replace(",0\n", ",refused\n"))
    assert main(["gate", "--table", good, str(other), *OPTIONS]) == 1
    assert main(["gate", "--table", good, str(other), *OPTIONS, "--state", "refused=0"]) == 0
