"""Gate one run against another, or a run on its own hypotheses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import ConfigError, EvalkitError
from evalkit.gating.plan import Pair, Plan, Planned, plan
from evalkit.gating.result import GateResult, NotComparable, decide, not_comparable
from evalkit.gating.settings import Settings, read_settings
from evalkit.gating.sides import Side, Source, load_side
from evalkit.plurals import counted

if TYPE_CHECKING:
    import pandas as pd

_BASELINE, _CANDIDATE = "baseline ", "candidate "


def gate(
    baseline: Source, candidate: Source | None = None, *overrides: str, uri: str | None = None
) -> GateResult:
    """May the candidate replace the baseline?

    ::

        assert evalkit.gate("runs/main", "runs/branch", "gate=format_first").ships

    Args:
        baseline: A run folder, an MLflow run id, or several (a sequence, or joined by commas):
            the same configuration under other seeds, which become repeats.
        candidate: The same. None: the hypotheses of the baseline's configuration are tested within
            it, or those that the overrides name.
        overrides: ``gate=NAME`` (a file of ``conf/gate/``, ``no_regression`` unless given) and
            ``KEY=VALUE`` for any key of ``conf/gate.yaml``.
        uri: The tracking store that run ids are looked up in.

    Returns:
        The decision with everything it rests on. Runs that cannot be compared, and gates in which
        nothing is left to test, give ``not comparable`` and never ``ship``.

    Raises:
        EvalkitError: A run is not there, not finished or damaged, or an override is wrong.
    """
    settings = read_settings(overrides)
    known: dict[str, Any] = {"runs": [str(baseline)]}
    other: dict[str, Any] | None = None if candidate is None else {"runs": [str(candidate)]}
    try:
        before = load_side(baseline, uri)
        known = before.description()
        settings = settings.completed(before.results.get("statistics") or {})
        if candidate is None:
            return _gate_one(before, settings)
        after = load_side(candidate, uri)
        other = after.description()
        return _gate_two(before, after, settings)
    except NotComparable as error:
        return not_comparable(error.problem, error.todo, known, other)


def test_plan(
    planned: Sequence[Planned], scores: pd.DataFrame, settings: Settings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of tested hypotheses, and the questions that flipped."""
    import pandas as pd

    from evalkit.statistics import ScoresTableError
    from evalkit.statistics.hypotheses import flips, test_hypotheses

    try:
        table = test_hypotheses(scores, [p.hypothesis for p in planned], **settings.testing)
        moved = [
            flips(scores, p.hypothesis).assign(
                hypothesis=i, metric=p.hypothesis.metric, pipeline=p.pipeline
            )
            for i, p in enumerate(planned)
        ]
    except ScoresTableError as error:
        raise EvalkitError(str(error), todo="run the experiment again") from error
    table.insert(0, "name", [p.name for p in planned])
    table.insert(2, "pipeline", [p.pipeline for p in planned])
    for i, each in enumerate(planned):
        if each.obstacle and table.at[i, "n_pairs"] == 0:
            table.at[i, "reason"] = each.obstacle
    columns = ["hypothesis", "metric", "pipeline", "question", "before", "after", "change"]
    flipped = pd.concat(moved, ignore_index=True) if moved else pd.DataFrame(columns=columns)
    return table, flipped[columns]


test_plan.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it by name


def _gate_one(run: Side, settings: Settings) -> GateResult:
    entries = settings.hypotheses if settings.chosen else run.config.get("hypotheses")
    if not entries:
        raise NotComparable(
            f"nothing was gated: the configuration of {run.label} names no hypotheses",
            todo="give a second run, or hypotheses for this one: gate=NAME, with better and than",
        )
    if settings.pipelines is not None:
        raise ConfigError(
            "pipelines chooses what two runs are compared in, but one is given",
            todo="name pipelines in the hypotheses, with better and than",
        )
    made = plan(entries, None, run.scores)
    for planned in made.planned:
        _known_pipelines(planned, run)
    return _result(made, run.scores, settings, run, None, [])


