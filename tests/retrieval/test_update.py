"""An index is brought up to date without embedding the rest of it again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.records import Passage, Revision
from evalkit.retrieval import Chunker, IndexUpdate, Query, Recency, Visibility, index_at
from evalkit.retrieval.build import Build, Materials
from evalkit.retrieval.update import update

ENDOFLIFE = Path(os.environ.get("EVALKIT_DATA", "")) / "endoflife"
JANUARY, MAY, JULY, OCTOBER = (date(2025, m, 1) for m in (1, 5, 7, 10))
QUERIES = ["price of a small locker", "frozen goods in the depot", "colleagues"]
Making = Callable[..., Materials]


def revision(document: int, text: str, version: int = 1) -> Revision:
    return Revision(f"d{document}", f"d{document}@{version}", f"Document {document}", text)


def words(texts: list[str]) -> int:
    return sum(len(text.split()) for text in texts)


@settings(max_examples=10)
@given(
    documents=st.integers(100, 250),
    lengths=st.lists(st.integers(1, 6), min_size=250, max_size=250),
    seed=st.integers(0, 10**6),
)
def test_a_change_of_one_percent_embeds_at_most_three(
    documents: int,
    lengths: list[int],
    seed: int,
    tmp_path_factory: pytest.TempPathFactory,
    materials: Making,
    builds: dict[str, Build],
    counting: type,
) -> None:
    """Of documents of 1 to 6 paragraphs one in a hundred is rewritten: what is embedded anew is
    its passages alone, and fewer still where paragraphs stayed.
    """
    chunker, folder = Chunker(max_words=20), tmp_path_factory.mktemp("store")
    text = {i: [f"Rule {i}.{n} of it. " * 4 for n in range(lengths[i])] for i in range(documents)}
    before = chunker.passages(revision(i, "\n\n".join(text[i])) for i in range(documents))
    full, then = counting(), counting()
    builds["dense"](materials(before, folder, full))
    changed = {(seed + n) % documents for n in range(documents // 100)}
    for i in changed:
        text[i][-1] = f"A new rule for {i}."
    after = chunker.passages(
        revision(i, "\n\n".join(text[i]), 1 + (i in changed)) for i in range(documents)
    )
    _, cost = update(builds["dense"], materials(after, folder, then), before)
    assert then.texts == sorted(
        {f"Document {i}\n{text[i][-1].strip()}" for i in changed}, key=lambda t: (-len(t), t)
    )
    assert cost.embedded == len(then.texts) == len(changed)
    assert cost.added == sum(lengths[i] for i in changed) == cost.retired
    assert words(then.texts) <= 0.03 * words(full.texts)


@pytest.mark.skipif(not ENDOFLIFE.is_dir(), reason="EVALKIT_DATA does not name endoflife")
def test_published_pages_of_two_dates_share_passages(
    tmp_path: Path, materials: Making, builds: dict[str, Build], counting: type
) -> None:
    """Half a year of real edits re-embeds only passages whose text is new, and no others."""
    dates = ("2025-01-01", "2025-07-01")
    pages = [
        [
            Revision(f.stem, f"{f.stem}@{day}", f.stem, f.read_text(encoding="utf-8"))
            for f in sorted((ENDOFLIFE / day).rglob("*.md"))[:60]
        ]
        for day in dates
    ]
    before, after = (Chunker(max_words=80).passages(each) for each in pages)
    full, then = counting(), counting()
    builds["dense"](materials(before, tmp_path, full))
    _, cost = update(builds["dense"], materials(after, tmp_path, then), before)
    assert cost.added == len(after)
    assert 0 < cost.embedded == len(then.texts) < len({p.text for p in after})
    assert not set(then.texts) & set(full.texts)


@pytest.mark.parametrize("name", ["dense", "bm25", "hybrid"])
@pytest.mark.parametrize("view", ["history", "snapshot"])
def test_an_updated_index_answers_as_one_built_from_nothing(
    name: str,
    view: str,
    tmp_path: Path,
    passages: list[Passage],
    materials: Making,
    builds: dict[str, Build],
) -> None:
    """Date after date, results and scores are those of a store that was empty."""
    since = None
    for step, on in enumerate((JANUARY, MAY, JULY, OCTOBER)):
        visibility = Visibility(view)  # type: ignore[arg-type]
        grown, fresh = (
            materials(passages, tmp_path / folder, visibility=visibility)
            for folder in ("grown", f"fresh{step}")
        )
        updated, _ = index_at(builds[name], grown, on, since)
        built, _ = index_at(builds[name], fresh, on)
        queries = [Query(text, date(2026, 1, 1)) for text in QUERIES]
        assert updated.retrieve(queries, 3) == built.retrieve(queries, 3)
        since = on


def test_an_index_of_the_past_is_asked_in_the_present(
    tmp_path: Path, passages: list[Passage], materials: Making, builds: dict[str, Build]
) -> None:
    """Last updated in January it has the old price in November, and recency knows no better."""
    november = [Query("price of a small locker", date(2025, 11, 1))]
    for recency in ("none", "current_only", "newest_per_document", "decay"):
        build = Recency(recency, 1000).over(builds["dense"])  # type: ignore[arg-type]
        past, _ = index_at(build, materials(passages, tmp_path), JANUARY)
        present, _ = index_at(build, materials(passages, tmp_path), OCTOBER, JANUARY)
        assert past.retrieve(november, 1)[0][0].passage.id == "A1"
        found = {hit.passage.id for hit in present.retrieve(november, 5)[0]}
        assert "C1" in found
        assert ("A1" in found) == (recency in ("none", "decay"))


def test_what_an_update_takes(
    tmp_path: Path, passages: list[Passage], materials: Making, builds: dict[str, Build]
) -> None:
    """By hand: in May A2 comes; a snapshot lets A1 go; in July B1 is withdrawn."""
    held = materials(passages, tmp_path, visibility=Visibility("snapshot"))
    row = 344  # 64 components of 4 bytes, in base 64
    steps = [(JANUARY, None), (MAY, JANUARY), (JULY, MAY), (JULY, JULY)]
    found = [index_at(builds["dense"], held, *step)[1] for step in steps]
    assert [(u.added, u.retired, u.embedded, u.bytes) for u in found] == [
        (3, 0, 3, 3 * row), (1, 1, 1, row), (0, 1, 0, 0), (0, 0, 0, 0),
    ]  # fmt: skip
    history = replace(held, visibility=Visibility("history"))
    _, may = index_at(builds["dense"], history, MAY, JANUARY)
    assert (may.added, may.retired) == (1, 0)
    assert all(u.seconds > 0 for u in found)


def test_an_update_that_is_repeated_costs_what_it_cost(
    tmp_path: Path,
    passages: list[Passage],
    materials: Making,
    builds: dict[str, Build],
    counting: type,
) -> None:
    """A resumed study embeds nothing again and still reports what was embedded, with its seconds."""
    slow = counting()
    first = index_at(builds["dense"], materials(passages, tmp_path, slow), MAY, JANUARY)[1]
    assert slow.texts
    quick = counting()
    again = index_at(builds["dense"], materials(passages, tmp_path, quick), MAY, JANUARY)[1]
    assert quick.texts == []
    assert replace(again, seconds=0) == replace(first, seconds=0)
    (row,) = (
        json.loads(value)
        for key, value in _rows(tmp_path).items()
        if key == _key("Lockers\nA small locker costs EUR 3 a day.")
    )
    assert again.seconds >= row["seconds"]


def test_words_alone_need_no_vectors(
    tmp_path: Path,
    passages: list[Passage],
    materials: Making,
    builds: dict[str, Build],
    counting: type,
) -> None:
    """BM25 is rebuilt and timed; nothing is embedded and nothing stored."""
    embedder = counting()
    _, cost = update(builds["bm25"], materials(passages, tmp_path, embedder))
    assert cost == IndexUpdate(added=5, retired=0, embedded=0, seconds=cost.seconds, bytes=0)
    assert cost.seconds > 0
    assert embedder.texts == []
    assert not list(tmp_path.rglob("*.sqlite"))


def _rows(folder: Path) -> dict[str, str]:
    import sqlite3

    (file,) = folder.rglob("rows.sqlite")
    with sqlite3.connect(file) as connection:
        return dict(connection.execute("SELECT key, value FROM rows"))


def _key(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:32]
