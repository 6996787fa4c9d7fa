"""The tables of the simulation as one Markdown page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.statistics.simulation import prediction
from evalkit.statistics.simulation.coverage import NOMINAL

Row = dict[str, Any]
BAND = (0.93, 0.97)
"""The promise: coverage of a nominal 95 % interval."""

_INTRODUCTION = """# Do the intervals hold what they promise?

Written by `python -m evalkit.statistics.simulation` (`make report-statistics`): seed {seed},
{simulations:,} simulations of each line, {resamples:,} resamples each. Coverage in percent, ± its
Monte-Carlo standard error; in brackets the mean width of the interval. A population is drawn anew
for every simulation (true shares from U(0.05, 0.95), intra-class correlation from U(0.2, 0.4));
two pipelines meet the same luck with a question half of the time. *Bounded* values are shares with
many 0 and 1, *seconds* are lognormal (log sd 0.5). `clusters of 1 to 9` repeats the sizes
1, 2, 3, 5, 9; with either kind of cluster 20 questions make 5 clusters.

How an interval is made: Wilson for binary answers of questions on their own; from 20 clusters on
BCa over clusters, its levels expanded by the t quantile and nowhere inside Student's t; for fewer
clusters Wilson on the variance that the clusters show (shares), Student's t (contrasts), or Hall's
skewness-corrected t (amounts), all with the cluster-robust standard error CR2 and its degrees of
freedom. A contrast is nowhere narrower than what kinds of change unseen so far allow, and binary
ones of fewer than 20 questions on their own than their score interval. The last table shows what
plain BCa, expanded BCa and t reach alone.
"""
_HARD = """
## Hard cases

Shares at a fixed point near 0 or 1, seconds with a heavy tail (log sd 1), two to four clusters. A
discrete interval cannot keep its level at each such point; a mean of graded values of which nearly
all are alike cannot show how far the rest lie. Lowest: {lowest}.
"""
_VERDICTS = """
## Wrong verdicts

The share of simulations in which any hypothesis of a family gets the wrong verdict, with Holm's
adjustment; one-sided at 2.5 %. Binary answers, paired differences.
"""
_POWER = """
## Power at the number of questions that the gate asks for

How often a true claim is supported at `questions_needed`, which plans for 80 %.
"""
_PREDICTION = """
## Prediction-powered intervals

Human labels for some of the questions, a judge for all.
"""
_FIXED = "The share held fixed where few labels have it hardest; reported and not promised:\n"
_ALTERNATIVES = """
## Simpler intervals, each alone

In percent, for the same populations.
"""


def page(rows: Sequence[Row], *, seed: int, simulations: int, resamples: int) -> str:
    """The whole page."""
    tables: dict[str, list[Row]] = {}
    for row in rows:
        tables.setdefault(row["table"], []).append(row)
    promised, hard = tables["coverage"], tables["hard"]
    return "\n".join(
        [
            _INTRODUCTION.format(seed=seed, simulations=simulations, resamples=resamples),
            "## Coverage\n",
            _summary(promised),
            _by_size(promised),
            _HARD.format(lowest=_named(min(hard, key=_coverage))),
            _by_size(hard),
            _VERDICTS,
            _rates(tables["verdicts"]),
            _POWER,
            _rates(tables["power"]),
            _PREDICTION,
            _summary(tables[prediction.TABLE]),
            _by_size(tables[prediction.TABLE], by_clusters=True),
            _FIXED,
            _by_size(tables[prediction.FIXED_TABLE], by_clusters=True),
            _ALTERNATIVES,
            _alternatives(tables["alternatives"]),
        ]
    )


def _coverage(row: Row) -> float:
    return float(row["coverage"])


def _named(row: Row) -> str:
    return f"{_cell(row)} for {row['scenario']}, n = {row['n']}"


def _summary(rows: Sequence[Row]) -> str:
    inside = sum(BAND[0] <= row["coverage"] <= BAND[1] for row in rows)
    mean = sum(map(_coverage, rows)) / len(rows)
    return (
        f"{inside} of {len(rows)} lie between {100 * BAND[0]:.0f} and {100 * BAND[1]:.0f} % "
        f"(nominal {100 * NOMINAL:.0f} %); the mean is {100 * mean:.1f} %. "
        f"Lowest: {_named(min(rows, key=_coverage))}; "
        f"highest: {_named(max(rows, key=_coverage))}.\n"
    )


def _cell(row: Row) -> str:
    width = row["width"]
    return f"{100 * row['coverage']:.1f} ± {100 * row['error']:.1f} ({width:.3g})"


def _by_size(rows: Sequence[Row], *, by_clusters: bool = False) -> str:
    """One line per scenario, one column per number of questions."""
    sizes = sorted({row["n"] for row in rows})
    lines: dict[tuple[str, ...], dict[int, str]] = {}
    for row in rows:
        alone = row["clusters"] == row["n"]
        design = ("no clusters" if alone else "clusters",) if by_clusters else ()
        lines.setdefault((row["scenario"], *design), {})[row["n"]] = _cell(row)
    body = [[", ".join(name), *(cells.get(n, "") for n in sizes)] for name, cells in lines.items()]
    return table(["", *(f"n = {n}" for n in sizes)], body)


def _rates(rows: Sequence[Row]) -> str:
    body = [
        [
            row["scenario"],
            str(row["n"]),
            str(row["clusters"]),
            f"{100 * row['nominal']:.1f}",
            f"{100 * row['rate']:.1f} ± {100 * row['error']:.1f}",
        ]
        for row in rows
    ]
    return table(["", "questions", "clusters", "planned, %", "simulated, %"], body)


def _alternatives(rows: Sequence[Row]) -> str:
    methods = list(dict.fromkeys(row["method"] for row in rows))
    lines: dict[tuple[str, int], dict[str, str]] = {}
    for row in rows:
        line = lines.setdefault((row["scenario"], row["n"]), {})
        line[row["method"]] = f"{100 * row['coverage']:.1f}"
    body = [[name, str(n), *(found[m] for m in methods)] for (name, n), found in lines.items()]
    return table(["", "n", *methods], body)


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A Markdown table, numbers to the right."""
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *body]) + "\n"
