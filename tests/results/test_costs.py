"""Costs: sums and percentiles of what was measured; an unknown price is no price, not 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError
from evalkit.pipelines import Pipeline
from evalkit.prompts import PromptTemplate
from evalkit.records import Trace
from evalkit.results.costs import Prices, cost_rows
from evalkit.stages.preparing import Adapter, Answered, Indexed
from evalkit.tables.tally import Tally

RAG = Pipeline("rag", PromptTemplate(), "retrieved")
LORA = Pipeline("lora", PromptTemplate(), tuned=True)


def trace(pipeline: str, seconds: float, error: str | None = None) -> Trace:
    return Trace(
        "q", pipeline, None, "", "", 1000, 10, seconds={"generation": seconds}, error=error
    )


def table(answered: Answered, prices: Prices) -> dict[tuple[str, str], Any]:
    rows = cost_rows(answered, (RAG, LORA), 7, prices)
    return {(r.get("pipeline") or r["stage"], r["name"]): (r["value"], r["unit"]) for r in rows}


def answered(folder: Path, kinds: tuple[str, ...]) -> Answered:
    traces = [trace("rag", s) for s in (1.0, 2.0, 9.0)] + [trace("lora", 4.0)]
    (folder / "adapter_model.safetensors").write_bytes(b"x" * 50)
    adapter = Adapter(folder, "a", {"seconds": 60.0}, kinds)
    return Answered(Tally.of(traces), {}, Indexed(None, 5.0, 800), adapter)


def test_time_to_fresh_is_rebuilding_and_one_answer(tmp_path: Path) -> None:
    """Each way to update counts the median answer of the pipelines that rest on it."""
    found = table(answered(tmp_path, ("behaviour", "knowledge")), Prices())
    assert found["index", "time to fresh, full re-index"] == (7.0, "seconds")
    assert found["adapter", "time to fresh, full re-train"] == (64.0, "seconds")
    assert found["index", "size of the index"] == (800, "bytes")
    assert found["adapter", "size of the adapter"] == (50, "bytes")
    assert found["run", "peak memory"] == (7, "bytes")


def test_an_adapter_of_behaviour_alone_never_becomes_fresh(tmp_path: Path) -> None:
    found = table(answered(tmp_path, ("behaviour",)), Prices())
    assert ("adapter", "time to fresh, full re-train") not in found
    assert found["adapter", "building the adapter"] == (60.0, "seconds")


def test_prices_multiply_tokens_and_hours_and_stay_away_where_unknown(tmp_path: Path) -> None:
    """3,000 prompt tokens at 2 a million and 30 output tokens at 10; 12 s of a machine at 3 an hour."""
    prices = Prices("USD", prompt_tokens=2.0, output_tokens=10.0, machine_hour=3.0)
    found = table(answered(tmp_path, ()), prices)
    assert found["rag", "price of the tokens"] == (pytest.approx(0.0063), "USD")
    assert found["rag", "price of the machine's time"] == (pytest.approx(0.01), "USD")
    assert found["index", "price of building the index"] == (pytest.approx(5 / 1200), "USD")
    free = table(answered(tmp_path, ()), Prices(prompt_tokens=2.0))
    assert not [name for _, name in free if "price" in name]


def test_failed_answers_have_no_latency(tmp_path: Path) -> None:
    """With nothing answered there is no row, rather than 0 seconds."""
    nothing = Answered(Tally.of([trace("rag", 0.0, "out of memory"), trace("lora", 4.0)]), {})
    found = table(nothing, Prices())
    assert ("rag", "seconds per answer in its batch, median") not in found
    assert found["lora", "seconds per answer in its batch, median"] == (4.0, "seconds")


@pytest.mark.parametrize("bad", [{"prompt_tokens": -1}, {"machine_hour": "much"}, {"per_token": 1}])
def test_prices_that_make_no_sense_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="prices"):
        Prices.of(bad)
