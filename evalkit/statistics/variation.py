"""How much of a number's uncertainty comes from asking again, and how much from which questions."""

from __future__ import annotations

from math import sqrt

import pandas as pd

from evalkit.statistics.tables import question_values, typed

_CELL = ("pipeline", "metric")
COLUMNS = (
    *_CELL, "n_questions", "n_repeats", "sd_questions", "sd_repeats", "share_repeats",
)  # fmt: skip


def variation(scores: pd.DataFrame) -> pd.DataFrame:
    """Variance between questions and between repeats of a question, by pipeline and metric.

    A one-way random-effects model with questions as the random effect, its components estimated by
    the method of moments from unequal numbers of repeats (Searle, Casella and McCulloch 1992,
    *Variance Components*, section 3.6). A shift that a repeat gives to all questions alike is part
    of neither.

    Args:
        scores: The long scores table (see :func:`~evalkit.statistics.question_values`).

    Returns:
        ``pipeline, metric, n_questions`` (scored), ``n_repeats`` (the most that a question has),
        ``sd_questions`` and ``sd_repeats`` (standard deviations in the metric's unit; the first
        null with one question) and ``share_repeats``, the share of the squared standard error of
        the pipeline's mean that repeats cause, in [0, 1], null where nothing varies. Only where
        some question has two scored repeats; empty without any.

    Raises:
        ScoresTableError: The table cannot be trusted.
    """
    kept = question_values(scores)
    kept = kept[kept["status"] == "scored"][[*_CELL, "question"]]
    single = scores[scores["status"] == "scored"].merge(kept, how="inner")
    keys = [*_CELL, "question"]
    deviation = single["value"] - single.groupby(keys, observed=True)["value"].transform("mean")
    by_question = single.assign(squared=deviation**2).groupby(keys, observed=True)
    table = by_question.agg(
        r=("value", "count"), mean=("value", "mean"), within=("squared", "sum")
    ).reset_index()
    rows = [
        {"pipeline": pipeline, "metric": metric, **_components(cell)}
        for (pipeline, metric), cell in table.groupby(list(_CELL), observed=True)
        if cell["r"].max() > 1
    ]
    frame: pd.DataFrame = typed(rows, COLUMNS, ("sd_questions", "sd_repeats", "share_repeats"))
    return frame


def _components(cell: pd.DataFrame) -> dict[str, float | int | None]:
    """Of one pipeline and metric: ``r`` repeats, their ``mean`` and sum of squares by question."""
    counts, means = (cell[name].to_numpy(dtype="float64") for name in ("r", "mean"))
    size, total = len(cell), counts.sum()
    repeat_variance = float(cell["within"].sum()) / (total - size)
    found: dict[str, float | int | None] = {
        "n_questions": size,
        "n_repeats": int(counts.max()),
        "sd_questions": None,
        "sd_repeats": sqrt(repeat_variance),
        "share_repeats": None,
    }
    if size == 1:
        return found
    grand = float((counts * means).sum() / total)
    between = float((counts * (means - grand) ** 2).sum()) / (size - 1)
    per_question = (total - float((counts**2).sum()) / total) / (size - 1)
    question_variance = max(0.0, (between - repeat_variance) / per_question)
    noise = repeat_variance * float((1 / counts).mean())
    found["sd_questions"] = sqrt(question_variance)
    if noise + question_variance > 0:
        found["share_repeats"] = noise / (noise + question_variance)
    return found


def repeat_means(scores: pd.DataFrame) -> pd.DataFrame:
    """How far whole repeats lie apart: the mean of each over the questions that all of them have.

    What :func:`variation` leaves out, a shift that a repeat (a seed of training, say) gives to all
    questions alike, is in here.

    Args:
        scores: The long scores table.

    Returns:
        ``pipeline, metric, n_repeats, n_questions`` (scored in every repeat), ``mean``,
        ``sd_means`` (of the repeats' means, with ``n_repeats - 1``), ``least`` and ``most``, in the
        metric's unit; only where two repeats share a scored question.
    """
    rows = []
    scored = scores[scores["status"] == "scored"]
    for (pipeline, metric), cell in scored.groupby(list(_CELL), observed=True):
        wide = cell.pivot(index="question", columns="repeat", values="value").dropna()
        if wide.shape[1] < 2 or wide.empty:
            continue
        means = wide.astype("float64").mean()
        numbers = {"mean": means.mean(), "sd_means": means.std(), "least": means.min(),
                   "most": means.max()}  # fmt: skip
        counts = {"n_repeats": wide.shape[1], "n_questions": len(wide)}
        rows.append({"pipeline": pipeline, "metric": metric, **counts, **numbers})
    names = (*_CELL, "n_repeats", "n_questions", "mean", "sd_means", "least", "most")
    return pd.DataFrame(rows, columns=list(names))
