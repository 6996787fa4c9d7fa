"""How long a rerun takes when everything is at hand, or all but the scores.

    EVALKIT_CACHE=DIR python tests/benchmarks/speed_warm.py [--repeats 5] [--out DIR] [OVERRIDE ...]

The study `quartet` (real weights) is run once as it is; then again, as whole processes: with everything
at hand, with one metric changed, with another judge, and with everything at hand and MLflow. The four
take turns, after a round that is not counted. No rerun may import what a model needs, and each must
give the scores of the first run. ``limit=4 control_limit=0 pipeline=[prompt_only,rag] hypotheses=[]``
tries the script. The last line is one JSON object.
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

from evalkit.machine.hardware import surely_no_accelerator

FORBIDDEN = ("torch", "transformers", "peft", "faiss")
KINDS = {
    "same": "everything at hand",
    "metric": "one metric changed",
    "judge": "another judge",
    "mlflow": "everything at hand, with MLflow",
}
CHILD = """
import hashlib, json, resource, sys
from dataclasses import replace
import evalkit
from evalkit.scoring import METRICS
from evalkit.scoring.judges.offline import OfflineJudge
change, *overrides = json.loads(sys.argv[1])
metric = "correctness/generation/correct"
if change.startswith("metric"):
    METRICS[metric] = replace(METRICS[metric], version=change)
if change.startswith("judge"):
    OfflineJudge.version = change
result = evalkit.run(*overrides)
spent = resource.getrusage(resource.RUSAGE_SELF)
stages = {}
for row in result.results["timings"]:
    stages[row["stage"]] = round(stages.get(row["stage"], 0) + row["seconds"], 3)
print(json.dumps({
    "cpu": spent.ru_utime + spent.ru_stime, "peak_mb": spent.ru_maxrss // 1024, "stages": stages,
    "imported": [name for name in FORBIDDEN if name in sys.modules], "answers": len(result.traces),
    "scores": hashlib.sha256(result.scores.to_csv(index=False).encode()).hexdigest(),
}))
"""


def run(folder: Path, number: int, change: str, overrides: list[str]) -> dict[str, Any]:
    """One process; what it took."""
    given = [
        change, "experiment=quartet", f"store={folder / 'store'}", f"run_dir={folder / f'run-{number}'}",
        f"tracking.uri=sqlite:///{folder / 'mlflow.db'}" if change == "mlflow" else "tracking=none",
        *overrides,
    ]  # fmt: skip
    script = CHILD.replace("FORBIDDEN", repr(FORBIDDEN))
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(given)],
        capture_output=True, text=True, check=False, cwd=folder, env=os.environ,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"a run failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    found["seconds"] = time.perf_counter() - started
    print(f"{change or 'same'}: {found['seconds']:.2f} s", file=sys.stderr, flush=True)
    return found


def checked(first: dict[str, Any], again: dict[str, Any], kind: str) -> dict[str, Any]:
    """A rerun that gave the same and loaded nothing."""
    if again["scores"] != first["scores"]:
        raise SystemExit(f"{KINDS[kind]}: other scores than the first run's")
    # Where there may be a GPU, torch must be asked about it.
    if loaded := set(again["imported"]) - (set() if surely_no_accelerator() else {"torch"}):
        raise SystemExit(f"{KINDS[kind]}: the rerun imported {sorted(loaded)}")
    return again


def measured(folder: Path, repeats: int, overrides: list[str]) -> dict[str, list[dict[str, Any]]]:
    """The first run, and the reruns in turns by kind."""
    first = run(folder, 0, "", overrides)
    runs: dict[str, list[dict[str, Any]]] = {"first": [first]} | {kind: [] for kind in KINDS}
    number = 0
    for repeat in range(repeats + 1):
        for kind in KINDS:
            number += 1
            # Each changed metric and judge is one that the store has not seen yet.
            change = {"same": "", "mlflow": "mlflow"}.get(kind, f"{kind}-{repeat}")
            again = checked(first, run(folder, number, change, overrides), kind)
            if repeat:  # in the round before, MLflow makes its tables
                runs[kind].append(again)
    return runs


def main() -> None:
    """Run, rerun in turns and report."""
    parser = argparse.ArgumentParser(description="Reruns of a study")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, help="default reports/performance")
    parser.add_argument("overrides", nargs="*", help="of the experiment")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        runs = measured(Path(name), chosen.repeats, chosen.overrides)
    kinds = {
        kind: {
            "seconds": spread([each["seconds"] for each in runs[kind]]),
            "cpu_seconds": spread([each["cpu"] for each in runs[kind]]),
            "peak_mb": max(each["peak_mb"] for each in runs[kind]),
            "stages": runs[kind][-1]["stages"],
        }
        for kind in KINDS
    }
    first = runs["first"][0]
    rows = [
        ["the first run, once", f"{first['seconds']:.4g}", f"{first['cpu']:.4g}", first["peak_mb"]]
    ]
    rows += [
        [KINDS[kind], shown(each["seconds"]), shown(each["cpu_seconds"]), each["peak_mb"]]
        for kind, each in kinds.items()
    ]
    text = (
        f"The study `quartet`, {first['answers']} answers, as whole processes.\n\n"
        f"{table(['run', 'seconds', 'of the processor', 'peak memory, MB'], rows)}\n\n"
        f"{chosen.repeats} reruns of each kind. Every rerun gave the scores of the first run and loaded no"
        " model."
    )
    result = {
        "answers": first["answers"], "overrides": chosen.overrides, "first_seconds": round(first["seconds"], 2),
        "reruns": kinds, "machine": machine(), "versions": versions(),
    }  # fmt: skip
    publish("warm", "Reruns", text, result, chosen.out)


if __name__ == "__main__":
    main()
