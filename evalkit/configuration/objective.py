"""The one number that a run is judged by, for those who search over runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.errors import ConfigError
from evalkit.scoring import METRICS
from evalkit.statistics.claims import near


@dataclass(frozen=True)
class Objective:
    """A metric of a pipeline; ``direction`` says which way of it is better."""

    metric: str
    pipeline: str
    direction: str

    def value(self, results: Mapping[str, Any]) -> float | None:
        """The estimate in ``results.json``; None where the metric has no value there."""
        values = [
            row["value"]
            for row in results["estimates"]
            if (row["pipeline"], row["metric"]) == (self.pipeline, self.metric)
        ]
        return None if len(values) != 1 or values[0] is None else float(values[0])


def read_objective(config: Mapping[str, Any], pipelines: Sequence[str]) -> Objective | None:
    """The configuration's ``objective``; None where there is none.

    Args:
        config: The composed configuration.
        pipelines: Names of the pipelines that run. With one alone, ``pipeline`` can be left out.

    Raises:
        ConfigError: It names a metric or a pipeline that does not exist, or a metric that is
            neither better higher nor lower.
    """
    given = config.get("objective")
    if given is None:
        return None
    if not isinstance(given, Mapping) or set(given) - {"metric", "pipeline"}:
        raise ConfigError(
            f"objective is {given!r}, expected a mapping with metric and pipeline",
            todo="for example 'objective={metric: correctness/generation/correct, pipeline: hybrid}'",
        )
    metric, pipeline = str(given.get("metric")), given.get("pipeline")
    if metric not in METRICS:
        raise ConfigError(
            f"objective.metric is {metric!r}, which is no metric{near(metric, list(METRICS))}",
            todo="`evalkit explain` lists them",
        )
    if pipeline is None and len(pipelines) == 1:
        pipeline = pipelines[0]
    if pipeline not in pipelines:
        raise ConfigError(
            f"objective.pipeline is {pipeline!r}, expected one of {list(pipelines)}",
            todo="name a pipeline that runs",
        )
    direction = METRICS[metric].direction
    if direction not in ("higher", "lower"):
        raise ConfigError(
            f"objective.metric is {metric}, of which neither more nor less is better",
            todo="choose a metric to be raised or lowered",
        )
    if config.get("timeline"):
        raise ConfigError(
            "objective and timeline are both given, but a study over dates has a number for each date",
            todo="leave one of the two out",
        )
    return Objective(metric, str(pipeline), direction)
