"""Lookups over the analysis of a sweep, and the words for its keys, settings and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from evalkit.reporting.labels import HEADLINES, label_of
from evalkit.reporting.numbers import DASH, number, percent_of, quantity
from evalkit.reporting.view import shows_change

Analysis = Mapping[str, Any]
ANY = "any"
SHOWN = 30
"""So many rows of a leaderboard are open; the others fold away."""
COSTS = {"money": "price", "tokens": "tokens", "seconds": "seconds"}
# Money is told for so many questions: for one it is too little to read.
_PER = 1000


class View:
    """The analysis of a sweep with what its tables and charts ask of it."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis

    @property
    def title(self) -> str:
        return str(self.analysis["title"])

    @property
    def candidates(self) -> list[Mapping[str, Any]]:
        return list(self.analysis["candidates"])

    @property
    def confidence(self) -> float:
        return float(self.analysis["statistics"]["confidence"])

    @property
    def confidence_words(self) -> str:
        return percent_of(self.confidence)

    @property
    def p_limit(self) -> str:
        return f"{1 - self.confidence:.6g}"

    @property
    def metric(self) -> str:
        return str(self.analysis["objective"]["metric"])

    @property
    def unit(self) -> str:
        return str(self.analysis["objective"]["unit"])

    @property
    def higher(self) -> bool:
        return bool(self.analysis["objective"]["direction"] == "higher")

    @property
    def objective_name(self) -> str:
        return label_of(self.metric).name

    @property
    def objective_phrase(self) -> str:
        """The objective within a sentence."""
        return label_of(self.metric).phrase

    @property
    def seeds(self) -> list[str]:
        return [str(key["key"]) for key in self.analysis["keys"] if key["seed"]]

    @cached_property
    def keys(self) -> dict[str, str]:
        """The swept keys but seeds, in order, with the shortest name that no other key has."""
        every = [str(key["key"]) for key in self.analysis["keys"] if not key["seed"]]
        last = [key.rsplit(".", 1)[-1] for key in every]
        return {
            key: name if last.count(name) == 1 else key
            for key, name in zip(every, last, strict=True)
        }

    @cached_property
    def changing(self) -> list[str]:
        """The keys that have more than one level among the candidates."""
        return [
            key
            for key in self.keys
            if len({c["levels"].get(key) for c in self.candidates} - {None}) > 1
        ]

    @cached_property
    def by_name(self) -> dict[str, Mapping[str, Any]]:
        return {str(c["name"]): c for c in self.candidates}

    @property
    def pipelines(self) -> list[str]:
        """Those that have candidates, in the order of the runs."""
        found = {str(c["pipeline"]) for c in self.candidates}
        return [name for name in self.analysis["pipelines"] if name in found]

    @cached_property
    def headlines(self) -> list[str]:
        """Headline metrics besides the objective that some candidate was scored on."""
        scored = {m for c in self.candidates for m, row in c["metrics"].items() if _scored(row)}
        return [m for m in HEADLINES if m in scored and m != self.metric]

    @property
    def costs(self) -> list[str]:
        """The kinds of cost that some candidate has."""
        return [name for name in COSTS if any(name in c["costs"] for c in self.candidates)]

    def winner(self) -> Mapping[str, Any] | None:
        """The candidate that was chosen; None where there is nothing to choose."""
        selection = self.analysis["selection"]
        chosen = None if selection is None else selection["chosen"]
        return None if chosen is None else self.by_name.get(chosen)

    def setting(self, candidate: Mapping[str, Any]) -> str:
        """``k = 5, prompt = b``; only keys that change, and matter to it."""
        levels = candidate["levels"]
        parts = [
            f"{self.keys[k]} = {short(levels[k])}"
            for k in self.changing
            if levels.get(k) is not None
        ]
        return ", ".join(parts)

    def words(self, candidate: Mapping[str, Any]) -> str:
        """``job 4, hybrid (k = 5, prompt = b)``."""
        setting = self.setting(candidate)
        named = f"{jobs_words(candidate['jobs'])}, {candidate['pipeline']}"
        return f"{named} ({setting})" if setting else named

    def levels(self, levels: Mapping[str, Any]) -> str:
        """All overrides of a job that has no place in the leaderboard."""
        return ", ".join(f"{self.keys.get(k, k)} = {short(v)}" for k, v in levels.items())

    def cost(self, kind: str, value: float | None) -> str:
        """A cost per question as text; money for 1,000 questions."""
        if value is None:
            return DASH
        if kind == "money":
            return number(_PER * value, "money")
        return number(value, {"tokens": "tokens", "seconds": "s"}[kind])

    def cost_short(self, kind: str) -> str:
        """The same for a narrow column."""
        return f"{self.analysis.get('currency') or 'price'} / 1,000" if kind == "money" else kind

    def cost_name(self, kind: str) -> str:
        """What a column or an axis of this cost is called."""
        if kind == "money":
            return f"{self.analysis.get('currency') or 'price'} per 1,000 questions"
        return {"tokens": "tokens per question", "seconds": "seconds per question"}[kind]

    def verdict(self, candidate: Mapping[str, Any]) -> str:
        """What may be said of a candidate against the baseline."""
        if candidate["name"] == self.analysis["baseline"]:
            return "baseline"
        row = candidate["difference"]
        if row is None or not row["decidable"]:
            return "cannot be decided"
        if row["low"] is None or row["high"] is None:
            return "no interval"
        if not shows_change(row, self.confidence):
            return "no difference shown"
        return "better" if (row["low"] > 0) == self.higher else "worse"

    def shown(self, row: Mapping[str, Any]) -> bool:
        """Whether an effect is shown: its interval leaves out zero, and its adjusted p is small."""
        return shows_change(row, self.confidence)


def short(level: str, most: int = 40) -> str:
    """A level for a sentence or a narrow column: of a long one both ends, in whole words if it can be."""
    text = " ".join(str(level).split())
    if len(text) <= most:
        return text
    head, tail = text[: most - most // 3 - 1], text[-(most // 3) :]
    return f"{head.rpartition(' ')[0] or head}…{tail.partition(' ')[2] or tail}"


def contrast_words(row: Mapping[str, Any]) -> str:
    """The two levels of an effect: ``5 against 1``."""
    return f"{short(row['level'])} against {short(row['reference'])}"


def jobs_words(jobs: Sequence[str], most: int = 4) -> str:
    """``job 4``; ``jobs 0, 1, 2``; many are counted."""
    if len(jobs) == 1:
        return f"job {jobs[0]}"
    listed = ", ".join(jobs[:most])
    return f"jobs {listed}" if len(jobs) <= most else f"jobs {listed} and {len(jobs) - most} more"


def of_unit(value: float | None, unit: str) -> str:
    """A value with its unit: ``62 %``, ``4.2 s``."""
    return quantity(value, unit)


def _scored(row: Mapping[str, Any]) -> bool:
    return row.get("value") is not None