def _known_pipelines(planned: Planned, run: Side) -> None:
    named = (*planned.hypothesis.better, *planned.hypothesis.than)
    if unknown := [name for name in named if name not in run.pipelines]:
        raise ConfigError(
            f"the hypothesis {planned.hypothesis.claim!r} names the pipeline {unknown[0]!r},"
            f" which {run.label} does not have",
            todo=f"its pipelines are {', '.join(run.pipelines)}; run it with the others too, or name"
            " what is to be gated with hypotheses=...",
        )


def _gate_two(before: Side, after: Side, settings: Settings) -> GateResult:
    import pandas as pd

    _refuse_unlike(before, after)
    chosen = _pairs(settings.pipelines, before, after)
    pairs = [
        Pair(a if a == b else f"{a} → {b}", (_CANDIDATE + b,), (_BASELINE + a,)) for a, b in chosen
    ]
    parts = [
        _renamed(before, {a for a, _ in chosen}, _BASELINE),
        _renamed(after, {b for _, b in chosen}, _CANDIDATE),
    ]
    asked, asked_after = (set(part["question"]) for part in parts)
    if not asked & asked_after:
        raise NotComparable(
            f"{before.label} and {after.label} have no question in common", todo="run both anew"
        )
    notes = _notes(before, after, lost=asked ^ asked_after, all_shared=settings.pipelines is None)
    scores = pd.concat(parts, ignore_index=True)
    made = plan(settings.hypotheses, pairs, scores)
    _refuse_other_versions(before, after, made)
    return _result(made, scores, settings, before, after, notes)


def _renamed(side: Side, pipelines: set[str], prefix: str) -> pd.DataFrame:
    chosen = side.scores[side.scores["pipeline"].isin(pipelines)]
    return chosen.assign(pipeline=prefix + chosen["pipeline"])


def _refuse_unlike(before: Side, after: Side) -> None:
    if before.fingerprint != after.fingerprint:
        sizes = [side.results["benchmark"].get("questions") for side in (before, after)]
        raise NotComparable(
            f"the benchmarks differ: {before.label} was run on {_benchmark(before)},"
            f" {after.label} on {_benchmark(after)}",
            todo="run both on the same benchmark"
            + (" and with the same limit" if sizes[0] != sizes[1] else ""),
        )
    if before.judge != after.judge:
        raise NotComparable(
            f"the judges differ: {before.label} was judged by {before.judge}, {after.label} by {after.judge}",
            todo="run both with the same judge and the same version of evalkit",
        )


def _benchmark(side: Side) -> str:
    benchmark = side.results["benchmark"]
    questions = counted(int(benchmark.get("questions") or 0), "question")
    return f"{benchmark.get('name')} {side.fingerprint[:12]} ({questions})"


def _refuse_other_versions(before: Side, after: Side, made: Plan) -> None:
    for metric in dict.fromkeys(p.hypothesis.metric for p in made.planned):
        a, b = before.version(metric), after.version(metric)
        if a != b and None not in (a, b):
            raise NotComparable(
                f"{metric} is of version {a} in {before.label} and {b} in {after.label}",
                todo="run both with the same version of evalkit; the answers are in the store",
            )


def _pairs(chosen: Any, before: Side, after: Side) -> list[tuple[str, str]]:
    """Pipelines to compare, (baseline's, candidate's)."""
    if chosen is None:
        if both := [name for name in before.pipelines if name in after.pipelines]:
            return [(name, name) for name in both]
        raise NotComparable(
            f"no pipeline is in both: {before.label} has {', '.join(before.pipelines)}, {after.label}"
            f" has {', '.join(after.pipelines)}",
            todo="say which to compare: 'pipelines={BASELINE: CANDIDATE}'",
        )
    listed = [chosen] if isinstance(chosen, str) else chosen
    if isinstance(listed, Mapping):
        pairs = [(str(a), str(b)) for a, b in listed.items()]
    elif isinstance(listed, Sequence):
        pairs = [(str(name), str(name)) for name in dict.fromkeys(listed)]
    else:
        raise ConfigError(f"pipelines is {chosen!r}", todo="give a name, a list, or a mapping")
    if not pairs:
        raise NotComparable(
            "nothing was gated: pipelines is empty", todo="name one, or leave it null"
        )
    for names, side in ((dict(pairs), before), ({b: a for a, b in pairs}, after)):
        if unknown := [name for name in names if name not in side.pipelines]:
            raise ConfigError(
                f"pipelines names {unknown[0]!r}, which {side.label} does not have",
                todo=f"its pipelines are {', '.join(side.pipelines)}",
            )
    return pairs


