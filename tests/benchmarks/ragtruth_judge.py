"""Fit the offline judge on RAGTruth's human labels, and measure it by cross-fitting.

    python tests/benchmarks/ragtruth_judge.py [--evidence-cache DIR] [--write]

Reads ``$EVALKIT_DATA/ragtruth/test.jsonl`` and writes `reports/judges/ragtruth.json` and `ragtruth.md`;
with ``--write`` also the coefficients (`evalkit/scoring/judges/offline.json`), fitted on all rows.
Every figure is of rows whose sources the coefficients were not fitted on: ten folds by source.
Intervals are percentiles of 1,000 resamples of sources. Reading the evidence of all 517 responses
takes about ten minutes on one core; ``--evidence-cache`` keeps it.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ragtruth_data import TASKS, Response, load
from ragtruth_report import markdown
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from evalkit.models import weights
from evalkit.scoring.judges import evidence, features, model
from evalkit.scoring.judges.evidence import GeneratorEvidence

ROOT = Path(__file__).resolve().parents[2]
FOLDS, RESAMPLES, SEED = 10, 1000, 0
PENALTY = {"wording": 0.05, "evidence": 0.001}
"""Inverse strength of the squared penalty on standardised features."""
STRUCTURED = features.NAMES.index("structured")


@dataclass(frozen=True)
class Fit:
    """Coefficients of raw features."""

    bias: float
    weights: Any

    def odds(self, matrix: Any) -> Any:
        return self.bias + matrix @ self.weights


def fit(matrix: Any, labels: Any, penalty: float) -> Fit:
    """L2 logistic regression on standardised features, both classes of equal weight."""
    mean, spread = matrix.mean(0), matrix.std(0)
    spread[spread == 0] = 1.0
    made = LogisticRegression(C=penalty, class_weight="balanced", max_iter=5000)
    made.fit((matrix - mean) / spread, labels)
    raw = made.coef_[0] / spread
    return Fit(float(made.intercept_[0] - raw @ mean), raw)


def wording_matrix(rows: Sequence[Response]) -> Any:
    """Wording features, and again where the source is structured data."""
    plain = np.vstack([row.wording for row in rows])
    return np.hstack([plain, plain * plain[:, [STRUCTURED]]])


def evidence_matrix(rows: Sequence[Response]) -> Any:
    return np.vstack([np.hstack([row.wording, row.seen, row.heads]) for row in rows])


def cross_fit(matrix: Any, labels: Any, groups: Any, penalty: float) -> Any:
    """Log-odds of every row by coefficients of the other folds."""
    odds = np.zeros(len(labels))
    folds = GroupKFold(FOLDS, shuffle=True, random_state=SEED)
    for rest, fold in folds.split(matrix, labels, groups):
        odds[fold] = fit(matrix[rest], labels[rest], penalty).odds(matrix[fold])
    return odds


def interval(
    measure: Callable[[Sequence[int]], float | None], sources: Sequence[str]
) -> dict[str, Any]:
    """A figure on all rows, and its 95 % interval over sources drawn with replacement."""
    by_source: dict[str, list[int]] = {}
    for i, source in enumerate(sources):
        by_source.setdefault(source, []).append(i)
    groups = list(by_source.values())
    random = np.random.default_rng(SEED)
    drawn = []
    for _ in range(RESAMPLES):
        chosen = random.integers(0, len(groups), len(groups))
        value = measure([i for g in chosen for i in groups[g]])
        if value is not None:
            drawn.append(value)
    low, high = np.percentile(drawn, [2.5, 97.5])
    value = measure(range(len(sources)))
    return {"value": _round(value), "low": _round(low), "high": _round(high)}


def area(labels: Any, scores: Any) -> Callable[[Sequence[int]], float | None]:
    """AUROC of chosen rows; None where they are all of one class."""

    def measure(chosen: Sequence[int]) -> float | None:
        picked = list(chosen)
        y = labels[picked]
        return float(roc_auc_score(y, scores[picked])) if 0 < y.sum() < len(y) else None

    return measure


def area_within(
    labels: Any, scores: Any, models: Sequence[str]
) -> Callable[[Sequence[int]], float | None]:
    """The mean over generators of the AUROC among each one's own responses."""
    named = np.array(models)

    def measure(chosen: Sequence[int]) -> float | None:
        picked = np.array(list(chosen))
        each = [area(labels, scores)(picked[named[picked] == name]) for name in sorted(set(models))]
        kept = [value for value in each if value is not None]
        return float(np.mean(kept)) if kept else None

    return measure


def decisions(labels: Any, flagged: Any) -> dict[str, float]:
    """Balanced accuracy, precision, recall and F1 of what was flagged."""
    hit = float(flagged[labels].mean())
    spared = float((~flagged[~labels]).mean())
    precision = float(labels[flagged].mean()) if flagged.any() else 0.0
    f1 = 2 * precision * hit / (precision + hit) if precision + hit else 0.0
    found = {
        "balanced_accuracy": (hit + spared) / 2,
        "precision": precision,
        "recall": hit,
        "f1": f1,
    }
    return {name: _round(value) for name, value in found.items()}


