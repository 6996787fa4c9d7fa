"""The curves of a study over time as metrics with steps: step 0 is the first date."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Point = tuple[int, float]
_OF_UPDATES = ("seconds", "bytes", "worked", "changed_facts", "price", "time_to_fresh")


def curves(results: Mapping[str, Any]) -> dict[str, tuple[Point, ...]]:
    """``PIPELINE/STATE/METRIC`` for every estimate, ``PIPELINE/STATE/classes/CLASS`` for the answer
    classes, and ``updates/WAY/...`` for what updates cost; finite numbers only, none for a run.
    """
    if results.get("kind") != "timeline":
        return {}
    step = {on: i for i, on in enumerate(results["timeline"]["dates"])}
    found: dict[str, list[Point]] = {}
    for on, name, value in _values(results):
        if value is not None and math.isfinite(value):
            found.setdefault(name, []).append((step[on], float(value)))
    return {name: tuple(sorted(points)) for name, points in found.items()}


def _values(results: Mapping[str, Any]) -> Iterator[tuple[str, str, float | None]]:
    yield from _shares(results["estimates"], "", "metric")
    yield from _shares(results.get("classes") or (), "classes/", "class")
    for row in results.get("updates") or ():
        for name in _OF_UPDATES:
            yield row["date"], f"updates/{row['way']}/{name}", row.get(name)


def _shares(
    rows: Iterable[Mapping[str, Any]], prefix: str, key: str
) -> Iterator[tuple[str, str, float | None]]:
    for row in rows:
        name = f"{row['pipeline']}/{row['state']}/{prefix}{row[key]}"
        yield row["date"], name, row["value"]
        for bound in ("low", "high"):
            yield row["date"], f"{name}/{bound}", row[bound]