def _notes(before: Side, after: Side, *, lost: set[str], all_shared: bool) -> list[str]:
    """What a reader must know of two runs, since a mistake would look like an outcome."""
    notes = []
    places = [{Path(name).resolve(): name for name in side.names} for side in (before, after)]
    if same := [name for place, name in places[0].items() if place in places[1]]:
        notes.append(f"the same run is on both sides: {same[0]}")
    elif str(before.results.get("created")) > str(after.results.get("created")):
        notes.append("the baseline was made after the candidate: are they swapped?")
    if lost:
        gone, more = counted(len(lost), "question"), ", ..." if len(lost) > 1 else ""
        notes.append(f"{gone} in one run only, counted as failed in the other: {min(lost)}{more}")
    versions = [str(side.results.get("evalkit")) for side in (before, after)]
    if versions[0] != versions[1]:
        notes.append(f"the runs were made by evalkit {versions[0]} and {versions[1]}")
    for name, side, other in (("baseline", before, after), ("candidate", after, before)):
        alone = [p for p in side.pipelines if p not in other.pipelines]
        if alone and all_shared:
            notes.append(f"not compared, of the {name}: {', '.join(alone)}")
        if len(side.names) > 1:
            notes.append(f"{name}: {len(side.names)} runs, averaged within each question")
    return notes


def _result(
    made: Plan,
    scores: pd.DataFrame,
    settings: Settings,
    before: Side,
    after: Side | None,
    notes: Sequence[str],
) -> GateResult:
    texts = dict(before.texts) | dict(after.texts if after else {})
    table, flipped = test_plan(made.planned, _complete(scores, made.planned), settings)
    flipped.insert(4, "text", flipped["question"].map(texts).fillna(""))
    for name, side, prefix, column in (
        ("baseline", before, _BASELINE if after else "", "than"),
        ("candidate", after or before, _CANDIDATE if after else "", "better"),
    ):
        table[f"{name}_signature"] = [
            " + ".join(side.signatures.get((p.removeprefix(prefix), h.metric), "") for p in names)
            for h in (planned.hypothesis for planned in made.planned)
            for names in [getattr(h, column)]
        ]
    decision, reason, todo = decide(table)
    return GateResult(
        decision,
        reason,
        table,
        flipped,
        before.description(),
        None if after is None else after.description(),
        todo=todo,
        not_applicable=made.not_applicable,
        settings=settings.testing,
        notes=tuple(notes),
    )


def _complete(scores: pd.DataFrame, planned: Sequence[Planned]) -> pd.DataFrame:
    """With a row wherever a pipeline that is to be compared has none for a question.

    A metric that it was never scored on is not applicable; a question that is missing among those
    that were has failed, since what is lost must not leave the denominator.
    """
    import pandas as pd

    wanted = {
        (name, p.hypothesis.metric)
        for p in planned
        for name in (*p.hypothesis.better, *p.hypothesis.than)
    }
    asked = scores.drop_duplicates("question")
    present = {key: set(part) for key, part in scores.groupby(["pipeline", "metric"])["question"]}
    parts = []
    for name, metric in sorted(wanted):
        mine = present.get((name, metric), set())
        status = "failed" if mine else "not_applicable"
        lost = asked[~asked["question"].isin(mine)]
        parts.append(
            lost.assign(
                pipeline=name, metric=metric, status=status, value=None, reason="no such score"
            )
        )
    found = [part for part in parts if len(part)]
    return pd.concat([scores, *found], ignore_index=True) if found else scores