def figures(rows: Sequence[Response], odds: Any) -> dict[str, Any]:
    """Every figure of one judge by task: of responses, and of statements."""
    cuts = np.cumsum([0] + [len(row.statements) for row in rows])
    answers = [odds[a:b] for a, b in pairwise(cuts)]
    found = {}
    for task, label in TASKS.items():
        own = [i for i, row in enumerate(rows) if row.task == task]
        chosen = [rows[i] for i in own]
        scores = np.array([model.response_odds(list(answers[i]), task == "Data2txt") for i in own])
        labels = np.array([row.hallucinated for row in chosen])
        sources = [row.source for row in chosen]
        marks = np.concatenate([row.marked for row in chosen])
        each = np.concatenate([answers[i] for i in own])
        of_each = [row.source for row in chosen for _ in row.statements]
        flagged = each > 0
        ruled = np.concatenate(
            [_judged(row, answers[i]) for row, i in zip(chosen, own, strict=True)]
        )
        found[label] = {
            "responses": len(chosen), "hallucinated": int(labels.sum()),
            "auroc": interval(area(labels, scores), sources),
            "auroc_within_generator": interval(
                area_within(labels, scores, [row.model for row in chosen]), sources
            ),
            "statements": len(each), "marked": int(marks.sum()),
            "statement_auroc": interval(area(marks, each), of_each),
            "statement_by_model": decisions(marks, flagged),
            "statement_as_judged": decisions(marks, ruled),
        }  # fmt: skip
    return found


def flagged_answers(rows: Sequence[Response], odds: Any) -> dict[str, float]:
    """Decisions on all responses of all tasks, flagged at log-odds 0 of the whole answer."""
    cuts = np.cumsum([0] + [len(row.statements) for row in rows])
    scores = [
        model.response_odds(list(odds[a:b]), row.task == "Data2txt")
        for row, (a, b) in zip(rows, pairwise(cuts), strict=True)
    ]
    return decisions(np.array([row.hallucinated for row in rows]), np.array(scores) > 0)


def _judged(row: Response, odds: Any) -> Any:
    """What the whole judge, rules first, calls unsupported."""
    return np.array([o > 0 if r is None else not r for r, o in zip(row.ruled, odds, strict=True)])


def coefficients(rows: Sequence[Response], identity: str) -> dict[str, Any]:
    """The committed file: both models fitted on all rows."""
    labels = np.concatenate([row.marked for row in rows])
    wording = fit(wording_matrix(rows), labels, PENALTY["wording"])
    seen = fit(evidence_matrix(rows), labels, PENALTY["evidence"])
    names = [*features.NAMES, *evidence.NAMES]
    size = len(features.NAMES)
    return {
        "version": "1",
        "provenance": {
            "labels": "human hallucination spans of RAGTruth (Niu et al. 2024, arXiv 2401.00396; MIT),"
            " test responses; coefficients derived here, no text of it is kept",
            "responses": len(rows), "statements": len(labels), "marked": int(labels.sum()),
            "method": "L2 logistic regression, classes of equal weight; fitted on all rows",
            "penalty": PENALTY, "evidence_weights": identity,
        },
        "wording": {
            "bias": _round(wording.bias, 5),
            "weights": _named(features.NAMES, wording.weights[:size]),
            "structured": _named(features.NAMES, wording.weights[size:]),
        },
        "evidence": {
            "bias": _round(seen.bias, 5),
            "weights": _named(names, seen.weights[: len(names)]),
            "heads": [_round(w, 4) for w in seen.weights[len(names) :]],
        },
    }  # fmt: skip


def _named(names: Sequence[str], values: Any) -> dict[str, float]:
    return {name: _round(value, 5) for name, value in zip(names, values, strict=True) if value}


def _round(value: Any, digits: int = 3) -> Any:
    return None if value is None else round(float(value), digits)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--evidence-cache", type=Path)
    options.add_argument("--write", action="store_true", help="also write the coefficients")
    given = options.parse_args()
    part = yaml.safe_load((ROOT / "conf" / "judge" / "offline.yaml").read_text())
    obtained = weights.obtain(part["weights"])
    reader = GeneratorEvidence(obtained.folder, obtained.identity)
    folder = Path(os.environ["EVALKIT_DATA"]) / "ragtruth"
    rows = load(folder, reader, given.evidence_cache)
    labels = np.concatenate([row.marked for row in rows])
    groups = np.array([row.source for row in rows for _ in row.statements])
    by_wording = cross_fit(wording_matrix(rows), labels, groups, PENALTY["wording"])
    by_evidence = cross_fit(evidence_matrix(rows), labels, groups, PENALTY["evidence"])
    both = {
        "offline-lexical": by_wording,
        "offline-lexical+evidence": (by_wording + by_evidence) / 2,
    }
    report = {
        "folds": FOLDS, "resamples": RESAMPLES, "seed": SEED,
        "judges": {name: figures(rows, odds) for name, odds in both.items()},
        "flagged_answers": {name: flagged_answers(rows, odds) for name, odds in both.items()},
    }  # fmt: skip
    target = ROOT / "reports" / "judges"
    target.mkdir(parents=True, exist_ok=True)
    (target / "ragtruth.json").write_text(json.dumps(report, indent=1) + "\n")
    (target / "ragtruth.md").write_text(markdown(report))
    if given.write:
        made = coefficients(rows, reader.identity)
        path = ROOT / "evalkit" / "scoring" / "judges" / model.COEFFICIENTS
        path.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
