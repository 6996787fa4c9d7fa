"""Small files in published layouts, with rows of our own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

Write = Callable[[str, Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file below a folder of this test: JSON lines of a list for ``.jsonl``, else JSON or the
    text itself."""

    def write(name: str, content: Any) -> Path:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            text = content
        elif path.suffix == ".jsonl":
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content)
        else:
            text = json.dumps(content, ensure_ascii=False)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[tuple[Any, ...], Sequence[Any]]], None]:
    """Puts tables in the place of a hub: (id, configuration, split) -> rows."""

    def serve(tables: dict[tuple[Any, ...], Sequence[Any]]) -> None:
        import datasets

        def load_dataset(path: str, name: Any, *, split: str, revision: str) -> Sequence[Any]:
            assert len(revision) == 40
            return tables[path, name, split]

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)

    return serve


@pytest.fixture(scope="session")
def published() -> Path:
    """The folder of published data."""
    folder = os.environ.get("EVALKIT_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("EVALKIT_DATA does not name a folder with published data")
    return Path(folder)
