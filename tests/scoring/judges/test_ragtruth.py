"""The offline judge on published human labels: the committed coefficients do what is reported of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.scoring import OfflineJudge
from evalkit.scoring.text import sentences, tokens

REPORT = Path(__file__).parents[3] / "reports" / "judges" / "ragtruth.json"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    folder = Path(os.environ.get("EVALKIT_DATA", "")) / "ragtruth"
    if not folder.is_dir():
        pytest.skip("EVALKIT_DATA does not name a folder with ragtruth")
    return [json.loads(line) for line in (folder / "test.jsonl").open(encoding="utf-8")]


def area(scores: list[float], labels: list[bool]) -> float:
    """The share of pairs of a marked and an unmarked one in which the marked one has more."""
    marked = [s for s, y in zip(scores, labels, strict=True) if y]
    others = [s for s, y in zip(scores, labels, strict=True) if not y]
    wins = sum((m > o) + 0.5 * (m == o) for m in marked for o in others)
    return wins / (len(marked) * len(others))


def source(row: dict[str, Any]) -> str:
    found = row["source"]
    if isinstance(found, str):
        return found
    return str(found["passages"]) if "passages" in found else json.dumps(found)


TASKS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "question answering": lambda row: row["task"] == "QA",
    "summary": lambda row: row["task"] == "Summary",
    "data to text": lambda row: row["task"] == "Data2txt",
}


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_answers_with_inventions_rank_above_others(rows: list[dict[str, Any]], task: str) -> None:
    """Near the cross-fitted figure: a little above, as these coefficients have seen the rows."""
    judge = OfflineJudge()
    scores, labels = [], []
    for row in filter(TASKS[task], rows):
        stated = [s for s in sentences(row["response"]) if tokens(s)]
        odds = judge.unsupported_odds(stated, [source(row)])
        assert odds is not None
        scores.append(odds)
        labels.append(bool(row["labels"]))
    reported = json.loads(REPORT.read_text())["judges"]["offline-lexical"][task]
    assert len(labels) == reported["responses"]
    assert (
        reported["auroc"]["value"] - 0.01
        <= area(scores, labels)
        <= reported["auroc"]["high"] + 0.02
    )
