"""The tables of a sweep as text, for the page and for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.reporting.labels import HEADLINES, label_of
from evalkit.reporting.numbers import (
    DASH,
    interval,
    number,
    p_text,
    signed,
    signed_interval,
    unit_of_metric,
    unit_word,
)
from evalkit.reporting.sweep.view import ANY, View, contrast_words, short


@dataclass(frozen=True)
class Table:
    """A heading, what to know before reading, and rows of text; ``words`` are columns set left."""

    title: str
    lead: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: frozenset[int] = frozenset({0})


def leaderboard_lead(view: View) -> str:
    """What the leaderboard's columns are."""
    baseline = view.by_name[str(view.analysis["baseline"])]
    found = (
        f"Every pipeline of every job by {view.objective_phrase}, with {view.confidence_words}"
        f" intervals; the difference is paired, on the questions that both were scored on, to the"
        f" baseline: {view.words(baseline)}. A difference is shown where its interval leaves out"
        f" zero and p is below {view.p_limit}, adjusted by Benjamini-Hochberg over the table."
    )
    if any(c["same"] for c in view.candidates):
        found += f' Where a key says "{ANY}", its levels do not reach the pipeline.'
    if view.seeds:
        found += f" Jobs that differ in {', '.join(view.seeds)} alone are averaged per question."
    return found


def leaderboard_head(view: View) -> tuple[str, ...]:
    unit = unit_word(view.unit)
    keys = [view.keys[key] for key in view.changing]
    costs = [view.cost_short(kind) for kind in view.costs]
    return ("", "job", "pipeline", *keys, f"{view.objective_name}, {unit}", "interval",
            f"difference, {unit_word(view.unit, difference=True)}", "interval", "adjusted p",
            "reading", *costs)  # fmt: skip


def leaderboard_row(view: View, place: int, candidate: Mapping[str, Any]) -> tuple[str, ...]:
    """One row, in the columns of :func:`leaderboard_head`."""
    unit, difference = view.unit, candidate["difference"] or {}
    return (
        str(place) if candidate["value"] is not None else DASH,
        job_cell(candidate),
        candidate["pipeline"],
        *(short(candidate["levels"].get(key) or ANY, 24) for key in view.changing),
        value_cell(candidate, unit),
        interval(candidate["low"], candidate["high"], unit),
        signed(difference.get("difference"), unit),
        signed_interval(difference.get("low"), difference.get("high"), unit),
        p_text(difference.get("p_adjusted")),
        view.verdict(candidate),
        *(view.cost(kind, candidate["costs"].get(kind)) for kind in view.costs),
    )


def job_cell(candidate: Mapping[str, Any]) -> str:
    """The job, or the first of several and how many more."""
    jobs = [*candidate["jobs"], *candidate["same"]]
    return jobs[0] if len(jobs) == 1 else f"{jobs[0]} + {len(jobs) - 1}"


def value_cell(row: Mapping[str, Any], unit: str) -> str:
    """The value with the dagger of failed questions."""
    if row["value"] is None:
        return "failed" if row.get("n_failed") else "n/a"
    return number(row["value"], unit) + ("†" if row.get("n_failed") else "")


def headline_table(view: View) -> Table | None:
    """The other headline metrics of every candidate."""
    if not view.headlines:
        return None
    rows = []
    for place, c in enumerate(view.candidates, 1):
        cells = []
        for metric in view.headlines:
            row, unit = c["metrics"].get(metric) or {"value": None}, unit_of_metric(metric)
            around = interval(row.get("low"), row.get("high"), unit)
            cells.append(f"{value_cell(row, unit)} {around}".strip())
        rows.append((str(place), job_cell(c), c["pipeline"], *cells))
    names = tuple(label_of(m).name for m in view.headlines)
    arrows = [" ↓" if label_of(m).direction == "lower" else "" for m in view.headlines]
    head = ("", "job", "pipeline", *(n + a for n, a in zip(names, arrows, strict=True)))
    lead = f"In per cent with {view.confidence_words} intervals; ↓ where lower is better."
    return Table("Headline metrics", lead, head, tuple(rows), frozenset({1, 2}))


