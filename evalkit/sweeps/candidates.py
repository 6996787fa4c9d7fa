"""What a sweep chooses from: pipelines under settings, each with one value per question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.statistics import estimate_table, question_values, records
from evalkit.statistics.variation import repeat_means, variation
from evalkit.sweeps.jobs import Run, is_seed

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ["question", "pipeline", "repeat", "metric", "status", "value", "cluster"]
_TOKENS = ("cost/generation/prompt_tokens", "cost/generation/output_tokens")
_SECONDS = ("cost/generation/seconds", "cost/retrieval/seconds")
SIGNATURES = " & "
"""Between the signatures of a candidate's jobs."""
COST_METRICS = (*_TOKENS, *_SECONDS)


@dataclass(frozen=True)
class Candidate:
    """One pipeline under one setting, or under several that make no difference to it.

    Attributes:
        name: ``JOB/PIPELINE`` of the first job.
        pipeline: The pipeline.
        jobs: The jobs whose numbers it has; several where seeds were swept.
        same: Jobs whose numbers are equal, with equal signatures: what differs between them does
            not reach the pipeline.
        levels: The level of every swept key; None where any gives these numbers.
        estimates: By metric: value, interval and counts.
        costs: Per question asked: ``tokens``, ``seconds`` and ``money``, where known.
        signature: Of its objective; those of several jobs are joined.
        folder: The run folder of the first job.
    """

    name: str
    pipeline: str
    jobs: tuple[str, ...]
    levels: Mapping[str, str | None]
    estimates: Mapping[str, Mapping[str, Any]]
    costs: Mapping[str, float]
    signature: str
    folder: Path
    same: tuple[str, ...] = ()


@dataclass
class Measured:
    """The values of all candidates by question: by metric, a frame with a column each.

    ``statuses`` are those of the objective. ``variation`` and ``repeats`` have rows for candidates
    with several seeds or repeats, ``broken`` runs without scores that can be used, and why.
    """

    candidates: list[Candidate]
    values: dict[str, pd.DataFrame]
    statuses: pd.DataFrame
    clusters: pd.Series
    variation: list[dict[str, Any]] = field(default_factory=list)
    repeats: list[dict[str, Any]] = field(default_factory=list)
    broken: list[tuple[Run, str]] = field(default_factory=list)


def settings_of(runs: Iterable[Run], keys: Sequence[str]) -> list[tuple[dict[str, str], list[Run]]]:
    """Runs by the levels of their keys, seeds aside: the runs of several seeds are repeats."""
    kept = [key for key in keys if not is_seed(key)]
    found: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        found.setdefault(tuple(run.job.levels.get(key, "default") for key in kept), []).append(run)
    return [(dict(zip(kept, levels, strict=True)), mine) for levels, mine in found.items()]


def measure(
    settings: Sequence[tuple[dict[str, str], list[Run]]],
    objective: str,
    metrics: Sequence[str],
    statistics: Mapping[str, Any],
) -> Measured:
    """Read the scores, one setting after the other, and keep one number per question of each.

    Args:
        settings: See :func:`settings_of`.
        objective: The metric that candidates are chosen by.
        metrics: The others to read.
        statistics: ``confidence``, ``resamples`` and ``seed``.
    """
    import pandas as pd

    wanted = list(dict.fromkeys((objective, *metrics)))
    columns: dict[str, dict[str, pd.Series]] = {metric: {} for metric in wanted}
    statuses: dict[str, pd.Series] = {}
    clusters: list[pd.Series] = []
    found = Measured([], {}, pd.DataFrame(), pd.Series(dtype=object))
    for levels, chosen in settings:
        scores, table, runs = _read(chosen, wanted, found.broken)
        if table is None:
            continue
        clusters.append(table.drop_duplicates("question").set_index("question")["cluster"])
        for (pipeline, metric), cell in table.groupby(["pipeline", "metric"], observed=True):
            name, cell = _name(runs, str(pipeline)), cell.set_index("question")
            columns[str(metric)][name] = cell["value"].astype("float64")
            if metric == objective:
                statuses[name] = cell["status"]
        estimates = _estimates(scores, runs, statistics)
        for pipeline in dict.fromkeys(name for run in runs for name in run.pipelines):
            found.candidates.append(_candidate(pipeline, levels, runs, estimates, objective))
        _spread(scores, runs, found)
    for metric in wanted:
        found.values[metric] = pd.DataFrame(columns[metric])
    found.statuses = pd.DataFrame(statuses)
    if clusters:
        every = pd.concat(clusters)
        found.clusters = every[~every.index.duplicated()]
    return found


