"""RAGTruth as the offline judge sees it: statements with human labels, and their features."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.scoring.judges import evidence, features
from evalkit.scoring.judges.evidence import Evidence, TokenEvidence
from evalkit.scoring.judges.offline import by_rule
from evalkit.scoring.judges.source import read
from evalkit.scoring.text import sentences, tokens

TASKS = {"QA": "question answering", "Summary": "summary", "Data2txt": "data to text"}
ARRAYS = ("spans", "given", "alone", "ranks", "attention")


@dataclass(frozen=True)
class Response:
    """One response: its statements, whether people marked any of each, and what the judge sees.

    ``ruled`` is what the judge's rules alone say of each statement, None where they leave it open.
    ``wording`` has shape ``(statements, features)`` in the order of `features.NAMES`; ``seen`` and
    ``heads`` are None where no evidence was read.
    """

    id: str
    source: str
    task: str
    model: str
    text: str
    statements: tuple[str, ...]
    marked: tuple[bool, ...]
    hallucinated: bool
    wording: Any
    seen: Any
    heads: Any
    ruled: tuple[bool | None, ...]


def load(folder: Path, reader: Evidence | None, cache: Path | None) -> list[Response]:
    """Every response of the test file, with features; evidence is kept in ``cache`` by response."""
    rows = [json.loads(line) for line in (folder / "test.jsonl").open(encoding="utf-8")]
    # Answers to one source follow each other, so that the source is read once.
    rows.sort(key=lambda row: (row["source_id"], row["id"]))
    return [_response(row, reader, cache) for row in rows]


def source_text(row: dict[str, Any]) -> str:
    """The source as a judge gets it: prose as it is, a record as JSON."""
    source = row["source"]
    if isinstance(source, str):
        return source
    return str(source["passages"]) if "passages" in source else json.dumps(source)


def marked_statements(row: dict[str, Any]) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """The statements of a response, and for each whether a human span overlaps it."""
    response = row["response"]
    stated = tuple(s for s in sentences(response) if tokens(s))
    marked, position = [], 0
    for statement in stated:
        found = response.find(statement[:25], position)
        start = position if found < 0 else found
        position = start + len(statement)
        marked.append(any(s["start"] < position and s["end"] > start for s in row["labels"]))
    return stated, tuple(marked)


def _response(row: dict[str, Any], reader: Evidence | None, cache: Path | None) -> Response:
    stated, marked = marked_statements(row)
    text = source_text(row)
    source = read([text])
    wording = features.features(stated, source)
    ruled = [by_rule(statement, source) for statement in stated]
    seen, heads = _evidence(row["id"], stated, text, reader, cache)
    return Response(
        row["id"], row["source_id"], row["task"], row["model"], text, stated, marked,
        bool(row["labels"]), np.array([[f[n] for n in features.NAMES] for f in wording]), seen, heads,
        tuple(None if r is None else bool(r.supported) for r in ruled),
    )  # fmt: skip


def _evidence(
    name: str, stated: Sequence[str], text: str, reader: Evidence | None, cache: Path | None
) -> tuple[Any, Any]:
    kept = cache / f"{name}.npz" if cache else None
    if kept is not None and kept.is_file():
        with np.load(kept) as arrays:
            found = TokenEvidence(*(arrays[key].astype(float) for key in ARRAYS))
    elif reader is None:
        return None, None
    else:
        read_now = reader.read(text, evidence.joined(stated))
        if read_now is None:
            raise ValueError(f"response {name} is too long for the evidence model")
        found = read_now
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            arrays = {key: getattr(found, key) for key in ARRAYS}
            arrays["attention"] = arrays["attention"].astype(np.float16)
            np.savez(kept, **arrays)
    return evidence.summarise(stated, found)
