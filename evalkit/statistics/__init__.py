"""Estimates, paired comparisons and factorial effects over tables of scores (pandas in and out).

The tables are long: one row per question, pipeline, metric and repeat. Nothing here knows what a
metric means or how a score came about.
"""

from __future__ import annotations

from evalkit.statistics.comparisons import compare, compare_all
from evalkit.statistics.effects import factorial_effects
from evalkit.statistics.estimates import class_table, estimate_table
from evalkit.statistics.intervals import (
    Confidence,
    Interval,
    estimate,
    estimate_many,
    mean_interval,
)
from evalkit.statistics.tables import ScoresTableError, question_values, records, unit_of

__all__ = [
    "Confidence",
    "Interval",
    "ScoresTableError",
    "class_table",
    "compare",
    "compare_all",
    "estimate",
    "estimate_many",
    "estimate_table",
    "factorial_effects",
    "mean_interval",
    "question_values",
    "records",
    "unit_of",
]
