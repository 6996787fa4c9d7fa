"""Claims in words, where a configuration gives none."""

from __future__ import annotations

from evalkit.reporting.labels import label_of
from evalkit.reporting.numbers import amount
from evalkit.statistics import unit_of
from evalkit.statistics.hypotheses import Hypothesis, Where


def claim_words(hypothesis: Hypothesis, pipeline: str, given: str, *, several: bool) -> str:
    """The claim of one hypothesis of a gate.

    Args:
        hypothesis: What is claimed.
        pipeline: The pipeline that two runs are compared in; empty within a single run.
        given: The claim of the configuration, if any.
        several: Whether its entry makes several hypotheses, so that the metric must be named too.

    Returns:
        Words; empty where the hypothesis' own are right.
    """
    name = label_of(hypothesis.metric).name
    if given:
        parts = [part for part in (pipeline, name if several else "") if part]
        return f"{given} ({', '.join(parts)})" if parts else given
    if not pipeline:
        return ""
    unit = unit_of(hypothesis.metric)
    return f"{pipeline}: {change_words(hypothesis, name, unit)}"


def change_words(hypothesis: Hypothesis, name: str, unit: str) -> str:
    """``correct worse by less than 5 points``; units as reports write them."""
    margin = amount(hypothesis.margin, unit)
    if hypothesis.kind == "equivalence":
        said = f"{name} changed by less than {margin}"
    elif hypothesis.kind == "non_inferiority":
        said = f"{name} worse by less than {margin}"
    else:
        said = f"{name} better" + (f" by more than {margin}" if hypothesis.margin else "")
    return said if hypothesis.where == Where() else f"{said}, {hypothesis.where}"


def short_name(hypothesis: Hypothesis, pipeline: str) -> str:
    """``answer format, strict (hybrid)``: what a row of a table is called."""
    name = f"{label_of(hypothesis.metric).name} ({pipeline})"
    return name if hypothesis.where == Where() else f"{name}, {hypothesis.where}"
