"""Geometry for the page's own charts: positions in per cent, drawn with plain elements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.plurals import counted
from evalkit.reporting.claims import Claim
from evalkit.reporting.labels import CLASSES, FAULTS, HEADLINES, label_of
from evalkit.reporting.numbers import (
    MINUS,
    number,
    p_text,
    signed,
    signed_interval,
    unit_of_metric,
    unit_word,
)
from evalkit.reporting.view import (
    Cell,
    Results,
    confidence,
    pipeline_names,
    questions_covered,
    shows_change,
)

Axis = tuple[float, float]
_STEPS, _MOST_STEPS = (0.05, 0.1, 0.2, 0.5), 7
_KINDS = ("retrieval", "tuning", "interaction")


def strip(cell: Cell) -> dict[str, float] | None:
    """The interval of a share on a track from 0 to 100 per cent; None for other units."""
    if cell.unit != "share" or cell.value is None:
        return None
    low = cell.value if cell.low is None else cell.low
    high = cell.value if cell.high is None else cell.high
    return {"left": 100 * low, "width": 100 * (high - low), "dot": 100 * cell.value}


def effects_chart(results: Results) -> dict[str, Any]:
    """Effects on the headline metrics with a shared axis, and the others as plain rows."""
    effects = results.get("effects") or ()
    first = [m for m in HEADLINES if any(e["metric"] == m for e in effects)]
    others = sorted({str(e["metric"]) for e in effects} - set(first))
    shares = [e for e in effects if e["metric"] in first and unit_of_metric(e["metric"]) == "share"]
    reach = _reach(shares)
    return {
        "groups": [_effect_group(results, m, reach) for m in first],
        "others": [_effect_group(results, m, None) for m in others],
        "ticks": [{"at": 50 + 50 * t, "text": signed(t * reach)} for t in (-1, -0.5, 0, 0.5, 1)],
    }


def claims_chart(found: Sequence[Claim]) -> dict[str, Any]:
    """Each hypothesis as an interval against the zone in which its claim holds, in per cent.

    Shares have one axis; a claim in another unit has its own, without ticks.
    """
    axis, marks = claims_axis(found)
    drawn = any(claim.unit == "share" and claim.value is not None for claim in found)
    return {
        "rows": [{"claim": claim, "plot": _claim_plot(claim, axis)} for claim in found],
        "ticks": [{"at": _place(m, axis), "text": signed(m)} for m in marks] if drawn else [],
    }


def claims_axis(found: Sequence[Claim]) -> tuple[Axis, list[float]]:
    """An axis around zero that holds every end and margin of the claims on shares, and its marks."""
    ends = [end for claim in found if claim.unit == "share" for end in _ends(claim)]
    low, high = min(0.0, 0.0, *ends), max(0.0, 0.0, *ends)
    step = next((s for s in _STEPS if high - low <= _MOST_STEPS * s), _STEPS[-1])
    first, last = min(-1, math.floor(low / step)), max(1, math.ceil(high / step))
    return (step * first, step * last), [step * i for i in range(first, last + 1)]


def class_bars(results: Results) -> list[dict[str, Any]]:
    """One bar per pipeline: its answer classes in a fixed order, widths in per cent."""
    return _bars(results, "classes", "class", {kind: kind for kind in CLASSES})


def fault_bars(results: Results) -> list[dict[str, Any]]:
    """One bar per pipeline: the stages at fault in a fixed order, widths in per cent."""
    return _bars(results, "blame", "stage", FAULTS)


def _bars(results: Results, table: str, key: str, names: Mapping[str, str]) -> list[dict[str, Any]]:
    bars = []
    for name in pipeline_names(results):
        mine = {str(r[key]): r for r in results.get(table) or () if r["pipeline"] == name}
        order = [*(kind for kind in names if kind in mine), *sorted(set(mine) - set(names))]
        parts = [_part(kind, mine[kind], names) for kind in order if mine[kind]["share"]]
        if parts:
            total = sum(float(r["n"]) for r in mine.values())
            bars.append({"pipeline": name, "parts": parts, "n": f"{total:g}"})
    return bars


def comparison_rows(results: Results) -> list[dict[str, Any]]:
    """Paired comparisons as text, with what may be said of each."""
    order = {metric: i for i, metric in enumerate(HEADLINES)}
    comparisons = results.get("comparisons") or ()
    ranked = sorted(comparisons, key=lambda c: (order.get(c["metric"], len(order)), c["metric"]))
    return [_comparison(c, confidence(results)) for c in ranked]


def _ends(claim: Claim) -> list[float]:
    found = (claim.value, claim.low, claim.high, *claim.holds)
    return [end for end in found if end is not None]


def _place(at: float, axis: Axis) -> float:
    """Where a value lies on an axis, in per cent of its length, held within it."""
    low, high = axis
    return 100 * min(1.0, max(0.0, (at - low) / (high - low)))


def _claim_plot(claim: Claim, axis: Axis) -> dict[str, float] | None:
    """Places on the axis; None where there is nothing to draw."""
    if claim.value is None:
        return None
    if claim.unit != "share":
        reach = 1.15 * max(abs(end) for end in _ends(claim)) or 1.0
        axis = (-reach, reach)
    low, high = (claim.value if end is None else end for end in (claim.low, claim.high))
    ends = (rim if end is None else end for end, rim in zip(claim.holds, axis, strict=True))
    places = dict(zip(("from", "to"), ends, strict=True))
    places |= {"low": low, "high": high, "dot": claim.value, "zero": 0.0}
    return {name: _place(at, axis) for name, at in places.items()}


def _reach(effects: Sequence[Mapping[str, Any]]) -> float:
    ends = [abs(e[k]) for e in effects for k in ("low", "high", "value") if e.get(k) is not None]
    return max(0.2, math.ceil(10 * max(ends, default=1.0) / 2) * 2 / 10)


def _effect_group(results: Results, metric: str, reach: float | None) -> dict[str, Any]:
    mine = sorted(
        (e for e in results["effects"] if e["metric"] == metric),
        key=lambda e: _KINDS.index(e["effect"]) if e["effect"] in _KINDS else len(_KINDS),
    )
    rows = [_effect_row(results, e, unit_of_metric(metric), reach) for e in mine]
    label = label_of(metric)
    return {
        "metric": metric,
        "name": label.name,
        "direction": label.direction,
        "rows": rows,
        # Most notes hold for every effect of a metric; each is said once, below them.
        "notes": list(dict.fromkeys(row["note"] for row in rows if row["note"])),
    }


def _effect_row(
    results: Results, effect: Mapping[str, Any], unit: str, reach: float | None
) -> dict[str, Any]:
    value, low, high = (effect.get(k) for k in ("value", "low", "high"))
    plot = None
    if reach and unit == "share" and low is not None and high is not None and value is not None:
        plot = {
            "left": 50 + 50 * low / reach,
            "width": 50 * (high - low) / reach,
            "dot": 50 + 50 * value / reach,
        }
    return {
        "effect": effect["effect"],
        "value": signed(value, unit),
        "interval": signed_interval(low, high, unit),
        "unit": unit_word(unit, difference=True),
        "p": p_text(effect.get("p_value")),
        "p_adjusted": p_text(effect.get("p_adjusted")),
        "n": questions_covered(results, effect).rpartition(" ")[0] or effect.get("n_pairs"),
        "clusters": counted(effect.get("n_clusters") or 0, "cluster"),
        "shown": shows_change(effect, confidence(results)),
        "note": effect.get("note") or "",
        "plot": plot,
    }


def _part(kind: str, row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    share = float(row["share"])
    return {
        "class": kind if kind in names else "other",
        "name": names.get(kind, kind),
        "width": 100 * share,
        "text": number(share),
        "n": counted(row["n"], "question"),
    }


def _comparison(row: Mapping[str, Any], level: float) -> dict[str, Any]:
    metric = str(row["metric"])
    unit = unit_of_metric(metric)
    worst = signed_interval(row.get("worst_low"), row.get("worst_high"), unit)
    notes = (str(row.get("reason") or ""), f"with failures at worst {worst}" if worst else "")
    return {
        "metric": label_of(metric).name,
        "id": metric,
        "a": row["a"],
        "b": row["b"],
        "difference": signed(row.get("difference"), unit),
        "unit": unit_word(unit, difference=True),
        "interval": signed_interval(row.get("low"), row.get("high"), unit),
        "p": p_text(row.get("p_value")),
        "p_adjusted": p_text(row.get("p_adjusted")),
        "mde": _detectable(row.get("mde"), unit),
        "p_method": str(row.get("p_method") or "").replace("_", " "),
        "correlation": ""
        if row.get("correlation") is None
        else f"{row['correlation']:.2f}".replace("-", MINUS),
        "pairs": row.get("n_pairs"),
        "says": _says(row, level),
        "note": "; ".join(note for note in notes if note),
    }


def _detectable(effect: float | None, unit: str) -> str:
    """The minimum detectable effect; no difference of shares is above 100 points."""
    return "none" if unit == "share" and (effect or 0.0) >= 1 else number(effect, unit)


def _says(row: Mapping[str, Any], level: float) -> str:
    low = row.get("low")
    if not row.get("decidable"):
        return "cannot be decided"
    if low is None or row.get("high") is None:
        return "no interval"
    if not shows_change(row, level):
        return "no difference shown"
    return "higher" if low > 0 else "lower"
