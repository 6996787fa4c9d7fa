"""A sweep in a few sentences: who won, what that is worth, which keys matter, what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.reporting.numbers import interval, p_text, quantity, signed, signed_interval, unit_word
from evalkit.reporting.sweep.tables import effects_of, untouched_words
from evalkit.reporting.sweep.view import View, contrast_words

_MOST_EFFECTS = 4
_VERDICTS = {
    "better": "it is better",
    "worse": "it is worse",
    "no difference shown": "no difference is shown",
    "cannot be decided": "nothing can be decided",
    "no interval": "there is no interval",
}


def sweep_reading(view: View) -> list[str]:
    """Sentences in the order of importance."""
    counted = _counted(view)
    if not view.candidates:
        ended = [row for row in view.analysis["unfinished"] if row["status"] == "finished"]
        why = f"job {ended[0]['job']}: {ended[0]['reason']}" if ended else "no job finished"
        nothing = f"Nothing can be compared: {why}."
        return [nothing, counted] if view.analysis["n_jobs"] else ["The sweep has no jobs."]
    return [s for s in (*_winner(view), *_effects(view), _seeds(view), counted) if s]


def _winner(view: View) -> list[str]:
    found, winner = view.analysis["selection"], view.winner()
    if winner is None:
        return ["No candidate can be chosen: too many questions failed, or nothing was scored."]
    unit = view.unit
    naive = found["naive"]
    said = f"{quantity(naive['value'], unit)} {interval(naive['low'], naive['high'], unit)}".strip()
    if found["candidates"] == 1:
        return [f"There is one candidate, {view.words(winner)}: {view.objective_phrase} {said}."]
    equal = [c for c in view.candidates if c["eligible"] and c["value"] == winner["value"]]
    sentences = [
        f"The best of {found['candidates']} candidates on {view.objective_phrase} is"
        f" {view.words(winner)}: {said}."
    ]
    if len(equal) > 1:
        sentences = [
            f"{len(equal)} of {found['candidates']} candidates share the best value of"
            f" {view.objective_phrase}: {said}. The first of them is {view.words(winner)}."
        ]
    corrected = found["corrected"]
    if corrected is None:
        sentences.append(f"How much luck is in that cannot be told: {found['reason']}.")
        return [*sentences, _against(view, winner)]
    word = unit_word(unit, difference=True)
    lost = quantity(abs(found["optimism"]), unit).removesuffix(" %").removesuffix(f" {word}")
    worth = (
        f"{quantity(corrected['value'], unit)}"
        f" {interval(corrected['low'], corrected['high'], unit)}"
    )
    sentences.append(
        f"On questions that had no part in choosing, such a winner has {worth}"
        + (f": about {lost} {word} of the first number are the luck of having been chosen."
           if lost != "0" else ", so there is no luck in the first number that shows.")
    )  # fmt: skip
    return [*sentences, _against(view, winner)]


def _against(view: View, winner: Mapping[str, Any]) -> str:
    """The winner against the baseline, before and after correction."""
    row, unit = winner["difference"], view.unit
    baseline = view.by_name[str(view.analysis["baseline"])]
    if winner["name"] == baseline["name"]:
        return "It is the baseline itself."
    if row is None or row["difference"] is None:
        return f"It cannot be compared with the baseline, {view.words(baseline)}."
    word = unit_word(unit, difference=True)
    said = (
        f"Against the baseline, {view.words(baseline)}, {_VERDICTS[view.verdict(winner)]}:"
        f" {signed(row['difference'], unit)} {word} {signed_interval(row['low'], row['high'], unit)},"
        f" adjusted p {p_text(row['p_adjusted'])}"
    )
    after = view.analysis["selection"]["corrected_difference"]
    if after is None:
        return f"{said}."
    around = signed_interval(after["low"], after["high"], unit)
    return f"{said}; corrected for the choice {signed(after['value'], unit)} {around}."


def _effects(view: View) -> list[str]:
    rows = [row for row in effects_of(view, view.metric) if row["effect"] is not None]
    if not rows:
        return []
    shown = sorted((r for r in rows if view.shown(r)), key=lambda r: -abs(r["effect"]))
    if not shown:
        return [f"No swept key shows an effect on {view.objective_phrase}."]
    several = len({row["pipeline"] for row in rows}) > 1
    parts = []
    for row in shown[:_MOST_EFFECTS]:
        where = f" in {row['pipeline']}" if several else ""
        parts.append(
            f"{view.keys[row['key']]} {contrast_words(row)}{where}"
            f" {signed(row['effect'], view.unit)} {signed_interval(row['low'], row['high'], view.unit)}"
        )
    more = f", and {len(shown) - _MOST_EFFECTS} more" if len(shown) > _MOST_EFFECTS else ""
    idle = untouched_words(view)
    return [
        f"Effects of swept keys on {view.objective_phrase} that are shown"
        f" ({unit_word(view.unit, difference=True)}): {'; '.join(parts)}{more}.",
        f"Nothing follows from keys that a pipeline does not use: {'; '.join(idle)}."
        if idle
        else "",
    ]


def _seeds(view: View) -> str:
    rows = [r for r in view.analysis["seeds"] if r["metric"] == view.metric]
    if not rows:
        return ""
    largest = max(float(row["sd_means"]) for row in rows)
    word = unit_word(view.unit, difference=True)
    text = quantity(largest, view.unit).removesuffix(" %").removesuffix(f" {word}")
    what = "Seeds" if view.seeds else "Repeats"
    return (
        f"{what} of one setting lie up to {text} {word} apart (standard deviation), in the most"
        " restless one."
    )


def _counted(view: View) -> str:
    total, unfinished = view.analysis["n_jobs"], len(view.analysis["unfinished"])
    apart = len(view.analysis["apart"])
    parts = []
    if unfinished:
        words = "has no numbers of its own" if unfinished == 1 else "have no numbers of their own"
        parts.append(f"{unfinished} of {total} jobs {words}")
    if apart:
        parts.append(f"{apart} of {total} cannot be compared with the others")
    return f"{' and '.join(parts)}." if parts else ""
