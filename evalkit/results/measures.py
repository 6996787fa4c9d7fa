"""The statistics of a run's scores: computed a few metrics at a time, stored, and not computed twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.pipelines import Pipeline
from evalkit.scoring import METRICS
from evalkit.statistics import (
    class_table,
    compare_all,
    estimate_table,
    factorial_effects,
    records,
)
from evalkit.statistics.adjust import benjamini_hochberg
from evalkit.statistics.hypotheses import Hypothesis, test_hypotheses
from evalkit.statistics.variation import variation
from evalkit.store import Store, package_source
from evalkit.tables.score_file import ScoreFile

if TYPE_CHECKING:
    import pandas as pd

MEASURES_VERSION = "1"
CLASSES = "freshness/generation/outdated"
_FILE = "measured.json"
Rows = list[dict[str, Any]]
Measured = Mapping[str, Rows]
"""By table of ``results.json``, its rows without their signatures."""


@dataclass(frozen=True)
class Plan:
    """What is computed from a table of scores.

    Attributes:
        corners: The pipelines on the corners of the square.
        settings: Resamples, confidence and seed.
    """

    pipelines: Sequence[str]
    corners: Mapping[tuple[bool, bool], str]
    hypotheses: Sequence[Hypothesis]
    repeats: int
    settings: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        pipelines: Sequence[Pipeline],
        hypotheses: Sequence[Hypothesis],
        repeats: int,
        settings: Mapping[str, Any],
    ) -> Plan:
        """The plan of a run."""
        corners = {p.corner: p.name for p in pipelines if p.corner is not None}
        return cls([p.name for p in pipelines], corners, hypotheses, repeats, settings)

    @property
    def inputs(self) -> dict[str, Any]:
        """Everything about it that can change a number."""
        return {
            "pipelines": list(self.pipelines),
            "corners": [[*corner, name] for corner, name in self.corners.items()],
            "hypotheses": [asdict(each) for each in self.hypotheses],
            "repeats": self.repeats,
            "settings": dict(self.settings),
        }


def measured(scores: ScoreFile, plan: Plan, store: Store) -> Measured:
    """Every table of statistics, from the store where the same scores were seen before."""

    def build(folder: Path) -> None:
        text = json.dumps(measure(scores, plan), allow_nan=False)
        (folder / _FILE).write_text(text, encoding="utf-8")

    inputs = {
        **plan.inputs,
        "scores": scores.digest,
        "metrics": list(METRICS),
        "code": package_source("evalkit.statistics"),
        "version": MEASURES_VERSION,
    }
    folder = store.artifact("statistics", inputs, build)
    found: Measured = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    return found


def measure(scores: ScoreFile, plan: Plan) -> dict[str, Rows]:
    """Compute the tables; those over many tests are adjusted over all metrics together."""
    parts = [_part(frame, plan) for frame in scores.batches()]
    found = {name: [row for part in parts for row in part[name]] for name in parts[0]}
    found["estimates"].sort(key=lambda row: (row["pipeline"], row["metric"]))
    found["by_category"].sort(key=lambda row: (row["pipeline"], row["metric"], row["category"]))
    found["effects"].sort(key=lambda row: str(row["metric"]))
    pairs = list(combinations(plan.pipelines, 2))
    found["comparisons"].sort(key=lambda row: pairs.index((row["a"], row["b"])))
    for name in ("comparisons", "effects"):
        adjusted = benjamini_hochberg([row["p_value"] for row in found[name]])
        for row, p in zip(found[name], adjusted, strict=True):
            row["p_adjusted"] = p
    if plan.hypotheses:
        claimed = scores.of({each.metric for each in plan.hypotheses})
        found["hypotheses"] = records(test_hypotheses(claimed, plan.hypotheses, **plan.settings))
    found["classes"] = records(class_table(scores.of([CLASSES]), CLASSES))
    return found


def _part(scores: pd.DataFrame, plan: Plan) -> dict[str, Rows]:
    """The tables of some metrics."""
    estimates = records(estimate_table(scores, **plan.settings))
    _explain(estimates, scores)
    square = len(plan.corners) >= 2
    return {
        "hypotheses": [],
        "estimates": estimates,
        "by_category": _by_category(scores, plan.settings),
        "comparisons": _comparisons(scores, plan),
        "effects": records(factorial_effects(scores, plan.corners, **plan.settings)) if square else [],
        "variation": records(variation(scores)) if plan.repeats > 1 else [],
        "classes": [],
    }  # fmt: skip


def _explain(estimates: Rows, scores: pd.DataFrame) -> None:
    """Why nothing was scored, where nothing was: the commonest reason among the scores."""
    unscored = scores[scores["status"] != "scored"]
    commonest = unscored.groupby(["pipeline", "metric"])["reason"].agg(
        lambda r: r.value_counts().index[0]
    )
    for row in estimates:
        if row["n_scored"] == 0:
            row["reason"] = str(commonest.get((row["pipeline"], row["metric"]), ""))


def _by_category(scores: pd.DataFrame, settings: Mapping[str, Any]) -> Rows:
    chosen = scores[scores["axis"] != "cost"]
    if chosen.empty:
        return []
    table = estimate_table(chosen, by=("pipeline", "metric", "category"), **settings)
    return records(table[(table["n_scored"] > 0) | (table["n_failed"] > 0)])


def _comparisons(scores: pd.DataFrame, plan: Plan) -> Rows:
    """Every pair of pipelines on every metric that both were scored on at least once."""
    counted = scores["status"].isin(("scored", "failed"))
    defined = scores[counted.groupby([scores["pipeline"], scores["metric"]]).transform("any")]
    present = set(defined["pipeline"])
    pairs = [pair for pair in combinations(plan.pipelines, 2) if present.issuperset(pair)]
    metrics = list(_ordered(defined))
    return records(compare_all(defined, pairs, metrics, **plan.settings)) if pairs else []


def _ordered(scores: pd.DataFrame) -> Iterator[str]:
    present = set(scores["metric"])
    return (name for name in METRICS if name in present)
