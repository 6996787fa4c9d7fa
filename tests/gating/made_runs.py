"""Run folders as ``evalkit run`` leaves them, with scores that a test chooses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

MakeRun = Callable[..., Path]
CORRECT = "correctness/generation/correct"
STRICT = "format/generation/strict"
RECALL = "faithfulness/retrieval/context_recall"
SUPERIOR = "hypotheses=[{metric: correctness/generation/correct}]"
NO_WORSE = (
    "hypotheses=[{metric: correctness/generation/correct, kind: non_inferiority, margin: 0.05}]"
)


def ones(n: int, zeros: int = 0) -> list[int]:
    """``n`` scores, of which the first ``zeros`` are 0 and the others 1."""
    return [0] * zeros + [1] * (n - zeros)


def write_run(
    folder: Path,
    cells: Mapping[tuple[str, str], Sequence[Any]],
    *,
    fingerprint: str = "f" * 64,
    judge: str = "offline",
    versions: Mapping[str, str] | None = None,
    config: str = "seed: 0\n",
    evalkit: str = "0.1.0",
) -> Path:
    """One run: by pipeline and metric a value per question, or a status in place of a value."""
    folder.mkdir(parents=True)
    rows = []
    for (pipeline, metric), values in cells.items():
        for i, value in enumerate(values):
            status = value if isinstance(value, str) else "scored"
            rows.append({
                "question": f"q{i:03}", "pipeline": pipeline, "repeat": 0, "metric": metric,
                "axis": metric.split("/")[0], "stage": metric.split("/")[1], "status": status,
                "value": None if isinstance(value, str) else float(value), "label": None,
                "reason": "" if status == "scored" else f"it {status}",
                "category": "changed" if i % 2 else "unchanged", "cluster": f"q{i:03}",
                "as_of": "2025-06-01", "tags": "",
            })  # fmt: skip
    pd.DataFrame(rows).astype({"value": "float64"}).to_parquet(folder / "scores.parquet")
    n = max(len(values) for values in cells.values())
    results = {
        "schema": 1, "evalkit": evalkit, "experiment": "study", "model": "tiny",
        "created": "2026-01-01T00:00:00+00:00",
        "benchmark": {"name": "b", "fingerprint": fingerprint, "questions": n},
        "judge": {"name": judge, "version": "1"},
        "statistics": {"confidence": 0.95, "resamples": 1000, "seed": 0},
        "pipelines": [{"name": p} for p in dict.fromkeys(p for p, _ in cells)],
        "estimates": [
            {"pipeline": p, "metric": m,
             "signature": f"x|{m}@{(versions or {}).get(m, '1')}|judge={judge}@1"}
            for p, m in cells
        ],
    }  # fmt: skip
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "config.yaml").write_text(config)
    questions = [
        {"question": f"q{i:03}", "text": f"What is {i}?", "as_of": "2025-06-01"} for i in range(n)
    ]
    (folder / "questions.json").write_text(json.dumps(questions))
    return folder
