"""How long the comparisons of a large run take: `python tests/benchmarks/speed_statistics.py`.

20 metrics, 4 pipelines (6 pairs), 1,000 questions, 10,000 resamples, for questions on their own and
in clusters of four; beside it scipy's BCa bootstrap called once per metric and pair, measured on a
few of them in the same run and scaled up; the ratio is of the intervals alone. The last line is one
JSON object.
"""

from __future__ import annotations

import json
import resource
import time
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from evalkit.statistics import compare_all, estimate_many

METRICS, PIPELINES, QUESTIONS, RESAMPLES = 20, ("a", "b", "c", "d"), 1_000, 10_000
NAIVE = 4
"""Calls of scipy that are timed; each takes as long as any other."""


def scores(cluster_size: int) -> pd.DataFrame:
    """A long table of shares, half of the metrics binary."""
    rng, frames = np.random.default_rng(0), []
    questions = np.arange(QUESTIONS)
    for metric in range(METRICS):
        level = rng.random(QUESTIONS)
        for pipeline in PIPELINES:
            value = np.clip(level + rng.normal(0, 0.2, QUESTIONS), 0, 1)
            frames.append(
                pd.DataFrame(
                    {
                        "question": [f"q{i:04d}" for i in questions],
                        "pipeline": pipeline,
                        "repeat": 0,
                        "metric": f"correctness/generation/m{metric}",
                        "status": "scored",
                        "value": np.round(value) if metric % 2 else value,
                        "cluster": [f"c{i:04d}" for i in questions // cluster_size],
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def intervals(pairs: int) -> float:
    """Seconds for the intervals of all metrics and pairs, without tables and p-values."""
    values = np.random.default_rng(1).normal(size=(METRICS * pairs, QUESTIONS))
    start, questions = time.perf_counter(), np.arange(QUESTIONS)
    for each in estimate_many([(row, questions, None) for row in values], resamples=RESAMPLES):
        each.interval(0.95)
    return time.perf_counter() - start


def naive() -> float:
    """Seconds that scipy's bootstrap would take for the same."""
    rng = np.random.default_rng(1)
    difference = rng.normal(size=QUESTIONS)
    start = time.perf_counter()
    for _ in range(NAIVE):
        stats.bootstrap(
            (difference,), np.mean, method="BCa", n_resamples=RESAMPLES, batch=1_000, rng=rng
        )
    calls = METRICS * len(list(combinations(PIPELINES, 2)))
    return (time.perf_counter() - start) / NAIVE * calls


def main() -> None:
    """Time both and print a table and a JSON line."""
    found: dict[str, float] = {}
    pairs = list(combinations(PIPELINES, 2))
    for name, size in (("single", 1), ("clusters of 4", 4)):
        table = scores(size)
        start = time.perf_counter()
        rows = compare_all(table, pairs, resamples=RESAMPLES)
        found[name] = round(time.perf_counter() - start, 3)
        assert len(rows) == METRICS * len(pairs)
    found["intervals alone"] = round(intervals(len(pairs)), 3)
    found["scipy, one by one"] = round(naive(), 3)
    found["ratio"] = round(found["scipy, one by one"] / found["intervals alone"], 1)
    found["peak memory MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    for name, value in found.items():
        print(f"{name:20} {value:10.2f}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
