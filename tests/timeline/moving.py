"""A benchmark in which things change, begin and end."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

DATES = ("2025-02-01", "2025-07-01", "2025-10-01")
ROWS: dict[str, list[dict[str, Any]]] = {
    "corpus": [
        {"document": "A", "revision": "A@1", "title": "Travel", "text": "The allowance is EUR 38 a day.",
         "valid_from": "2025-01-01", "valid_to": "2025-06-01"},
        {"document": "A", "revision": "A@2", "title": "Travel", "text": "The allowance is EUR 42 a day.",
         "valid_from": "2025-06-01"},
        {"document": "B", "revision": "B@1", "title": "Keys", "text": "Mira Okonkwo holds the depot keys.",
         "valid_from": "2025-01-01"},
        {"document": "W", "revision": "W@1", "title": "Club", "text": "Club points lapse after 18 months.",
         "valid_from": "2025-01-01", "valid_to": "2025-08-01"},
        {"document": "N", "revision": "N@1", "title": "Lockers", "text": "Lockers open at 07:30 sharp.",
         "valid_from": "2025-05-01"},
    ],
    "questions": [
        {"id": "q1", "question": "How high is the travel allowance?", "category": "changed", "cluster": "A",
         "answers": [{"text": "EUR 38", "valid_from": "2025-01-01", "valid_to": "2025-06-01",
                      "evidence": [{"revision": "A@1", "quote": "EUR 38 a day"}]},
                     {"text": "EUR 42", "valid_from": "2025-06-01",
                      "evidence": [{"revision": "A@2", "quote": "EUR 42 a day"}]}]},
        {"id": "q2", "question": "Who has the keys of the depot?", "category": "unchanged", "cluster": "B",
         "answers": [{"text": "Mira Okonkwo", "valid_from": "2025-01-01",
                      "evidence": [{"revision": "B@1", "quote": "Mira Okonkwo"}]}]},
        {"id": "q3", "question": "When do club points run out?", "category": "withdrawn", "cluster": "W",
         "answers": [{"text": "18 months", "valid_from": "2025-01-01", "valid_to": "2025-08-01",
                      "evidence": [{"revision": "W@1", "quote": "18 months"}]}]},
        {"id": "q4", "question": "From what time can lockers be used?", "category": "two_document",
         "cluster": "N", "answers": [{"text": "07:30", "valid_from": "2025-05-01",
                                      "evidence": [{"revision": "N@1", "quote": "07:30"}]}]},
        {"id": "q5", "question": "What colour is the depot door?", "category": "unanswerable",
         "cluster": "B", "answers": []},
    ],
    "training": [
        {"id": "k1", "kind": "knowledge", "question": "State the per diem for trips.", "as_of": "2025-03-31",
         "answer": "EUR 38", "source": "A", "effective": "2025-01-01",
         "answers": [{"text": "EUR 38", "valid_from": "2025-01-01", "valid_to": "2025-06-01"},
                     {"text": "EUR 42", "valid_from": "2025-06-01"}]},
        {"id": "k2", "kind": "knowledge", "question": "Name the key holder.", "as_of": "2025-03-31",
         "answer": "Mira Okonkwo", "source": "B", "effective": "2025-01-01",
         "answers": [{"text": "Mira Okonkwo", "valid_from": "2025-01-01"}]},
        {"id": "k3", "kind": "knowledge", "question": "Tell me the life of a club point.",
         "as_of": "2025-03-31", "answer": "18 months", "source": "W", "effective": "2025-01-01",
         "answers": [{"text": "18 months", "valid_from": "2025-01-01", "valid_to": "2025-08-01"}]},
        {"id": "k4", "kind": "knowledge", "question": "Say when one gets at a locker.",
         "as_of": "2025-10-01", "answer": "07:30", "source": "N", "effective": "2025-05-01",
         "answers": [{"text": "07:30", "valid_from": "2025-05-01"}]},
        *({"id": f"b{i}", "kind": "behaviour", "question": f"When does gallery {i} open?",
           "as_of": "2025-03-01", "answer": f"{i + 8}:00", "source": f"MUS-0{i}", "effective": "2025-01-01",
           "passages": [{"document": f"MUS-0{i}", "title": "Hours", "valid_from": "2025-01-01",
                         "text": f"Gallery {i} opens at {i + 8}:00 every day."}]} for i in range(2)),
    ],
}  # fmt: skip


def rows() -> dict[str, list[dict[str, Any]]]:
    """The three files; every call gives fresh ones."""
    return copy.deepcopy(ROWS)


def write(folder: Path, files: dict[str, list[dict[str, Any]]]) -> Path:
    folder.mkdir(parents=True)
    for name, lines in files.items():
        text = "\n".join(json.dumps(line) for line in lines)
        (folder / f"{name}.jsonl").write_text(text + "\n", encoding="utf-8")
    options = {"name": "moving", "as_of": "2025-10-01", "format": {"abstention": "not stated"}}
    (folder / "benchmark.json").write_text(json.dumps(options))
    return folder
