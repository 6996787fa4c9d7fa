"""The hypotheses of a run as a report shows them: claim, verdict, effect against its margin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.plurals import counted
from evalkit.reporting.labels import label_of
from evalkit.reporting.numbers import (
    amount,
    number,
    p_text,
    percent_of,
    signed,
    signed_interval,
    unit_of_metric,
)
from evalkit.reporting.view import Results, pipeline_names

VERDICTS: tuple[str, ...] = ("supported", "refuted", "inconclusive")
ALL_QUESTIONS = "all questions"
_POWER = "80 % power"


@dataclass(frozen=True)
class Claim:
    """One hypothesis in words and numbers; the numbers are in the metric's unit.

    ``holds`` is the range of effects in which the claim is true, with None for no end. ``p`` is the
    adjusted p of what ``p_of`` names: the ``claim``, or its ``opposite`` where the data lean to it.
    """

    claim: str
    verdict: str
    metric: str
    about: str
    unit: str
    value: float | None
    low: float | None
    high: float | None
    holds: tuple[float | None, float | None]
    needed: str
    p: str
    p_of: str
    n: str
    flips: str
    note: str
    further: int | None

    @property
    def effect(self) -> str:
        """The effect with its unit: ``+14 points``."""
        return amount(self.value, self.unit, sign=True)

    @property
    def interval(self) -> str:
        """The interval of the effect in brackets."""
        return signed_interval(self.low, self.high, self.unit)

    @property
    def needs(self) -> str:
        """The further questions that would decide it; empty where that is not known."""
        if self.verdict != "inconclusive" or self.further is None:
            return ""
        return f"about {counted(two_digits(self.further), 'further question')}"

    @property
    def decides(self) -> str:
        """The same as a clause: ``about 360 further questions would decide it``."""
        return f"{self.needs} would decide it" if self.needs else ""

    @property
    def remarks(self) -> list[str]:
        """Sentences on why the verdict is what it is, and on what would decide it."""
        return [f"{text[0].upper()}{text[1:]}." for text in (self.note, self.decides) if text]

    @property
    def p_words(self) -> str:
        """The adjusted p, and that it is of the opposite where it is."""
        return f"p {self.p}" + (" of the opposite" if self.p_of == "opposite" else "")


def claims(results: Results) -> list[Claim]:
    """The hypotheses of a run in their order; none where it tested none."""
    names = pipeline_names(results)
    return [_claim(row, names) for row in results.get("hypotheses") or ()]


def explained(count: int, level: float) -> str:
    """How a verdict comes about, for the readers of ``count`` hypotheses at this confidence."""
    adjusted = f", adjusted by Holm over the {count} hypotheses" if count > 1 else ""
    return (
        f"A verdict comes from where the {percent_of(level)} interval of the effect lies against "
        f"the margin. p is one-sided{adjusted}, and decides at {(1 - level) / 2:.6g}."
    )


def further_note(found: Sequence[Claim]) -> str:
    """What a number of further questions rests on; empty where none is given."""
    if not any(claim.needs for claim in found):
        return ""
    return (
        "Further questions: of the kind that the hypothesis is about, at"
        f" {_POWER}, if the true effect is the one estimated here."
    )


def _claim(row: Mapping[str, Any], names: Sequence[str]) -> Claim:
    metric = str(row["metric"])
    unit = str(row.get("unit", unit_of_metric(metric)))
    holds = _holds(row)
    against = _leans_against(row)
    further = row.get("further_questions")
    return Claim(
        claim=str(row["claim"]).strip().removesuffix("."),
        verdict=str(row["verdict"]),
        metric=metric,
        about=_about(row, names),
        unit=unit,
        value=row.get("effect"),
        low=row.get("low"),
        high=row.get("high"),
        holds=holds,
        needed=_needed(holds, unit),
        p=p_text(row.get("p_against_adjusted" if against else "p_adjusted")),
        p_of="opposite" if against else "claim",
        n=_counted(row),
        flips=_flips(row),
        note=_note(row, unit),
        further=None if further is None else int(further),
    )


def _leans_against(row: Mapping[str, Any]) -> bool:
    p, against = row.get("p_adjusted"), row.get("p_against_adjusted")
    return p is not None and against is not None and against < p


def two_digits(count: int) -> int:
    """Rounded up to two significant digits: an estimate of a need."""
    size: int = 10 ** max(0, len(str(count)) - 2)
    return -(-count // size) * size


def _holds(row: Mapping[str, Any]) -> tuple[float | None, float | None]:
    margin = float(row.get("margin") or 0.0)
    if row["kind"] == "equivalence":
        return (-margin, margin)
    if row["kind"] == "non_inferiority":
        margin = -margin
    return (None, -margin) if row.get("direction") == "lower" else (margin, None)


def _needed(holds: tuple[float | None, float | None], unit: str) -> str:
    low, high = holds
    if low is not None and high is not None:
        return f"within ±{number(high, unit)}"
    if low is not None:
        return f"above {signed(low, unit)}"
    return f"below {signed(high, unit)}"


def _about(row: Mapping[str, Any], names: Sequence[str]) -> str:
    where = str(row.get("where") or ALL_QUESTIONS)
    pair = f"{_mean_of(row['better'], names)} against {_mean_of(row['than'], names)}"
    name = label_of(str(row["metric"])).name
    return f"{name}: {pair}" + (f"; {where}" if where != ALL_QUESTIONS else "")


def _mean_of(joined: str, names: Sequence[str]) -> str:
    """Pipelines that are averaged, as words; a name may hold a plus sign of its own."""
    parts = joined.split("+")
    return " and ".join(parts) if set(parts) <= set(names) else joined


def _counted(row: Mapping[str, Any]) -> str:
    pairs, clusters = int(row.get("n_pairs") or 0), row.get("n_clusters")
    grouped = "" if clusters in (None, pairs) else f" in {counted(int(clusters or 0), 'cluster')}"
    return f"{counted(pairs, 'question')}{grouped}"


def _flips(row: Mapping[str, Any]) -> str:
    gained, lost = row.get("gained"), row.get("lost")
    if gained is None or lost is None:
        return ""
    return f"better\u00a0on\u00a0{gained}, worse\u00a0on\u00a0{lost}"


def _note(row: Mapping[str, Any], unit: str) -> str:
    worst = signed_interval(row.get("worst_low"), row.get("worst_high"), unit)
    parts = (str(row.get("reason") or ""), f"with failures at worst {worst}" if worst else "")
    return "; ".join(part for part in parts if part)
