"""What a study measures by date and state: a share for every answer class, and for every stage at fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from evalkit.tables.cases import BlameTable, cases

if TYPE_CHECKING:
    import pandas as pd

    from evalkit.timeline.study import Finished

LABELLED = "freshness/generation/outdated"
"""The metric whose labels are the answer classes, on every question whose reply can go stale."""
CLASSES = ("current", "mixed", "premature", "outdated", "wrong", "abstained")
CLASS_OF = {f"freshness/generation/class_{name}": name for name in CLASSES}


def with_classes(scores: pd.DataFrame) -> pd.DataFrame:
    """The table of scores with, for each answer class, 1 where an answer is of that class and 0
    where it is of another; an answer that failed has failed in all of them.
    """
    import pandas as pd

    labelled = scores[scores["metric"] == LABELLED]
    added = []
    for metric, name in CLASS_OF.items():
        is_of = (labelled["label"] == name).astype("float64")
        value = is_of.where(labelled["status"] == "scored")
        added.append(labelled.assign(metric=metric, value=value))
    return pd.concat([scores, *added], ignore_index=True)


def blamed(finished: Finished) -> Iterator[dict[str, Any]]:
    """By date, state and pipeline, what share of the questions each stage is at fault for."""
    repeats = finished.workshop.experiment.repeats
    for each in finished.asked:
        cells = {cell: s for cell, s in finished.standings.items() if cell[0] == each.on}
        table = BlameTable({s.label(name) for (_, _, name), s in cells.items()}, repeats)
        for case in cases(each.samples, each.scores):
            table.add(case)
        rows = table.rows()
        for (on, state, name), standing in cells.items():
            place = {"date": on.isoformat(), "state": state, "pipeline": name}
            mine = (row for row in rows if row["pipeline"] == standing.label(name))
            yield from ({**row, **place} for row in mine)
