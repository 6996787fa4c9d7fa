"""The scores table: what must be in it, and one value per question out of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from evalkit.plurals import counted

REQUIRED = ("question", "pipeline", "repeat", "metric", "status", "value", "cluster")
# From strongest to weakest: what a question counts as when its repeats disagree.
PRECEDENCE = ("failed", "scored", "abstained", "not_applicable")
_UNITS = {"tokens": "tokens", "seconds": "s", "days": "days", "value": "value"}


class ScoresTableError(ValueError):
    """A scores table that cannot be trusted: says which rows and what was expected."""


def unit_of(metric: str) -> str:
    """The unit of a metric's values, read off its name.

    Args:
        metric: A metric id, ``axis/stage/name``.

    Returns:
        ``"tokens"``, ``"s"``, ``"days"`` or ``"value"`` (any number) where the name ends so; else
        ``"share"``, a number in [0, 1].
    """
    return _UNITS.get(metric.rsplit("/", 1)[-1].rsplit("_", 1)[-1], "share")


def value_range(metric: str) -> tuple[float, float] | None:
    """The range that a metric's values lie in; ``None`` where it is not bounded."""
    return (0.0, 1.0) if unit_of(metric) == "share" else None


def question_values(scores: pd.DataFrame, extra: Iterable[str] = ()) -> pd.DataFrame:
    """Average repeats within a question: one row per question, pipeline and metric.

    A question with a failed repeat counts as failed, even where other repeats were scored: a
    failure must not leave the denominator quietly. Otherwise a question with a scored repeat is
    scored, with the mean of its scored repeats.

    Args:
        scores: A long table with at least the columns ``question, pipeline, repeat, metric,
            status, value, cluster``. A missing cluster makes a question its own cluster.
        extra: More columns to keep (constant within a question), such as ``category``.

    Returns:
        Columns ``pipeline, metric, question, status, value, cluster`` and ``extra``, sorted by the
        first three; ``value`` is NaN unless the status is ``scored``.

    Raises:
        ScoresTableError: A column is missing, a row is there twice, a status is unknown, a scored
            value is not a finite number or outside the metric's range, or a question is in two
            clusters.
    """
    kept = [c for c in dict.fromkeys(extra) if c not in REQUIRED]
    table = _checked(scores, kept)
    keys = ["pipeline", "metric", "question"]
    if table["repeat"].nunique() < 2:  # one row for each already, which takes half as long
        result = table.sort_values(keys, ignore_index=True)
        return result[[*keys, "status", "value", "cluster", *kept]]
    rank = table["status"].map({name: i for i, name in enumerate(PRECEDENCE)})
    groups = table.assign(_rank=rank).groupby(keys, sort=True, observed=True)
    # mean() skips the repeats without a value, so this is the mean of the scored ones.
    columns: dict[str, Any] = {"_rank": ("_rank", "min"), "value": ("value", "mean")}
    columns |= {name: (name, "first") for name in ["cluster", *kept]}
    result = groups.agg(**columns).reset_index()
    result["status"] = result.pop("_rank").map(dict(enumerate(PRECEDENCE)))
    result["value"] = result["value"].where(result["status"] == "scored")
    return result[[*keys, "status", "value", "cluster", *kept]]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain dicts that ``json.dumps`` takes: nulls are ``None``, numbers are Python's."""
    return [{str(k): _plain(v) for k, v in row.items()} for row in frame.to_dict("records")]


def typed(rows: list[dict[str, Any]], columns: Iterable[str], nullable: Iterable[str]) -> Any:
    """A frame of ``rows`` whose ``nullable`` columns hold numbers or ``pd.NA``, never NaN."""
    frame = pd.DataFrame(rows, columns=list(columns))
    return frame.astype(dict.fromkeys(nullable, "Float64"))


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _checked(scores: pd.DataFrame, extra: list[str]) -> pd.DataFrame:
    missing = [c for c in (*REQUIRED, *extra) if c not in scores.columns]
    if missing:
        raise ScoresTableError(
            f"scores table: no column {', '.join(missing)}; it has {', '.join(scores.columns)}"
        )
    table = scores[[*REQUIRED, *extra]].copy()
    table["value"] = pd.to_numeric(table["value"], errors="raise").astype("float64")
    table["cluster"] = _filled_clusters(table)
    keys = ["question", "pipeline", "metric", "repeat"]
    _refuse(table, table.duplicated(keys), "is there more than once; expected one row per repeat")
    _refuse(table, ~table["status"].isin(PRECEDENCE), f"status is not one of {PRECEDENCE}")
    scored = table["status"] == "scored"
    _refuse(table, scored & ~np.isfinite(table["value"]), "scored without a finite value")
    _refuse(table, ~scored & table["value"].notna(), "has a value though it was not scored")
    share = table["metric"].map({m: value_range(m) is not None for m in table["metric"].unique()})
    outside = scored & share.astype(bool) & ~table["value"].between(-1e-9, 1 + 1e-9)
    _refuse(table, outside, "value is outside [0, 1]")
    homes = table[["question", "cluster"]].drop_duplicates()["question"]
    split = table["question"].isin(homes[homes.duplicated()])
    _refuse(table, split, "its question is in more than one cluster")
    return table


def _filled_clusters(table: pd.DataFrame) -> pd.Series:
    clusters = table["cluster"].astype("object")
    lone = clusters.isna() | (clusters == "")
    return clusters.mask(lone, "question:" + table["question"].astype(str)).astype(str)


def _refuse(table: pd.DataFrame, bad: pd.Series, complaint: str) -> None:
    if bad.any():
        row = table[bad].iloc[0]
        raise ScoresTableError(
            f"scores table: {counted(int(bad.sum()), 'row')}: {complaint}; first: question "
            f"{row['question']!r}, pipeline {row['pipeline']!r}, metric {row['metric']!r}, "
            f"repeat {row['repeat']}, status {row['status']!r}, value {row['value']}"
        )
