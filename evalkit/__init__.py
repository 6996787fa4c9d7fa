"""evalkit: what does retrieval buy, what does tuning buy, and what do both together buy?

The names below are the whole Python API; each is imported when first used, so that
``import evalkit`` costs nothing::

    import evalkit

    benchmark = evalkit.load_benchmark("handbook")
    result = evalkit.run("experiment=quartet", "limit=20")
    result.scores          # pandas: question, pipeline, metric, status, value ...
    result.estimates       # pandas: one row per pipeline and metric, with intervals
    assert evalkit.gate("runs/main", "runs/branch").ships
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "load_benchmark": "evalkit.api",
    "run": "evalkit.api",
    "open_run": "evalkit.api",
    "RunResult": "evalkit.api",
    "gate": "evalkit.gating",
    "gate_tables": "evalkit.gating",
    "GateResult": "evalkit.gating",
    "Benchmark": "evalkit.benchmarks.benchmark",
    "EvalkitError": "evalkit.errors",
}
__all__ = [
    "Benchmark",
    "EvalkitError",
    "GateResult",
    "RunResult",
    "__version__",
    "gate",
    "gate_tables",
    "load_benchmark",
    "open_run",
    "run",
]

if TYPE_CHECKING:
    from evalkit.api import RunResult, load_benchmark, open_run, run
    from evalkit.benchmarks.benchmark import Benchmark
    from evalkit.errors import EvalkitError
    from evalkit.gating import GateResult, gate, gate_tables


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'evalkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
