"""Reports of a study over time: freshness curves, tables, and a reading in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.reporting.timeline.figures import save_study_figures
from evalkit.reporting.timeline.page import study_html
from evalkit.reporting.timeline.reading import study_reading
from evalkit.reporting.timeline.text import print_study, study_markdown
from evalkit.reporting.timeline.view import View
from evalkit.reporting.view import Results

if TYPE_CHECKING:
    from rich.console import Console

KIND = "timeline"
__all__ = ["KIND", "print_timeline", "study_reading", "write_timeline"]


def write_timeline(
    results: Results, questions: Sequence[Mapping[str, Any]], folder: Path
) -> dict[str, Path]:
    """Write ``scorecard.md``, ``report.html`` and ``figures/*.svg|png`` of a study over time.

    Returns:
        The files written, by their path relative to ``folder``.
    """
    view = View(results)
    texts = {"scorecard.md": study_markdown(view), "report.html": study_html(view, questions)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    figures = save_study_figures(view, folder / "figures")
    return {name: folder / name for name in texts} | {
        f"figures/{name}": path for name, path in figures.items()
    }


def print_timeline(results: Results, console: Console) -> None:
    """Print the tables of a study that matter most, and its reading."""
    print_study(View(results), console)
