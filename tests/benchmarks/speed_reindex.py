"""What re-indexing a small change costs beside the full index.

    EVALKIT_DATA=DIR EVALKIT_CACHE=DIR python tests/benchmarks/speed_reindex.py [--documents 1000]
        [--repeats 5] [--embedders minilm,hash] [--out DIR]

Abstracts of SciFact under the default embedder and under ``hash``, which costs next to nothing: cut,
embedded and indexed from nothing, and once more after one document in a hundred changed throughout;
BM25, which is rebuilt whole, beside them. All are wall seconds of one process, the embedder loaded
beforehand; ways and embedders take turns, each time with an empty store. The changed index must find
what one that is built from nothing finds. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from speed_common import machine, publish, shown, spread, table, versions

from evalkit.configuration.assemble import Experiment
from evalkit.configuration.compose import compose, resolved
from evalkit.progress import Progress
from evalkit.records import Passage, Revision
from evalkit.retrieval import Chunker, Query, Retriever, Visibility
from evalkit.retrieval.build import Build, Materials, bm25, dense
from evalkit.retrieval.embed import Embedder
from evalkit.retrieval.update import IndexUpdate, update
from evalkit.retrieval.vectors import StoredVectors
from evalkit.store import Store

WAYS = {"full": "the whole index", "changed": "1 % of the documents changed", "bm25": "BM25, whole"}
ASKED = 50


def revisions(most: int) -> list[Revision]:
    """The first abstracts of SciFact, one revision each."""
    path = Path(os.environ["EVALKIT_DATA"]) / "scifact" / "corpus.jsonl"
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines()[:most])
    return [Revision(r["_id"], f"{r['_id']}@1", r["title"], r["text"]) for r in rows]


def changed(documents: list[Revision]) -> list[Revision]:
    """One in a hundred with another title, which stands in all of its passages: none is reused."""
    return [
        replace(each, revision=f"{each.document}@2", title=f"{each.title} (amended)")
        if number % 100 == 0
        else each
        for number, each in enumerate(documents)
    ]


def timed(
    build: Build,
    over: Callable[[list[Passage]], Materials],
    texts: list[Revision],
    before: Sequence[Passage],
) -> tuple[dict[str, Any], list[Passage], Retriever]:
    """Wall seconds of cutting and of cutting and indexing, the texts embedded; and what was made."""
    started = time.perf_counter()
    passages = Chunker(max_words=80).passages(texts)
    cut = time.perf_counter() - started
    retriever, cost = update(build, over(passages), before)
    took = time.perf_counter() - started
    assert isinstance(cost, IndexUpdate)
    return {"seconds": took, "cutting": cut, "embedded": cost.embedded}, passages, retriever


def materials(embedder: Embedder, folder: Path) -> Callable[[list[Passage]], Materials]:
    """What an index is built from, with a store of its own."""
    store = Store(folder)

    def over(passages: list[Passage]) -> Materials:
        return Materials(
            passages=passages,
            embedder=lambda: embedder,
            vectors=StoredVectors(lambda: store.rows("vectors", {})),
            inputs={},
            artifact=store.artifact,
            visibility=Visibility(),
            stage=Progress(shown=False).stage,
        )

    return over


def measured(embedder: Embedder, documents: list[Revision], check: bool) -> dict[str, Any]:
    """The three ways under one embedder, once; where asked, what the changed index finds is checked."""
    with tempfile.TemporaryDirectory() as folder:
        over = materials(embedder, Path(folder) / "store")
        full, passages, _ = timed(dense, over, documents, ())
        after, _, retriever = timed(dense, over, changed(documents), passages)
        words, _, _ = timed(bm25, over, changed(documents), ())
        if check:
            anew = materials(embedder, Path(folder) / "anew")
            whole = timed(dense, anew, changed(documents), ())[2]
            if findings(whole, documents) != findings(retriever, documents):
                raise SystemExit(f"under {embedder.name} the changed index finds something else")
    return {"passages": len(passages), "full": full, "changed": after, "bm25": words}


def findings(retriever: Retriever, documents: list[Revision]) -> list[list[str]]:
    """The passages that are found for the titles of documents, changed ones among them."""
    step = max(1, len(documents) // ASKED)
    queries = [Query(each.title, date(2025, 1, 1)) for each in documents[::step]]
    return [[hit.passage.id for hit in hits] for hits in retriever.retrieve(queries, 5)]


def summary(name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The spread of each way's seconds, and its share of the whole index's."""
    ways = {
        way: {
            "seconds": spread([run[way]["seconds"] for run in runs]),
            "cutting": spread([run[way]["cutting"] for run in runs]),
            "embedded": runs[0][way]["embedded"],
        }
        for way in WAYS
    }
    whole = ways["full"]
    return {
        "embedder": name, "passages": runs[0]["passages"], "ways": ways,
        "share_of_texts": ways["changed"]["embedded"] / whole["embedded"],
        "share_of_seconds": round(ways["changed"]["seconds"]["median"] / whole["seconds"]["median"], 4),
    }  # fmt: skip


def main() -> None:
    """Measure in turns and report."""
    parser = argparse.ArgumentParser(description="Re-indexing a small change")
    parser.add_argument("--documents", type=int, default=1000, help="at least 100")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--embedders", default="minilm,hash")
    parser.add_argument("--out", type=Path, help="default reports/performance")
    chosen = parser.parse_args()
    documents = revisions(chosen.documents)
    embedders: dict[str, Embedder] = {
        name: Experiment(resolved(compose([f"embedder={name}"]))).embedder
        for name in chosen.embedders.split(",")
    }
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in embedders}
    for embedder in embedders.values():
        embedder.encode(["warm"])
        measured(embedder, documents[:2], check=False)  # imports what an index needs
    for repeat in range(chosen.repeats):
        for name, embedder in embedders.items():
            runs[name].append(measured(embedder, documents, check=repeat == 0))
    found = [summary(name, each) for name, each in runs.items()]
    rows = [
        [
            each["embedder"], WAYS[way], f"{row['embedded']:,}", shown(row["seconds"]),
            f"{row['cutting']['median']:.3g}",
            f"{row['seconds']['median'] / each['ways']['full']['seconds']['median']:.1%}",
        ]
        for each in found
        for way, row in each["ways"].items()
    ]  # fmt: skip
    head = ["embedder", "what", "texts embedded", "seconds", "of it cutting", "of the whole index"]
    text = (
        f"{len(documents):,} abstracts of SciFact, {found[0]['passages']:,} passages; one document in a hundred"
        f" changes throughout. {chosen.repeats} runs of each, wall seconds of one process, cutting included.\n\n"
        f"{table(head, rows)}\n\n"
        "A change is embedded alone; that is what an index costs. The other passages are cut and looked up"
        " again, which shows only under an embedder that costs next to nothing (`hash`). The changed index"
        " finds what one that is built from nothing finds."
    )
    result = {
        "documents": len(documents), "embedders": found, "machine": machine(),
        "versions": versions("faiss-cpu", "faiss-gpu", "bm25s"),
    }  # fmt: skip
    publish("reindex", "Re-indexing a small change", text, result, chosen.out)


if __name__ == "__main__":
    main()
