"""The report of a sweep as one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from evalkit.reporting.figures import PIPELINE_COLOURS
from evalkit.reporting.labels import label_of
from evalkit.reporting.numbers import number, p_text, signed, signed_interval, unit_word
from evalkit.reporting.page import template
from evalkit.reporting.sweep import tables
from evalkit.reporting.sweep.charts import effects_axis, fronts, parallel
from evalkit.reporting.sweep.reading import sweep_reading
from evalkit.reporting.sweep.view import ANY, SHOWN, View, short


def sweep_html(view: View) -> str:
    """Render the page."""
    context: dict[str, Any] = {
        "title": view.title,
        "facts": facts(view),
        "reading": sweep_reading(view),
        "notes": list(view.analysis["notes"]),
        "compared": bool(view.candidates),
        "left_out": tables.left_out_tables(view),
        "names": [],
        "class_colours": {"current": "#009E73"},
        "fault_colours": {},
    }
    if view.candidates:
        context |= _compared(view)
    return template("sweep.html.j2").render(**context)


def facts(view: View) -> list[tuple[str, str]]:
    """What heads the report."""
    analysis = view.analysis
    objective, benchmark = analysis["objective"], analysis.get("benchmark") or {}
    counts = ", ".join(f"{n} {status}" for status, n in analysis["jobs"].items())
    found = [("Jobs", f"{analysis['n_jobs']} ({counts})" if counts else "none")]
    if objective is not None:
        way = "higher" if view.higher else "lower"
        where = f" of {objective['pipeline']}" if objective["pipeline"] else ""
        found.append(("Objective", f"{view.objective_name}{where}, {way} is better"))
        found.append(("Model", str(analysis.get("model") or "")))
        found.append(
            ("Benchmark", f"{benchmark.get('name', '')}, {benchmark.get('questions')} questions")
        )
        found.append(("Fingerprint", str(benchmark.get("fingerprint", ""))[:16]))
        found.append(("Judge", str(analysis.get("judge") or "")))
    found.append(("Date", str(analysis["created"]).replace("T", " ")[:16]))
    found.append(("evalkit", str(analysis["evalkit"])))
    return [(name, text) for name, text in found if text]


def _compared(view: View) -> dict[str, Any]:
    rows = [_leader(view, i, c) for i, c in enumerate(view.candidates, 1)]
    hues = {
        name: PIPELINE_COLOURS[i % len(PIPELINE_COLOURS)] for i, name in enumerate(view.pipelines)
    }
    return {
        "selection": tables.selection_table(view) if view.analysis["selection"] else None,
        "stability": tables.stability_words(view),
        "leaderboard": {
            "lead": tables.leaderboard_lead(view),
            "swept": view.changing,
            "head": tables.leaderboard_head(view),
            "rows": rows[:SHOWN],
            "others": rows[SHOWN:],
            "failed": any(c["n_failed"] for c in view.candidates),
        },
        "headlines": tables.headline_table(view),
        "seeds": tables.seeds_table(view, [view.metric]),
        "other_seeds": tables.seeds_table(view, view.headlines),
        "effects": _effects(view),
        "other_effects": tables.effects_table(
            view, tables.other_metrics(view), "Main effects on every other metric", ""
        ),
        "untouched": tables.untouched_words(view),
        "fronts": fronts(view),
        "front_tables": [tables.front_table(view, kind) for kind in view.analysis["fronts"]],
        "pipelines": [(name, f"p{i}", hues[name]) for i, name in enumerate(view.pipelines)],
        "hue_of": {name: f"p{i}" for i, name in enumerate(view.pipelines)},
        "objective": view.objective_name,
        "phrase": view.objective_phrase,
        "objective_unit": unit_word(view.unit),
        "lines": parallel(view),
        "signatures": [(c["name"], c["signature"]) for c in view.candidates if c["signature"]],
        "all_keys": [(k["key"], ", ".join(k["levels"])) for k in view.analysis["keys"]],
    }


def _leader(view: View, place: int, candidate: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the leaderboard, with the place of its interval on a track."""
    share = view.unit == "share" and candidate["value"] is not None
    low, high = (
        candidate["value"] if candidate[end] is None else candidate[end] for end in ("low", "high")
    )
    row = candidate["difference"] or {}
    return {
        "cells": tables.leaderboard_row(view, place, candidate),
        "levels": [candidate["levels"].get(key) or ANY for key in view.changing],
        "report": candidate["report"],
        "jobs": ", ".join([*candidate["jobs"], *candidate["same"]]),
        "n": candidate["n_scored"],
        "note": row.get("reason") or "",
        "says": view.verdict(candidate),
        "strip": {"left": 100 * low, "width": 100 * (high - low), "dot": 100 * candidate["value"]}
        if share
        else None,
    }


def _effects(view: View) -> dict[str, Any]:
    """Main effects on the objective as a forest: by pipeline and key."""
    rows = tables.effects_of(view, view.metric)
    reach = effects_axis(rows)
    marks = [
        {"at": 50 + 50 * t, "text": signed(t * reach, view.unit)} for t in (-1, -0.5, 0, 0.5, 1)
    ]
    groups = [
        {
            "pipeline": pipeline,
            "key": key,
            "name": view.keys[key],
            "rows": [_effect(view, row, reach) for row in members],
        }
        for (pipeline, key), members in _grouped(rows)
    ]
    return {
        "lead": tables.effects_lead(view),
        "groups": groups,
        "ticks": marks,
        "unit": unit_word(view.unit, difference=True),
        "name": label_of(view.metric).name,
        "several": len({row["pipeline"] for row in rows}) > 1,
    }


def _grouped(
    rows: Sequence[Mapping[str, Any]],
) -> list[tuple[tuple[str, str], list[Mapping[str, Any]]]]:
    return [
        (key, list(rows)) for key, rows in groupby(rows, key=lambda r: (r["pipeline"], r["key"]))
    ]


def _effect(view: View, row: Mapping[str, Any], reach: float) -> dict[str, Any]:
    value, low, high = row["effect"], row["low"], row["high"]
    plot = None
    if value is not None and low is not None and high is not None:
        plot = {"left": 50 + 50 * low / reach, "width": 50 * (high - low) / reach,
                "dot": 50 + 50 * value / reach}  # fmt: skip
    return {
        "levels": (short(row["level"]), short(row["reference"])),
        "value": signed(value, view.unit),
        "interval": signed_interval(low, high, view.unit),
        "p": p_text(row["p_adjusted"]),
        "settings": f"{row['n_settings']} / {row['n_reference']}",
        "mde": number(row["mde"], view.unit),
        "n": row["n_pairs"],
        "shown": view.shown(row),
        "note": row["note"],
        "plot": plot,
    }
