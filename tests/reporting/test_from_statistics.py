"""What statistics computes is what reports print: one path from a scores table to the page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from evalkit.reporting import reading, write_reports
from evalkit.statistics import (
    class_table,
    compare,
    estimate_table,
    factorial_effects,
    records,
)

CORNERS = {
    (False, False): "prompt_only",
    (True, False): "rag",
    (False, True): "lora",
    (True, True): "hybrid",
}
CORRECT, FAITHFUL = "correctness/generation/correct", "faithfulness/generation/faithfulness"
CURRENT = "freshness/generation/current"


def scores(questions: int = 12) -> pd.DataFrame:
    """Questions, two in a cluster: retrieval always helps, tuning never does anything."""
    rows = []
    for (retrieval, _), pipeline in CORNERS.items():
        for i in range(questions):
            row = {"question": f"q{i}", "pipeline": pipeline, "repeat": 0, "cluster": f"c{i // 2}"}
            row |= {"category": "changed", "status": "scored", "label": None}
            right = float(retrieval)
            rows.append({**row, "metric": CORRECT, "value": right})
            label = "current" if retrieval else "wrong"
            rows.append({**row, "metric": CURRENT, "value": right, "label": label})
            absent = {} if retrieval else {"status": "not_applicable"}
            value = 0.5 + i / 24 if retrieval else np.nan
            rows.append({**row, "metric": FAITHFUL, "value": value, **absent})
    return pd.DataFrame(rows)


def test_a_scores_table_becomes_a_report(tmp_path: Path) -> None:
    """The tables survive JSON, and the reading claims the effect of retrieval and no other."""
    table = scores()
    results = {
        "schema": 1,
        "pipelines": [
            {"name": name, "retrieval": retrieval, "tuning": tuning}
            for (retrieval, tuning), name in CORNERS.items()
        ],
        "estimates": records(estimate_table(table, signature="s")),
        "by_category": records(estimate_table(table, by=("pipeline", "metric", "category"))),
        "comparisons": records(compare(table, "prompt_only", "hybrid")),
        "effects": records(factorial_effects(table, CORNERS)),
        "classes": records(class_table(table)),
    }
    results = json.loads(json.dumps(results, allow_nan=False))
    said = "\n".join(reading(results))
    # All of six clusters: Wilson's 0 of 6 puts up to 39 % of clusters off 1.
    assert "Retrieval raised correct answers by 100 points [+22, +100]" in said
    assert "No effect of tuning is shown on correct answers (0 [−39, +39])" in said
    assert "lowered" not in said
    written = write_reports(results, [], tmp_path)
    assert "prompt_only: n/a" in written["figures/scorecard.svg"].read_text(encoding="utf-8")
    markdown = written["scorecard.md"].read_text(encoding="utf-8")
    assert "| faithful to passages | n/a | **73 %** [" in markdown


def test_five_clusters_cannot_show_an_effect() -> None:
    """Their sign-flip p is 2 of 32 at best, so the reading claims nothing, however large it is."""
    table = scores(10)
    results = {
        "schema": 1,
        "pipelines": [{"name": name} for name in CORNERS.values()],
        "estimates": records(estimate_table(table)),
        "effects": records(factorial_effects(table, CORNERS)),
    }
    said = "\n".join(reading(results))
    assert "raised" not in said
    assert (
        "No effect of retrieval is shown on correct answers (+100 [+13, +100], p\u00a00.06" in said
    )
