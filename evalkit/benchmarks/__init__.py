"""Benchmarks: load, check, fingerprint. ``SCHEMA.md`` in this folder describes the files."""

from __future__ import annotations

from evalkit.benchmarks.benchmark import Benchmark, Corpus
from evalkit.benchmarks.check import BenchmarkError, check, listing
from evalkit.benchmarks.jsonl import datasets_of, load, load_bundled
from evalkit.benchmarks.lines import Problem

__all__ = [
    "Benchmark",
    "BenchmarkError",
    "Corpus",
    "Problem",
    "check",
    "datasets_of",
    "listing",
    "load",
    "load_bundled",
]
