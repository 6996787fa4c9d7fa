"""What jobs have in common is computed once, whether they run one after the other or at once."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from sweeping import records

from evalkit import cli
from evalkit.sweeps.launchers import NEEDS

AXES = ["retriever.k=1,3,5", "prompt.system='Answer.','Answer as a clerk.'", "tuning=none,lora"]
ONE_CONTRACT = "++tuning.prompt={system: Answer.}"
NOTED = [
    "model.engine._target_=faulty_engines.Noted",
    "++tuning.train._target_=faulty_engines.noted_train",
    "embedder.encoder._target_=faulty_engines.NotedEmbedder",
]


def rows(store: Path, kind: str) -> int:
    """How many rows all tables of a kind hold."""
    count = 0
    for table in store.glob(f"{kind}/*/rows.sqlite"):
        with sqlite3.connect(table) as connection:
            count += int(connection.execute("SELECT count(*) FROM rows").fetchone()[0])
    return count


def twelve(launcher: str, tiny_overrides: list[str], home: Path, *more: str) -> list[str]:
    """`tuning=none` has no keys of the training, which are added to it for nothing."""
    tiny = [f"++{o}" if o.startswith("tuning.") else o for o in tiny_overrides]
    return [
        "run", "-m", *tiny, *NOTED, *AXES, "pipeline=[prompt_only,system]", *more,
        f"store={home / 'store'}", f"hydra/launcher={launcher}", "hydra.sweep.dir=sweep",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("launcher", ["basic", "joblib", "ray"])
def test_twelve_jobs_cost_what_is_distinct_in_them(
    launcher: str,
    tiny_overrides: list[str],
    home: Path,
    faulty: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """{k} x {prompt} x {none, LoRA}: one adapter trained, every passage embedded once, no answer
    generated twice; counted, not timed.
    """
    monkeypatch.setenv("EVALKIT_TEST_UNDRAWN", "1")  # for processes of the launcher
    monkeypatch.setattr("evalkit.reporting.figures.save_figures", lambda *_: {})  # for this one
    if launcher in NEEDS and NEEDS[launcher].absent:
        pytest.skip(f"{launcher} is absent: pip install 'evalkit[{launcher}]'")
    assert cli.main(twelve(launcher, tiny_overrides, home, ONE_CONTRACT)) == 0
    assert [r.status for r in records().values()] == ["finished"] * 12
    noted = Counter(faulty.read_text().split())
    assert noted.pop("trained") == 1
    assert len(list((home / "store" / "adapter").glob("*/manifest.json"))) == 1
    assert noted.pop("embedded") == rows(home / "store", "vectors") == 3
    assert noted.pop("asked") == 3 * (
        6 + 1
    )  # for each k, the first question also to load what is needed
    distinct = rows(home / "store", "generations")
    assert (
        distinct >= 6 * 2 * 4
    )  # at least: questions, prompts; no retrieval, and three k by two weights
    assert noted.total() <= 1.2 * distinct
    assert noted.total() == distinct


@pytest.mark.slow
def test_an_adapter_is_trained_for_each_prompt_unless_one_is_given(
    tiny_overrides: list[str], home: Path, faulty: Path
) -> None:
    """The square is only fair if an adapter is trained on the contract that it is asked with; a sweep
    over prompts can hold on to one with `tuning.prompt`, and its report says so.
    """
    arguments = [
        a for a in twelve("basic", tiny_overrides, home) if not a.startswith("retriever.k")
    ]
    assert cli.main([a.replace("tuning=none,lora", "tuning=lora") for a in arguments]) == 0
    assert Counter(faulty.read_text().split())["trained"] == 2