def merged(measured: Measured, objective: str) -> list[Candidate]:
    """The candidates with those that are one and the same put together.

    The same are those of one pipeline whose objective has the same signature and the same value on
    every question; and those of which some seeds are missing, with all of which they would be.
    """
    groups: dict[Any, list[Candidate]] = {}
    for candidate in measured.candidates:
        values = measured.values[objective].get(candidate.name)
        content = None if values is None else values.sort_index().to_numpy().tobytes()
        alone = candidate.name if content is None or not candidate.signature else ""
        key = (candidate.pipeline, candidate.signature, content, alone)
        groups.setdefault(key, []).append(candidate)
    whole: dict[str, list[Candidate]] = {}
    for group in sorted(groups.values(), key=lambda group: -len(_seeds(group[0]))):
        seeds = _seeds(group[0])
        wider = (w for w in whole.values() if w[0].pipeline == group[0].pipeline)
        home = next((w for w in wider if seeds and seeds < _seeds(w[0])), None)
        if home is None:
            whole[group[0].name] = group
        else:
            home += group
    return [_one(whole[c.name]) for c in measured.candidates if c.name in whole]


def _seeds(candidate: Candidate) -> set[str]:
    """The signatures of its runs, one for each seed."""
    return set(candidate.signature.split(SIGNATURES)) if candidate.signature else set()


def _one(group: Sequence[Candidate]) -> Candidate:
    first = group[0]
    levels = {
        key: level if all(other.levels[key] == level for other in group) else None
        for key, level in first.levels.items()
    }
    same = tuple(job for other in group[1:] for job in other.jobs)
    return replace(first, levels=levels, same=same)


def _name(runs: Sequence[Run], pipeline: str) -> str:
    owner = next(run for run in runs if pipeline in run.pipelines)
    return f"{owner.job.id}/{pipeline}"


def _read(
    runs: Sequence[Run], metrics: Sequence[str], broken: list[tuple[Run, str]]
) -> tuple[pd.DataFrame, pd.DataFrame | None, list[Run]]:
    """The scores of the runs of one setting, each after the other as repeats; one value per question
    of them, None without any; and the runs that they are of. The others go to ``broken``.
    """
    import pandas as pd

    tables, kept, start = [], [], 0
    for run in runs:
        try:
            table = pd.read_parquet(
                run.folder / "scores.parquet", columns=_COLUMNS, filters=[("metric", "in", metrics)]
            )
        except Exception as error:  # pyarrow raises its own and the system's
            broken.append((run, f"scores.parquet: {' '.join(str(error).split())[:200]}"))
            continue
        kept.append(run)
        tables.append(table.assign(repeat=table["repeat"] + start))
        start += int(table["repeat"].max()) + 1 if len(table) else 1
    if not kept:
        return pd.DataFrame(), None, []
    scores = tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)
    try:
        return scores, question_values(scores), kept
    except ValueError as error:
        broken += [(run, str(error)) for run in kept]
        return scores, None, []


def _estimates(
    scores: pd.DataFrame, runs: Sequence[Run], statistics: Mapping[str, Any]
) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Those of the run itself; of several seeds, over their mean within each question."""
    if len(runs) == 1:
        found: dict[tuple[str, str], Mapping[str, Any]] = runs[0].results["estimates"]
        return found
    table = records(estimate_table(scores, **statistics))
    return {(row["pipeline"], row["metric"]): row for row in table}


def _candidate(
    pipeline: str,
    levels: Mapping[str, str],
    runs: Sequence[Run],
    estimates: Mapping[tuple[str, str], Mapping[str, Any]],
    objective: str,
) -> Candidate:
    mine = [run for run in runs if pipeline in run.pipelines]
    signatures = [
        str((run.estimate(pipeline, objective) or {}).get("signature") or "") for run in mine
    ]
    return Candidate(
        name=_name(runs, pipeline),
        pipeline=pipeline,
        jobs=tuple(run.job.id for run in mine),
        levels=dict(levels),
        estimates={metric: row for (name, metric), row in estimates.items() if name == pipeline},
        costs=_costs(pipeline, mine, estimates),
        signature=SIGNATURES.join(dict.fromkeys(signatures)),
        folder=mine[0].folder,
    )


def _costs(
    pipeline: str, runs: Sequence[Run], estimates: Mapping[tuple[str, str], Mapping[str, Any]]
) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, parts in (("tokens", _TOKENS), ("seconds", _SECONDS)):
        known = [(estimates.get((pipeline, part)) or {}).get("value") for part in parts]
        # Retrieval has no seconds where nothing is retrieved; what generation took must be known.
        if known[0] is not None and (name == "seconds" or known[1] is not None):
            found[name] = sum(float(value) for value in known if value is not None)
    prices = [run.results["money"].get(pipeline) for run in runs]
    asked = [run.results["benchmark"]["questions"] * (run.results["repeats"] or 1) for run in runs]
    if all(prices) and all(asked):
        each = [price[0] / n for price, n in zip(prices, asked, strict=True) if price]
        found["money"] = sum(each) / len(each)
    return found


def _spread(scores: pd.DataFrame, runs: Sequence[Run], found: Measured) -> None:
    if scores["repeat"].nunique() < 2:
        return
    for rows, table in (
        (found.variation, variation(scores)),
        (found.repeats, repeat_means(scores)),
    ):
        rows += [row | {"name": _name(runs, row["pipeline"])} for row in records(table)]
