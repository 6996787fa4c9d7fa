"""A table of scores corrected with a table of human labels: pipelines, and pairs of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from evalkit.plurals import counted
from evalkit.statistics.contrasts import FAILURE_LIMIT
from evalkit.statistics.prediction_powered import prediction_powered
from evalkit.statistics.tables import ScoresTableError, question_values, typed, unit_of

LABEL_KEYS = ("question", "pipeline", "metric")
_NUMBERS = (
    "judged", "corrected", "low", "high", "judge_weight", "n_labelled", "n_unlabelled",
    "n_clusters", "gain", "method", "note",
)  # fmt: skip
# Labels that no mark of the judge stands against, by the reason that there is none.
_UNMARKED = ("failed", "abstained", "not_applicable")
_COUNTS = (*(f"labels_{status}" for status in _UNMARKED), "n_failed")
MEANS = ("pipeline", "metric", *_NUMBERS, *_COUNTS)
DIFFERENCES = ("a", "b", "metric", *_NUMBERS, *_COUNTS, "labels_one_side")
_NULLABLE = ("judged", "corrected", "low", "high", "gain")


@dataclass(frozen=True)
class LabelFault:
    """What is wrong with one row of a table of labels; ``row`` counts from 0."""

    row: int
    field: str
    message: str
    expected: str


def label_faults(scores: pd.DataFrame, labels: pd.DataFrame) -> list[LabelFault]:
    """Every label that cannot be set against a score.

    Args:
        scores: The long scores table.
        labels: Columns ``question, pipeline, metric, value``; one row per label.

    Returns:
        A fault for each label of an unknown question, pipeline or metric, of a metric that is
        measured and not judged, outside [0, 1], or given twice; empty when there is none.
    """
    known = {key: list(dict.fromkeys(scores[key].astype(str))) for key in LABEL_KEYS}
    found, seen = [], set()
    cells = set(scores[list(LABEL_KEYS)].astype(str).itertuples(index=False, name=None))
    for row, (*names, value) in enumerate(labels[[*LABEL_KEYS, "value"]].itertuples(index=False)):
        strange = [
            LabelFault(row, key, f"{name!r} is not in the run", _expected(key, name, known[key]))
            for key, name in zip(LABEL_KEYS, names, strict=True)
            if name not in known[key]
        ]
        found += strange
        if not strange and (unit := unit_of(names[2])) != "share":
            message = f"{names[2]!r} is measured in {unit}, not judged"
            found.append(LabelFault(row, "metric", message, "a metric whose values are shares"))
        if not 0 <= value <= 1:
            found.append(LabelFault(row, "value", f"is {value}", "0, 1 or a share between them"))
        if not strange and tuple(names) not in cells:
            message = f"{names[1]} has no score of {names[2]} for {names[0]!r}"
            found.append(LabelFault(row, "question", message, "an answer that the run scored"))
        if tuple(names) in seen:
            message = f"{names[0]!r} has a label of {names[1]} for {names[2]} already"
            expected = "one label each; average those of several people first"
            found.append(LabelFault(row, "question", message, expected))
        seen.add(tuple(names))
    return found


def correct_scores(
    scores: pd.DataFrame,
    labels: pd.DataFrame,
    pipelines: Sequence[str] | None = None,
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Correct every labelled pipeline and metric, and the differences of pipelines.

    A label stands for the mean over the repeats of its question. Questions that the judge did not
    mark are left out of judged and corrected values alike; they and their labels are counted.

    Args:
        scores: The long scores table (see :func:`question_values`).
        labels: Columns ``question, pipeline, metric, value``; see :func:`label_faults`.
        pipelines: The order of pipelines, a difference being later - earlier; the order of
            ``scores`` when None.
        confidence: Coverage of the intervals.
        resamples: Bootstrap resamples, where labels alone speak.
        seed: Their seed.

    Returns:
        Two tables with the columns :data:`MEANS` and :data:`DIFFERENCES`: the fields of
        :class:`Corrected`; ``labels_failed, labels_abstained, labels_not_applicable``, labels of
        questions without a mark; ``n_failed``, questions that the judge failed on. A difference is
        ``b - a`` over the questions that have a mark in both, corrected with those that have a
        label in both; ``labels_one_side`` counts questions labelled in one alone. Pairs without a
        question labelled in both have no row.

    Raises:
        ScoresTableError: The scores cannot be trusted, or a label has a fault.
    """
    if faults := label_faults(scores, labels):
        first = faults[0]
        raise ScoresTableError(
            f"labels: {counted(len(faults), 'fault')}; first: row {first.row} {first.field} {first.message};"
            f" expected {first.expected}"
        )
    options = {"confidence": confidence, "resamples": resamples, "seed": seed}
    order = list(pipelines or dict.fromkeys(scores["pipeline"]))
    means, differences = [], []
    for metric in dict.fromkeys(labels["metric"]):
        sides = _sides(scores[scores["metric"] == metric], labels[labels["metric"] == metric])
        names = [name for name in order if name in sides and sides[name]["label"].notna().any()]
        for name in names:
            row = _row(_single(sides[name]), paired=False, options=options)
            means.append({"pipeline": name, "metric": metric, **row})
        for a, b in combinations(names, 2):
            pairs = _pairs(sides[a], sides[b])
            if not pairs["label"].notna().any():
                continue
            row = _row(pairs, paired=True, options=options)
            row["labels_one_side"] = int(
                (sides[a]["label"].notna() ^ sides[b]["label"].notna()).sum()
            )
            differences.append({"a": a, "b": b, "metric": metric, **row})
    return typed(means, MEANS, _NULLABLE), typed(differences, DIFFERENCES, _NULLABLE)


