"""A reading of the results in plain words that claims no more than the intervals allow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evalkit.plurals import counted
from evalkit.reporting.claims import ALL_QUESTIONS, VERDICTS, Claim, claims
from evalkit.reporting.labels import HEADLINES, label_of
from evalkit.reporting.numbers import (
    amount,
    p_text,
    signed,
    signed_interval,
    unit_of_metric,
)
from evalkit.reporting.view import (
    Cell,
    Results,
    confidence,
    confidence_words,
    decisive_p,
    pipeline_names,
    questions_covered,
    rows,
    shows_change,
)

FAILURE_LIMIT = 0.02
_SAME = 1e-9
"""Two contrasts of the same values differ by less: rounding alone."""
ADJUSTED = (
    "what is said to change also holds with p adjusted for the number of rows (Benjamini-Hochberg)."
)
CORRECT, ABSTENTION = "correctness/generation/correct", "correctness/generation/abstention"
OUTDATED = "freshness/generation/outdated"
# What the reading speaks of, most important first; the page has the rest.
SUBJECTS: tuple[str, ...] = (
    CORRECT,
    ABSTENTION,
    "format/generation/strict",
    "freshness/generation/current",
    OUTDATED,
    "faithfulness/generation/groundedness",
    "retention/generation/correct",
)


def reading(results: Results) -> list[str]:
    """Sentences about the result, most important first.

    The verdicts on the hypotheses come before all else, without their numbers, which stand in the
    table of hypotheses; an effect that a hypothesis is about is not told a second time.

    An effect is said to raise or lower something only where its whole interval lies on one side of
    zero and its p value (adjusted, where there is an adjusted one) is below 1 - confidence;
    otherwise the sentence says that none is shown, and which sizes remain possible.
    """
    effects = [
        _judged(results, e)
        for m in SUBJECTS
        for e in results.get("effects") or ()
        if e["metric"] == m and not _told(results, e)
    ]
    sentences = _verdicts(claims(results))
    sentences += _levels(results, CORRECT, "Correct answers on {n} answerable questions")
    sentences += _levels(results, ABSTENTION, "Abstention on {n} questions that nothing answers")
    for kind in ("retrieval", "tuning"):
        sentences += _main_effects(kind, [e for e in effects if e["effect"] == kind])
    sentences += [_interaction(e) for e in effects if e["effect"] == "interaction" and e["shown"]]
    sentences += _levels(results, OUTDATED, "Outdated answers on {n} time-sensitive questions")
    sentences += _failures(results)
    sentences += _sensitivity(results)
    if effects:
        sentences.append(_intervals(results, effects))
    return sentences


def _verdicts(found: Sequence[Claim]) -> list[str]:
    sentences: list[str] = []
    for verdict in VERDICTS:
        mine = [claim for claim in found if claim.verdict == verdict]
        if mine:
            every = counted(len(found), "hypothesis", "hypotheses")
            count = f"{len(mine)} of {every}" if not sentences else f"{len(mine)}"
            subject = "The hypothesis" if len(found) == 1 else count
            verb = "is" if len(mine) == 1 else "are"
            listed = "; ".join(_quoted(claim) for claim in mine)
            sentences.append(f"{subject} {verb} {verdict}: {listed}.")
    return sentences


def _quoted(claim: Claim) -> str:
    return f"“{claim.claim}”" + (f" (needs {claim.needs})" if claim.needs else "")


def _told(results: Results, effect: Mapping[str, Any]) -> bool:
    """Whether a hypothesis on all questions is about this very effect."""
    return effect.get("value") is not None and any(
        h["metric"] == effect["metric"]
        and h.get("effect") is not None
        and h.get("where") in (None, ALL_QUESTIONS)
        and abs(_along(results, h, effect["effect"]) * h["effect"] - effect["value"]) < _SAME
        for h in results.get("hypotheses") or ()
    )


def _along(results: Results, hypothesis: Mapping[str, Any], part: str) -> float:
    """1 where all of ``better`` have the part (retrieval, tuning) and none of ``than``; -1 the
    other way round; else NaN, which equals nothing.
    """
    has = {str(p["name"]) for p in results["pipelines"] if p.get(part)}
    better, than = (set(str(hypothesis[side]).split("+")) for side in ("better", "than"))
    if better <= has and not than & has:
        return 1.0
    return -1.0 if than <= has and not better & has else math.nan


def _sensitivity(results: Results) -> list[str]:
    """What the run is too small to see, on the first headline metric that says so."""
    for metric in HEADLINES:
        found = [
            c
            for c in results.get("comparisons") or ()
            if c["metric"] == metric and c.get("mde") is not None
        ]
        if found:
            unit, largest = unit_of_metric(metric), max(found, key=lambda c: float(c["mde"]))
            clusters = largest["n_clusters"]
            size = f"With {counted(largest['n_pairs'], 'question')}"
            if clusters != largest["n_pairs"]:
                size += f" in {counted(clusters, 'cluster')}"
            what = f"{size}, differences in {label_of(metric).phrase}"
            if unit == "share" and largest["mde"] >= 1:
                return [f"{what} of any size cannot be relied on to show."]
            under = f"{what} under about {amount(largest['mde'], unit)}"
            return [f"{under} cannot be relied on to show."]
    return []


def _intervals(results: Results, effects: Sequence[Mapping[str, Any]]) -> str:
    words = f"Intervals are {confidence_words(results)} intervals for one metric at a time; "
    if any(effect.get("p_adjusted") is not None for effect in effects):
        return f"{words}{ADJUSTED}"
    return f"{words}with many metrics a few will miss by chance."


def _judged(results: Results, effect: Mapping[str, Any]) -> dict[str, Any]:
    """The effect with what may be said of it, and on which part of the questions it was seen."""
    shown = shows_change(effect, confidence(results))
    return {**effect, "shown": shown, "part": questions_covered(results, effect)}


def _main_effects(kind: str, effects: Sequence[Mapping[str, Any]]) -> list[str]:
    bounded = [e for e in effects if e.get("low") is not None and e.get("high") is not None]
    subject, sentences = kind.capitalize(), []
    for verb, chosen in (
        ("raised", [e for e in bounded if e["shown"] and e["low"] > 0]),
        ("lowered", [e for e in bounded if e["shown"] and e["high"] < 0]),
    ):
        if chosen:
            sentences.append(f"{subject} {verb} {_joined(_by(e) for e in chosen)}.")
    if unshown := [e for e in bounded if not e["shown"]]:
        sentences.append(
            f"No effect of {kind} is shown on {_joined(_around(e) for e in unshown)}: any size "
            "inside the brackets fits the data."
        )
    return sentences


def _by(effect: Mapping[str, Any]) -> str:
    size = amount(abs(effect["value"]), unit_of_metric(effect["metric"]))
    return f"{_subject(effect)} by {size} {_bounds(effect)}{_part(effect)}"


def _around(effect: Mapping[str, Any]) -> str:
    size = signed(effect["value"], unit_of_metric(effect["metric"]))
    crosses = effect["low"] <= 0 <= effect["high"]
    name = "adjusted p" if "p_adjusted" in effect else "p"
    p = "" if crosses else f", {name}\u00a0{p_text(decisive_p(effect))}"
    return f"{_subject(effect)} ({size} {_bounds(effect)}{p}){_part(effect)}"


def _interaction(effect: Mapping[str, Any]) -> str:
    size = amount(abs(effect["value"]), unit_of_metric(effect["metric"]))
    direction = "higher" if effect["value"] > 0 else "lower"
    return (
        f"The effect of tuning on {label_of(effect['metric']).phrase} is {size} "
        f"{_bounds(effect)} {direction} with retrieval than without{_part(effect)}."
    )


def _subject(effect: Mapping[str, Any]) -> str:
    """The metric in words, and where the effect was seen if it is a simple one."""
    phrase, note = label_of(effect["metric"]).phrase, str(effect.get("note") or "")
    if not note.startswith("simple effect, "):
        return phrase
    place = note.removeprefix("simple effect, ").split(":")[0].removesuffix(" only")
    return f"{phrase} ({place})"


def _part(effect: Mapping[str, Any]) -> str:
    return f" on {effect['part']}" if effect["part"] else ""


def _bounds(effect: Mapping[str, Any]) -> str:
    return signed_interval(effect["low"], effect["high"], unit_of_metric(effect["metric"]))


def _joined(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _levels(results: Results, metric: str, opening: str) -> list[str]:
    table = rows(results, [metric])
    if not table:
        return []
    named = zip(pipeline_names(results), table[0].cells, strict=True)
    parts = [f"{name} {_level(cell)}" for name, cell in named if cell.scored]
    return [f"{opening.format(n=table[0].n)}: {', '.join(parts)}."] if parts else []


def _level(cell: Cell) -> str:
    # Spaces that do not break keep a number with its sign and its bounds.
    return f"{cell.text} % {cell.interval}".strip().replace(" ", "\u00a0")


def _failures(results: Results) -> list[str]:
    worst: dict[str, float] = {}
    for e in results["estimates"]:
        failed = int(e.get("n_failed") or 0)
        tried = int(e.get("n_scored") or 0) + failed
        share = failed / tried if tried else 0.0
        worst[e["pipeline"]] = max(worst.get(e["pipeline"], 0.0), share)
    return [
        f"In {name}, up to {100 * share:.1f} % of the questions of a metric failed; above "
        f"{100 * FAILURE_LIMIT:.0f} % its comparisons decide nothing."
        for name, share in worst.items()
        if share > FAILURE_LIMIT
    ]
