"""The curves of a study over time as metrics whose step is the index of the date."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.tracking.curves import curves


@pytest.fixture
def results() -> dict[str, Any]:
    def row(on: str, value: float | None) -> dict[str, Any]:
        return {"date": on, "state": "frozen", "pipeline": "rag", "value": value, "low": value,
                "high": 1.0, "signature": "s"}  # fmt: skip

    days = ("2025-01-01", "2025-07-01")
    return {
        "schema": 1, "kind": "timeline", "experiment": "roll", "created": "2026-01-01T00:00:00+00:00",
        "timeline": {"dates": list(days), "states": ["frozen"]},
        "pipelines": [{"name": "rag"}], "benchmark": {"name": "b", "fingerprint": "f" * 64},
        "estimates": [row(days[0], 0.75) | {"metric": "a/b/c"}, row(days[1], 0.25) | {"metric": "a/b/c"},
                      row(days[1], None) | {"metric": "a/b/d"}],
        "classes": [row(days[1], 0.5) | {"class": "wrong"}],
        "updates": [{"date": days[1], "way": "re-index", "seconds": 2.0, "price": None}],
    }  # fmt: skip


def test_each_number_stands_at_the_step_of_its_date(results: dict[str, Any]) -> None:
    """What has no value has no point."""
    found = curves(results)
    assert found["rag/frozen/a/b/c"] == ((0, 0.75), (1, 0.25))
    assert found["rag/frozen/classes/wrong"] == ((1, 0.5),)
    assert found["updates/re-index/seconds"] == ((1, 2.0),)
    assert not any(name.endswith("price") for name in found)
    assert "rag/frozen/a/b/d" not in found


def test_a_run_has_no_curves(results: dict[str, Any]) -> None:
    assert curves({**results, "kind": None}) == {}
