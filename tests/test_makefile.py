"""The Makefile with a Python and an evalkit that only write down how they were called."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HOME = Path(__file__).parent.parent
PYTHON = """#!/bin/sh
echo "$*" >> calls.txt
case "$*" in
  "-m pip show"*) grep -qx "${*##* }" installed.txt ;;
  "-m pip uninstall"*) : > installed.txt ;;
  "-m pip install"*gpu*) echo faiss-gpu >> installed.txt ;;
  "-m pip install"*) echo faiss-cpu >> installed.txt ;;
esac
"""
EVALKIT = """#!/bin/sh
echo "$*" >> calls.txt
folder=${3#run_dir=}
test ! -e "$folder" || exit 9
mkdir -p "$folder/figures"
for file in scorecard.md results.json traces.parquet figures/effects.svg figures/effects.png; do
  echo "$2" > "$folder/$file"
done
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(HOME / name, tmp_path / name)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, script in {"python": PYTHON, "evalkit": EVALKIT}.items():
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    (tmp_path / "installed.txt").write_text("")
    return tmp_path


def make(project: Path, *arguments: str) -> list[str]:
    """Run make, and return how the programs were called, oldest call first."""
    calls = project / "calls.txt"
    calls.write_text("")
    done = subprocess.run(
        ["make", *arguments], cwd=project, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return calls.read_text().splitlines()


def installed(project: Path) -> list[str]:
    return sorted(set((project / "installed.txt").read_text().split()))


def stamps(project: Path) -> list[str]:
    return sorted(f.name for f in (project / ".venv").glob(".ready-*"))


def test_one_flavour_of_faiss_at_a_time(project: Path) -> None:
    """Changing takes the other one out first, with its stamp; changing back works too."""
    for flavour in ("cpu", "gpu", "cpu"):
        assert any(f".[{flavour}]" in call for call in make(project, "install", f"FAISS={flavour}"))
        assert installed(project) == [f"faiss-{flavour}"]
        assert stamps(project) == [f".ready-{flavour}"]
        assert make(project, "install", f"FAISS={flavour}") == [], "once is enough"


def test_a_first_installation_removes_nothing(project: Path) -> None:
    assert not any("uninstall" in call for call in make(project, "install"))


def test_only_development_brings_its_tools(project: Path) -> None:
    """The demo needs neither them nor the launchers of sweeps."""
    assert not any("dev" in call for call in make(project, "demo"))
    assert any(".[cpu,dev]" in call for call in make(project, ".venv/.dev-cpu"))
    assert make(project, ".venv/.dev-cpu") == [], "once is enough"


def test_reports_are_those_of_fresh_runs(project: Path) -> None:
    """The studies run anew, and what they leave replaces what was there."""
    for stale in ("runs/report-quartet/results.json", "reports/quartet/gone.svg"):
        (project / stale).parent.mkdir(parents=True)
        (project / stale).write_text("old")
    calls = make(project, "reports")
    studies = ("quartet", "ladder", "roll_forward")
    assert [c for c in calls if c.startswith("run")] == [
        f"run experiment={name} run_dir=runs/report-{name}" for name in studies
    ]
    for name in studies:
        files = {f.name: f.read_text() for f in (project / "reports" / name).iterdir()}
        assert files == dict.fromkeys(
            ("scorecard.md", "results.json", "effects.svg"), f"experiment={name}\n"
        )


def test_help_lists_the_targets(project: Path) -> None:
    done = subprocess.run(["make"], cwd=project, capture_output=True, text=True, check=True)
    for target in ("demo", "test", "reports"):
        assert f"make {target} " in done.stdout
