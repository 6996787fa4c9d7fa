"""Reports of finished results: a scorecard in text, figures, and one self-contained HTML page.

Everything here reads a results mapping (``results.json``, schema version 1) and, for the page, a
table of questions. Nothing is computed anew except words.
"""

from __future__ import annotations

from evalkit.reporting.figures import save_figures
from evalkit.reporting.html import report_html
from evalkit.reporting.reading import reading
from evalkit.reporting.scorecard import print_scorecard, scorecard_markdown
from evalkit.reporting.view import ResultsError
from evalkit.reporting.write import write_reports

__all__ = [
    "ResultsError",
    "print_scorecard",
    "reading",
    "report_html",
    "save_figures",
    "scorecard_markdown",
    "write_reports",
]
