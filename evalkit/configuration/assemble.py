"""From a composed configuration to the objects of an experiment; nothing is loaded or run yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from evalkit.benchmarks.benchmark import Benchmark
from evalkit.configuration import engines
from evalkit.configuration.embedders import embedder_inputs, make_embedder
from evalkit.configuration.hypotheses import read_hypotheses, untested
from evalkit.configuration.judging import build_judge
from evalkit.configuration.making import call, make, whole
from evalkit.errors import ConfigError
from evalkit.generation.base import Decoding, Generator
from evalkit.machine.hardware import resolve_device, resolve_dtype
from evalkit.models import weights
from evalkit.pipelines import Pipeline, choose_shots
from evalkit.prompts import PromptTemplate
from evalkit.retrieval import Chunker, Embedder, Visibility
from evalkit.scoring import Judge
from evalkit.statistics.hypotheses import Hypothesis
from evalkit.tuning.examples import Example, choose, knowledge_of, render


@dataclass(frozen=True)
class Experiment:
    """A composed configuration and the objects that it names, each made when first asked for."""

    config: Mapping[str, Any]

    @cached_property
    def seed(self) -> int:
        return whole(self.config["seed"], "seed", 0)

    @cached_property
    def whole_benchmark(self) -> Benchmark:
        benchmark: Benchmark = make(self.config["benchmark"], "benchmark")
        return benchmark

    @cached_property
    def benchmark(self) -> Benchmark:
        """The questions of this run: ``limit`` of the test questions, ``control_limit`` of the
        control questions (in proportion where it is not given).
        """
        whole = self.whole_benchmark
        limit, control_limit = (_count(self.config, key) for key in ("limit", "control_limit"))
        control = [q.id for q in whole.questions if q.category == "control"]
        tested = [q.id for q in whole.questions if q.category != "control"]
        if limit is not None and control_limit is None and tested:
            control_limit = round(limit * len(control) / len(tested))
        chosen: list[str] = []
        for ids, most in ((tested, limit), (control, control_limit)):
            if ids and most != 0:
                chosen += [q.id for q in whole.select(ids).subset(most, seed=0).questions]
        return whole.select(chosen)

    @cached_property
    def template(self) -> PromptTemplate:
        return self._template({})

    def _template(self, overrides: Mapping[str, Any]) -> PromptTemplate:
        template = _template({**self.config["prompt"], **overrides})
        return template if self.whole_benchmark.dated else template.undated()

    @cached_property
    def pipelines(self) -> tuple[Pipeline, ...]:
        configured = self.config.get("pipelines") or {}
        if not configured:
            raise ConfigError(
                "no pipelines: the configuration's `pipelines` is empty",
                todo="name some, for example pipeline=[prompt_only,rag]",
            )
        return tuple(self._pipeline(name, part) for name, part in configured.items())

    def _pipeline(self, name: str, part: Mapping[str, Any]) -> Pipeline:
        allowed = {"description", "context", "tuned", "shots", "prompt"}
        if unknown := sorted(set(part) - allowed):
            raise ConfigError(
                f"pipelines.{name} has the unknown keys {unknown}; expected {sorted(allowed)}"
            )
        shots = int(part.get("shots") or 0)
        benchmark = self.whole_benchmark
        return Pipeline(
            name=name,
            template=self._template(part.get("prompt") or {}),
            context=str(part.get("context", "none")),
            tuned=bool(part.get("tuned", False)),
            shots=choose_shots(benchmark.training, benchmark.format, shots, name) if shots else (),
            description=str(part.get("description", "")),
        )

    @cached_property
    def decoding(self) -> Decoding:
        decoding: Decoding = call(
            partial(Decoding, **self.config["model"]["decoding"]), "model.decoding"
        )
        return decoding

    @cached_property
    def repeats(self) -> int:
        """How often every question is asked."""
        repeats = whole(self.config["repeats"], "repeats", 1)
        if repeats > 1 and self.decoding.temperature == 0:
            raise ConfigError(
                f"repeats is {repeats}, but model.decoding.temperature is 0: greedy answers would all"
                " be the same",
                todo="sample with, say, model.decoding.temperature=0.7, or ask once with repeats=1",
            )
        return repeats

    @cached_property
    def claimed(self) -> tuple[Hypothesis, ...]:
        """All hypotheses, in the order of the configuration."""
        names = [p.name for p in self.pipelines]
        return read_hypotheses(self.config["hypotheses"], names, self.whole_benchmark.questions)

    @property
    def untested(self) -> dict[Hypothesis, str]:
        """Those about pipelines that do not run, with the names of these."""
        return untested(self.claimed, [p.name for p in self.pipelines])

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """What is claimed of this run's pipelines, to be tested."""
        return tuple(h for h in self.claimed if h not in self.untested)

    @cached_property
    def statistics(self) -> dict[str, Any]:
        """Resamples, confidence and seed of every interval."""
        part = dict(self.config["statistics"])
        if unknown := sorted(set(part) - {"resamples", "confidence"}):
            raise ConfigError(
                f"statistics has the unknown keys {unknown}; expected resamples, confidence"
            )
        whole(part["resamples"], "statistics.resamples", 1)
        if not isinstance(confidence := part["confidence"], float) or not 0 < confidence < 1:
            raise ConfigError(
                f"statistics.confidence is {confidence!r}, expected a share such as 0.95"
            )
        return {**part, "seed": self.seed}

    @cached_property
    def model_weights(self) -> weights.Weights:
        return engines.model_weights(self.config["model"])

    @cached_property
    def adapter_name(self) -> str | None:
        """See :func:`evalkit.configuration.engines.adapter_name`."""
        tuned = [p.name for p in self.pipelines if p.tuned]
        return engines.adapter_name(self.config["model"], tuned)

    def generator(self, *adapter: Any) -> Generator:
        """The engine with base weights, or with an adapter and its identity."""
        part = self.config["model"]
        return engines.make_generator(part, self.model_weights, self.decoding, *adapter)

    @cached_property
    def embedder_inputs(self) -> dict[str, Any]:
        """See :func:`evalkit.configuration.embedders.embedder_inputs`."""
        return embedder_inputs(self.config["embedder"])

    @cached_property
    def embedder(self) -> Embedder:
        return make_embedder(self.config["embedder"])

    @cached_property
    def chunker(self) -> Chunker:
        chunker: Chunker = make(self.config["retriever"]["chunker"], "retriever.chunker")
        return chunker

    @cached_property
    def visibility(self) -> Visibility:
        part = self.config["retriever"]
        built_at = part.get("built_at")
        try:
            built = date.fromisoformat(str(built_at)) if built_at else None
        except ValueError as error:
            raise ConfigError(
                f"retriever.built_at is {built_at!r}, expected a date written YYYY-MM-DD"
            ) from error
        return Visibility(part["view"], built)

    @cached_property
    def k(self) -> int:
        return whole(self.config["retriever"]["k"], "retriever.k", 1)

    @cached_property
    def examples(self) -> list[Example]:
        """The training examples of the adapter, rendered."""
        part = self.config["tuning"].get("examples")
        if part is None:
            tuned = [p.name for p in self.pipelines if p.tuned]
            raise ConfigError(
                f"pipelines {tuned} are tuned, but tuning={self.config['tuning'].get('name')} trains nothing",
                todo="choose tuning=lora, or pipelines without tuning",
            )
        benchmark = self.whole_benchmark
        chosen = choose(
            knowledge_of(benchmark.training, part["kinds"], part.get("known_at")),
            part["kinds"],
            part["limit"],
            float(part["without_context"]),
            self.seed,
        )
        return render(chosen, self.training_template, benchmark.format)

    @property
    def training_template(self) -> PromptTemplate:
        """What the adapter is trained on: ``tuning.prompt``, else the template of the tuned
        pipelines, where they agree on one.
        """
        if given := self.config["tuning"].get("prompt"):
            template = _template(given)
            return template if self.whole_benchmark.dated else template.undated()
        tuned = {p.template.identity: p.template for p in self.pipelines if p.tuned}
        return next(iter(tuned.values())) if len(tuned) == 1 else self.template

    @property
    def trusts_remote_code(self) -> bool:
        """Whether the configuration lets a model bring its own code; off unless it says so."""
        return bool(self.config["model"]["engine"].get("trust_remote_code", False))

    @cached_property
    def tuning_settings(self) -> Any:
        """The hyperparameters, as the trainer's own record."""
        return make(self.config["tuning"]["settings"], "tuning.settings")

    @cached_property
    def tuning_place(self) -> dict[str, str]:
        """The device and dtype that ``auto`` means here; another machine trains another adapter."""
        part = self.config["tuning"]["settings"]
        device = resolve_device(str(part.get("device", "auto")))
        return {"device": device, "dtype": resolve_dtype(str(part.get("dtype", "auto")), device)}

    @cached_property
    def judge(self) -> Judge:
        return self.judge_of()

    def judge_of(self, *, calibrated: bool = True) -> Judge:
        """The configured judge; without its calibration where that is not wanted."""
        store = Path(self.config["store"])
        return build_judge(
            self.config["judge"], lambda: self.embedder, store, calibrated=calibrated
        )


