"""Everything that a finished run leaves for its readers, written into one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.reporting.figures import save_figures
from evalkit.reporting.html import report_html
from evalkit.reporting.scorecard import scorecard_markdown
from evalkit.reporting.view import Results


def write_reports(
    results: Results, questions: Sequence[Mapping[str, Any]], folder: Path | str
) -> dict[str, Path]:
    """Write ``scorecard.md``, ``report.html`` and ``figures/*.svg|png``.

    Args:
        results: A results mapping, schema version 1.
        questions: One mapping per question with the answers of every pipeline; may be empty.
        folder: Where to write; made if it is not there. Files of the same name are replaced.

    Returns:
        The files written, by their path relative to ``folder``.

    Raises:
        ResultsError: The mapping is of another schema version or has no pipelines or estimates.
    """
    root = Path(folder)
    texts = {
        "scorecard.md": scorecard_markdown(results),
        "report.html": report_html(results, questions),
    }
    root.mkdir(parents=True, exist_ok=True)
    written = {name: root / name for name in texts}
    for name, text in texts.items():
        written[name].write_text(text, encoding="utf-8")
    figures = save_figures(results, root / "figures")
    return written | {f"figures/{name}": path for name, path in figures.items()}