def _expected(key: str, name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    named = near or (known if len(known) <= 8 else [])
    listed = f", such as {', '.join(repr(each) for each in named)}" if named else ""
    return f"one of its {counted(len(known), key)}{listed}"


def _sides(scores: pd.DataFrame, labels: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Status, value, cluster and label by question, for each pipeline."""
    values = question_values(scores)
    values["question"] = values["question"].astype(str)
    keys = ["question", "pipeline"]
    human = labels.rename(columns={"value": "label"})[[*keys, "label"]]
    human = human.astype({"label": "float64"})
    joined = values.merge(human, on=keys, how="left", validate="one_to_one")
    return {str(name): side.set_index("question") for name, side in joined.groupby("pipeline")}


def _single(side: pd.DataFrame) -> pd.DataFrame:
    return side.rename(columns={"value": "mark"})


def _pairs(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """The differences b - a; a pair has the stronger status of the two that kept its mark away."""
    both = a.join(b.add_suffix("_b"), how="inner")
    status = pd.Series("scored", index=both.index)
    for reason in reversed(_UNMARKED):
        status = status.mask((both["status"] == reason) | (both["status_b"] == reason), reason)
    return pd.DataFrame(
        {
            "status": status,
            "mark": both["value_b"] - both["value"],
            "label": both["label_b"] - both["label"],
            "cluster": both["cluster"],
        }
    )


def _row(questions: pd.DataFrame, *, paired: bool, options: Mapping[str, Any]) -> dict[str, Any]:
    marked = questions[questions["status"] == "scored"]
    found = prediction_powered(
        marked["mark"].to_numpy(),
        marked["label"].to_numpy(),
        marked["cluster"].to_numpy(dtype=str),
        paired=paired,
        **options,
    )
    unmarked = questions.loc[questions["label"].notna(), "status"].value_counts()
    counts = {f"labels_{status}": int(unmarked.get(status, 0)) for status in _UNMARKED}
    failed = int((questions["status"] == "failed").sum())
    notes = [found.note, _failures(failed, failed + len(marked))]
    note = "; ".join(text for text in notes if text)
    return {**asdict(found), **counts, "n_failed": failed, "note": note}


def _failures(failed: int, counted: int) -> str:
    if failed == 0 or failed / counted <= FAILURE_LIMIT:
        return ""
    share = np.round(100 * failed / counted, 1)
    return f"{share:g} % of the questions failed and are left out of judged and corrected alike"
