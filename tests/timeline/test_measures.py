"""What a study measures by date and state besides its scores: the stage at fault, and repeats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evalkit

D0, D1, D2 = "2025-02-01", "2025-07-01", "2025-10-01"
RIGHT = {"none": 3.0}
# Of the allowance (changed), the club's points (withdrawn) and the lockers (new), in this order.
FAULTS = {
    ("rag", "frozen", D0): RIGHT,
    # The old allowance was shown; the page on lockers is not in the index; the club is in force.
    ("rag", "frozen", D1): {"none": 1.0, "not_retrieved": 1.0, "retrieved_stale": 1.0},
    ("rag", "frozen", D2): {"not_retrieved": 1.0, "retrieved_stale": 2.0},
    ("rag", "updated", D2): RIGHT,
    # No page is shown at all; of the club's points the right reply is to abstain.
    ("lora", "frozen", D2): {"no_evidence": 2.0, "should_have_abstained": 1.0},
    ("lora", "budget", D1): {"none": 1.0, "no_evidence": 2.0},
    ("lora", "budget", D2): RIGHT,
}


def test_the_stage_at_fault_is_that_of_each_date_and_state(study: Any) -> None:
    """By hand, out of what each index and adapter knows."""
    rows = pd.DataFrame(study.result.results["blame"])
    for cell, wanted in FAULTS.items():
        pipeline, state, on = cell
        mine = rows[
            (rows["pipeline"] == pipeline) & (rows["state"] == state) & (rows["date"] == on)
        ]
        assert dict(zip(mine["stage"], mine["n"], strict=True)) == wanted, cell


def test_the_shares_of_the_stages_add_up(study: Any) -> None:
    """For every date, state and pipeline; and they are those of the table of traces."""
    cell = ["date", "state", "pipeline"]
    rows = pd.DataFrame(study.result.results["blame"])
    sums = rows.groupby(cell)["share"].sum()
    assert len(sums) == 27
    assert sums.tolist() == pytest.approx([1.0] * 27)
    traced = study.result.traces.groupby([*cell, "blame"]).size()
    assert rows.set_index([*cell, "stage"])["n"].sort_index().tolist() == traced.tolist()


def test_without_repeats_there_is_no_variance_between_them(study: Any) -> None:
    assert study.result.results["variation"] == []


def test_repeats_are_told_apart_from_questions_at_every_date(
    overrides: list[str], tmp_path: Path
) -> None:
    """The clerk always says the same: all variance is between questions; each asking counts half."""
    found = evalkit.run(
        *overrides, "pipeline=[rag]", "timeline.states=[frozen]", "repeats=2",
        "model.decoding.temperature=0.5", f"store={tmp_path / 'store'}", f"run_dir={tmp_path / 'run'}",
    ).results  # fmt: skip
    rows = {
        (row["date"], row["metric"].rpartition("/")[2]): row
        for row in found["variation"]
        if row["state"] == "frozen" and row["pipeline"] == "rag"
    }
    assert {on for on, _ in rows} == {D0, D1, D2}
    changing = rows[D1, "current"]  # one of three is right in July
    assert (changing["n_questions"], changing["n_repeats"]) == (3, 2)
    assert changing["sd_repeats"] == 0.0
    assert changing["sd_questions"] == pytest.approx(3**-0.5)
    assert changing["share_repeats"] == 0.0
    assert rows[D0, "current"]["share_repeats"] is None
    july = {row["stage"]: row["n"] for row in found["blame"] if row["date"] == D1}
    assert july == FAULTS["rag", "frozen", D1]
