"""What the harness itself costs, with a generator that answers at once.

    python tests/benchmarks/speed_overhead.py [--questions 10000 100000] [--repeats 5]
        [--repeats-largest N] [--resamples 10000] [--out DIR]

The generator (tests/faulty/instant_engine.py) is asked N questions about 1,000 revisions by
`prompt_only` and `rag` (BM25), scored by the offline judge, and reported. Every run is a process of its
own with an empty store, loading the benchmark and the imports included; sizes take turns, and the
largest, which takes long, may have fewer (--repeats-largest). Told are the milliseconds per question
and pipeline of all of it, and of the harness: without the metrics' and the judge's own computing and
without the statistics; the wall seconds by stage; and the peak memory.
Processor time is told beside wall time, since other work on the machine does not change it much.
``--questions 20 40 --repeats 1 --resamples 100`` tries the script. The last line is one JSON object.
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
from statistics import median
from typing import Any

from speed_common import machine, publish, shown, spread, table, versions

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
    from evalkit import runner
    from evalkit.stages import scorer

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
        "answers": len(result.traces), "failed": int(result.traces["error"].notna().sum()),
        "seconds": seconds, "cpu": peak.ru_utime + peak.ru_stime, "peak_mb": peak.ru_maxrss / 1024,
        "stages": stages, "computing": computing,
    }))  # fmt: skip


MEASURES = {
    "wall_ms": "ms, wall",
    "cpu_ms": "ms, processor",
    "metrics_ms": "of it metrics",
    "statistics_ms": "of it statistics",
    "harness_ms": "of it the harness",
    "peak_mb": "peak memory, MB",
}
"""By name, the heading of its column; milliseconds are per question and pipeline."""


def measured(questions: int, resamples: int) -> dict[str, Any]:
    """One run of so many questions, in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_benchmark(folder / "benchmark", questions)
        command = [sys.executable, __file__, "--child", name, "--resamples", str(resamples)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{questions} questions failed:\n{done.stderr[-2000:]}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        size = sum(f.stat().st_size for f in (folder / "store").rglob("*") if f.is_file())
    if found["answers"] != 2 * questions or found["failed"]:
        raise SystemExit(f"{questions} questions in 2 pipelines gave {found['answers']} answers, of which"
                         f" {found['failed']} failed")  # fmt: skip
    print(f"{questions} questions: {found['seconds']:.1f} s", file=sys.stderr, flush=True)
    computing, per = found["computing"], 1000 / found["answers"]
    return {
        "wall_ms": per * found["seconds"],
        "cpu_ms": per * found["cpu"],
        "metrics_ms": per * computing["metrics"],
        "statistics_ms": per * computing["statistics"],
        "harness_ms": per * (found["cpu"] - sum(computing.values())),
        "peak_mb": found["peak_mb"],
        "store_mb": size / 1e6,
        "stages_s": found["stages"],
    }


def told(runs: dict[int, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """By size: the spread of each measure over its runs, and the median seconds of each stage."""
    return [
        {
            "questions": questions,
            **{name: spread([run[name] for run in each]) for name in (*MEASURES, "store_mb")},
            "stages_s": {
                name: round(median(run["stages_s"][name] for run in each), 2)
                for name in each[0]["stages_s"]
            },
        }
        for questions, each in runs.items()
    ]


def main() -> None:
    """Measure the sizes in turns and report."""
    parser = argparse.ArgumentParser(description="The harness's own time and memory")
    parser.add_argument("--questions", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--repeats-largest", type=int, help="of the largest size; default all")
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--out", type=Path, help="default reports/performance")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        child(chosen.child, chosen.resamples)
        return
    runs: dict[int, list[dict[str, Any]]] = {count: [] for count in chosen.questions}
    largest = chosen.repeats_largest or chosen.repeats
    for number in range(chosen.repeats):
        for count, each in runs.items():
            if number < largest or count != max(runs):
                each.append(measured(count, chosen.resamples))
    sizes = told(runs)
    ratio = round(sizes[-1]["peak_mb"]["median"] / sizes[0]["peak_mb"]["median"], 3)
    rows = [
        [size["questions"], len(runs[size["questions"]]), *(shown(size[name]) for name in MEASURES)]
        for size in sizes
    ]
    text = (
        f"Two pipelines, an engine that answers at once, {chosen.resamples:,} resamples. Milliseconds are per"
        " question and pipeline; parts are of the processor.\n\n"
        f"{table(['questions', 'runs', *MEASURES.values()], rows)}\n\n"
        f"Peak memory of the largest is {ratio} times that of the smallest."
    )
    result = {
        "resamples": chosen.resamples, "repeats": {count: len(each) for count, each in runs.items()},
        "memory_ratio": ratio, "sizes": sizes, "machine": machine(),
        "versions": versions(),
    }  # fmt: skip
    publish("overhead", "The harness's own time and memory", text, result, chosen.out)


if __name__ == "__main__":
    main()
