"""Embedding throughput against sentence-transformers' ``encode`` on SciFact.

    EVALKIT_DATA=DIR EVALKIT_CACHE=DIR python tests/benchmarks/speed_embed.py [--texts 200] [--repeats 5]
        [--batches 16,32,128] [--work DIR] [--python PATH] [--out DIR]

Both embed the same abstracts with the same all-MiniLM-L6-v2 in float32, cut at 256 tokens, in processes
that take turns; the model is loaded and warm before the clock starts. sentence-transformers runs all
batch sizes in the first round and the fastest in the others. Its interpreter is PATH; without one an
environment is made under --work by pip, and ``none``, or an index that cannot be reached, leaves it out.
The vectors must agree. ``--texts 8 --repeats 1 --batches 8`` tries the script. The last line is one
JSON object.
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
from speed_others import python_with, version_of

OURS, THEIRS = "evalkit", "sentence-transformers"
TOLERANCE = 1e-4
"""By which a component of two vectors may differ: rounding in float32, in another batch."""


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

        embedder = TransformerEmbedder(plan["model"], max_length=256, device=plan["device"])

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
    call = [python, __file__, "--side", name, "--work", str(work), "--result", str(out)]
    done = subprocess.run(
        [*call, "--batch", str(batch)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(out.read_text())
    print(f"{name} {batch}: {found['seconds']:.2f} s", file=sys.stderr, flush=True)
    return found


def in_turns(
    python: str | None, work: Path, repeats: int, batches: list[int]
) -> tuple[dict[str, list[dict[str, Any]]], dict[int, float]]:
    """The runs of each side, and what each of their batch sizes took in the first round."""
    tried = {batch: measure(python, THEIRS, work, batch) for batch in batches} if python else {}
    runs = {OURS: [measure(sys.executable, OURS, work, 0)]}
    if python:
        best = min(tried, key=lambda batch: tried[batch]["seconds"])
        runs[THEIRS] = [tried[best]]
    for _ in range(repeats - 1):
        runs[OURS].append(measure(sys.executable, OURS, work, 0))
        if python:
            runs[THEIRS].append(measure(python, THEIRS, work, best))
    return runs, {batch: round(run["seconds"], 3) for batch, run in tried.items()}


def apart(runs: dict[str, list[dict[str, Any]]]) -> float:
    """The largest difference of a component between the sides, which must agree."""
    import numpy as np

    ours, theirs = (np.array(runs[name][0]["vectors"]) for name in (OURS, THEIRS))
    found = float(np.abs(ours - theirs).max())
    if found > TOLERANCE:
        raise SystemExit(f"the vectors differ by {found}: the sides do not compute the same")
    return found


def report(
    count: int, runs: dict[str, list[dict[str, Any]]], tried: dict[int, float], theirs: str | None
) -> tuple[str, dict[str, Any]]:
    """The text and the plain values; without the other side there is no ratio."""
    rates = {name: spread([count / run["seconds"] for run in each]) for name, each in runs.items()}
    rows = [[OURS, shown(rates[OURS]), ""]]
    ratio = largest = None
    told = f"{THEIRS} was not at hand and is left out."
    if tried:
        ratio = round(rates[OURS]["median"] / rates[THEIRS]["median"], 3)
        largest = apart(runs)
        best = min(tried, key=lambda batch: tried[batch])
        rows.append([f"{THEIRS} {theirs}, batches of {best}", shown(rates[THEIRS]), f"{ratio:.2f}"])
        told = (
            f"No component of a vector differs by more than {largest:.1e}. Of {THEIRS}'s batch sizes each was"
            f" tried once: {', '.join(f'{b} took {s:.2f} s' for b, s in tried.items())}."
        )
    text = (
        f"{count} abstracts of SciFact, all-MiniLM-L6-v2, float32, 256 tokens; {len(runs[OURS])} runs of each"
        f" side.\n\n{table(['', 'texts a second', 'ours is faster by'], rows)}\n\n{told}"
    )
    result = {
        "texts": count, "texts_per_second": rates, "ratio": ratio, "largest_difference": largest,
        "their_batches_seconds": tried, "machine": machine(),
        "versions": versions() | ({THEIRS: theirs} if theirs else {}),
    }  # fmt: skip
    return text, result


def main() -> None:
    """Run a side, or compare both."""
    parser = argparse.ArgumentParser(description="Embedding against sentence-transformers")
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batches", default="16,32,128")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--python", help="an interpreter with sentence-transformers; none = without"
    )
    parser.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir()) / "evalkit-speed-embed"
    )
    parser.add_argument("--out", type=Path, help="default reports/performance")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, default=0, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.side:
        side(chosen.side, chosen.work, chosen.result, chosen.batch)
        return
    from evalkit.configuration.assemble import Experiment
    from evalkit.configuration.compose import compose, resolved

    python = python_with(THEIRS, THEIRS, chosen.python, chosen.work)
    embedder: Any = Experiment(resolved(compose([]))).embedder
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work.json"
        plan = {"model": str(embedder.path), "texts": texts(chosen.texts), "device": chosen.device}
        work.write_text(json.dumps(plan), encoding="utf-8")
        batches = [int(batch) for batch in chosen.batches.split(",")]
        runs, tried = in_turns(python, work, chosen.repeats, batches)
    theirs = version_of(THEIRS, python) if python else None
    text, result = report(len(plan["texts"]), runs, tried, theirs)
    publish("embed", "Embedding against sentence-transformers", text, result, chosen.out)


if __name__ == "__main__":
    main()
