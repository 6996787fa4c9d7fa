"""BM25 ranks what is visible, by the published formula."""

from __future__ import annotations

import csv
import json
import math
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from evalkit.errors import ConfigError
from evalkit.records import Passage
from evalkit.retrieval import LexicalIndex
from evalkit.retrieval.ranking import lot

SCIFACT = Path(os.environ.get("EVALKIT_DATA", "")) / "scifact"


def test_scores_are_those_of_the_formula() -> None:
    """Lucene's BM25 by hand: idf ln(1 + (N - n + 0.5) / (n + 0.5)) times tf / (tf + norm)."""
    texts = ["heron heron pond", "pond", "meadow stork nest pond"]
    passages = [Passage(str(i), "d", "d", "", text) for i, text in enumerate(texts)]
    (ranking,) = LexicalIndex(passages, k1=0.9, b=0.4).search(["heron"], 3)
    mean = (3 + 1 + 4) / 3
    norm = 0.9 * (1 - 0.4 + 0.4 * 3 / mean)
    expected = math.log(1 + (3 - 1 + 0.5) / (1 + 0.5)) * 2 / (2 + norm)
    assert ranking == [(0, pytest.approx(expected, abs=2e-6))]


def test_nothing_is_said_while_indexing(
    passages: list[Passage], caplog: pytest.LogCaptureFixture
) -> None:
    """The library would otherwise talk on the terminal of whoever has a handler of logs."""
    LexicalIndex(passages)
    assert caplog.records == []


def test_only_visible_passages_that_match_are_found(passages: list[Passage]) -> None:
    """What is hidden or shares no word is not found, even where places are left."""
    index = LexicalIndex(passages)
    masks = [np.array([True, True, True, False, True]), np.zeros(5, dtype=bool)]
    first, second = index.search(["What does a small locker cost per day?"] * 2, 5, masks)
    assert {passages[i].id for i, _ in first[:2]} == {"A1", "A2"}
    assert second == []
    assert index.search(["the of and"], 5) == [[]]


def test_ties_stand_by_lot_also_at_the_last_place(passages: list[Passage]) -> None:
    """Two revisions that match alike tie; the same one is first whether one or two are wanted."""
    index = LexicalIndex(passages)
    ((hit,),), (both,) = index.search(["costs"], 1), index.search(["costs"], 2)
    assert both[0] == hit
    assert [passages[i].id for i, _ in both] == sorted(["A1", "A2"], key=lot)
    assert both[0][1] == both[1][1]


def test_words_are_stemmed_and_numbers_stay_whole() -> None:
    """A plural finds its singular; 2.50 is not found by 50."""
    passages = [Passage("p", "d", "d", "", "The parcel weighs 2.50 kg")]
    index = LexicalIndex(passages)
    assert [len(r) for r in index.search(["parcels", "weighing", "2.50", "50"], 1)] == [1, 1, 1, 0]


def test_nothing_to_index() -> None:
    """No passages, or passages without words, answer with nothing."""
    assert LexicalIndex([]).search(["locker"], 3) == [[]]
    assert LexicalIndex([Passage("p", "d", "d", "", "---")]).search(["locker"], 3) == [[]]


def test_faults_are_refused(passages: list[Passage]) -> None:
    """A language without a stemmer and a missing mask are named."""
    with pytest.raises(ConfigError, match="'klingon'"):
        LexicalIndex(passages, language="klingon")
    with pytest.raises(ConfigError, match="0 masks for 1 queries"):
        LexicalIndex(passages).search(["x"], 1, [])


@pytest.mark.skipif(not SCIFACT.is_dir(), reason="EVALKIT_DATA does not name a folder with scifact")
def test_scifact_reaches_the_published_figures() -> None:
    """BM25 on SciFact: nDCG@10 0.679 and recall@100 0.925 in Anserini, reached within 0.01."""
    rows = map(json.loads, (SCIFACT / "corpus.jsonl").read_text("utf-8").splitlines())
    passages = [Passage(r["_id"], r["_id"], r["_id"], r["title"], r["text"]) for r in rows]
    queries = {
        r["_id"]: r["text"]
        for r in map(json.loads, (SCIFACT / "queries.jsonl").read_text("utf-8").splitlines())
    }
    judged: dict[str, dict[str, int]] = defaultdict(dict)
    with (SCIFACT / "qrels" / "test.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            judged[row["query-id"]][row["corpus-id"]] = int(row["score"])
    found = LexicalIndex(passages).search([queries[q] for q in judged], 100)
    gains, recalls = [], []
    for grades, ranking in zip(judged.values(), found, strict=True):
        names = [passages[i].id for i, _ in ranking]
        gain = sum(grades.get(n, 0) / math.log2(r + 2) for r, n in enumerate(names[:10]))
        ideal = sorted(grades.values(), reverse=True)[:10]
        gains.append(gain / sum(g / math.log2(r + 2) for r, g in enumerate(ideal)))
        relevant = {name for name, grade in grades.items() if grade > 0}
        recalls.append(len(relevant & set(names)) / len(relevant))
    assert len(gains) == 300
    assert sum(gains) / 300 == pytest.approx(0.679, abs=0.01)
    assert sum(recalls) / 300 == pytest.approx(0.925, abs=0.01)
