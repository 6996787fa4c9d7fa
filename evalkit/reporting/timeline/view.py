"""Lookups over the results of a study over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from evalkit.reporting.labels import FAULTS
from evalkit.reporting.view import Cell, Results, cell_of, checked

CURRENT = "freshness/generation/current"
OUTDATED = "freshness/generation/outdated"
LEAK = "freshness/generation/leak"
CURVES = ((CURRENT, "current"), (OUTDATED, "outdated"))
"""What a freshness curve shows, and its name."""
CLASSES = ("current", "mixed", "premature", "outdated", "wrong", "abstained")


@dataclass(frozen=True)
class Line:
    """States in which a pipeline stands alike at every date, and so answers alike."""

    pipeline: str
    states: tuple[str, ...]
    every: bool

    @property
    def state(self) -> str:
        """The one that stands for all of them."""
        return self.states[0]

    @property
    def name(self) -> str:
        """The states in words."""
        return "in every state" if self.every and len(self.states) > 1 else ", ".join(self.states)


class View:
    """What a study found, by date, state, pipeline and metric.

    Raises:
        ResultsError: The mapping is of another schema version or has no pipelines or estimates.
    """

    def __init__(self, results: Results) -> None:
        self.results = checked(results)
        part = results["timeline"]
        self.dates: list[str] = list(part["dates"])
        self.states: list[str] = list(part["states"])
        self.currency = str(part.get("currency") or "")
        self.pipelines: list[Mapping[str, Any]] = list(results["pipelines"])
        self.first, self.last = self.dates[0], self.dates[-1]

    @cached_property
    def lines(self) -> list[Line]:
        """By pipeline, its states; those that never differ are one line."""
        return [line for p in self.pipelines for line in self.lines_of(str(p["name"]))]

    def lines_of(self, pipeline: str) -> list[Line]:
        """The lines of one pipeline."""
        alike: dict[tuple[Any, ...], list[str]] = {}
        for state in self.states:
            stands = tuple(self.standing(on, state, pipeline) for on in self.dates)
            alike.setdefault(stands, []).append(state)
        return [Line(pipeline, tuple(states), len(alike) == 1) for states in alike.values()]

    def standing(self, on: str, state: str, pipeline: str) -> tuple[str | None, str | None]:
        """From when its index and its adapter are; None where it rests on none."""
        return self._standings[on, state, pipeline]

    def cell(self, on: str, state: str, pipeline: str, metric: str) -> Cell:
        """An estimate as text and numbers."""
        retrieval = next(bool(p["retrieval"]) for p in self.pipelines if p["name"] == pipeline)
        return cell_of(self._estimates.get((on, state, pipeline, metric)), metric, retrieval)

    def curve(self, line: Line, metric: str) -> list[Cell]:
        """A line's cells, date by date."""
        return [self.cell(on, line.state, line.pipeline, metric) for on in self.dates]

    def shares(self, on: str, state: str, pipeline: str) -> dict[str, float]:
        """The share of each answer class; empty where nothing was scored."""
        return {
            kind: float(row["value"])
            for kind in CLASSES
            if (row := self._classes.get((on, state, pipeline, kind))) and row["value"] is not None
        }

    def faults(self, on: str, state: str, pipeline: str) -> dict[str, float]:
        """The share of each stage at fault; empty in a study that did not look for them."""
        found = self._faults.get((on, state, pipeline), {})
        return {stage: found[stage] for stage in FAULTS if stage in found}

    def differences(self, of: str, metric: str) -> list[Mapping[str, Any]]:
        """Paired differences of a metric between ``states`` or ``dates``."""
        rows: Sequence[Mapping[str, Any]] = self.results.get("differences") or ()
        return [row for row in rows if row["of"] == of and row["metric"] == metric]

    def places(self) -> list[float]:
        """Where each date lies between the first (0) and the last (1)."""
        days = [date.fromisoformat(each).toordinal() for each in self.dates]
        return [(day - days[0]) / (days[-1] - days[0]) for day in days]

    @cached_property
    def _standings(self) -> dict[tuple[str, str, str], tuple[str | None, str | None]]:
        return {
            (row["date"], row["state"], row["pipeline"]): (row["index"], row["adapter"])
            for row in self.results["standings"]
        }

    @cached_property
    def _estimates(self) -> dict[tuple[str, ...], Mapping[str, Any]]:
        return {
            (e["date"], e["state"], e["pipeline"], e["metric"]): e
            for e in self.results["estimates"]
        }

    @cached_property
    def _faults(self) -> dict[tuple[str, str, str], dict[str, float]]:
        found: dict[tuple[str, str, str], dict[str, float]] = {}
        for row in self.results.get("blame") or ():
            cell = found.setdefault((row["date"], row["state"], row["pipeline"]), {})
            cell[str(row["stage"])] = float(row["share"])
        return found

    @cached_property
    def _classes(self) -> dict[tuple[str, ...], Mapping[str, Any]]:
        return {
            (e["date"], e["state"], e["pipeline"], e["class"]): e for e in self.results["classes"]
        }
