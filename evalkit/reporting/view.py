"""Lookups over a results mapping, tolerant of what a run did not do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.plurals import counted
from evalkit.reporting.labels import CLASSES, CONDITIONED, FAULTS, SCORECARD, label_of
from evalkit.reporting.numbers import interval, number, percent_of, unit_of_metric

Results = Mapping[str, Any]
SCHEMA = 1
NOT_APPLICABLE = "n/a"
_NO_RETRIEVAL = "the pipeline has no retrieval"
_NOT_MEASURED = "not measured in that pipeline"
_ELSEWHERE = (_NO_RETRIEVAL, _NOT_MEASURED)
"""Why a cell is empty that another pipeline could fill."""


class ResultsError(EvalkitError, ValueError):
    """A results mapping that this version cannot report on."""


@dataclass(frozen=True)
class Cell:
    """One estimate as text and numbers; ``value`` is None where nothing was scored."""

    text: str
    interval: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    n: int
    failed: int
    abstained: int
    absent: str
    method: str = ""

    @property
    def scored(self) -> bool:
        return self.value is not None

    @property
    def whole(self) -> str:
        """Value and interval on one line, with the dagger of failed questions."""
        mark = "†" if self.failed else ""
        return f"{self.text}{mark} {self.interval}".strip()


@dataclass(frozen=True)
class Row:
    """One metric over all pipelines."""

    metric: str
    axis: str
    stage: str
    name: str
    direction: str
    unit: str
    cells: tuple[Cell, ...]

    @property
    def n(self) -> str:
        """The questions scored: one number, or the range over pipelines."""
        counts = sorted({cell.n for cell in self.cells if cell.scored})
        if not counts:
            return "0"
        return str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"


def checked(results: Results) -> Results:
    """The same mapping, if it is one that this version can read.

    Raises:
        ResultsError: The schema version is another one, or pipelines or estimates are missing.
    """
    if results.get("schema") != SCHEMA:
        raise ResultsError(
            f"results: schema {results.get('schema')!r}; expected {SCHEMA}",
            todo="report with the version of evalkit that made the run, or run again",
        )
    missing = [key for key in ("pipelines", "estimates") if key not in results]
    if missing:
        raise ResultsError(
            f"results: no {' and no '.join(missing)}; expected both",
            todo="give the results.json of a finished run",
        )
    return results


def confidence(results: Results) -> float:
    """The coverage of the intervals, 0.95 where the results do not say."""
    return float((results.get("statistics") or {}).get("confidence") or 0.95)


def confidence_words(results: Results) -> str:
    """The coverage of the intervals in words: ``95 %``."""
    return percent_of(confidence(results))


def shows_change(row: Mapping[str, Any], level: float) -> bool:
    """Whether an effect or difference is shown: its interval leaves zero out and p < 1 - level.

    p is the one adjusted for the number of rows of its table, where there is one.
    """
    low, high, p = row.get("low"), row.get("high"), decisive_p(row)
    if low is None or high is None or p is None:
        return False
    # Rounded, since 1 - 0.95 is a little more than 0.05.
    return not low <= 0 <= high and p < round(1 - level, 12)


def decisive_p(row: Mapping[str, Any]) -> float | None:
    """The adjusted p of a row; its plain p in results that have no adjusted one."""
    return row["p_adjusted"] if "p_adjusted" in row else row.get("p_value")


def questions_defined(results: Results, metric: str) -> int:
    """How many questions a metric is defined on: the most over pipelines, whatever became of them."""
    counts = ("n_scored", "n_failed", "n_abstained")
    sums = (
        sum(int(e.get(name) or 0) for name in counts)
        for e in results["estimates"]
        if e["metric"] == metric
    )
    return max(sums, default=0)


def questions_covered(results: Results, effect: Mapping[str, Any]) -> str:
    """``31 of 98 questions`` where an effect rests on a part of what its metric is defined on."""
    pairs, defined = effect.get("n_pairs"), questions_defined(results, effect["metric"])
    return (
        f"{pairs} of {counted(defined, 'question')}"
        if pairs is not None and pairs < defined
        else ""
    )


def asked(results: Results) -> str:
    """How many questions the benchmark has: ``224 questions``; ``? questions`` where unknown."""
    questions = (results.get("benchmark") or {}).get("questions")
    return "? questions" if questions is None else counted(int(questions), "question")


def pipeline_names(results: Results) -> list[str]:
    """The pipelines in the order of the run."""
    return [str(p["name"]) for p in results["pipelines"]]


def present_classes(results: Results) -> tuple[str, ...]:
    """The answer classes that a key needs: ``failed`` only where something failed."""
    failed = any(c["class"] == "failed" and c["n"] for c in results.get("classes") or ())
    return CLASSES if failed else tuple(kind for kind in CLASSES if kind != "failed")


def present_faults(results: Results) -> tuple[str, ...]:
    """The stages at fault that a key needs, in their order."""
    found = {str(row["stage"]) for row in results.get("blame") or () if row["n"]}
    return tuple(stage for stage in FAULTS if stage in found)


def rows(results: Results, metrics: Sequence[str] | None = None) -> list[Row]:
    """One row per metric; all metrics of the results in order of their id when None."""
    found = {(e["pipeline"], e["metric"]): e for e in results["estimates"]}
    known = {metric for _, metric in found}
    wanted = sorted(known) if metrics is None else [m for m in metrics if m in known]
    return [_row(metric, found, results) for metric in wanted]


def scorecard_rows(results: Results) -> list[Row]:
    """The rows of the scorecard that the results have."""
    return rows(results, [f"{a}/{s}/{name}" for a, s, names in SCORECARD for name in names])


def conditioned_rows(results: Results) -> list[Row]:
    """The outdated rate by what was retrieved and shown; rows that no pipeline has are left out."""
    return folded(rows(results, CONDITIONED))[0]


def folded(table: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """The rows with something in them, and one text on those that are n/a in every pipeline.

    A row in which questions failed is kept: that is not the same as not applicable.
    """
    empty = [r for r in table if all(not c.scored and not c.failed for c in r.cells)]
    reasons: dict[str, list[str]] = {}
    for row in empty:
        said = dict.fromkeys(c.absent for c in row.cells if c.absent not in _ELSEWHERE)
        reasons.setdefault("; ".join(said) or "no pipeline has retrieval", []).append(row.name)
    return [row for row in table if row not in empty], [
        f"{', '.join(dict.fromkeys(names))} ({reason})" for reason, names in reasons.items()
    ]


def absences(table: Sequence[Row]) -> list[str]:
    """Why cells are not applicable, each reason with the rows that it is true of."""
    found: dict[str, list[str]] = {}
    for row in table:
        for reason in dict.fromkeys(cell.absent for cell in row.cells if cell.absent):
            found.setdefault(reason, []).append(row.name)
    return [
        reason if reason == _NO_RETRIEVAL else f"{reason} ({', '.join(dict.fromkeys(names))})"
        for reason, names in found.items()
    ]


def statements_note(table: Sequence[Row]) -> str:
    """What a support row counts, where there is one: it differs with the form of the answers."""
    supported = ("faithfulness/generation/faithfulness", "faithfulness/generation/groundedness")
    if not any(row.metric in supported and any(c.scored for c in row.cells) for row in table):
        return ""
    return (
        "Statements: a structured answer states one bare value, prose states whole sentences; so "
        "faithfulness and groundedness differ in kind between pipelines whose outputs differ in "
        "form."
    )


def judge_facts(results: Results) -> list[tuple[str, str]]:
    """The judge, and of one that counts them its judgments: how many, their agreement, their cost."""
    judge = results.get("judge") or {}
    words = {
        "judgments": "{}", "from_store": "{} of them from the store", "failed": "{} failed",
        "calls": "{} calls", "spent": "{:.4g} spent", "agreement": "repeats agree to {:.0%}",
    }  # fmt: skip
    told = [text.format(judge[key]) for key, text in words.items() if judge.get(key) is not None]
    name = f"{judge.get('name', '')} {judge.get('version', '')}".strip() or "none"
    return [("Judge", name), ("Judgments", ", ".join(told))]


def judge_note(results: Results) -> str:
    """What the judge cannot see, where it says so."""
    judge = results.get("judge") or {}
    blind = ", ".join(map(str, judge.get("blind_to") or ()))
    return f"The judge ({judge.get('name', '')}) is blind to: {blind}." if blind else ""


def any_failed(table: Sequence[Row]) -> bool:
    """Whether a question failed anywhere in these rows."""
    return any(cell.failed for row in table for cell in row.cells)


def _row(metric: str, found: Mapping[Any, Any], results: Results) -> Row:
    axis, stage, *_ = [*metric.split("/"), "", ""]
    label = label_of(metric)
    cells = tuple(
        cell_of(found.get((p["name"], metric)), metric, bool(p.get("retrieval", True)))
        for p in results["pipelines"]
    )
    unit = next((c.unit for c in cells if c.scored), unit_of_metric(metric))
    return Row(metric, axis, stage, label.name, label.direction, unit, cells)


def cell_of(estimate: Mapping[str, Any] | None, metric: str, retrieval: bool) -> Cell:
    """The cell of an estimate (or of a by-category estimate, which has fewer counts)."""
    unit = unit_of_metric(metric)
    if estimate is None:
        return Cell("–", "", None, None, None, unit, 0, 0, 0, _NOT_MEASURED)
    unit = str(estimate.get("unit") or unit)
    value, low, high = (estimate.get(key) for key in ("value", "low", "high"))
    failed = int(estimate.get("n_failed") or 0)
    abstained = int(estimate.get("n_abstained") or 0)
    counts = (int(estimate.get("n_scored") or 0), failed, abstained)
    if value is None:
        reason = str(estimate.get("reason") or "")
        text, absent = _absent(metric, retrieval, failed, abstained, reason)
        return Cell(text, "", None, None, None, unit, *counts, absent)
    method = str(estimate.get("method") or "")
    shown = number(value, unit), interval(low, high, unit)
    return Cell(*shown, value, low, high, unit, *counts, "", method)


def _absent(
    metric: str, retrieval: bool, failed: int, abstained: int, reason: str
) -> tuple[str, str]:
    label = label_of(metric)
    if failed:
        return "failed", "every question that could be scored failed"
    if label.needs_retrieval and not retrieval:
        return NOT_APPLICABLE, _NO_RETRIEVAL
    if reason:
        return NOT_APPLICABLE, reason
    if abstained:
        return NOT_APPLICABLE, "every question that could be scored was abstained on"
    return NOT_APPLICABLE, label.absent
