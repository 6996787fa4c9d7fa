"""What cannot work is found before any time is spent on it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from difflib import get_close_matches

from evalkit import __version__
from evalkit.configuration.assemble import Experiment
from evalkit.configuration.objective import read_objective
from evalkit.errors import ConfigError
from evalkit.results.costs import Prices
from evalkit.scoring.instructions import faults as instruction_faults
from evalkit.stages.preparing import content_hash, recency
from evalkit.store import Store

KNOWN_KEYS = (
    "benchmark", "control_limit", "embedder", "hypotheses", "judge", "limit", "model", "name",
    "objective", "pipelines", "prices", "prompt", "repeats", "retriever", "run_dir", "seed",
    "statistics", "store", "timeline", "title", "tracking", "tuning",
)  # fmt: skip


def refuse_early(experiment: Experiment) -> None:
    """Find what cannot work before any time is spent: the benchmark, the pipelines, the examples."""
    from evalkit.timeline import check as check_timeline

    if unknown := sorted(set(experiment.config) - set(KNOWN_KEYS)):
        near = get_close_matches(unknown[0], KNOWN_KEYS, n=1)
        raise ConfigError(
            f"the configuration has the unknown keys {unknown}",
            todo=f"did you mean {near[0]}?" if near else f"its keys are {list(KNOWN_KEYS)}",
        )
    pipelines, _, _ = experiment.pipelines, experiment.statistics, experiment.repeats
    Prices.of(experiment.config.get("prices"))
    if not experiment.benchmark.questions:
        raise ConfigError(
            "the benchmark has no questions to ask",
            todo="check limit, control_limit and questions.jsonl",
        )
    _ = experiment.hypotheses
    read_objective(experiment.config, [p.name for p in pipelines])
    if any(p.tuned for p in pipelines) and not experiment.adapter_name:
        _ = experiment.examples, experiment.tuning_settings
    if any(p.context == "retrieved" for p in pipelines):
        _ = experiment.visibility, recency(experiment), experiment.k, experiment.chunker
    if experiment.config.get("timeline"):
        check_timeline(experiment)
    experiment.generator().close()
    _ = experiment.judge


def refuse_format(experiment: Experiment, store: Store) -> None:
    """Refuse a format specification with faults. One that has none is remembered: to find out takes
    longer than everything else that a rerun does.
    """
    spec = experiment.benchmark.format
    with closing(store.rows("formats", {"evalkit": __version__})) as sound:
        key = content_hash(asdict(spec))
        if sound.get([key]):
            return
        if faults := instruction_faults(spec):
            raise ConfigError(
                "the benchmark's format specification has faults: " + "; ".join(faults),
                todo="mend `format` in benchmark.json; `evalkit check DIR` lists the same",
            )
        sound.put({key: True})
