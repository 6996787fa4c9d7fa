"""How long a rerun takes: `python tests/benchmarks/speed_warm.py [--repeats 5] [KEY=VALUE ...]`.

The study `quartet` (real weights) is run once as it is; then again, as whole processes: with everything
at hand, with one metric changed, with another judge, and with everything at hand and MLflow. The four
take turns, `--repeats` times; medians, and the least and most. No rerun may load a model: each says which
of the heavy packages it imported. The last line is one JSON object.
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
from statistics import median
from typing import Any

HEAVY = ("torch", "transformers", "peft", "faiss", "matplotlib")
CHILD = """
import json, resource, sys
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
    "imported": [name for name in HEAVY if name in sys.modules],
}))
"""


def run(folder: Path, number: int, change: str, overrides: list[str]) -> dict[str, Any]:
    """One process; what it took."""
    given = [
        change, "experiment=quartet", f"store={folder / 'store'}", f"run_dir={folder / f'run-{number}'}",
        f"tracking.uri=sqlite:///{folder / 'mlflow.db'}" if change == "mlflow" else "tracking=none",
        *overrides,
    ]  # fmt: skip
    script = CHILD.replace("HEAVY", repr(HEAVY))
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(given)],
        stdout=subprocess.PIPE, text=True, check=True, cwd=folder, env=os.environ,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"seconds": time.perf_counter() - started, **found}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("overrides", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, number = Path(name), 0
        first = run(folder, number, "", options.overrides)
        runs: dict[str, list[dict[str, Any]]] = {}
        for repeat in range(options.repeats):
            for kind in ("same", "metric", "judge", "mlflow"):
                number += 1
                # Each changed metric and judge is one that the store has not seen yet.
                change = {"same": "", "mlflow": "mlflow"}.get(kind, f"{kind}-{repeat}")
                found = run(folder, number, change, options.overrides)
                if repeat or kind in (
                    "metric",
                    "judge",
                ):  # the first of the others still draws or sets up
                    runs.setdefault(kind, []).append(found)
    rows = {"first": {"seconds": round(first["seconds"], 2), "cpu": round(first["cpu"], 2)}}
    for kind, each in runs.items():
        seconds = sorted(round(r["seconds"], 2) for r in each)
        rows[kind] = {
            "seconds": median(seconds), "least": seconds[0], "most": seconds[-1],
            "cpu": round(median(r["cpu"] for r in each), 2), "peak_mb": each[-1]["peak_mb"],
            "imported": each[-1]["imported"], "stages": each[-1]["stages"],
        }  # fmt: skip
    for kind, row in rows.items():
        print(f"{kind:8} {row}")
    print(json.dumps({"repeats": options.repeats, "runs": rows}))


if __name__ == "__main__":
    main()
