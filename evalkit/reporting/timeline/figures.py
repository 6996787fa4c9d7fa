"""Figures of a study over time, for papers: freshness curves, answer classes and faults by date."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.reporting.figures import CLASS_COLOURS, FAULT_COLOURS, STYLE, save_figure
from evalkit.reporting.labels import FAULTS
from evalkit.reporting.timeline.view import CLASSES, CURVES, Line, View
from evalkit.reporting.view import Cell, confidence_words, present_faults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STATE_COLOURS = {"frozen": "#D55E00", "updated": "#0072B2", "budget": "#009E73"}
"""Of Okabe and Ito; marker and dashes tell the states apart in black and white too."""
_STROKES: dict[str, dict[str, Any]] = {
    "frozen": {"linestyle": (0, (5, 2)), "marker": "s"},
    "updated": {"linestyle": "-", "marker": "o"},
    "budget": {"linestyle": (0, (1, 1.5)), "marker": "^"},
}
Shares = Callable[[str, str, str], Mapping[str, float]]
"""The parts of a bar, by date, state and pipeline."""
_KEY_COLUMNS = 6
_ASIDE_DAYS = 0.008  # of the whole span: intervals of states stand beside one another


def save_study_figures(view: View, folder: Path) -> dict[str, Path]:
    """Draw the figures, each as SVG and PNG; paths by file name."""
    import matplotlib as mpl

    folder.mkdir(parents=True, exist_ok=True)
    drawings: dict[str, Callable[[View], Figure]] = {
        "freshness": freshness_figure,
        "classes_over_time": classes_figure,
    }
    if present_faults(view.results):
        drawings["blame_over_time"] = blame_figure
    written: dict[str, Path] = {}
    with mpl.rc_context(STYLE):
        for name, draw in drawings.items():
            written |= save_figure(draw(view), name, folder)
    return written


def freshness_figure(view: View) -> Figure:
    """The share current (above) and outdated (below) against the date: a column per pipeline, a line
    per state.
    """
    names = [str(p["name"]) for p in view.pipelines]
    figure, grid = _grid(len(CURVES), len(names), 2.9, 2.1)
    handles: dict[str, Any] = {}
    for row, (metric, title) in enumerate(CURVES):
        for column, name in enumerate(names):
            axes = grid[row][column]
            lines = view.lines_of(name)
            for i, line in enumerate(lines):
                aside = (i - (len(lines) - 1) / 2) * _ASIDE_DAYS
                drawn = _curve(axes, view, line, view.curve(line, metric), aside)
                handles.update(dict.fromkeys(line.states, None) | {line.state: drawn})
            _date_axis(axes, view)
            axes.set_ylim(-3, 103)
            axes.set_yticks([0, 50, 100])
            if column == 0:
                axes.set_ylabel(f"{title}, %")
            if row == 0:
                axes.set_title(name)
    keys = [state for state in view.states if state in handles]
    figure.legend(
        [_handle(state) for state in keys], keys, loc="outside upper right", ncols=len(keys),
        frameon=False, handlelength=3.2,
    )  # fmt: skip
    figure.supxlabel(
        f"date of the questions ({confidence_words(view.results)} intervals)", fontsize=8
    )
    return figure


def classes_figure(view: View) -> Figure:
    """Answer classes of all questions, stacked to 100 %: a column per pipeline, a row per state."""
    return _stacked(view, view.shares, {kind: (kind, CLASS_COLOURS[kind]) for kind in CLASSES})


def blame_figure(view: View) -> Figure:
    """The stage at fault, stacked to 100 % of the questions, laid out as :func:`classes_figure`."""
    stages = present_faults(view.results)
    return _stacked(view, view.faults, {s: (FAULTS[s], FAULT_COLOURS[s]) for s in stages})


def _stacked(view: View, shares: Shares, key: Mapping[str, tuple[str, str]]) -> Figure:
    """``key`` gives the name and the colour of each part, in order."""
    from matplotlib.patches import Patch

    names = [str(p["name"]) for p in view.pipelines]
    figure, grid = _grid(len(view.states), len(names), 2.9, 1.7)
    for row, state in enumerate(view.states):
        for column, name in enumerate(names):
            axes = grid[row][column]
            _stack(axes, [shares(on, state, name) for on in view.dates], key)
            axes.set_xticks(range(len(view.dates)), [_short(on) for on in view.dates], fontsize=7)
            axes.set_ylim(0, 100)
            axes.set_yticks([0, 50, 100])
            if column == 0:
                axes.set_ylabel(f"{state}, %")
            if row == 0:
                axes.set_title(name)
    patches = [Patch(facecolor=colour, label=name) for name, colour in key.values()]
    figure.legend(handles=patches, loc="outside upper right", ncols=min(len(key), _KEY_COLUMNS),
                  frameon=False, fontsize=8, handlelength=1)  # fmt: skip
    return figure


def _curve(axes: Axes, view: View, line: Line, cells: Sequence[Cell], aside: float) -> Any:
    scored = [
        (at + aside, cell) for at, cell in zip(view.places(), cells, strict=True) if cell.scored
    ]
    colour = STATE_COLOURS[line.state]
    for at, cell in scored:
        if cell.low is not None and cell.high is not None:
            axes.plot(
                [at, at], [100 * cell.low, 100 * cell.high], color=colour, linewidth=0.8, alpha=0.6
            )
    xs, ys = [at for at, _ in scored], [100 * (cell.value or 0.0) for _, cell in scored]
    return axes.plot(xs, ys, color=colour, linewidth=1.8, markersize=4.5, markeredgecolor="white",
                     **_STROKES[line.state])  # fmt: skip


def _stack(
    axes: Axes, shares: Sequence[Mapping[str, float]], key: Mapping[str, tuple[str, str]]
) -> None:
    for at, share in enumerate(shares):
        bottom = 0.0
        for kind, (_, colour) in key.items():
            height = 100 * share.get(kind, 0.0)
            axes.bar(at, height, bottom=bottom, width=0.8, color=colour,
                     edgecolor="white", linewidth=0.6)  # fmt: skip
            bottom += height


def _handle(state: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=STATE_COLOURS[state], linewidth=1.8, markersize=4.5,
                  markeredgecolor="white", **_STROKES[state])  # fmt: skip


def _date_axis(axes: Axes, view: View) -> None:
    axes.set_xlim(-0.06, 1.06)
    axes.set_xticks(view.places(), [_short(on) for on in view.dates], fontsize=7)
    axes.grid(axis="y", color="#E4E6EA", linewidth=0.7)


def _short(on: str) -> str:
    day = date.fromisoformat(on)
    return f"{day.day} {day:%b}\n{day:%Y}"


def _grid(rows: int, columns: int, width: float, height: float) -> tuple[Figure, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(max(4.6, 0.7 + width * columns), 0.8 + height * rows), layout="constrained"
    )
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, sharey=True, sharex=True, squeeze=False)
    for axes in grid.flat:
        axes.set_axisbelow(True)
    return figure, grid
