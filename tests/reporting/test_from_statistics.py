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
    hypotheses,
    records,
)
from evalkit.statistics.hypotheses import Hypothesis

CORNERS = {
    (False, False): "prompt_only",
    (True, False): "rag",
    (False, True): "lora",
    (True, True): "hybrid",
}
CORRECT, FAITHFUL = "correctness/generation/correct", "faithfulness/generation/faithfulness"
CURRENT = "freshness/generation/current"


def scores(questions: int = 16) -> pd.DataFrame:
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
            value = 0.5 + i / 40 if retrieval else np.nan
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
    # All of eight clusters: Clopper and Pearson's 0 of 8 puts up to 37 % of clusters off 1.
    assert "Retrieval raised correct answers by 100 points [+26, +100]" in said
    assert "No effect of tuning is shown on correct answers (0 [−37, +37])" in said
    assert "lowered" not in said
    written = write_reports(results, [], tmp_path)
    assert "prompt_only: n/a" in written["figures/scorecard.svg"].read_text(encoding="utf-8")
    markdown = written["scorecard.md"].read_text(encoding="utf-8")
    assert "| faithful to passages | n/a | **69 %** [" in markdown


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
    found = next(e for e in results["effects"] if e["metric"] == CORRECT)
    assert 0.05 < found["p_value"] <= found["p_adjusted"]
    assert "No effect of retrieval is shown on correct answers (+100 [−4, +100])" in said


def test_tested_hypotheses_become_verdicts_in_every_form(tmp_path: Path) -> None:
    """Rows as the statistics write them, through JSON: words, table and page say the same."""
    table = scores()
    rag, bare = ("rag", "hybrid"), ("prompt_only", "lora")
    tested = [
        Hypothesis(CORRECT, rag, bare, claim="retrieval adds knowledge"),
        Hypothesis(CORRECT, bare, rag, claim="memory is enough"),
        Hypothesis(FAITHFUL, ("hybrid",), ("rag",), "equivalence", 0.1, claim="tuned alike"),
    ]
    rows = records(hypotheses.test_hypotheses(table, tested, resamples=500))
    results = {
        "schema": 1,
        "pipelines": [{"name": name, "retrieval": corner[0]} for corner, name in CORNERS.items()],
        "estimates": records(estimate_table(table)),
        "hypotheses": rows,
    }
    results = json.loads(json.dumps(results, allow_nan=False))
    verdicts = {row["claim"]: row["verdict"] for row in rows}
    assert verdicts["retrieval adds knowledge"] == "supported"
    assert verdicts["memory is enough"] == "refuted"
    assert reading(results)[0].startswith(f"{list(verdicts.values()).count('supported')} of 3")
    written = write_reports(results, [], tmp_path)
    for name in ("scorecard.md", "report.html", "figures/hypotheses.svg"):
        text = written[name].read_text(encoding="utf-8")
        assert all(claim in text and verdict in text for claim, verdict in verdicts.items())
