"""From a gate's configuration to the hypotheses that two sides can be tested on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from evalkit.errors import ConfigError
from evalkit.gating.words import claim_words, short_name
from evalkit.reporting.labels import SCORECARD
from evalkit.scoring import METRICS
from evalkit.statistics import ScoresTableError, unit_of
from evalkit.statistics.claims import TAG_SEPARATOR, near
from evalkit.statistics.hypotheses import Hypothesis, HypothesisError, parse_hypothesis

if TYPE_CHECKING:
    import pandas as pd

_MEASURED = ("scored", "failed")
DIRECTIONS: dict[str, str] = {name: metric.direction for name, metric in METRICS.items()}
_ROWS = tuple(f"{axis}/{stage}/{name}" for axis, stage, names in SCORECARD for name in names)


@dataclass(frozen=True)
class Pair:
    """Pipelines to compare, as the table of scores names them; ``name`` is for readers."""

    name: str
    better: tuple[str, ...]
    than: tuple[str, ...]


@dataclass(frozen=True)
class Planned:
    """A hypothesis to test, and its short name for a table.

    ``pipeline`` is where two runs are compared, empty elsewhere; ``obstacle`` says why it cannot be
    tested, where the scores tell.
    """

    hypothesis: Hypothesis
    name: str
    pipeline: str = ""
    obstacle: str = ""


@dataclass
class Plan:
    """What will be tested, and what a pattern named but neither side has."""

    planned: list[Planned] = field(default_factory=list)
    not_applicable: list[dict[str, str]] = field(default_factory=list)


def plan(entries: Any, pairs: Sequence[Pair] | None, scores: pd.DataFrame) -> Plan:
    """Expand the entries of a gate over pipelines and metrics.

    An entry names metrics by id, by pattern (``format/*/*``, over the rows of the scorecard), or by
    a list of these. A pattern leaves out what an id names anywhere, and what a pattern before it
    has taken. A pattern's metric that neither side measured is not applicable; one that a single
    side measured is tested, and so inconclusive; and so is whatever is named by its id.

    Args:
        entries: ``hypotheses`` of the configuration.
        pairs: The pairs that every entry is tested on; None where each entry names its own
            (``better``, ``than``).
        scores: The scores of all sides, for what they measured.

    Raises:
        ConfigError: An entry is wrong: names its key, the value, what was expected.
    """
    made = Plan()
    listed = _entries(entries)
    taken = {m for _, entry in listed for m in _patterns(entry) if not _is_pattern(m)}
    for key, entry in listed:
        own = pairs if pairs is not None else [_own_pair(entry, key)]
        if pairs is not None and {"better", "than"} & entry.keys():
            raise ConfigError(
                f"{key} names better or than, but two runs are compared pipeline by pipeline",
                todo="leave them out, and name pipelines with pipelines=..., or gate a single run",
            )
        wanted = list(_metrics(entry, key, taken))
        for pair in own:
            for metric, exact in wanted:
                _add(made, entry, key, pair, metric, exact, scores)
    return made


def _entries(entries: Any) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise ConfigError(f"hypotheses is {entries!r}", todo="give a list of mappings")
    found = []
    for i, entry in enumerate(entries):
        key = f"hypotheses[{i}]"
        if not isinstance(entry, Mapping):
            raise ConfigError(
                f"{key} is {entry!r}", todo="give a mapping with metric, kind, margin"
            )
        if not _patterns(entry):
            raise ConfigError(
                f"{key} has no metric", todo="give an id, a pattern such as format/*/*, or a list"
            )
        found.append((key, {str(k): v for k, v in entry.items()}))
    return found


def _patterns(entry: Mapping[str, Any]) -> list[str]:
    named = entry.get("metric")
    return [named] if isinstance(named, str) else [str(m) for m in named or ()]


def _is_pattern(name: str) -> bool:
    return any(mark in name for mark in "*?[")


def _metrics(entry: Mapping[str, Any], key: str, taken: set[str]) -> Iterator[tuple[str, bool]]:
    """Metric ids with whether they were named as such; adds to ``taken`` what patterns match."""
    for name in _patterns(entry):
        if not _is_pattern(name):
            yield name, True
            continue
        matched = [row for row in _ROWS if fnmatchcase(row, name)]
        if not matched:
            near = get_close_matches(name, _ROWS, n=2, cutoff=0.3)
            raise ConfigError(
                f"{key}.metric {name!r} matches no row of the scorecard",
                todo=f"rows are such as {', '.join(near or _ROWS[:2])}; name any other metric by its id",
            )
        for metric in matched:
            if metric not in taken:
                taken.add(metric)
                yield metric, False


