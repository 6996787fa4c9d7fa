"""Everything that a finished run leaves for its readers, written into one folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.reporting.figures import save_figures
from evalkit.reporting.html import report_html
from evalkit.reporting.scorecard import scorecard_markdown
from evalkit.reporting.view import Results

Draw = Callable[[Results, Path], Mapping[str, Path]]
PAGE_QUESTIONS = 2000
"""Questions that a page shows; a browser has trouble with many more."""


def write_reports(
    results: Results,
    questions: Sequence[Mapping[str, Any]],
    folder: Path | str,
    draw: Draw = save_figures,
) -> dict[str, Path]:
    """Write ``scorecard.md``, ``report.html`` and ``figures/*.svg|png``, of a run or of a study over time.

    Args:
        results: A results mapping, schema version 1.
        questions: One mapping per question with the answers of every pipeline; may be empty,
            and of more than `PAGE_QUESTIONS` the page shows the first.
        folder: Where to write; made if it is not there. Files of the same name are replaced.
        draw: Draws the figures of a run into a folder, or finds those that were drawn before.

    Returns:
        The files written, by their path relative to ``folder``.

    Raises:
        ResultsError: The mapping is of another schema version or has no pipelines or estimates.
    """
    root, questions = Path(folder), questions[:PAGE_QUESTIONS]
    if results.get("kind") == "timeline":
        from evalkit.reporting.timeline import write_timeline

        return write_timeline(results, questions, root)
    texts = {
        "scorecard.md": scorecard_markdown(results),
        "report.html": report_html(results, questions),
    }
    root.mkdir(parents=True, exist_ok=True)
    written = {name: root / name for name in texts}
    for name, text in texts.items():
        written[name].write_text(text, encoding="utf-8")
    figures = draw(results, root / "figures")
    return written | {f"figures/{name}": path for name, path in figures.items()}