def effects_lead(view: View) -> str:
    """What a main effect is, and what holds for this sweep."""
    found = (
        "What changing one key does, the other keys held fixed, paired within questions; each level"
        f" against the key's reference level (the baseline's), with {view.confidence_words}"
        " intervals over questions and p adjusted by Benjamini-Hochberg over the effects on the"
        " metric."
    )
    if any(not row["balanced"] for row in view.analysis["effects"]):
        found += (
            " The sweep is not balanced: not every combination of levels was run, or not as often."
            " Effects are those of an additive model of the keys, fitted within each question, which"
            " presumes that one key does not change what another does."
        )
    known = {key["key"]: key["levels"] for key in view.analysis["keys"]}
    if any(row["level"] not in known[row["key"]] for row in view.analysis["effects"]):
        found += " A numeric key with many levels is compared in halves."
    return found


def untouched_words(view: View) -> list[str]:
    """``k does not reach lora``: keys that cannot have an effect."""
    found: dict[str, list[str]] = {}
    for row in view.analysis["untouched"]:
        found.setdefault(view.keys[row["key"]], []).append(row["pipeline"])
    return [f"{key} does not reach {', '.join(names)}" for key, names in found.items()]


def effects_of(view: View, metric: str) -> list[Mapping[str, Any]]:
    return [row for row in view.analysis["effects"] if row["metric"] == metric]


def effects_table(view: View, metrics: Sequence[str], title: str, lead: str) -> Table | None:
    """Main effects on several metrics as plain rows."""
    rows = []
    for metric in metrics:
        for row in effects_of(view, metric):
            unit = unit_of_metric(metric)
            rows.append(
                (label_of(metric).name, row["pipeline"], view.keys[row["key"]],
                 contrast_words(row),
                 signed(row["effect"], unit), signed_interval(row["low"], row["high"], unit),
                 p_text(row["p_adjusted"]), "yes" if view.shown(row) else "no",
                 f"{row['n_settings']} / {row['n_reference']}", str(row["n_pairs"]), row["note"])
            )  # fmt: skip
    head = ("metric", "pipeline", "key", "levels", "effect", "interval", "adjusted p", "shown",
            "settings", "questions", "note")  # fmt: skip
    return Table(title, lead, head, tuple(rows), frozenset({0, 1, 2, 3, 7, 10})) if rows else None


def other_metrics(view: View) -> list[str]:
    """The metrics with effects besides the objective, headlines first."""
    known = list(dict.fromkeys(row["metric"] for row in view.analysis["effects"]))
    first = [m for m in HEADLINES if m in known]
    return [m for m in [*first, *(m for m in known if m not in first)] if m != view.metric]


def front_table(view: View, kind: str) -> Table:
    """The front of one kind of cost, the cheapest first."""
    members = [view.by_name[name] for name in view.analysis["fronts"][kind]]
    members.sort(key=lambda c: c["costs"][kind])
    rows = tuple(
        (view.words(c), view.cost(kind, c["costs"][kind]), value_cell(c, view.unit),
         interval(c["low"], c["high"], view.unit))
        for c in members
    )  # fmt: skip
    unit = unit_word(view.unit)
    head = ("", view.cost_name(kind), f"{view.objective_name}, {unit}", "interval")
    return Table(f"The front by {view.cost_name(kind)}", "", head, rows)


def selection_table(view: View) -> Table:
    """The winner as it looks, and what such a winner is worth elsewhere."""
    found = view.analysis["selection"]
    rows = []
    for words, mean, difference in (
        ("on the questions it was chosen by", "naive", "difference"),
        ("on questions that had no part in the choice", "corrected", "corrected_difference"),
    ):
        if (m := found[mean]) is not None:
            d = found[difference] or {"value": None, "low": None, "high": None}
            rows.append((words, number(m["value"], view.unit),
                         interval(m["low"], m["high"], view.unit), signed(d["value"], view.unit),
                         signed_interval(d["low"], d["high"], view.unit)))  # fmt: skip
    head = ("", f"{view.objective_name}, {unit_word(view.unit)}", "interval",
            f"difference to the baseline, {unit_word(view.unit, difference=True)}", "interval")  # fmt: skip
    return Table("What the best is worth", selection_lead(view), head, tuple(rows))


