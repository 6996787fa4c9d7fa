"""Geometry of a sweep's charts, in shares of the drawing from 0 (left, bottom) to 1 (right, top)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.reporting.numbers import number
from evalkit.reporting.sweep.view import ANY, COSTS, View, short

_STEPS = (1.0, 2.0, 2.5, 5.0)
_BAND = 0.62
"""How much of the room of a level its lines are spread over."""
_TIERS = (0.10, 0.25, 0.50)
"""Lines in the best tenth, quarter and half are drawn stronger than the others."""
MOST_LINES = 1000
FEW = 60
"""Up to so many lines are drawn opaque."""
Axis = dict[str, Any]


def ticks(low: float, high: float, most: int = 4) -> list[float]:
    """Round numbers from ``low`` to ``high``, both held by the first and the last."""
    if high <= low:
        return [low]
    raw = (high - low) / most
    scale = 10 ** math.floor(math.log10(raw))
    step = next((s * scale for s in _STEPS if s * scale >= raw), 10 * scale)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, last + 1)]


def fronts(view: View) -> list[dict[str, Any]]:
    """A scatter of quality against each kind of cost, with the front as steps."""
    return [_front(view, kind, names) for kind, names in view.analysis["fronts"].items()]


def _front(view: View, kind: str, names: Sequence[str]) -> dict[str, Any]:
    known = [c for c in view.candidates if c["value"] is not None and kind in c["costs"]]
    per = 1000 if kind == "money" else 1
    costs = [per * c["costs"][kind] for c in known]
    ends = [c[name] for c in known for name in ("value", "low", "high") if c[name] is not None
            and (name == "value" or c["name"] in names)]  # fmt: skip
    log = min(costs) > 0 and max(costs) / min(costs) > 20
    across, up = _scale(min(costs), max(costs), log), _scale(min(ends), max(ends), False)
    points = [
        {
            "x": across(cost),
            "y": up(c["value"]),
            "low": None if c["low"] is None else up(c["low"]),
            "high": None if c["high"] is None else up(c["high"]),
            "front": c["name"] in names,
            "baseline": c["name"] == view.analysis["baseline"],
            "pipeline": c["pipeline"],
            "job": str(c["jobs"][0]),
            "words": f"{view.words(c)}: {number(c['value'], view.unit)}, {view.cost(kind, cost / per)}",
        }
        for c, cost in zip(known, costs, strict=True)
    ]
    front = sorted((p for p in points if p["front"]), key=lambda p: (p["x"], p["y"]))
    _label(front)
    return {
        "kind": kind,
        "name": view.cost_name(kind),
        "log": log,
        "points": points,
        "steps": _steps(front),
        "x": [{"at": across(t), "text": _tick(t, COSTS[kind])} for t in _marks(costs, log)],
        "y": [{"at": up(t), "text": number(t, view.unit)} for t in ticks(min(ends), max(ends))],
    }


def _label(front: Sequence[dict[str, Any]]) -> None:
    """Leave the job's number only at points that are not close to another with one, the best first."""
    kept: list[Mapping[str, Any]] = []
    for point in sorted(front, key=lambda p: -p["x"]):
        if any(abs(point["x"] - k["x"]) < 0.09 and abs(point["y"] - k["y"]) < 0.07 for k in kept):
            point["job"] = ""
        else:
            kept.append(point)