def _own_pair(entry: Mapping[str, Any], key: str) -> Pair:
    if missing := [name for name in ("better", "than") if not entry.get(name)]:
        raise ConfigError(
            f"{key} has no {' and no '.join(missing)}: in a single run a hypothesis compares its pipelines",
            todo="name pipelines of the run, as better: [rag] and than: [prompt_only], or give two runs",
        )
    sides = [entry[name] for name in ("better", "than")]
    better, than = ((side,) if isinstance(side, str) else tuple(side) for side in sides)
    return Pair("", better, than)


def _add(
    made: Plan,
    entry: Mapping[str, Any],
    key: str,
    pair: Pair,
    metric: str,
    exact: bool,
    scores: pd.DataFrame,
) -> None:
    if not exact and DIRECTIONS.get(metric) not in ("higher", "lower"):
        made.not_applicable.append(_absent(metric, pair, "neither way of it is better"))
        return
    hypothesis = _hypothesis(entry, key, pair, metric)
    if pair.name:  # a single run has checked its own against the whole benchmark
        _refuse_unknown_questions(hypothesis, key, scores)
    try:
        selected = hypothesis.where.select(scores)
    except ScoresTableError as error:
        raise ConfigError(
            f"{key}.where: {error}", todo="run again with this version of evalkit"
        ) from error
    if pair.name and selected.empty:
        raise ConfigError(
            f"{key}.where selects no question: {hypothesis.where}",
            todo="choose among the questions that both runs were asked, or leave the entry out",
        )
    asked = selected[selected["metric"] == metric]
    reasons = {side: _unmeasured(asked, names) for side, names in _sides(pair)}
    if not exact and all(reasons.values()):
        said = ", ".join(dict.fromkeys(filter(None, reasons.values())))
        made.not_applicable.append(_absent(metric, pair, said))
        return
    where = " and ".join(f"{side}: {why}" for side, why in reasons.items() if why)
    obstacle = where and f"not measured in the {where}"
    name = (
        hypothesis.claim
        if entry.get("claim") or not pair.name
        else short_name(hypothesis, pair.name)
    )
    made.planned.append(Planned(hypothesis, name, pair.name, obstacle))


def _refuse_unknown_questions(hypothesis: Hypothesis, key: str, scores: pd.DataFrame) -> None:
    """A category or tag that no question has is a slip of the pen, not an empty selection."""
    where = hypothesis.where
    for name, chosen, column in (
        ("category", where.categories, "category"),
        ("tag", where.tags, "tags"),
    ):
        if chosen and column in scores.columns:
            cells = scores[column].dropna().astype(str).unique()
            split = (cell.split(TAG_SEPARATOR) if column == "tags" else [cell] for cell in cells)
            known = sorted({part for parts in split for part in parts if part})
            if unknown := [each for each in chosen if each not in known]:
                raise ConfigError(
                    f"{key}.where.{name} is {unknown[0]!r}, which no question has{near(unknown[0], known)}",
                    todo="name one that the benchmark has",
                )


def _sides(pair: Pair) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if pair.name:
        return (("baseline", pair.than), ("candidate", pair.better))
    return (("pipelines " + "+".join(pair.than), pair.than),
            ("pipelines " + "+".join(pair.better), pair.better))  # fmt: skip


def _absent(metric: str, pair: Pair, reason: str) -> dict[str, str]:
    return {"metric": metric, "pipeline": pair.name, "reason": reason}


def _unmeasured(asked: pd.DataFrame, pipelines: Sequence[str]) -> str:
    """Why a side has no measurement: the commonest reason of its rows; empty where it has one."""
    for name in pipelines:
        mine = asked[asked["pipeline"] == name]
        if not mine["status"].isin(_MEASURED).any():
            reasons = Counter(str(r) for r in mine["reason"].dropna() if r)
            return reasons.most_common(1)[0][0] if reasons else "no such score"
    return ""


def _hypothesis(entry: Mapping[str, Any], key: str, pair: Pair, metric: str) -> Hypothesis:
    margin = _margin(entry.get("margin", 0.0), key, metric)
    full = {**entry, "metric": metric, "margin": margin, "better": pair.better, "than": pair.than}
    try:
        made = parse_hypothesis(full, key, DIRECTIONS)
    except HypothesisError as error:
        raise ConfigError(str(error), todo="mend that key of the gate's configuration") from error
    several = len(_patterns(entry)) > 1 or _is_pattern(_patterns(entry)[0])
    words = claim_words(made, pair.name, str(entry.get("claim") or ""), several=several)
    return parse_hypothesis({**full, "claim": words}, key, DIRECTIONS) if words else made


def _margin(margin: Any, key: str, metric: str) -> Any:
    """A number, or the number for the metric's unit out of a mapping by unit."""
    if not isinstance(margin, Mapping):
        return margin
    unit = unit_of(metric)
    if unit not in margin:
        raise ConfigError(
            f"{key}.margin has no entry for the unit {unit} of {metric}",
            todo=f"it has {', '.join(map(str, margin))}; add `{unit}: NUMBER`",
        )
    return margin[unit]