def selection_lead(view: View) -> str:
    found = view.analysis["selection"]
    if found["corrected"] is None:
        return f"Nothing was corrected: {found['reason']}."
    return (
        f"The best of {found['candidates']} looks better than it is, since luck on these questions"
        " helped to choose it. So the choice was made again on random halves of the clusters and the"
        f" winner of each estimated on the other half, {found['splits']} times both ways. A choice by"
        " half of the questions is less sure, so the second row errs on the cautious side. Both"
        f" intervals are {view.confidence_words}; in simulations the second holds the truth in 90 %"
        " to 99 % at 95 %."
    )


def stability_words(view: View) -> str:
    """How often the same candidate won a half."""
    shares = list((view.analysis["selection"] or {}).get("shares", {}).items())
    if not shares:
        return ""
    parts = [f"{view.words(view.by_name[n])} {number(s)} %" for n, s in shares[:4]]
    more = f"; {len(shares) - 4} others the rest" if len(shares) > 4 else ""
    return f"Winners of the halves: {'; '.join(parts)}{more}."


def seeds_table(view: View, metrics: Sequence[str]) -> Table | None:
    """How far seeds (or repeats) of one candidate lie apart."""
    shares = {
        (r["name"], r["metric"]): r["share_repeats"] for r in view.analysis.get("variation", ())
    }
    rows = []
    for row in view.analysis["seeds"]:
        if row["metric"] not in metrics or row["name"] not in view.by_name:
            continue
        unit, share = unit_of_metric(row["metric"]), shares.get((row["name"], row["metric"]))
        rows.append(
            (view.words(view.by_name[row["name"]]), label_of(row["metric"]).name,
             str(row["n_repeats"]), number(row["mean"], unit), number(row["sd_means"], unit),
             f"{number(row['least'], unit)} to {number(row['most'], unit)}",
             DASH if share is None else f"{number(share)} %")
        )  # fmt: skip
    rows.sort(key=lambda row: [label_of(m).name for m in metrics].index(row[1]))
    what = "Seeds" if view.seeds else "Repeats"
    head = (
        "",
        "metric",
        what.lower(),
        "mean",
        "sd between them",
        "from / to",
        "share of uncertainty",
    )
    lead = (
        f"{what} answer the same questions under the same setting. The standard deviation is of their"
        " means; the last column is the share of the squared standard error of the mean that comes"
        " from asking again, the rest comes from which questions were asked."
    )
    return Table(what, lead, head, tuple(rows), frozenset({0, 1, 5})) if rows else None


def left_out_tables(view: View) -> list[Table]:
    """Jobs that could not be compared, and jobs that have no numbers."""
    tables = []
    apart = view.analysis["apart"]
    if apart:
        rows = tuple(
            (f"job {r['job']}", view.levels(r["levels"]), _apart_values(view, r), r["reason"])
            for r in apart
        )
        lead = "Finished, but of another benchmark or another version of the metric."
        tables.append(Table("Not compared", lead, ("", "setting", view.objective_name, "why"), rows,
                            frozenset({0, 1, 2, 3})))  # fmt: skip
    unfinished = view.analysis["unfinished"]
    if unfinished:
        rows = tuple(
            (f"job {r['job']}", view.levels(r["levels"]), r["status"], r["reason"])
            for r in unfinished
        )
        lead = "They are in no table and no chart above; every other job is."
        lead = lead if view.candidates else ""
        tables.append(Table("Jobs without numbers", lead, ("", "setting", "status", "why"), rows,
                            frozenset({0, 1, 2, 3})))  # fmt: skip
    return tables


def _apart_values(view: View, row: Mapping[str, Any]) -> str:
    parts = [f"{name} {value_cell(v, view.unit)}" for name, v in row["values"].items()]
    return ", ".join(parts)
