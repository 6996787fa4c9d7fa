"""Figures of a sweep for papers: main effects, quality against cost, all settings at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.reporting.figures import PIPELINE_COLOURS, STYLE, save_figure
from evalkit.reporting.numbers import signed, signed_interval, unit_word
from evalkit.reporting.sweep.charts import fronts, parallel
from evalkit.reporting.sweep.tables import effects_of
from evalkit.reporting.sweep.view import View, contrast_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TIERS: tuple[dict[str, Any], ...] = (
    {"color": "#D55E00", "linewidth": 2.4, "alpha": 1.0},
    {"color": "#0072B2", "linewidth": 1.2, "alpha": 0.8},
    {"color": "#0072B2", "linewidth": 0.9, "alpha": 0.4},
    {"color": "#7A8088", "linewidth": 0.8, "alpha": 0.35},
    {"color": "#7A8088", "linewidth": 0.6, "alpha": 0.2},
)
_MOST_EFFECTS = 60
"""A forest with more rows is a page by itself; the report has them all."""


def save_sweep_figures(view: View, folder: Path) -> dict[str, Path]:
    """Draw the figures that the sweep allows, each as SVG and PNG; paths by file name."""
    import matplotlib as mpl

    drawings: dict[str, Callable[[View], Figure | None]] = {
        "main_effects": effects_figure,
        "quality_cost": fronts_figure,
        "settings": parallel_figure,
    }
    written: dict[str, Path] = {}
    if not view.candidates:
        return written
    with mpl.rc_context(STYLE):
        for name, draw in drawings.items():
            figure = draw(view)
            if figure is not None:
                folder.mkdir(parents=True, exist_ok=True)
                written |= save_figure(figure, name, folder)
    return written


def effects_figure(view: View) -> Figure | None:
    """Forest plot of main effects on the objective."""
    rows = [r for r in effects_of(view, view.metric) if r["effect"] is not None][:_MOST_EFFECTS]
    if not rows:
        return None
    figure = _figure(7.6, 1.0 + 0.27 * len(rows))
    axes = figure.add_subplot()
    scale = 100 if view.unit == "share" else 1
    several = len({row["pipeline"] for row in rows}) > 1
    names = []
    for y, row in enumerate(rows):
        colour = "#0072B2" if view.shown(row) else "#7A8088"
        if row["low"] is not None and row["high"] is not None:
            axes.plot([scale * row["low"], scale * row["high"]], [y, y], color=colour, linewidth=2)
        axes.plot([scale * row["effect"]], [y], "o", color=colour, markersize=5,
                  markeredgecolor="white")  # fmt: skip
        said = f"{signed(row['effect'], view.unit)} {signed_interval(row['low'], row['high'], view.unit)}"
        axes.annotate(said, (1.02, y), xycoords=("axes fraction", "data"), va="center", fontsize=8)
        where = f"{row['pipeline']}  ·  " if several else ""
        names.append(f"{where}{view.keys[row['key']]}: {contrast_words(row)}")
    axes.axvline(0, color="#8A8F98", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="x", color="#E4E6EA", linewidth=0.7)
    unit = unit_word(view.unit, difference=True)
    axes.set_xlabel(f"effect on {view.objective_name}, {unit} ({view.confidence_words} interval)")
    return figure


def fronts_figure(view: View) -> Figure | None:
    """Quality against each kind of cost, with the front."""
    charts = fronts(view)
    if not charts:
        return None
    figure = _figure(0.6 + 3.4 * len(charts), 3.1)
    grid = figure.subplots(1, len(charts), squeeze=False)[0]
    hues = {n: PIPELINE_COLOURS[i % len(PIPELINE_COLOURS)] for i, n in enumerate(view.pipelines)}
    for axes, chart in zip(grid, charts, strict=True):
        axes.plot(
            *zip(*chart["steps"], strict=True), color="#7A8088", linewidth=0.9, linestyle="--"
        )
        for on in (False, True):  # the front last, on top of the others
            for name, hue in hues.items():
                mine = [p for p in chart["points"] if (p["front"], p["pipeline"]) == (on, name)]
                _points(axes, mine, hue, on)
        axes.set_xticks([t["at"] for t in chart["x"]], [t["text"] for t in chart["x"]], fontsize=7)
        axes.set_yticks([t["at"] for t in chart["y"]], [t["text"] for t in chart["y"]], fontsize=8)
        axes.grid(axis="y", color="#E4E6EA", linewidth=0.7)
        axes.set_xlabel(f"{chart['name']}{' (log)' if chart['log'] else ''}")
    grid[0].set_ylabel(f"{view.objective_name}, {unit_word(view.unit)}")
    handles = [grid[0].plot([], [], "o", color=hue, label=name)[0] for name, hue in hues.items()]
    figure.legend(
        handles=handles, loc="outside upper left", ncols=len(hues), frameon=False, fontsize=8
    )
    return figure


def _points(axes: Axes, points: Sequence[Mapping[str, Any]], hue: str, on: bool) -> None:
    """The candidates of one pipeline, on the front with their intervals or away from it."""
    whiskers = [p for p in points if on and p["low"] is not None and p["high"] is not None]
    low, high = ([p[end] for p in whiskers] for end in ("low", "high"))
    axes.vlines([p["x"] for p in whiskers], low, high, color=hue, linewidth=1)
    axes.plot([p["x"] for p in points], [p["y"] for p in points], "o", color=hue,
              alpha=1 if on else 0.4, markersize=6 if on else 4, markeredgecolor="white")  # fmt: skip


def parallel_figure(view: View) -> Figure | None:
    """Parallel coordinates of the candidates."""
    chart = parallel(view)
    if chart is None:
        return None
    figure = _figure(1.2 + 1.5 * len(chart["axes"]), 3.6)
    axes = figure.add_subplot()
    for line in chart["lines"]:
        xs, ys = zip(*line["points"], strict=True)
        style = _TIERS[line["tier"]]
        # Few lines need not let others show through.
        axes.plot(xs, ys, **style | {"alpha": style["alpha"] ** (0.4 if chart["few"] else 1)})
    for axis in chart["axes"]:
        axes.axvline(axis["x"], color="#B4B9C0", linewidth=0.8, zorder=0)
        for tick in axis["ticks"]:
            axes.annotate(tick["text"], (axis["x"], tick["at"]), xytext=(-4, 0), fontsize=7.5,
                          textcoords="offset points", ha="right", va="center",
                          bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.6})  # fmt: skip
    axes.set_xticks([a["x"] for a in chart["axes"]], [a["name"] for a in chart["axes"]])
    axes.set_yticks([])
    axes.set_xlim(-0.1, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.spines["bottom"].set_visible(False)
    return figure


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
