"""A study over time as one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.reporting.figures import CLASS_COLOURS, FAULT_COLOURS
from evalkit.reporting.html import facts, flat, timed
from evalkit.reporting.labels import FAULTS
from evalkit.reporting.page import template
from evalkit.reporting.timeline.figures import Shares
from evalkit.reporting.timeline.reading import study_reading
from evalkit.reporting.timeline.tables import study_tables
from evalkit.reporting.timeline.view import CLASSES, CURVES, Line, View
from evalkit.reporting.view import Cell, confidence_words, judge_note, present_faults

WIDTH, HEIGHT = 320.0, 150.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 12.0, 8.0, 26.0
_ASIDE, _LEAST_GAP = 4.0, 62.0


def study_html(view: View, questions: Sequence[Mapping[str, Any]] = ()) -> str:
    """Render the page."""
    results = view.results
    return template("timeline.html.j2").render(
        title=str(results.get("title") or results.get("experiment") or "study"),
        names=[str(p["name"]) for p in view.pipelines],
        facts=facts(results),
        reading=study_reading(view),
        confidence=confidence_words(results),
        states=view.states,
        dates=view.dates,
        curves=[
            {
                "name": title,
                "charts": [chart(view, str(p["name"]), metric) for p in view.pipelines],
            }
            for metric, title in CURVES
        ],
        classes={kind: kind for kind in CLASSES},
        class_colours=CLASS_COLOURS,
        fault_colours=FAULT_COLOURS,
        judge_note=judge_note(results),
        stacks=[_stacks(view, line, view.shares) for line in view.lines],
        fault_names={stage: FAULTS[stage] for stage in present_faults(results)},
        faults=[_stacks(view, line, view.faults) for line in view.lines],
        tables=study_tables(view),
        questions=[_question(view, question) for question in questions],
        warnings=list(results.get("warnings") or ()),
        pipelines=view.pipelines,
        timings=timed(results),
        environment=flat(results.get("environment") or {}),
        signatures=_signatures(view),
    )


def chart(view: View, pipeline: str, metric: str) -> dict[str, Any]:
    """One freshness curve: places in the coordinates of the drawing, and the words of each point."""
    lines = view.lines_of(pipeline)
    drawn = [
        _line(view, line, view.curve(line, metric), (i - (len(lines) - 1) / 2) * _ASIDE)
        for i, line in enumerate(lines)
    ]
    ticks = [{"y": _y(share), "text": f"{100 * share:.0f}"} for share in (0.0, 0.5, 1.0)]
    return {
        "pipeline": pipeline,
        "lines": drawn,
        "ticks": ticks,
        "dates": _date_ticks(view),
        "scored": any(line["points"] for line in drawn),
    }


def _line(view: View, line: Line, cells: Sequence[Cell], aside: float) -> dict[str, Any]:
    points = []
    for on, at, cell in zip(view.dates, view.places(), cells, strict=True):
        if cell.value is not None:
            low = cell.value if cell.low is None else cell.low
            high = cell.value if cell.high is None else cell.high
            words = f"{line.name}, {on}: {cell.whole} %, n = {cell.n}"
            points.append(
                {
                    "x": _x(at) + aside,
                    "y": _y(cell.value),
                    "low": _y(low),
                    "high": _y(high),
                    "words": words,
                }
            )
    path = " ".join(f"{p['x']:.1f},{p['y']:.1f}" for p in points)
    return {"state": line.state, "name": line.name, "points": points, "path": path}


def _date_ticks(view: View) -> list[dict[str, Any]]:
    """Every date has a mark; a name only where it does not touch the one before."""
    ticks: list[dict[str, Any]] = []
    last_named = -_LEAST_GAP
    for on, at in zip(view.dates, view.places(), strict=True):
        named = _x(at) - last_named >= _LEAST_GAP
        last_named = _x(at) if named else last_named
        ticks.append({"x": _x(at), "text": on if named else "", "date": on})
    return ticks


def _x(at: float) -> float:
    return _LEFT + _ASIDE + at * (WIDTH - _LEFT - _RIGHT - 2 * _ASIDE - 24.0)


def _y(share: float) -> float:
    return _TOP + (1 - share) * (HEIGHT - _TOP - _BOTTOM)


def _stacks(view: View, line: Line, shares_of: Shares) -> dict[str, Any]:
    """The parts of a line's answers, date by date, as widths in per cent."""
    bars = []
    for on in view.dates:
        shares = shares_of(on, line.state, line.pipeline)
        parts = [{"class": kind, "width": 100 * share} for kind, share in shares.items() if share]
        bars.append({"date": on, "parts": parts})
    return {"pipeline": line.pipeline, "name": line.name, "bars": bars}


def _question(view: View, question: Mapping[str, Any]) -> dict[str, Any]:
    """The answers of each line, date by date."""
    found = {
        (day["date"], answer["state"], answer["pipeline"]): answer
        for day in question["dates"]
        for answer in day["answers"]
    }
    lines = [
        {
            "pipeline": line.pipeline,
            "name": line.name,
            "answers": [found.get((on, line.state, line.pipeline)) for on in view.dates],
        }
        for line in view.lines
    ]
    expected = [day["expected"] for day in question["dates"]]
    return {
        **{k: question[k] for k in ("question", "text", "category")},
        "expected": expected,
        "lines": lines,
    }


def _signatures(view: View) -> list[tuple[str, str]]:
    """One signature for each date, state and pipeline."""
    found: dict[str, str] = {}
    for e in view.results["estimates"]:
        found.setdefault(f"{e['pipeline']} {e['state']} {e['date']}", str(e.get("signature") or ""))
    return list(found.items())