def load_benchmark(path: str, **options: Any) -> Benchmark:
    """What ``benchmark=jsonl`` names: the user's own folder, under the key that the command line has."""
    from evalkit.benchmarks import load

    return load(path, **options)


def _template(part: Mapping[str, Any]) -> PromptTemplate:
    known = {f.name for f in fields(PromptTemplate)}
    if unknown := sorted(set(part) - known):
        raise ConfigError(
            f"prompt has the unknown keys {unknown}; expected some of {sorted(known)}"
        )
    template = replace(PromptTemplate(), **part)
    try:
        example = date(2025, 1, 1)
        template.question.format(as_of=example, question="")
        template.context.format(passages="")
        template.question_undated.format(as_of=example, question="")
        for text in (template.passage, template.passage_undated):
            text.format(document="", title="", dates="", text="")
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigError(
            f"a text of prompt={template.name} has a placeholder that nothing fills: {error}",
            todo="question takes {as_of} {question}, context {passages}, passage {document} {title}"
            " {dates} {text}; write {{ and }} for plain braces",
        ) from error
    return template


def _count(config: Mapping[str, Any], key: str) -> int | None:
    """A number of questions; None for all."""
    value = config.get(key)
    return None if value is None else whole(value, key, 1 if key == "limit" else 0)
