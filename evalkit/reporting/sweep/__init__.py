"""The report of a sweep: one HTML page, Markdown, figures, and every number as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from evalkit.reporting.sweep.figures import save_sweep_figures
from evalkit.reporting.sweep.page import sweep_html
from evalkit.reporting.sweep.reading import sweep_reading
from evalkit.reporting.sweep.text import sweep_markdown
from evalkit.reporting.sweep.view import Analysis, View, jobs_words

__all__ = ["View", "jobs_words", "sweep_reading", "write_sweep"]


def write_sweep(analysis: Analysis, folder: Path) -> dict[str, Path]:
    """Write ``report.html``, ``report.md``, ``analysis.json`` and ``figures/*.svg|png``.

    Args:
        analysis: What :func:`evalkit.sweeps.analysis.analyse` gives.
        folder: The folder of the sweep. Files of the same name are replaced.

    Returns:
        The files written, by their path relative to ``folder``.
    """
    view = View(analysis)
    texts = {
        "report.html": sweep_html(view),
        "report.md": sweep_markdown(view),
        "analysis.json": json.dumps(analysis, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    }
    written = {name: folder / name for name in texts}
    for name, text in texts.items():
        written[name].write_text(text, encoding="utf-8")
    figures = save_sweep_figures(view, folder / "figures")
    return written | {f"figures/{name}": path for name, path in figures.items()}
