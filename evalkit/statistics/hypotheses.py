"""Test claims about paired differences: supported, refuted, or how many questions would decide.

The verdict comes from the confidence bound against the margin, never from "p > .05": each one-sided
test has size (1 - confidence) / 2, so that the two-sided interval that is shown decides. Holm holds
the chance of any wrong verdict in the family, for supporting and for refuting alike.
"""

# ruff: noqa: PT028 - `test_hypotheses` tests hypotheses, it is no test of ours.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from evalkit.statistics.adjust import holm
from evalkit.statistics.claims import KINDS, Hypothesis, HypothesisError, Where, near
from evalkit.statistics.clusters import TINY
from evalkit.statistics.contrasts import FAILURE_LIMIT, Contrast, Wide
from evalkit.statistics.deciding import p_values, total_needed
from evalkit.statistics.intervals import Confidence, estimate_many
from evalkit.statistics.parsing import parse_hypothesis
from evalkit.statistics.power import detectable
from evalkit.statistics.tables import ScoresTableError, question_values, typed, unit_of

__all__ = [
    "KINDS",
    "Hypothesis",
    "HypothesisError",
    "Where",
    "flips",
    "parse_hypothesis",
    "test_hypotheses",
]

COLUMNS = (
    "claim", "metric", "direction", "better", "than", "kind", "margin", "where", "unit", "effect",
    "low", "high", "threshold", "p_value", "p_adjusted", "p_against", "p_against_adjusted",
    "verdict", "reason", "n_questions", "n_pairs", "n_clusters", "failed_share", "worst_low",
    "worst_high", "gained", "lost", "further_questions", "mde",
)  # fmt: skip
_NULLABLE = (
    "effect", "low", "high", "p_value", "p_adjusted", "p_against", "p_against_adjusted",
    "worst_low", "worst_high", "mde",
)  # fmt: skip


@dataclass(frozen=True)
class _Test:
    """One hypothesis with its data and its p-values; ``obstacle`` says why there are none."""

    hypothesis: Hypothesis
    pairs: Contrast
    found: Confidence
    obstacle: str

    @cached_property
    def p(self) -> tuple[float | None, float | None]:
        """One-sided p of the claim, and of its contrary."""
        return (None, None) if self.obstacle else p_values(self.hypothesis, self.found)


@dataclass(frozen=True)
class _Family:
    """Adjusted p-values, and the level at which Holm's procedure stopped, for or against."""

    adjusted: list[float | None]
    level: float

    @classmethod
    def of(cls, p: list[float | None], alpha: float) -> _Family:
        """A claim not yet accepted would be if its p fell to ``level``, all others staying."""
        adjusted = holm(p)
        tested = sum(value is not None for value in p)
        accepted = sum(value is not None and value <= alpha for value in adjusted)
        return cls(adjusted, alpha / max(1, tested - accepted))


def test_hypotheses(
    scores: pd.DataFrame,
    hypotheses: Sequence[Hypothesis],
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    failure_limit: float = FAILURE_LIMIT,
    power: float = 0.8,
) -> pd.DataFrame:
    """Test a family of hypotheses on one table of scores.

    Args:
        scores: The long scores table (see :func:`~evalkit.statistics.question_values`), with the
            columns ``category``, ``tags`` and ``as_of`` as far as a ``where`` reads them.
        hypotheses: The family that Holm's adjustment is over.
        confidence: Coverage of the intervals; each one-sided test has size (1 - confidence) / 2.
        resamples: Resamples of the bootstrap.
        seed: Its seed.
        failure_limit: Share of failed pairs above which there is no verdict.
        power: What ``further_questions`` and ``mde`` are for.

    Returns:
        One row per hypothesis, in order. ``effect, low, high`` are ``better`` minus ``than`` in the
        metric's unit, not adjusted; ``threshold`` is where the difference must lie.
        ``p_value`` is one-sided, of the claim (for equivalence the larger of two, Schuirmann 1987);
        ``p_against`` of its contrary. ``verdict`` is ``supported`` where ``p_adjusted`` is at most
        the test's size, ``refuted`` where ``p_against_adjusted`` is, else ``inconclusive``.
        ``n_questions`` are in ``where``; ``gained`` and ``lost`` count the pairs that moved the
        good and the bad way. ``further_questions`` would decide an inconclusive one with ``power``
        if the truth were the present estimate; null where no number would, or nothing is known.
        ``mde`` is the smallest difference from 0 that a two-sided test finds with ``power``.
        A hypothesis with too many failures, no pairs or one cluster has no p.

    Raises:
        ScoresTableError: The table cannot be trusted, or lacks a pipeline, metric or column.
    """
    if not hypotheses:
        return _frame([])
    alpha = (1 - confidence) / 2
    pairs = _contrasts(scores, hypotheses)
    found = estimate_many([p.sample for p in pairs], resamples=resamples, seed=seed)
    tests = [
        _Test(h, p, f, p.undecided(failure_limit))
        for h, p, f in zip(hypotheses, pairs, found, strict=True)
    ]
    families = [_Family.of([t.p[i] for t in tests], alpha) for i in (0, 1)]
    rows = []
    for i, test in enumerate(tests):
        row = _measured(test, confidence, power)
        names = ("p_adjusted", "p_against_adjusted")
        row |= {name: f.adjusted[i] for name, f in zip(names, families, strict=True)}
        rows.append(row | _verdict(test, row, families, alpha, power))
    return _frame(rows)


