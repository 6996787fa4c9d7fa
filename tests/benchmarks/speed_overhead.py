"""What the harness itself costs: `python tests/benchmarks/speed_overhead.py [--questions 10000 100000]`.

A generator that answers at once (tests/faulty/instant_engine.py) is asked N questions about 1,000
revisions by `prompt_only` and `rag` (BM25), scored by the offline judge, and reported. Every size is a
process of its own with an empty store, loading the benchmark and the imports included. Told are the
milliseconds per question and pipeline of all of it, and of the harness: without the metrics' and the
judge's own computing and without the statistics (`--resamples` of them); the wall seconds by stage; and
the peak memory of the process. Processor time is told beside wall time, since other work on the machine
does not change it much. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

DOCUMENTS = 500
TESTS = Path(__file__).resolve().parent.parent


def write_benchmark(folder: Path, questions: int) -> None:
    """Dated documents, each revised once, and questions about them in four categories."""
    folder.mkdir(parents=True)
    corpus, asked = [], []
    for d in range(DOCUMENTS):
        for revision, start, end, value in (
            ("old", "2025-01-01", "2025-06-01", d), ("new", "2025-06-01", None, d + 1),
        ):  # fmt: skip
            text = f"The allowance of item {d} is EUR {value} a day. Trains come first, then buses."
            corpus.append({
                "document": f"D{d}", "revision": f"D{d}@{revision}", "title": f"Allowance {d}",
                "text": text, "valid_from": start, "valid_to": end,
            })  # fmt: skip
    for q in range(questions):
        d = q % DOCUMENTS
        answers = [
            {"text": f"EUR {value}", "aliases": [], "valid_from": start, "valid_to": end,
             "evidence": [{"revision": f"D{d}@{revision}", "quote": f"EUR {value} a day"}]}
            for revision, start, end, value in (
                ("old", "2025-01-01", "2025-06-01", d), ("new", "2025-06-01", None, d + 1),
            )
        ]  # fmt: skip
        asked.append({
            "id": f"q{q}", "question": f"How high is the allowance of item {d}, asked time {q}?",
            "as_of": "2025-10-01", "category": ("changed", "unanswerable")[q % 10 == 0],
            "cluster": f"c{q}", "answers": [] if q % 10 == 0 else answers,
        })  # fmt: skip
    for name, rows in {"corpus": corpus, "questions": asked}.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text)
    options = {
        "name": "instant", "license": "CC0-1.0",
        "format": {
            "name": "house", "instruction": "Reply with JSON.", "abstention": "not stated",
            "fields": {"answer": "answer", "source": "source", "effective": "effective"},
            "instructions": [{"kind": "one_line"}],
        },
    }  # fmt: skip
    (folder / "benchmark.json").write_text(json.dumps(options))


def child(folder: Path, resamples: int) -> None:
    """One run, and what it took, as JSON on standard output."""
    sys.path[:0] = [str(TESTS / "faulty")]
    import evalkit
    from evalkit import runner, scorer

    computing: Counter[str] = Counter()

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            before = time.process_time()
            found = function(*given)
            computing[name] += time.process_time() - before
            return found

        return call

    scorer.score = timed("metrics", scorer.score)
    runner.measured = timed("statistics", runner.measured)
    started = time.perf_counter()
    result = evalkit.run(
        "pipeline=[prompt_only,rag]", "model=openai", "model.name=instant",
        "model.engine._target_=instant_engine.Instant", "retriever=bm25", "embedder=hash", "judge=offline",
        "tracking=none", "benchmark=jsonl", f"benchmark.path={folder / 'benchmark'}",
        f"store={folder / 'store'}", f"run_dir={folder / 'run'}", f"statistics.resamples={resamples}",
    )  # fmt: skip
    seconds = time.perf_counter() - started
    stages: Counter[str] = Counter()
    for row in json.loads((result.folder / "results.json").read_text())["timings"]:
        stages[row["stage"]] += row["seconds"]
    peak = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "seconds": seconds, "cpu": peak.ru_utime + peak.ru_stime, "peak_mb": peak.ru_maxrss / 1024,
        "stages": stages, "computing": computing,
    }))  # fmt: skip


def measured(questions: int, resamples: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_benchmark(folder / "benchmark", questions)
        command = [sys.executable, __file__, "--child", name, "--resamples", str(resamples)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        size = sum(f.stat().st_size for f in (folder / "store").rglob("*") if f.is_file())
    answers = 2 * questions
    computing = found["computing"]

    def each(seconds: float) -> float:
        return round(1000 * seconds / answers, 3)

    return {
        "questions": questions,
        "answers": answers,
        "ms, wall": each(found["seconds"]),
        "ms, cpu": each(found["cpu"]),
        "ms of metrics, cpu": each(computing["metrics"]),
        "ms of statistics, cpu": each(computing["statistics"]),
        "ms of the harness, cpu": each(found["cpu"] - sum(computing.values())),
        "peak_mb": round(found["peak_mb"]),
        "store_mb": round(size / 1e6, 1),
        "stages_s": {name: round(seconds, 2) for name, seconds in found["stages"].items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--questions", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--child", type=Path)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.resamples)
        return
    rows = [measured(count, options.resamples) for count in options.questions]
    for row in rows:
        for name, value in row.items():
            print(f"{name:24} {value}")
        print()
    ratio = round(rows[-1]["peak_mb"] / rows[0]["peak_mb"], 2)
    print(json.dumps({"resamples": options.resamples, "memory_ratio": ratio, "runs": rows}))


if __name__ == "__main__":
    main()
