"""Static figures for papers and pull requests: SVG and PNG, drawn without a display.

Colours are Okabe and Ito's, which readers with any colour vision can tell apart; what a colour
means is also written beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from evalkit.reporting.charts import claims_axis, class_bars, fault_bars
from evalkit.reporting.claims import Claim, claims
from evalkit.reporting.labels import FAULTS, HEADLINES, label_of
from evalkit.reporting.numbers import signed, signed_interval, unit_of_metric
from evalkit.reporting.view import (
    Results,
    checked,
    confidence_words,
    pipeline_names,
    present_classes,
    present_faults,
    rows,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLASS_COLOURS: dict[str, str] = {
    "current": "#009E73",
    "mixed": "#F0E442",
    "premature": "#CC79A7",
    "outdated": "#E69F00",
    "wrong": "#D55E00",
    "abstained": "#B4B9C0",
    "failed": "#56B4E9",
}
PIPELINE_COLOURS = ("#7A8088", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
FAULT_COLOURS: dict[str, str] = {
    "not_retrieved": "#0072B2",
    "retrieved_stale": "#E69F00",
    "no_evidence": "#B4B9C0",
    "memory_overrode_evidence": "#CC79A7",
    "ignored_evidence": "#D55E00",
    "not_faithful": "#F0E442",
    "should_have_abstained": "#009E73",
    "malformed": "#56B4E9",
    "pipeline_failed": "#7A8088",
    "none": "#EEF0F2",
}
VERDICT_COLOURS = {"supported": "#009E73", "refuted": "#D55E00", "inconclusive": "#7A8088"}
_EFFECT_COLOURS = {"retrieval": "#0072B2", "tuning": "#D55E00", "interaction": "#7A8088"}
STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": "#8A8F98",
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titlepad": 12,
    "xtick.color": "#555A62",
    "ytick.left": False,
    "svg.hashsalt": "evalkit",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a claim or a name may hold dollar signs
}


def save_figures(results: Results, folder: Path) -> dict[str, Path]:
    """Draw every figure that the results allow, each as SVG and PNG.

    Args:
        results: A results mapping, schema version 1.
        folder: Where to write; made if it is not there.

    Returns:
        Paths by file name (``effects.svg`` ...); a figure without data is left out.

    Raises:
        ResultsError: The mapping is of another schema version or has no pipelines or estimates.
    """
    import matplotlib as mpl

    checked(results)
    folder.mkdir(parents=True, exist_ok=True)
    drawings: dict[str, Callable[[Results], Figure | None]] = {
        "hypotheses": hypotheses_figure,
        "effects": effects_figure,
        "classes": classes_figure,
        "blame": blame_figure,
        "scorecard": scorecard_figure,
    }
    written: dict[str, Path] = {}
    with mpl.rc_context(STYLE):
        for name, draw in drawings.items():
            figure = draw(results)
            if figure is not None:
                written |= save_figure(figure, name, folder)
    return written


def hypotheses_figure(results: Results) -> Figure | None:
    """Effects of the hypotheses on shares, in points, each against the zone where its claim holds."""
    found = [c for c in claims(results) if c.value is not None and c.unit == "share"]
    if not found:
        return None
    figure, axes = _canvas(7.6, 1.0 + 0.44 * len(found))
    axis, marks = claims_axis(found)
    for y, claim in enumerate(found):
        _claim_row(axes, claim, y, axis)
    axes.axvline(0, color="#8A8F98", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(found)), [fill(claim.claim, 44) for claim in found], fontsize=8)
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_xlim(100 * axis[0], 100 * axis[1])
    axes.set_xticks([100 * mark for mark in marks], [signed(mark) for mark in marks])
    axes.set_xlabel(f"difference, percentage points ({confidence_words(results)} interval)")
    axes.set_title("Hypotheses, and the zone where each holds")
    return figure


def effects_figure(results: Results) -> Figure | None:
    """Forest plot of retrieval, tuning and interaction on the headline metrics, in points."""
    effects = [
        e
        for metric in HEADLINES
        for e in results.get("effects") or ()
        if e["metric"] == metric and e["value"] is not None and unit_of_metric(metric) == "share"
    ]
    if not effects:
        return None
    figure, axes = _canvas(7.6, 0.9 + 0.27 * len(effects) + 0.14 * len(HEADLINES))
    y, last = 0.0, ""
    ticks: list[tuple[float, str]] = []
    for e in effects:
        y += 1.0 if e["metric"] == last else 1.6
        name = f"{label_of(e['metric']).name}  ·  " if e["metric"] != last else ""
        ticks.append((y, f"{name}{e['effect']}"))
        _forest_row(axes, e, y)
        last = e["metric"]
    axes.axvline(0, color="#8A8F98", linewidth=0.8, zorder=0)
    axes.set_yticks([t for t, _ in ticks], [text for _, text in ticks])
    axes.set_ylim(y + 0.9, 0.8)
    axes.set_xlabel(f"effect, percentage points ({confidence_words(results)} interval)")
    axes.set_title("What retrieval and tuning change")
    return figure


def classes_figure(results: Results) -> Figure | None:
    """Answer classes of time-sensitive questions, stacked to 100 % for each pipeline."""
    bars = class_bars(results)
    if not bars:
        return None
    key = {kind: (kind, CLASS_COLOURS[kind]) for kind in present_classes(results)}
    figure = _stacked(bars, key, columns=len(key))
    figure.axes[0].set_xlabel("share of time-sensitive questions, %")
    figure.axes[0].set_title("How answers stand in time", pad=30)
    return figure


def blame_figure(results: Results) -> Figure | None:
    """The stage at fault in each pipeline, stacked to 100 % of its questions."""
    bars = fault_bars(results)
    if not bars:
        return None
    present = present_faults(results)
    key = {stage: (FAULTS[stage], FAULT_COLOURS[stage]) for stage in present}
    figure = _stacked(bars, key, columns=4)
    figure.axes[0].set_xlabel("share of questions, %")
    figure.axes[0].set_title("Which stage is at fault", pad=20 + 13 * math.ceil(len(key) / 4))
    return figure


def _stacked(
    bars: Sequence[Mapping[str, Any]], key: Mapping[str, tuple[str, str]], columns: int
) -> Figure:
    """A bar for each pipeline; ``key`` gives the name and the colour of each part."""
    figure, axes = _canvas(7.6, 1.3 + 0.16 * math.ceil(len(key) / columns) + 0.46 * len(bars))
    for y, bar in enumerate(bars):
        left = 0.0
        for part in bar["parts"]:
            width = part["width"]
            colour = key[part["class"]][1] if part["class"] in key else "#E4E6EA"
            axes.barh(y, width, left=left, height=0.66, color=colour,
                      edgecolor="white", linewidth=0.8)  # fmt: skip
            if width >= 6:
                axes.text(left + width / 2, y, f"{width:.0f}", ha="center", va="center", fontsize=8)
            left += width
    for name, colour in key.values():
        axes.bar(0, 0, color=colour, label=name)
    axes.set_yticks(range(len(bars)), [bar["pipeline"] for bar in bars])
    axes.set_ylim(len(bars) - 0.5, -0.6)
    axes.set_xlim(0, 100)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=columns, frameon=False,
                fontsize=8, handlelength=1, columnspacing=1.2, borderaxespad=0.3)  # fmt: skip
    return figure


def scorecard_figure(results: Results) -> Figure | None:
    """Headline metrics as dots with intervals, one row per pipeline within each metric."""
    table = [r for r in rows(results, HEADLINES) if any(c.scored for c in r.cells)]
    names = pipeline_names(results)
    if not table:
        return None
    figure, axes = _canvas(7.6, 0.9 + len(table) * (0.19 * len(names) + 0.2))
    y = 0.0
    ticks: list[tuple[float, str]] = []
    for row in table:
        ticks.append((y + (len(names) - 1) / 2, row.name))
        for i, (name, cell) in enumerate(zip(names, row.cells, strict=True)):
            colour = PIPELINE_COLOURS[i % len(PIPELINE_COLOURS)]
            _score_row(axes, cell, y, name, colour)
            y += 1
        y += 1.2
    axes.set_yticks([t for t, _ in ticks], [text for _, text in ticks])
    axes.set_ylim(y - 0.6, -1)
    axes.set_xlim(-1, 101)
    axes.set_xlabel(f"share, % ({confidence_words(results)} interval)")
    axes.set_title("Scorecard")
    return figure


def _claim_row(axes: Axes, claim: Claim, y: int, axis: tuple[float, float]) -> None:
    colour = VERDICT_COLOURS.get(claim.verdict, "#7A8088")
    low, high = (rim if end is None else end for end, rim in zip(claim.holds, axis, strict=True))
    axes.barh(y, 100 * (high - low), left=100 * low, height=0.62, color="#009E73", alpha=0.14)
    if claim.low is not None and claim.high is not None:
        axes.plot([100 * claim.low, 100 * claim.high], [y, y], color=colour, linewidth=2.2,
                  solid_capstyle="round", clip_on=False)  # fmt: skip
    assert claim.value is not None
    axes.plot([100 * claim.value], [y], "o", color=colour, markersize=5.5,
              markeredgecolor="white", clip_on=False)  # fmt: skip
    text = f"{claim.verdict}  {claim.effect} {claim.interval}"
    axes.annotate(text, (1.03, y), xycoords=("axes fraction", "data"), va="center", fontsize=8)


def _forest_row(axes: Axes, effect: dict[str, Any], y: float) -> None:
    colour = _EFFECT_COLOURS.get(effect["effect"], "#7A8088")
    value, low, high = effect["value"], effect["low"], effect["high"]
    if low is not None and high is not None:
        axes.plot([100 * low, 100 * high], [y, y], color=colour, linewidth=2.2,
                  solid_capstyle="round")  # fmt: skip
    axes.plot([100 * value], [y], "o", color=colour, markersize=5.5, markeredgecolor="white")
    text = f"{signed(value)} {signed_interval(low, high)}"
    axes.annotate(text, (1.02, y), xycoords=("axes fraction", "data"), va="center", fontsize=8)


def _score_row(axes: Axes, cell: Any, y: float, name: str, colour: str) -> None:
    if not cell.scored:
        axes.annotate(f"{name}: {cell.text}", (1.02, y), xycoords=("axes fraction", "data"),
                      va="center", fontsize=7.5, color="#8A8F98")  # fmt: skip
        return
    if cell.low is not None and cell.high is not None:
        axes.plot([100 * cell.low, 100 * cell.high], [y, y], color=colour, linewidth=2,
                  solid_capstyle="round")  # fmt: skip
    axes.plot([100 * cell.value], [y], "o", color=colour, markersize=5, markeredgecolor="white")
    axes.annotate(f"{name}  {cell.whole}", (1.02, y), xycoords=("axes fraction", "data"),
                  va="center", fontsize=7.5)  # fmt: skip


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(axis="x", color="#E4E6EA", linewidth=0.7)
    axes.set_axisbelow(True)
    return figure, axes


def save_figure(figure: Figure, name: str, folder: Path) -> dict[str, Path]:
    """Write ``name.svg`` and ``name.png``; paths by file name."""
    written = {}
    for ending, options in (("svg", {"metadata": {"Date": None}}), ("png", {"dpi": 160})):
        path = folder / f"{name}.{ending}"
        figure.savefig(path, bbox_inches="tight", facecolor="white", **options)
        written[path.name] = path
    return written
