"""Scores that a study adds to those of a run: a share for every answer class."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

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
