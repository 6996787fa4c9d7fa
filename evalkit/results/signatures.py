"""What produced a number, short enough to stand beside it: two tables can be told apart years later.

A pipeline's *setup* is a hash of everything that can change its answers; ``results.json`` spells
the inputs out once per pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from evalkit import __version__
from evalkit.configuration.assemble import Experiment
from evalkit.pipelines import Pipeline
from evalkit.scoring import Judge, signature
from evalkit.stages.preparing import Answered
from evalkit.store import key_of


class Signer:
    """Signs estimates, comparisons and effects of one run."""

    def __init__(self, experiment: Experiment, answered: Answered, judge: Judge) -> None:
        self._experiment = experiment
        self._answered = answered
        self._judge = judge

    @cached_property
    def setups(self) -> dict[str, dict[str, Any]]:
        """By pipeline: everything that its answers depend on, besides the benchmark."""
        return {p.name: self._setup(p) for p in self._experiment.pipelines}

    def estimate(self, pipeline: str, metric: str) -> str:
        """The signature of one pipeline's number, readable by itself."""
        setup = self.setups[pipeline]
        engine = setup["engine"]
        return "|".join(
            (
                self._benchmark,
                f"model={engine.get('weights')}",
                f"dtype={engine.get('dtype')}",
                f"adapter={engine.get('adapter') or 'none'}",
                f"context={setup['context']}",
                f"prompt={setup['prompt']}",
                f"setup={key_of(setup)[:12]}",
                self._measured(metric),
            )
        )

    def several(self, pipelines: Mapping[str, Any] | list[str], metric: str) -> str:
        """The signature of a number that several pipelines went into."""
        named = "+".join(f"{name}:{key_of(self.setups[name])[:12]}" for name in pipelines)
        return f"{self._benchmark}|setups={named}|{self._measured(metric)}"

    @property
    def _benchmark(self) -> str:
        benchmark = self._experiment.benchmark
        return f"evalkit={__version__}|benchmark={benchmark.name}@{benchmark.fingerprint[:12]}"

    def _measured(self, metric: str) -> str:
        settings = self._experiment.statistics
        return f"{signature(metric, self._judge)}|seed={settings['seed']}|resamples={settings['resamples']}"

    def _setup(self, pipeline: Pipeline) -> dict[str, Any]:
        experiment = self._experiment
        setup: dict[str, Any] = {
            "engine": self._answered.engines[pipeline.name],
            "prompt": f"{pipeline.template.name}:{pipeline.template.identity}",
            "shots": [[shot.question, shot.completion] for shot in pipeline.shots],
            "context": pipeline.context,
        }
        if pipeline.retrieval:
            part = experiment.config["retriever"]
            setup["k"] = experiment.k
            setup["chunker"] = part["chunker"]
        if pipeline.context == "retrieved":
            setup["context"] = f"{part['name']},k={experiment.k},{part['view']}"
            setup["retriever"] = part
            setup["embedder"] = experiment.embedder_inputs
        return setup
