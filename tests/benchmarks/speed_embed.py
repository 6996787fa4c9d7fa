"""Embedding throughput against sentence-transformers' ``encode`` on SciFact.

    EVALKIT_DATA=DIR EVALKIT_CACHE=DIR python tests/benchmarks/speed_embed.py --python PATH
        [--texts 200] [--repeats 5] [--batches 16,32,128] [--out DIR]

Both embed the same abstracts with the same all-MiniLM-L6-v2 in float32, cut at 256 tokens, in processes
that take turns; the model is loaded and warm before the clock starts. PATH is an interpreter with
sentence-transformers, which runs all batch sizes in the first round and the fastest in the others.
The vectors must agree. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from speed_common import machine, publish, shown, spread, table, versions

OURS, THEIRS = "evalkit", "sentence-transformers"


def texts(most: int) -> list[str]:
    """Abstracts of SciFact with their titles."""
    path = Path(os.environ["EVALKIT_DATA"]) / "scifact" / "corpus.jsonl"
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines()[:most])
    return [f"{row['title']}. {row['text']}" for row in rows]


def side(name: str, work: Path, out: Path, batch: int) -> None:
    """Embed in this process and write the seconds and the vectors."""
    plan = json.loads(work.read_text(encoding="utf-8"))
    if name == OURS:
        from evalkit.retrieval import TransformerEmbedder

        embedder = TransformerEmbedder(plan["model"], max_length=256)

        def encode(given: list[str]) -> Any:
            return embedder.encode(given)
    else:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.models import Pooling, Transformer

        words = Transformer(plan["model"], max_seq_length=256)
        model = SentenceTransformer(modules=[words, Pooling(384, "mean")], device=plan["device"])

        def encode(given: list[str]) -> Any:
            return model.encode(given, batch_size=batch, normalize_embeddings=True)

    encode(plan["texts"][:8])
    started = time.perf_counter()
    vectors = encode(plan["texts"])
    seconds = time.perf_counter() - started
    out.write_text(json.dumps({"seconds": seconds, "vectors": vectors.tolist()}))


def measure(python: str, name: str, work: Path, batch: int) -> dict[str, Any]:
    """A side in a process of its own."""
    out = work.with_suffix(".out.json")
    call = [
        python,
        __file__,
        "--side",
        name,
        "--work",
        str(work),
        "--result",
        str(out),
        "--batch",
        str(batch),
    ]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(out.read_text())
    print(f"{name} {batch}: {found['seconds']:.2f} s", file=sys.stderr, flush=True)
    return found


def compare(
    python: str, work: Path, count: int, repeats: int, batches: list[int], out: Path | None
) -> None:
    """Both in turns; the report."""
    import numpy as np

    tried = {batch: measure(python, THEIRS, work, batch) for batch in batches}
    best = min(tried, key=lambda batch: tried[batch]["seconds"])
    ours, theirs = [measure(sys.executable, OURS, work, 0)], [tried[best]]
    for _ in range(repeats - 1):
        ours.append(measure(sys.executable, OURS, work, 0))
        theirs.append(measure(python, THEIRS, work, best))
    rates = {
        OURS: spread([count / run["seconds"] for run in ours]),
        THEIRS: spread([count / run["seconds"] for run in theirs]),
    }
    apart = float(np.abs(np.array(ours[0]["vectors"]) - np.array(theirs[0]["vectors"])).max())
    if apart > 1e-4:
        raise SystemExit(f"the vectors differ by {apart}: the sides do not compute the same")
    ratio = round(rates[OURS]["median"] / rates[THEIRS]["median"], 3)
    rows = [
        [OURS, shown(rates[OURS]), ""],
        [f"{THEIRS}, batches of {best}", shown(rates[THEIRS]), f"{ratio:.2f}"],
    ]
    text = (
        f"{count} abstracts of SciFact, all-MiniLM-L6-v2, float32, 256 tokens.\n\n"
        f"{table(['', 'texts a second', 'ours is faster by'], rows)}\n\nNo component differs by more than"
        f" {apart:.1e}."
    )
    seconds = {str(batch): round(run["seconds"], 3) for batch, run in tried.items()}
    result = {
        "texts": count, "texts_per_second": rates, "ratio": ratio, "largest_difference": apart,
        "their_batches_seconds": seconds, "machine": machine(), "versions": versions(),
    }  # fmt: skip
    publish("embed", "Embedding against sentence-transformers", text, result, out)


def main() -> None:
    """Run a side, or compare both."""
    parser = argparse.ArgumentParser(description="Embedding against sentence-transformers")
    parser.add_argument("--python", help="an interpreter with sentence-transformers")
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batches", default="16,32,128")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, default=0, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.side:
        side(chosen.side, chosen.work, chosen.result, chosen.batch)
        return
    if not chosen.python:
        raise SystemExit("--python PATH: an interpreter with sentence-transformers")
    from evalkit.assemble import Experiment
    from evalkit.compose import compose, resolved

    embedder: Any = Experiment(resolved(compose([]))).embedder
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work.json"
        plan = {"model": str(embedder.path), "texts": texts(chosen.texts), "device": chosen.device}
        work.write_text(json.dumps(plan), encoding="utf-8")
        batches = [int(batch) for batch in chosen.batches.split(",")]
        compare(chosen.python, work, len(plan["texts"]), chosen.repeats, batches, chosen.out)


if __name__ == "__main__":
    main()
