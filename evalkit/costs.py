"""What a run cost: tokens, seconds, bytes, money, and the time to fresh of each way to update."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.errors import ConfigError
from evalkit.records import Trace
from evalkit.stages import Adapter, Indexed

Row = dict[str, Any]


@dataclass(frozen=True)
class Prices:
    """Prices in ``currency``: per million tokens, and per hour of the machine; None = not priced."""

    currency: str = "EUR"
    prompt_tokens: float | None = None
    output_tokens: float | None = None
    machine_hour: float | None = None

    @classmethod
    def of(cls, part: Mapping[str, Any] | None) -> Prices:
        try:
            prices = cls(**(part or {}))
        except TypeError as error:
            raise ConfigError(
                f"prices: {error}", todo=f"its keys are {list(cls.__annotations__)}"
            ) from error
        for key in ("prompt_tokens", "output_tokens", "machine_hour"):
            value = getattr(prices, key)
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, int | float) or value < 0
            ):
                raise ConfigError(
                    f"prices.{key} is {value!r}, expected a number of 0 or more, or null"
                )
        return prices

    def of_tokens(self, prompt: int, output: int) -> float | None:
        """None where a price is missing: an unknown cost is not a cost of 0."""
        if self.prompt_tokens is None or self.output_tokens is None:
            return None
        return (prompt * self.prompt_tokens + output * self.output_tokens) / 1e6

    def of_seconds(self, seconds: float) -> float | None:
        return None if self.machine_hour is None else seconds / 3600 * self.machine_hour


def cost_rows(
    traces: Sequence[Trace],
    indexed: Indexed | None,
    adapter: Adapter | None,
    peak_memory: int,
    prices: Prices,
) -> list[Row]:
    """The rows of ``results.json``'s ``costs``: by pipeline, then once per run.

    ``time to fresh`` is how long after a document changed an answer can come from it when
    everything is rebuilt: the index (retrieval) or the adapter (tuning), and then one answer.
    """
    by_pipeline: dict[str, list[Trace]] = {}
    for trace in traces:
        by_pipeline.setdefault(trace.pipeline, []).append(trace)
    rows = [row for name, mine in by_pipeline.items() for row in _pipeline(name, mine, prices)]
    answer = {name: _percentile(_seconds(mine), 50) for name, mine in by_pipeline.items()}
    slowest = max(answer.values(), default=0.0)
    if indexed:
        rows += _built(
            "index", "the index", indexed.seconds, indexed.bytes, slowest, "re-index", prices
        )
    if adapter:
        size = sum(f.stat().st_size for f in adapter.folder.glob("*.safetensors"))
        rows += _built(
            "train",
            "the adapter",
            float(adapter.report["seconds"]),
            size,
            slowest,
            "re-train",
            prices,
        )
    rows.append({"stage": "run", "name": "peak memory", "value": peak_memory, "unit": "bytes"})
    return rows


def _pipeline(name: str, traces: Sequence[Trace], prices: Prices) -> list[Row]:
    prompt, output = (
        sum(getattr(t, key) for t in traces) for key in ("prompt_tokens", "output_tokens")
    )
    seconds = _seconds(traces)
    rows = [
        ("prompt tokens", prompt, "tokens"),
        ("output tokens", output, "tokens"),
        ("seconds per answer in its batch, median", _percentile(seconds, 50), "seconds"),
        ("seconds per answer in its batch, 95th percentile", _percentile(seconds, 95), "seconds"),
        ("price of the tokens", prices.of_tokens(prompt, output), prices.currency),
        ("price of the machine's time", prices.of_seconds(sum(seconds)), prices.currency),
    ]
    return [
        {"pipeline": name, "name": n, "value": v, "unit": u} for n, v, u in rows if v is not None
    ]


def _built(
    stage: str, what: str, seconds: float, size: int | None, answer: float, how: str, prices: Prices
) -> Iterable[Row]:
    rows = [
        (f"building {what}", seconds, "seconds"),
        (f"size of {what}", size, "bytes"),
        (f"time to fresh, full {how}", seconds + answer, "seconds"),
        (f"price of building {what}", prices.of_seconds(seconds), prices.currency),
    ]
    return [{"stage": stage, "name": n, "value": v, "unit": u} for n, v, u in rows if v is not None]


def _seconds(traces: Iterable[Trace]) -> list[float]:
    """Wall seconds per answer: retrieval and generation, each a row's share of its batch."""
    return [sum(t.seconds.values()) for t in traces if t.error is None]


def _percentile(values: Sequence[float], percent: float) -> float:
    import numpy as np

    return float(np.percentile(values, percent)) if values else 0.0
