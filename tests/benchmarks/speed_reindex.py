"""What re-indexing a small change costs beside the full index; writes ``reports/performance/reindex``.

    EVALKIT_DATA=DIR python tests/benchmarks/speed_reindex.py [documents]

Abstracts of scifact (1,000 unless told) under the default embedder and under ``hash``, which costs next
to nothing: cut, embedded and indexed from nothing, then once more after 1 % of the documents
changed throughout. All are wall seconds of one process, the embedder loaded beforehand; BM25, which
is rebuilt whole, beside them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit import hardware
from evalkit.assemble import Experiment
from evalkit.compose import compose, resolved
from evalkit.progress import Progress
from evalkit.records import Passage, Revision
from evalkit.retrieval import Chunker, Visibility
from evalkit.retrieval.build import Build, Materials, bm25, dense
from evalkit.retrieval.embed import Embedder
from evalkit.retrieval.update import IndexUpdate, update
from evalkit.retrieval.vectors import StoredVectors
from evalkit.store import Store

REPORT = Path(__file__).parents[2] / "reports" / "performance" / "reindex"
EMBEDDERS = ("minilm", "hash")
WAYS = {"full": "the whole index", "changed": "1 % of the documents changed", "bm25": "BM25, whole"}


def revisions(most: int) -> list[Revision]:
    """The first abstracts of scifact, one revision each."""
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
) -> tuple[dict[str, Any], list[Passage]]:
    """Wall seconds of cutting and of cutting and indexing, the texts embedded, and the passages."""
    started = time.perf_counter()
    passages = Chunker(max_words=80).passages(texts)
    cut = time.perf_counter() - started
    cost: IndexUpdate = update(build, over(passages), before)[1]
    row = {"seconds": time.perf_counter() - started, "cutting": cut, "embedded": cost.embedded}
    return row, passages


def measured(embedder: Embedder, documents: list[Revision]) -> dict[str, Any]:
    """The three ways under one embedder, in a store of their own."""
    embedder.encode(["warm"])
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))

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

        full, passages = timed(dense, over, documents, ())
        after, _ = timed(dense, over, changed(documents), passages)
        words, _ = timed(bm25, over, changed(documents), ())
    return {
        "embedder": embedder.name,
        "documents": len(documents),
        "passages": len(passages),
        "ways": {"full": full, "changed": after, "bm25": words},
        "share_of_texts": after["embedded"] / full["embedded"],
        "share_of_seconds": after["seconds"] / full["seconds"],
    }


def page(found: Sequence[dict[str, Any]], environment: dict[str, Any]) -> str:
    """The numbers for people."""
    lines = [
        "# Re-indexing a small change",
        "",
        f"{found[0]['documents']:,} abstracts of scifact, {found[0]['passages']:,} passages; one document in a"
        " hundred changes throughout. Wall seconds of one process, cutting included.",
        "",
        "| embedder | what | texts embedded | seconds | of it cutting | share of the whole |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for each in found:
        full = each["ways"]["full"]["seconds"]
        lines += [
            f"| {each['embedder']} | {WAYS[way]} | {row['embedded']:,} | {row['seconds']:.2f} |"
            f" {row['cutting']:.2f} | {row['seconds'] / full:.1%} |"
            for way, row in each["ways"].items()
        ]
    lines += [
        "",
        "A change is embedded alone; that is what an index costs. The other passages are cut and looked"
        " up again, which shows only under an embedder that costs next to nothing (`hash`).",
        "",
        f"Measured on {environment['cores']} cores ({environment['processor']}) by"
        " `tests/benchmarks/speed_reindex.py`.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, write both reports and print one."""
    documents = revisions(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    found = [
        measured(Experiment(resolved(compose([f"embedder={name}"]))).embedder, documents)
        for name in EMBEDDERS
    ]
    environment = {name: hardware.describe()[name] for name in ("processor", "cores")}
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"environment": environment, "found": found}, indent=1)
    REPORT.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    REPORT.with_suffix(".md").write_text(page(found, environment), encoding="utf-8")
    print(page(found, environment))


if __name__ == "__main__":
    main()
