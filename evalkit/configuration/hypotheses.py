"""The hypotheses of a configuration, checked against the run that is to test them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from evalkit.configuration.compose import options
from evalkit.errors import ConfigError
from evalkit.records import Question
from evalkit.scoring import METRICS
from evalkit.statistics.claims import near
from evalkit.statistics.hypotheses import Hypothesis, HypothesisError, Where, parse_hypothesis


def read_hypotheses(
    entries: Any, pipelines: Sequence[str], questions: Sequence[Question]
) -> tuple[Hypothesis, ...]:
    """The hypotheses of the key ``hypotheses``, those that :func:`untested` names included.

    Args:
        entries: A list of mappings (see :func:`~evalkit.statistics.hypotheses.parse_hypothesis`),
            or None for none.
        pipelines: Names of the pipelines that run.
        questions: All questions of the benchmark, those beyond a limit included.

    Raises:
        ConfigError: An entry has a wrong value, or names a metric, category or tag that does not
            exist, dates that no question has, or a pipeline that neither runs nor is in
            ``conf/pipeline``.
    """
    if entries is None:
        return ()
    if not isinstance(entries, list | tuple):
        raise ConfigError(
            f"hypotheses is {entries!r}, expected a list of mappings with metric, better and than"
        )
    directions = {metric.id: metric.direction for metric in METRICS.values()}
    found = []
    for i, entry in enumerate(entries):
        key = f"hypotheses[{i}]"
        try:
            hypothesis = parse_hypothesis(entry, key, directions)
        except HypothesisError as error:
            raise ConfigError(str(error), todo=f"mend `{key}` of the configuration") from error
        _check_pipelines(hypothesis, key, pipelines)
        _check_questions(hypothesis.where, f"{key}.where", questions)
        found.append(hypothesis)
    return tuple(found)


def untested(claimed: Iterable[Hypothesis], pipelines: Collection[str]) -> dict[Hypothesis, str]:
    """The hypotheses about pipelines that do not run, and those pipelines, listed.

    So a study can be run with some of its pipelines; what it cannot say then is not a mistake.
    """
    lacking = {h: [n for n in (*h.better, *h.than) if n not in pipelines] for h in claimed}
    return {h: ", ".join(names) for h, names in lacking.items() if names}


def _check_pipelines(hypothesis: Hypothesis, key: str, pipelines: Sequence[str]) -> None:
    known = [*pipelines, *(name for name in options("pipeline") if name not in pipelines)]
    for side in ("better", "than"):
        for name in getattr(hypothesis, side):
            if name not in known:
                raise ConfigError(
                    f"{key}.{side} names {name!r}, which is no pipeline of this run, and none of"
                    f" conf/pipeline{near(name, known)}",
                    todo="mend the name, or leave the study's hypotheses out with hypotheses=[]",
                )


def _check_questions(where: Where, key: str, questions: Sequence[Question]) -> None:
    _check_known(where.categories, {q.category for q in questions}, f"{key}.category")
    _check_known(where.tags, {tag for q in questions for tag in q.tags}, f"{key}.tag")
    dates = [q.as_of for q in questions]
    since, until = where.since, where.until
    if dates and not any((not since or since <= d) and (not until or d < until) for d in dates):
        raise ConfigError(
            f"{key} selects no question: {where}",
            todo=f"the questions' dates go from {min(dates)} to {max(dates)}",
        )


def _check_known(names: Iterable[str], known: Iterable[str], key: str) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(
                f"{key} is {name!r}, which no question has{near(name, sorted(known))}"
            )