def _steps(front: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """The corners of what can be had for so much: level until the next point, then up."""
    corners: list[tuple[float, float]] = []
    for point in front:
        if corners:
            corners.append((point["x"], corners[-1][1]))
        corners.append((point["x"], point["y"]))
    return [*corners, (1.0, corners[-1][1])] if corners else []


def _scale(low: float, high: float, log: bool) -> Any:
    """A function from values to [0, 1]."""
    if log:
        return lambda v: (math.log(v) - math.log(low)) / (math.log(high) - math.log(low))
    marks = ticks(low, high)
    first, last = marks[0], marks[-1]
    return lambda v: (v - first) / (last - first) if last > first else 0.5


def _marks(values: Sequence[float], log: bool) -> list[float]:
    low, high = min(values), max(values)
    if not log:
        return ticks(low, high)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [m * 10.0**p for p in powers for m in (1, 3) if low <= m * 10.0**p <= high] or [
        low,
        high,
    ]


def _tick(value: float, kind: str) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def parallel(view: View) -> dict[str, Any] | None:
    """Every candidate as a line through its levels to its objective; None with fewer than two.

    Where a pipeline is named in the objective, its candidates alone are drawn.
    """
    wanted = view.analysis["objective"]["pipeline"]
    lines = [c for c in view.candidates if c["value"] is not None]
    if wanted in {c["pipeline"] for c in lines}:
        lines = [c for c in lines if c["pipeline"] == wanted]
    lines = lines[:MOST_LINES]
    keys = [key for key in view.changing if len({c["levels"].get(key) for c in lines}) > 1]
    pipelines = list(dict.fromkeys(c["pipeline"] for c in lines))
    if len(lines) < 2 or (not keys and len(pipelines) < 2):
        return None
    axes = [] if len(pipelines) < 2 else [_levels_axis("pipeline", [c["pipeline"] for c in lines])]
    axes += [_levels_axis(view.keys[k], [_level(c, k) for c in lines]) for k in keys]
    axes.append(_value_axis(view, lines))
    places = list(zip(*(axis.pop("places") for axis in axes), strict=True))
    for i, axis in enumerate(axes):
        axis["x"] = i / (len(axes) - 1)
    drawn = [
        {
            "points": [(i / (len(axes) - 1), y) for i, y in enumerate(place)],
            "tier": _tier(rank, len(lines)),
            "words": f"{view.words(c)}: {number(c['value'], view.unit)}",
        }
        for rank, (c, place) in enumerate(zip(lines, places, strict=True))
    ]
    # The best last: what is drawn later lies on top.
    return {"axes": axes, "lines": drawn[::-1], "n": len(drawn), "few": len(drawn) <= FEW}


def _level(candidate: Mapping[str, Any], key: str) -> str:
    return candidate["levels"].get(key) or ANY


def _tier(rank: int, count: int) -> int:
    """0 for the best line, then 1 to 4 by :data:`_TIERS`."""
    if rank == 0:
        return 0
    return next((i for i, share in enumerate(_TIERS, 1) if rank < share * count), 4)


def _levels_axis(name: str, levels: Sequence[str]) -> Axis:
    """An axis of levels: numeric where they are many numbers, else one place for each level.

    Lines through a level are spread over its place in the order of the objective, the best on top.
    """
    distinct = _ordered(levels)
    numbers = {level: _number(level) for level in distinct}
    if len(distinct) > 8 and None not in numbers.values():
        return _numeric_axis(name, [float(level) for level in levels])
    room = 1 / len(distinct)
    counts, seen = {d: levels.count(d) for d in distinct}, dict.fromkeys(distinct, 0)
    middles = {d: (i + 0.5) * room for i, d in enumerate(distinct)}
    places = []
    for level in levels:
        share = 0.5 if counts[level] == 1 else 1 - seen[level] / (counts[level] - 1)
        seen[level] += 1
        places.append(middles[level] + (share - 0.5) * room * _BAND)
    marks = [{"at": middles[d], "text": short(d, 18), "from": middles[d] - room * _BAND / 2,
              "to": middles[d] + room * _BAND / 2} for d in distinct]  # fmt: skip
    return {"name": name, "ticks": marks, "places": places, "bands": True}


def _numeric_axis(name: str, values: Sequence[float]) -> Axis:
    low, high = min(values), max(values)
    log = low > 0 and high / low > 20
    scale = _scale(low, high, log)
    marks = [{"at": scale(t), "text": f"{t:.3g}"} for t in _marks(values, log)]
    return {"name": name, "ticks": marks, "places": [scale(v) for v in values], "bands": False}


def _value_axis(view: View, lines: Sequence[Mapping[str, Any]]) -> Axis:
    values = [float(c["value"]) for c in lines]
    scale, sign = _scale(min(values), max(values), False), view.higher
    marks = [
        {"at": scale(t), "text": number(t, view.unit)} for t in ticks(min(values), max(values))
    ]
    places = [scale(v) for v in values]
    if not sign:  # the best is on top, whichever way that is
        marks = [{**mark, "at": 1 - mark["at"]} for mark in marks]
        places = [1 - place for place in places]
    return {"name": view.objective_name, "ticks": marks, "places": places, "bands": False}


def _ordered(levels: Sequence[str]) -> list[str]:
    """From the bottom: the word for any level, then numbers by size, other levels with the first last.

    Lines come with the best first, so other levels have that of the best on top.
    """
    distinct = list(dict.fromkeys(levels))
    numbers = [n for d in distinct if (n := _number(d)) is not None]
    if len(numbers) == len([d for d in distinct if d != ANY]):
        return sorted(distinct, key=lambda d: -math.inf if d == ANY else float(d))
    others = [d for d in distinct if d != ANY]
    return [ANY] * (ANY in distinct) + others[::-1]


def _number(level: str) -> float | None:
    try:
        found = float(level)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def effects_axis(rows: Sequence[Mapping[str, Any]]) -> float:
    """The reach of a symmetric axis that holds every end of these effects."""
    ends = [abs(r[k]) for r in rows for k in ("effect", "low", "high") if r[k] is not None]
    largest = max(ends, default=0.0)
    return ticks(0.0, largest)[-1] if largest else 1.0
