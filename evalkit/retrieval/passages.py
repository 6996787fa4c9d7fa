"""Write passages to a file and read them back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

from evalkit.records import Passage


def write_passages(path: Path, passages: Sequence[Passage]) -> None:
    """One JSON object a line, dates as ``YYYY-MM-DD``."""
    lines = (json.dumps(asdict(p), ensure_ascii=False, default=date.isoformat) for p in passages)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_passages(path: Path) -> list[Passage]:
    """What ``write_passages`` wrote."""
    passages = []
    for line in path.read_bytes().splitlines():
        row = json.loads(line)
        for bound in ("valid_from", "valid_to"):
            row[bound] = None if row[bound] is None else date.fromisoformat(row[bound])
        passages.append(Passage(**row))
    return passages


def passage_text(passage: Passage) -> str:
    """What is indexed of a passage: its title and its text."""
    return f"{passage.title}\n{passage.text}"
