"""A small sound benchmark on disk, and a way to spoil one line of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks.lines import Problem

Rows = dict[str, list[dict[str, Any]]]

SOUND: Rows = {
    "corpus": [
        {
            "document": "FIN-03",
            "revision": "FIN-03@2025-01-01",
            "title": "Business travel",
            "text": "Meals: EUR 38 a day. Book trips in Quayside.",
            "valid_from": "2025-01-01",
            "valid_to": "2025-05-01",
        },
        {
            "document": "FIN-03",
            "revision": "FIN-03@2025-05-01",
            "title": "Business travel",
            "text": "Meals: EUR 42 a day. Book trips in Quayside.",
            "valid_from": "2025-05-01",
            "valid_to": None,
        },
        {
            "document": "OPS-07",
            "text": "Lockers lock after 15 days.",
            "valid_from": "2025-01-15",
            "valid_to": "2025-07-01",
        },
    ],
    "questions": [
        {
            "id": "q1",
            "question": "What is the daily meal allowance?",
            "as_of": "2025-11-20",
            "category": "changed",
            "cluster": "FIN-03",
            "answers": [
                {
                    "text": "EUR 38",
                    "aliases": ["38 euros"],
                    "valid_from": "2025-01-01",
                    "valid_to": "2025-05-01",
                    "evidence": [{"revision": "FIN-03@2025-01-01", "quote": "EUR 38 a day"}],
                },
                {
                    "text": "EUR 42",
                    "valid_from": "2025-05-01",
                    "evidence": [{"revision": "FIN-03@2025-05-01", "quote": "EUR 42 a day"}],
                },
            ],
        },
        {
            "id": "q2",
            "question": "After how long does a locker lock?",
            "as_of": "2025-11-20",
            "category": "withdrawn",
            "answers": [
                {
                    "text": "15 days",
                    "valid_from": "2025-01-15",
                    "valid_to": "2025-07-01",
                    "evidence": [{"revision": "OPS-07@2025-01-15"}],
                }
            ],
        },
        {
            "id": "q3",
            "question": "Who runs the canteen?",
            "as_of": "2025-11-20",
            "category": "unanswerable",
            "answers": [],
        },
    ],
    "training": [
        {
            "id": "k1",
            "kind": "knowledge",
            "question": "How much may one eat for on the road?",
            "as_of": "2025-03-31",
            "answer": "EUR 38",
            "source": "FIN-03",
            "effective": "2025-01-01",
        },
        {
            "id": "b1",
            "kind": "behaviour",
            "question": "How long does bread keep?",
            "as_of": "2025-09-14",
            "answer": "3 hours",
            "source": "FRY-02",
            "effective": "2025-04-01",
            "passages": [
                {
                    "document": "FRY-02",
                    "title": "Bread",
                    "text": "Bread keeps for 3 hours.",
                    "valid_from": "2025-04-01",
                    "valid_to": None,
                }
            ],
        },
    ],
}


def sound_rows() -> Rows:
    """A fresh deep copy of the sound rows."""
    copy: Rows = json.loads(json.dumps(SOUND))
    return copy


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Rows], Path]:
    """Write rows as a benchmark's folder; a file without rows is not written."""

    def write_rows(rows: Rows) -> Path:
        folder = tmp_path / "mine"
        folder.mkdir(exist_ok=True)
        for name, items in rows.items():
            lines = [json.dumps(item, ensure_ascii=False) for item in items]
            (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return folder

    return write_rows


@pytest.fixture
def places() -> Callable[[list[Problem]], list[str]]:
    """``file:line field`` of each problem."""
    return lambda problems: [f"{p.file}:{p.line} {p.field}".rstrip() for p in problems]


@pytest.fixture
def sound() -> Rows:
    """The rows of a benchmark without a problem."""
    return sound_rows()
