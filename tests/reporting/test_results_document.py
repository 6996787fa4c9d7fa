"""The document of results.json names everything that a run writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import evalkit.reporting
from evalkit.reporting.labels import CLASSES
from evalkit.scoring.blame import FaultStage

DOCUMENT = (Path(evalkit.reporting.__file__).parent / "RESULTS.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([^`]+)`", DOCUMENT))
FREE = {"categories", "packages", "setup", "answers"}
"""Keys whose value is keyed by names that the run chooses."""


def keys(value: Any) -> set[str]:
    """Every key of nested objects, but not the names a run chooses."""
    if isinstance(value, list):
        return {key for each in value for key in keys(each)}
    if not isinstance(value, dict):
        return set()
    inner = {key for name, each in value.items() if name not in FREE for key in keys(each)}
    return set(value) | inner


def test_every_key_of_results_is_documented(quartet: Any) -> None:
    """A key that a run writes and the document does not name is missing there."""
    written = keys(quartet.result.results)
    assert len(written) > 60
    assert written <= NAMED


def test_every_column_and_status_is_documented(quartet: Any) -> None:
    """The columns of both tables, the fields of a passage and of an answer."""
    result = quartet.result
    assert set(result.scores.columns) | set(result.traces.columns) <= NAMED
    passages = [p for p in result.traces["passages"] if p is not None]
    assert set(passages[0][0]) <= NAMED
    assert keys(result.questions) <= NAMED
    answers = [answer for row in result.questions for answer in row["answers"].values()]
    assert keys(answers) <= NAMED
    assert {"blame", "blame_rule"} <= set(answers[0])


def test_every_class_and_stage_at_fault_is_documented() -> None:
    """The values that a reader may filter by."""
    assert {*CLASSES, *get_args(FaultStage)} <= NAMED


def test_null_rules_hold(quartet: Any) -> None:
    """Nothing scored: null numbers and a reason; the counts add up; no reason otherwise."""
    rows = quartet.result.results["estimates"]
    empty = [row for row in rows if row["n_scored"] == 0]
    assert empty
    for row in empty:
        assert (row["value"], row["low"], row["high"], row["method"]) == (None, None, None, "none")
        assert row["reason"]
    counts = ("n_scored", "n_failed", "n_not_applicable", "n_abstained")
    for row in rows:
        assert row["n_total"] == sum(row[count] for count in counts)
        assert row["n_scored"] == 0 or row["value"] is not None


def test_correct_abstention_and_retention_split_the_questions(quartet: Any) -> None:
    """Every question is scored by exactly one of the three in every pipeline."""
    kinds = (
        "correctness/generation/correct",
        "correctness/generation/abstention",
        "retention/generation/correct",
    )
    scores = quartet.result.scores
    mine = scores[scores["metric"].isin(kinds) & (scores["status"] == "scored")]
    assert (mine.groupby(["pipeline", "question"]).size() == 1).all()
    assert mine["question"].nunique() == len(quartet.result.questions)
