"""``evalkit check``: validate a benchmark's files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Register the command."""
    check = commands.add_parser("check", help="validate a benchmark's files and list every problem")
    check.add_argument(
        "folder", type=Path, help="folder with corpus.jsonl, questions.jsonl, training.jsonl"
    )
    check.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """0 no problems, 1 problems listed."""
    from evalkit.benchmarks import check, listing, load
    from evalkit.plurals import counted
    from evalkit.scoring.instructions import faults

    problems = check(options.folder)
    if problems:
        print(listing(problems))
        return 1
    benchmark = load(options.folder)
    if wrong := faults(benchmark.format):
        print("\n".join(f"benchmark.json format: {fault}" for fault in wrong))
        return 1
    counts = ", ".join(f"{n} {category}" for category, n in benchmark.categories.items())
    print(f"{options.folder}: no problems")
    documents = counted(len(benchmark.corpus.documents), "document")
    print(f"  {documents} in {counted(len(benchmark.revisions), 'revision')}")
    print(f"  {counted(len(benchmark.questions), 'question')}: {counts}")
    print(f"  {counted(len(benchmark.training), 'training example')}")
    print(f"  fingerprint {benchmark.fingerprint[:12]}")
    return 0
