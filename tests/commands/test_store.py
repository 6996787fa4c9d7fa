"""``evalkit store``: what it prints, and that it removes only when told to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import evalkit
from evalkit.cli import main
from evalkit.commands.store import inputs_line
from evalkit.store import Store
from evalkit.store.inventory import items


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with an index, a table of two rows and an unfinished build."""
    root = tmp_path / "store"
    made = Store(root)
    inputs = {"embedder": "minilm", "encoder": {"dimension": 384}}
    made.artifact("index", inputs, lambda folder: (folder / "x").write_bytes(b"x" * 2000) and None)
    rows = made.rows("generations", {"weights": "tiny"})
    rows.put({"a": 1, "b": 2})
    rows.close()
    (root / "index" / ".building-old").mkdir()
    return root


def printed(capsys: pytest.CaptureFixture[str], *given: str) -> str:
    assert main(["store", *given]) == 0
    return capsys.readouterr().out


def test_ls_shows_size_age_and_inputs(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, "ls", "--store", str(store))
    assert "embedder=minilm encoder.dimension=384" in said
    assert "weights=tiny" in said
    assert "2 rows" in said
    assert "built in" in said
    assert "2.2 kB  used" in said
    only = printed(capsys, "ls", "generations", "--store", str(store))
    assert "index" not in only
    assert "there are generations, index" in printed(capsys, "ls", "x", "--store", str(store))


def test_ls_cuts_lines_for_a_terminal_and_for_no_search(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is piped into another command holds everything."""
    Store(store).rows("scores", {"revisions": "x" * 300})
    monkeypatch.setenv("COLUMNS", "60")
    assert "x" * 300 in printed(capsys, "ls", "--store", str(store))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    lines = printed(capsys, "ls", "--store", str(store)).splitlines()
    assert max(len(line) for line in lines if line.startswith(" " * 4)) == 60
    assert any(line.endswith("x…") for line in lines)


def test_ls_marks_what_is_damaged(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    next((store / "index").glob("*/x")).write_bytes(b"")
    assert "DAMAGED: x has 0 bytes of 2000" in printed(capsys, "ls", "--store", str(store))


def test_du_sums_by_kind(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "du", "--store", str(store)).splitlines()
    assert [line.split()[0] for line in lines] == ["generations", "index", "leftovers", "total"]
    assert "1 tables, 2 rows" in lines[0]
    assert "1 artifacts" in lines[1]


def test_gc_says_what_would_go_and_does_it_only_when_told(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("gc", "--older-than", "0", "--store", str(store))
    said = printed(capsys, *given)
    assert said.count("would remove") == 3
    assert "to be freed; --yes does it" in said
    assert len(items(store)) == 2
    done = printed(capsys, *given, "--yes")
    assert done.count("removed ") == 3
    assert "freed" in done
    assert items(store) == []
    assert "nothing to remove" in printed(capsys, *given)


def test_gc_without_a_reason_sweeps_leftovers_alone(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "unfinished build" in printed(capsys, "gc", "--yes", "--store", str(store))
    assert len(items(store)) == 2


@pytest.mark.parametrize("days", ["-1", "nan", "soon"])
def test_days_that_are_none_are_refused(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["store", "gc", f"--older-than={days}"])
    assert "--older-than" in capsys.readouterr().err


def test_what_is_wrong_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No store, and a folder without runs: exit code 2, and what to do."""
    assert main(["store", "du", "--store", str(tmp_path / "none")]) == 2
    assert "there is no store" in capsys.readouterr().err
    Store(tmp_path / "store")
    arguments = ["store", "gc", "--runs", str(tmp_path), "--store", str(tmp_path / "store")]
    assert main(arguments) == 2
    assert "everything would go" in capsys.readouterr().err


def test_inputs_fit_on_a_line() -> None:
    assert inputs_line({"a": 1, "b": {"c": None, "d": [1, 2]}}) == "a=1 b.d=[1, 2]"
    assert inputs_line(None) == "(its manifest cannot be read)"
    assert inputs_line({"long": "x" * 200}, width=20) == "long=xxxxxxxxxxxxxx…"


def test_a_run_names_all_that_it_is_made_of(
    tiny_overrides: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that nothing of it goes as long as its folder is there, and everything goes afterwards."""
    root, folder = tmp_path / "store", tmp_path / "runs" / "a"
    evalkit.run(
        *tiny_overrides,
        "pipeline=[prompt_only,rag]",
        "limit=2",
        f"store={root}",
        f"run_dir={folder}",
    )
    named = json.loads((folder / "manifest.json").read_text())["artifacts"]
    assert {item.name for item in items(root)} == set(named)
    assert {name.split("/")[0] for name in named} >= {"generations"}
    given = ("gc", "--runs", str(tmp_path / "runs"), "--store", str(root))
    assert "nothing to remove" in printed(capsys, *given)
    (folder / "manifest.json").write_text('{"artifacts": []}')
    assert printed(capsys, *given, "--yes").count("removed ") == len(named)
