"""Scoring: every cell of the scorecard, for one question in one pipeline.

`score` gives one row per metric and sample, always. Importing this package registers the metrics;
`METRICS` lists them in the order of the scorecard.
"""

from evalkit.scoring import (  # noqa: F401  (each registers its metrics)
    citation,
    conflict,
    correctness,
    cost,
    factual,
    faithfulness,
    format,
    freshness,
    retention,
    retrieval,
)
from evalkit.scoring.answers import answer_class
from evalkit.scoring.blame import Blame, blame
from evalkit.scoring.instructions import faults
from evalkit.scoring.judges import Embedder, Judge, Judgment, OfflineJudge
from evalkit.scoring.metric import METRICS, Metric, order_metrics
from evalkit.scoring.parse import parse
from evalkit.scoring.scorers import COLUMNS, metric_named, score, scores_frame, signature

order_metrics()

__all__ = [
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
    "faults",
    "metric_named",
    "parse",
    "score",
    "scores_frame",
    "signature",
]
