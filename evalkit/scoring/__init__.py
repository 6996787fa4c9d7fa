"""Scoring: every cell of the scorecard, for one question in one pipeline.

`score` gives one row per metric and sample, always. Importing this package registers the metrics;
`METRICS` lists them in the order of the scorecard.
"""

from evalkit.scoring import (
    citation,
    correctness,
    cost,
    faithfulness,
    format,
    freshness,
    retention,
    retrieval,
)
from evalkit.scoring.answers import answer_class
from evalkit.scoring.blame import Blame, blame
from evalkit.scoring.judges import Embedder, Judge, Judgment, OfflineJudge
from evalkit.scoring.metric import METRICS, Metric, order_metrics
from evalkit.scoring.parse import parse
from evalkit.scoring.scorers import COLUMNS, metric_named, score, scores_frame, signature

AXIS_MODULES = (
    retrieval,
    faithfulness,
    format,
    freshness,
    correctness,
    citation,
    retention,
    cost,
)
"""The modules that register metrics, one for each axis (`retrieval` serves two)."""

order_metrics()

__all__ = [
    "AXIS_MODULES",
    "COLUMNS",
    "METRICS",
    "Blame",
    "Embedder",
    "Judge",
    "Judgment",
    "Metric",
    "OfflineJudge",
    "answer_class",
    "blame",
    "metric_named",
    "parse",
    "score",
    "scores_frame",
    "signature",
]
