"""A study over time in plain words that claim no more than the intervals allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from evalkit.plurals import counted
from evalkit.reporting.numbers import amount, p_text, percent_of, quantity, signed_interval
from evalkit.reporting.timeline.view import CURRENT, CURVES, LEAK, OUTDATED, View
from evalkit.reporting.view import confidence, decisive_p, shows_change

_WORDS = {
    "frozen": "left alone", "updated": "updated", "budget": "updated within the budget",
}  # fmt: skip
_PHRASES = {CURRENT: "current answers", OUTDATED: "outdated answers", LEAK: "withdrawn answers"}


def study_reading(view: View) -> list[str]:
    """Sentences about the study, most important first.

    Something is said to have risen or fallen only where its whole interval lies on one side of
    zero and its p, adjusted for the number of comparisons, is below 1 - confidence. Costs are
    measurements of this machine and have no interval.
    """
    said = [*_left_alone(view), *_against_frozen(view), *_costs(view), *_budget(view)]
    level = confidence(view.results)
    return [
        *said,
        f"Brackets: {percent_of(level)} intervals, each for itself. A change is shown where the interval"
        f" leaves out 0 and p, adjusted over the study's {_compared(view)}, is below {1 - level:.6g}.",
    ]


def _left_alone(view: View) -> Iterator[str]:
    """What happens to a pipeline that nobody touches."""
    for metric, _ in CURVES:
        rows = [r for r in view.differences("dates", metric) if r["state"] == "frozen"]
        if rows:
            yield (
                f"Left alone from {view.first} to {view.last}, {_PHRASES[metric]}:"
                f" {_changes(view, rows)}."
            )


def _against_frozen(view: View) -> Iterator[str]:
    """What each other state is worth at the last date; one that equals an earlier one is passed over."""
    base, *others = view.states
    for i, state in enumerate(others, start=1):
        for metric in _PHRASES:
            rows = [
                row
                for row in view.differences("states", metric)
                if row["date"] == view.last
                and row["state"] == state
                and row["n_pairs"]
                and not _is_known(view, state, row["pipeline"], view.states[:i])
            ]
            if rows:
                yield (
                    f"On {view.last}, {_PHRASES[metric]} of what was {_WORDS[state]}, against what was"
                    f" {_WORDS[base]}: {_changes(view, rows)}."
                )


def _is_known(view: View, state: str, pipeline: str, earlier: Sequence[str]) -> bool:
    stands = view.standing(view.last, state, pipeline)
    return any(view.standing(view.last, each, pipeline) == stands for each in earlier)


def _changes(view: View, rows: Sequence[Mapping[str, Any]]) -> str:
    """What is shown first, with its size; then what is not, with the sizes that remain possible."""
    shown: list[str] = []
    possible: list[str] = []
    undecided: dict[str, list[str]] = {}
    for row in rows:
        bounds = signed_interval(row["low"], row["high"])
        n = counted(row["n_pairs"], "question")
        if not row["decidable"] or not bounds:
            undecided.setdefault(row["reason"] or "no interval", []).append(row["pipeline"])
        elif shows_change(row, confidence(view.results)):
            way = "up" if row["difference"] > 0 else "down"
            size = amount(abs(row["difference"]), "share")
            shown.append(f"{way} by {size} in {row['pipeline']} {bounds}, {n}")
        else:
            possible.append(f"{row['pipeline']} {bounds}, {n}{_though(row, view)}")
    parts = shown
    if possible:
        parts.append(f"no change is shown in {'; '.join(possible)}")
    parts += [
        f"cannot be judged in {', '.join(names)} ({reason})" for reason, names in undecided.items()
    ]
    return "; ".join(parts)


def _though(row: Mapping[str, Any], view: View) -> str:
    """Why no change is shown though the bounds, which are of one comparison, leave out zero."""
    if row["low"] <= 0 <= row["high"]:
        return ""
    p = p_text(decisive_p(row))
    return f" (the interval alone leaves out 0, but p adjusted over {_compared(view)} is {p})"


def _compared(view: View) -> str:
    """The comparisons that p is adjusted over."""
    tested = sum(row["p_value"] is not None for row in view.results.get("differences") or ())
    return counted(tested, "comparison")


def _costs(view: View) -> Iterator[str]:
    """Measured on this machine: how long each way takes, and how much longer the one is."""
    medians: dict[str, float] = {}
    parts = []
    for way in dict.fromkeys(row["way"] for row in view.results["updates"]):
        done = [
            row["time_to_fresh"] for row in view.results["updates"]
            if row["way"] == way and row["time_to_fresh"] is not None
        ]  # fmt: skip
        if done:
            medians[way] = median(done)
            parts.append(f"{quantity(medians[way], 's')} with {way}")
    if parts:
        yield (
            "Time to fresh, measured here: " + " and ".join(parts) + " (the update and one answer)"
            + _ratio(medians) + "."
        )  # fmt: skip


def _ratio(medians: Mapping[str, float]) -> str:
    index, adapter = medians.get("re-index"), medians.get("re-train")
    if not index or not adapter or max(index, adapter) < 2 * min(index, adapter):
        return ""
    slower, times = (
        ("re-train", adapter / index) if adapter > index else ("re-index", index / adapter)
    )
    return f": {slower} takes {times:,.0f} times as long"


def _budget(view: View) -> Iterator[str]:
    decided = view.results["decisions"]
    for way in dict.fromkeys(row["way"] for row in decided):
        rows = [row for row in decided if row["way"] == way]
        done = [row["date"] for row in rows if row["updated"]]
        when = f" ({', '.join(done)})" if done else ""
        yield f"Within the budget, {way} happened at {len(done)} of {counted(len(rows), 'date')}{when}."
