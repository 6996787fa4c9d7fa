"""What a run cost: tokens, seconds, bytes, money, and the time to fresh of each way to update."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.errors import ConfigError
from evalkit.pipelines import Pipeline
from evalkit.stages.preparing import Answered
from evalkit.tables.tally import Spent

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
    answered: Answered, pipelines: Sequence[Pipeline], peak_memory: int, prices: Prices
) -> list[Row]:
    """The rows of ``results.json``'s ``costs``: by pipeline, then once per run.

    ``time to fresh`` is how long after a document changed an answer can come from it when
    everything is rebuilt: the index (retrieval) or the adapter (tuning), and then one answer. An
    adapter that was trained on behaviour alone never answers from documents and has none.
    """
    tally = answered.tally
    rows = [
        row
        for p in pipelines
        for row in _pipeline(p.name, tally.spent.get(p.name, Spent()), prices)
    ]

    def answer(names: Iterable[str]) -> float | None:
        """The slowest median among pipelines that rest on the same thing."""
        medians = [m for n in names if (m := _percentile(tally.seconds(n), 50)) is not None]
        return max(medians, default=None)

    if indexed := answered.indexed:
        after = answer(p.name for p in pipelines if p.context == "retrieved")
        rows += _built("index", indexed.seconds, indexed.bytes, prices)
        rows += _fresh("index", "re-index", indexed.seconds, after)
    if (adapter := answered.adapter) and adapter.folder and adapter.report:
        size = sum(f.stat().st_size for f in adapter.folder.glob("*.safetensors"))
        seconds = float(adapter.report["seconds"])
        rows += _built("adapter", seconds, size, prices)
        if "knowledge" in adapter.kinds:
            after = answer(p.name for p in pipelines if p.tuned)
            rows += _fresh("adapter", "re-train", seconds, after)
    rows.append({"stage": "run", "name": "peak memory", "value": peak_memory, "unit": "bytes"})
    return rows


def _pipeline(name: str, spent: Spent, prices: Prices) -> list[Row]:
    prompt, output, seconds = spent.prompt_tokens, spent.output_tokens, spent.seconds
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


def _built(what: str, seconds: float, size: int | None, prices: Prices) -> Iterable[Row]:
    rows = [
        (f"building the {what}", seconds, "seconds"),
        (f"size of the {what}", size, "bytes"),
        (f"price of building the {what}", prices.of_seconds(seconds), prices.currency),
    ]
    return [{"stage": what, "name": n, "value": v, "unit": u} for n, v, u in rows if v is not None]


def _fresh(what: str, how: str, seconds: float, answer: float | None) -> Iterable[Row]:
    if answer is not None:
        name = f"time to fresh, full {how}"
        yield {"stage": what, "name": name, "value": seconds + answer, "unit": "seconds"}


def _percentile(values: Sequence[float], percent: float) -> float | None:
    import numpy as np

    return float(np.percentile(values, percent)) if values else None