test_hypotheses.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it by name


def flips(scores: pd.DataFrame, hypothesis: Hypothesis) -> pd.DataFrame:
    """The questions on which the two sides differ.

    Returns:
        ``question``, ``before`` (the mean of ``than``), ``after`` (of ``better``) and ``change``:
        ``gained`` where the move is the good way, ``lost`` where it is the bad one. The largest
        change comes first, then by question.

    Raises:
        ScoresTableError: As :func:`test_hypotheses`.
    """
    (pairs,) = _contrasts(scores, [hypothesis])
    table = pd.DataFrame(
        {"question": pairs.questions, "before": pairs.before, "after": pairs.after}
    )
    move = hypothesis.sign * pairs.difference
    table["change"] = np.where(move > 0, "gained", "lost")
    # Rounded, so that changes that differ by arithmetic alone come in the order of the questions.
    table["size"] = np.abs(move).round(12)
    table = table[table["size"] > 0].sort_values(["size", "question"], ascending=[False, True])
    return table[["question", "before", "after", "change"]].reset_index(drop=True)


def _contrasts(scores: pd.DataFrame, hypotheses: Sequence[Hypothesis]) -> list[Contrast]:
    """The pairs of every hypothesis; repeats are averaged within a question first."""
    extra = sorted({column for each in hypotheses for column in each.where.columns})
    for each in hypotheses:
        each.where.select(scores.head(0))  # names a missing column before any work
        _known(scores, each)
    metrics = {each.metric for each in hypotheses}
    pipelines = {name for each in hypotheses for name in (*each.better, *each.than)}
    chosen = scores["metric"].isin(metrics) & scores["pipeline"].isin(pipelines)
    values = question_values(scores[chosen], extra=extra)
    return [
        Wide.of(each.where.select(values), each.metric).contrast(each.weights)
        for each in hypotheses
    ]


def _known(scores: pd.DataFrame, hypothesis: Hypothesis) -> None:
    for column, names in (
        ("pipeline", (*hypothesis.better, *hypothesis.than)),
        ("metric", (hypothesis.metric,)),
    ):
        present = scores[column].unique() if column in scores.columns else ()
        for name in names:
            if name not in present:
                raise ScoresTableError(
                    f"hypothesis {hypothesis.claim!r}: the scores table has no {column} {name!r}"
                    f"{near(name, sorted(map(str, present)))}"
                )


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame: pd.DataFrame = typed(rows, COLUMNS, _NULLABLE)
    return frame.astype({"further_questions": "Int64"})


def _measured(test: _Test, confidence: float, power: float) -> dict[str, Any]:
    hypothesis, pairs, found = test.hypothesis, test.pairs, test.found
    interval = found.interval(confidence)
    p_value, p_against = test.p
    worst_low, worst_high = pairs.worst or (None, None)
    return {
        "claim": hypothesis.claim,
        "metric": hypothesis.metric,
        "direction": hypothesis.direction,
        "better": "+".join(hypothesis.better),
        "than": "+".join(hypothesis.than),
        "kind": hypothesis.kind,
        "margin": hypothesis.margin,
        "where": str(hypothesis.where),
        "unit": unit_of(hypothesis.metric),
        "effect": found.value,
        "low": interval.low,
        "high": interval.high,
        "threshold": hypothesis.threshold,
        "p_value": p_value,
        "p_against": p_against,
        "n_questions": len(pairs.value),
        "n_pairs": pairs.n,
        "n_clusters": pairs.n_clusters,
        "failed_share": pairs.failed_share,
        "worst_low": worst_low,
        "worst_high": worst_high,
        "gained": int((hypothesis.sign * pairs.difference > TINY).sum()),
        "lost": int((hypothesis.sign * pairs.difference < -TINY).sum()),
        "mde": detectable(found.standard_error, found.df, confidence=confidence, power=power),
    }


def _verdict(
    test: _Test, row: dict[str, Any], families: Sequence[_Family], alpha: float, power: float
) -> dict[str, Any]:
    """``verdict``, ``reason`` and ``further_questions``."""
    notes = test.pairs.left_out()
    if test.obstacle:
        return _inconclusive([test.obstacle], None)
    for verdict, column in (("supported", "p_adjusted"), ("refuted", "p_against_adjusted")):
        if row[column] is not None and row[column] <= alpha:
            return {"verdict": verdict, "reason": "; ".join(notes), "further_questions": None}
    alone = min(row["p_value"], row["p_against"]) <= alpha
    why = (
        "its own interval decides, but not after adjustment for the other hypotheses"
        if alone
        else "the interval holds values on both sides of the threshold"
    )
    levels = families[0].level, families[1].level
    n = test.pairs.n
    total = total_needed(test.hypothesis, test.found, n, levels, power)
    if total is None:
        lack = (
            "the estimate is so near the threshold that no practicable number of questions decides"
        )
        return _inconclusive([why, lack, *notes], None)
    return _inconclusive([why, *notes], max(1, total - n))


def _inconclusive(reasons: list[str], further: int | None) -> dict[str, Any]:
    return {
        "verdict": "inconclusive",
        "reason": "; ".join(reasons),
        "further_questions": further,
    }
