"""Does it hold what it promises? Simulated coverage of every interval, and errors of verdicts.

``python -m evalkit.statistics.simulation --out FOLDER`` writes ``coverage.md`` and
``coverage.json``. Populations whose truth is known are drawn by the thousand, and the code that
reports use is run on each.
"""
