"""A sweep of which something is missing: what is there is compared, and the rest is named."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

sys.path.append(str(Path(__file__).parent))

from invented_sweeps import FOUR, WORLD, grid, write_sweep

from evalkit.errors import EvalkitError
from evalkit.sweeps.analysis import analyse, report


def _by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in found["candidates"]}


def test_jobs_without_numbers_never_stop_the_report(tmp_path: Path) -> None:
    """Failed, running, damaged, without scores, untrustworthy, and twins of others: each is listed with
    its reason, and the others are compared."""
    write_sweep(tmp_path, WORLD, grid(retriever__k=[1, 3], prompt=list("abcdef")),
                failed_jobs={3: "WeightsError: no such\nmodel"})  # fmt: skip
    (tmp_path / "4" / "results.json").write_text("{")
    (tmp_path / "5" / "scores.parquet").unlink()
    (tmp_path / "6" / "scores.parquet").write_text("no parquet")
    scores = pd.read_parquet(tmp_path / "7" / "scores.parquet")
    pd.concat([scores, scores]).to_parquet(tmp_path / "7" / "scores.parquet")
    results = json.loads((tmp_path / "8" / "results.json").read_text())
    (tmp_path / "8" / "results.json").write_text(json.dumps(results | {"kind": "timeline"}))
    head = json.loads((tmp_path / "sweep.json").read_text())
    head["jobs"][9] |= {"status": "running", "run_dir": None}
    head["jobs"][10] |= {"status": "skipped", "run_dir": "0", "key": "key-0",
                         "overrides": head["jobs"][0]["overrides"]}  # fmt: skip
    (tmp_path / "sweep.json").write_text(json.dumps(head))
    found = analyse(tmp_path)
    reasons = {row["job"]: row["reason"] for row in found["unfinished"]}
    assert reasons["3"] == "WeightsError: no such model"
    assert "damaged" in reasons["4"]
    assert "no scores.parquet" in reasons["5"]
    assert "scores.parquet" in reasons["6"]
    assert "more than once" in reasons["7"]
    assert "study over time" in reasons["8"]
    assert "had not ended" in reasons["9"]
    assert reasons["10"] == "the same as job 0"
    assert {job for c in found["candidates"] for job in (*c["jobs"], *c["same"])} == set("012") | {
        "11"
    }


def test_a_skipped_job_lends_its_setting_the_numbers_of_its_twin(tmp_path: Path) -> None:
    """A job that was skipped since another has its content still counts in the grid."""
    write_sweep(tmp_path, WORLD, FOUR)
    head = json.loads((tmp_path / "sweep.json").read_text())
    head["jobs"][1] |= {"status": "skipped", "run_dir": "0", "key": "key-0"}
    (tmp_path / "sweep.json").write_text(json.dumps(head))
    found = analyse(tmp_path)
    assert found["unfinished"] == []
    assert _by_name(found)["0/rag"]["same"] == ["1"]
    assert all(row["balanced"] for row in found["effects"])


@pytest.mark.parametrize("failed", [{}, {0: "boom"}])
def test_one_job(tmp_path: Path, failed: dict[int, str]) -> None:
    """One job, finished or failed, makes a report."""
    write_sweep(tmp_path, replace(WORLD, pipelines=("rag",)), [{}], failed_jobs=failed)
    page = report(tmp_path)
    assert page == tmp_path / "report.html"
    found = json.loads((tmp_path / "analysis.json").read_text())
    if failed:
        assert found["candidates"] == []
        assert found["selection"] is None
    else:
        assert "nothing to choose" in found["selection"]["reason"]


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "has no sweep.json"), ("{", "damaged"), ('{"schema": 7}', "schema 7"),
     ('{"schema": 1, "jobs": [{}]}', "damaged")],
)  # fmt: skip
def test_a_folder_that_is_no_sweep(tmp_path: Path, text: str | None, words: str) -> None:
    """It says what was found, and what to do."""
    if text is not None:
        (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(EvalkitError, match=words) as caught:
        analyse(tmp_path)
    assert caught.value.todo


def test_secrets_stay_out(tmp_path: Path) -> None:
    """A swept key that is named like a secret is reported without its value."""
    write_sweep(tmp_path, replace(WORLD, pipelines=("rag",)), [{"model.api_key": "hunter2"}])
    report(tmp_path)
    for file in ("report.html", "report.md", "analysis.json"):
        assert "hunter2" not in (tmp_path / file).read_text()


def test_a_failed_baseline_is_replaced_and_said(tmp_path: Path) -> None:
    """The report of a sweep whose baseline failed says who stands in."""
    write_sweep(tmp_path, WORLD, FOUR, failed_jobs={0: "out of memory"}, baseline="0")
    found = analyse(tmp_path)
    assert found["baseline"] == "1/prompt_only"
    assert "named, 0, has no numbers" in found["notes"][0]
    assert found["unfinished"][0]["reason"] == "out of memory"
