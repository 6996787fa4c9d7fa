"""The report on runs that evalkit made: what it reads is what runs write."""

from __future__ import annotations

import json
from pathlib import Path

import evalkit
from evalkit.sweeps.analysis import analyse, report


def test_two_runs_of_a_tiny_model(tiny_overrides: list[str], tmp_path: Path) -> None:
    """k=1 and k=2 give two candidates of rag, and one of prompt_only, which k does not reach."""
    untuned = [o for o in tiny_overrides if not o.startswith("tuning.")]
    jobs = []
    for i, k in enumerate((1, 2)):
        evalkit.run(
            *untuned, "pipeline=[prompt_only,rag]", "tuning=none", f"retriever.k={k}",
            f"store={tmp_path / 'store'}", f"run_dir={tmp_path / 'sweep' / str(i)}",
        )  # fmt: skip
        jobs.append({"id": str(i), "overrides": {"retriever.k": k}, "key": str(i), "seconds": 1.0,
                     "status": "finished", "run_dir": str(i), "reason": None})  # fmt: skip
    head = {
        "schema": 1,
        "created": "",
        "swept": ["retriever.k"],
        "baseline": None,
        "objective": None,
    }
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps(head | {"jobs": jobs}))
    found = analyse(tmp_path / "sweep")
    assert {row["name"] for row in found["candidates"]} == {"0/prompt_only", "0/rag", "1/rag"}
    assert found["untouched"] == [{"pipeline": "prompt_only", "key": "retriever.k"}]
    tokens = {row["name"]: row["costs"]["tokens"] for row in found["candidates"]}
    assert tokens["1/rag"] > tokens["0/rag"] > tokens["0/prompt_only"]
    assert found["candidates"][0]["report"] in ("0/report.html", "1/report.html")
    assert f'href="{found["candidates"][0]["report"]}"' in report(tmp_path / "sweep").read_text()
