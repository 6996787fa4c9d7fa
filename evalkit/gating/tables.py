"""Gate any two tables of paired results, whoever made them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import ConfigError
from evalkit.gating.paired_tables import Outcome, PairedTable, TableError, number_or_nan, read_table
from evalkit.gating.plan import Planned
from evalkit.gating.result import GateResult, decide, not_comparable
from evalkit.gating.runs import test_plan
from evalkit.gating.settings import Settings
from evalkit.gating.words import change_words
from evalkit.plurals import counted
from evalkit.statistics.hypotheses import Hypothesis, HypothesisError

if TYPE_CHECKING:
    import pandas as pd

_BOUNDED, _UNBOUNDED, _ANSWERED = (
    "paired/table/share",
    "paired/table/value",
    "paired/table/answered",
)
ANSWERED = "answered"
ANSWERED_MARGIN = 0.05
_SHOWN = 3
_MISSING = "missing"


def gate_tables(
    a: str | Path | pd.DataFrame,
    b: str | Path | pd.DataFrame,
    *,
    id: str,
    metric: str,
    cluster: str | None = None,
    kind: str = "non_inferiority",
    margin: float = 0.0,
    direction: str = "higher",
    states: Mapping[str, float] | None = None,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    failure_limit: float = 0.02,
) -> GateResult:
    """May the results in ``b`` replace those in ``a``, row by row?

    Where a third state such as ``refused`` occurs, its pairs are left out of the claim, and a second
    claim is tested in the same gate: that ``b`` does not answer fewer, by the same margin (0.05
    where that is no share of rows). So nothing ships by refusing what it would get wrong.

    Args:
        a: The baseline: a CSV, TSV, JSON-lines or Parquet file, or a frame.
        b: The candidate.
        id: The column that pairs rows.
        metric: The column of results: numbers, booleans, and words for third states.
        cluster: The column of rows that belong together; None: each row stands for itself.
        kind: ``superiority``, ``non_inferiority`` or ``equivalence``.
        margin: In the metric's unit; above 0 for the last two.
        direction: Which way is better: ``higher`` or ``lower``.
        states: Words with the value that they stand for, such as ``{"refused": 0}``.
        confidence: Coverage of the intervals.
        resamples: Resamples of the bootstrap; fewer in tables of more than 10,000 rows.
        seed: Its seed.
        failure_limit: Share of missing results above which nothing is decided. An id that is in one
            table only is a missing result.

    Raises:
        EvalkitError: A table cannot be trusted (file and line are named), or an option is wrong.
    """
    settings = Settings([], None, confidence, resamples, seed, failure_limit).checked()
    known = {str(word): float(value) for word, value in (states or {}).items()}
    before, after = (
        read_table(each, id=id, metric=metric, cluster=cluster, states=known, name=name)
        for each, name in ((a, "the baseline"), (b, "the candidate"))
    )
    baseline, candidate = (
        {"runs": [side.name], "questions": len(side.rows)} for side in (before, after)
    )
    _refuse_other_clusters(before, after)
    common = before.rows.keys() & after.rows.keys()
    if not common:
        firsts = " and ".join(f"{next(iter(s.rows))!r} in {s.name}" for s in (before, after))
        problem = f"no {id} is in both tables: the first are {firsts}"
        todo = "name the column that pairs them with --id"
        return not_comparable(problem, todo, baseline, candidate)
    settings = settings.affordable(len(common))
    scores = _scores(before, after)
    table, flipped = test_plan(_planned(scores, metric, kind, margin, direction), scores, settings)
    names = {_BOUNDED: metric, _UNBOUNDED: metric, _ANSWERED: ANSWERED}
    table["metric"], flipped["metric"] = table["metric"].map(names), flipped["metric"].map(names)
    table["unit"] = ""  # the numbers as the tables have them
    flipped.insert(4, "text", "")
    decision, reason, todo = decide(table)
    return GateResult(
        decision,
        reason,
        table,
        flipped,
        baseline,
        candidate,
        todo=todo,
        states=_transitions(before, after),
        settings=settings.testing,
        notes=tuple(_notes(before, after, known)),
    )


def _refuse_other_clusters(a: PairedTable, b: PairedTable) -> None:
    for key, row in b.rows.items():
        other = a.rows.get(key)
        if other is not None and other.cluster != row.cluster:
            raise TableError(
                f"{b.place(key)}: {key!r} is in cluster {row.cluster!r}, in {a.place(key)} it is in"
                f" {other.cluster!r}",
                todo="give both tables the same clusters",
            )


def _scores(a: PairedTable, b: PairedTable) -> pd.DataFrame:
    """The long table of scores. What is in one table only is missing, so failed, in the other."""
    import pandas as pd

    ids = list(dict.fromkeys((*a.rows, *b.rows)))
    bounded = all(0 <= value <= 1 for side in (a, b) for value in side.values)
    metric = _BOUNDED if bounded else _UNBOUNDED
    clusters = [(a.rows.get(key) or b.rows[key]).cluster for key in ids]
    parts = []
    states = bool(a.states or b.states)
    for name, side in (("baseline", a), ("candidate", b)):
        rows = [side.rows.get(key) for key in ids]
        base = {"question": ids, "pipeline": name, "repeat": 0, "cluster": clusters}
        measured = {
            "metric": metric,
            "status": [_status(row) for row in rows],
            "value": [number_or_nan(row) for row in rows],
        }
        parts.append(pd.DataFrame(base | measured))
        if states:
            answered = {"metric": _ANSWERED, **_answered(rows)}
            parts.append(pd.DataFrame(base | answered))
    return pd.concat(parts, ignore_index=True)


def _status(row: Outcome | None) -> str:
    if row is None or (row.value is None and row.state is None):
        return "failed"
    return "scored" if row.state is None else "abstained"


def _answered(rows: Sequence[Outcome | None]) -> dict[str, list[Any]]:
    status = ["failed" if _status(row) == "failed" else "scored" for row in rows]
    value = [
        None if row is None or _status(row) == "failed" else float(row.state is None)
        for row in rows
    ]
    return {"status": status, "value": value}


def _planned(
    scores: pd.DataFrame, metric: str, kind: str, margin: float, direction: str
) -> list[Planned]:
    present = set(scores["metric"])
    (own,) = present - {_ANSWERED}
    made = [(own, metric, kind, margin, direction)]
    if _ANSWERED in present:
        share = margin if own == _BOUNDED and margin > 0 else ANSWERED_MARGIN
        made.append((_ANSWERED, ANSWERED, "non_inferiority", share, "higher"))
    planned = []
    for name, words, how, size, way in made:
        try:
            stated = Hypothesis(
                name, ("candidate",), ("baseline",), kind=how, margin=size, direction=way
            )
        except HypothesisError as error:
            raise ConfigError(
                str(error).replace(name, words), todo="mend --kind, --margin or the direction"
            ) from error
        claimed = replace(stated, claim=change_words(stated, words, ""))
        planned.append(Planned(claimed, words))
    return planned


def _transitions(a: PairedTable, b: PairedTable) -> list[dict[str, Any]]:
    """How rows moved where a third state is on either side, commonest first."""
    if not (a.states or b.states):
        return []
    moves = Counter(
        (_label(a.rows.get(key)), _label(b.rows.get(key)))
        for key in dict.fromkeys((*a.rows, *b.rows))
        if any(row is not None and row.state for row in (a.rows.get(key), b.rows.get(key)))
    )
    return [{"before": x, "after": y, "n": n} for (x, y), n in moves.most_common()]


def _label(row: Outcome | None) -> str:
    if row is None or _status(row) == "failed":
        return _MISSING
    if row.state is not None:
        return row.state
    return f"{row.value:g}" if row.value in (0.0, 1.0) else "another number"


def _notes(a: PairedTable, b: PairedTable, known: Mapping[str, float]) -> list[str]:
    notes = []
    for side, other in ((a, b), (b, a)):
        if alone := [key for key in side.rows if key not in other.rows]:
            listed = ", ".join(f"{key!r} ({side.place(key)})" for key in alone[:_SHOWN])
            more = ", ..." if len(alone) > _SHOWN else ""
            notes.append(
                f"{counted(len(alone), 'id')} in {side.name} only, counted as missing in {other.name}:"
                f" {listed}{more}"
            )
        if n := sum(_status(row) == "failed" for row in side.rows.values()):
            notes.append(f"{counted(n, 'result')} missing in {side.name}")
    for word in sorted({*a.states, *b.states}):
        counts = [side.states.count(word) for side in (a, b)]
        notes.append(f"{word}: {counts[0]} in {a.name}, {counts[1]} in {b.name}")
    if known:
        said = ", ".join(f"{word} counts as {value:g}" for word, value in known.items())
        notes.append(said)
    return notes
