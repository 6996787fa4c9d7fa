"""A reading of the results in plain words that claims no more than the intervals allow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evalkit.reporting.labels import label_of
from evalkit.reporting.numbers import number, signed, signed_interval, unit_of_metric, unit_word
from evalkit.reporting.view import Cell, Results, pipeline_names, rows

FAILURE_LIMIT = 0.02
# What the reading speaks of, most important first; the page has the rest.
SUBJECTS: tuple[str, ...] = (
    "correctness/generation/correct",
    "format/generation/strict",
    "freshness/generation/current",
    "freshness/generation/outdated",
    "faithfulness/generation/groundedness",
    "retention/generation/correct",
)


def reading(results: Results) -> list[str]:
    """Sentences about the result, most important first.

    An effect is said to raise or lower something only where its whole interval lies on one side of
    zero; otherwise the sentence says that none is shown, and which sizes remain possible.
    """
    effects = [e for m in SUBJECTS for e in results.get("effects") or () if e["metric"] == m]
    sentences = _levels(results, SUBJECTS[0], "Correct answers on {n} questions")
    for kind in ("retrieval", "tuning"):
        sentences += _main_effects(kind, [e for e in effects if e["effect"] == kind])
    sentences += [_interaction(e) for e in effects if e["effect"] == "interaction" and _clear(e)]
    sentences += _levels(results, SUBJECTS[3], "Outdated answers on {n} time-sensitive questions")
    sentences += _failures(results)
    if effects:
        sentences.append(
            "Intervals are 95 % intervals for one metric at a time; with many metrics a few will "
            "miss by chance."
        )
    return sentences


def _main_effects(kind: str, effects: Sequence[Mapping[str, Any]]) -> list[str]:
    bounded = [e for e in effects if e.get("low") is not None and e.get("high") is not None]
    subject, sentences = kind.capitalize(), []
    for verb, chosen in (
        ("raised", [e for e in bounded if e["low"] > 0]),
        ("lowered", [e for e in bounded if e["high"] < 0]),
    ):
        if chosen:
            sentences.append(f"{subject} {verb} {_joined(_by(e) for e in chosen)}.")
    if unshown := [e for e in bounded if not _clear(e)]:
        sentences.append(
            f"No effect of {kind} is shown on {_joined(_around(e) for e in unshown)}: any size "
            "inside the brackets fits the data."
        )
    return sentences


def _by(effect: Mapping[str, Any]) -> str:
    unit = unit_of_metric(effect["metric"])
    size = f"{number(abs(effect['value']), unit)} {unit_word(unit, difference=True)}"
    return f"{_subject(effect)} by {size} {_bounds(effect)}"


def _around(effect: Mapping[str, Any]) -> str:
    size = signed(effect["value"], unit_of_metric(effect["metric"]))
    return f"{_subject(effect)} ({size} {_bounds(effect)})"


def _interaction(effect: Mapping[str, Any]) -> str:
    unit = unit_of_metric(effect["metric"])
    size = f"{number(abs(effect['value']), unit)} {unit_word(unit, difference=True)}"
    direction = "higher" if effect["value"] > 0 else "lower"
    return (
        f"The effect of tuning on {label_of(effect['metric']).phrase} is {size} "
        f"{_bounds(effect)} {direction} with retrieval than without."
    )


def _subject(effect: Mapping[str, Any]) -> str:
    """The metric in words, and where the effect was seen if it is a simple one."""
    phrase, note = label_of(effect["metric"]).phrase, str(effect.get("note") or "")
    if not note.startswith("simple effect, "):
        return phrase
    place = note.removeprefix("simple effect, ").split(":")[0].removesuffix(" only")
    return f"{phrase} ({place})"


def _bounds(effect: Mapping[str, Any]) -> str:
    return signed_interval(effect["low"], effect["high"], unit_of_metric(effect["metric"]))


def _clear(effect: Mapping[str, Any]) -> bool:
    low, high = effect.get("low"), effect.get("high")
    return low is not None and high is not None and not low <= 0 <= high


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
