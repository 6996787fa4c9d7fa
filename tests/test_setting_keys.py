"""Each setting in turn: what it can change gets another key, and nothing else does.

Every key of a configuration stands in one of the tables below; a new one must be put there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from stage_keys import Keys, differing

from evalkit.benchmarks.benchmark import Benchmark
from evalkit.configuration.assemble import Experiment
from evalkit.configuration.compose import compose, resolved

ENGINE = {"answers", "tuned answers", "counts"}
CONTRACT = {"prompts", "adapter"}
CHANGES: dict[str, tuple[Any, set[str]]] = {
    "model.decoding.max_new_tokens": (9, ENGINE),
    "model.decoding.temperature": (0.5, ENGINE),
    "model.engine.dtype": ("bfloat16", ENGINE | {"adapter"}),
    "embedder.name": ("another", {"vectors", "retrievals"}),
    "embedder.encoder.dimension": (64, {"vectors", "retrievals", "prompts"}),
    "retriever.name": ("another", {"retrievals"}),
    "retriever.k": (1, {"retrievals", "prompts"}),
    "retriever.view": ("snapshot", {"retrievals", "prompts"}),
    "retriever.built_at": ("2025-01-15", {"retrievals", "prompts"}),
    "retriever.recency": ("decay", {"retrievals", "prompts"}),
    "retriever.half_life_days": (9, {"retrievals"}),
    "retriever.chunker.max_words": (8, {"passages", "vectors", "retrievals", "prompts"}),
    "retriever.chunker.overlap": (2, {"retrievals"}),  # of passages longer than these
    "retriever.build._target_": (
        "evalkit.retrieval.build.bm25",
        {"vectors", "retrievals", "prompts"},
    ),
    "tuning.name": ("another", {"adapter"}),
    "tuning.examples.kinds": ("[knowledge]", {"adapter"}),
    "tuning.examples.limit": (3, {"adapter"}),
    "tuning.examples.without_context": (1.0, {"adapter"}),
    "tuning.prompt": ("{system: Be terse.}", {"adapter"}),
    "tuning.train._target_": ("faulty_engines.noted_train", {"adapter"}),
    "tuning.settings.rank": (4, {"adapter"}),
    "tuning.settings.alpha": (4, {"adapter"}),
    "tuning.settings.dropout": (0.1, {"adapter"}),
    "tuning.settings.targets": ("[q_proj]", {"adapter"}),
    "tuning.settings.learning_rate": (0.01, {"adapter"}),
    "tuning.settings.epochs": (2, {"adapter"}),
    "tuning.settings.batch_size": (2, {"adapter"}),
    "tuning.settings.warmup_share": (0.2, {"adapter"}),
    "tuning.settings.max_length": (99, {"adapter"}),
    "tuning.settings.seed": (2, {"adapter"}),
    "tuning.settings.dtype": ("bfloat16", {"adapter"}),
    "prompt.system": ("Be terse.", CONTRACT),
    "prompt.system_free": ("Be terse.", {"prompts"}),
    "prompt.context": ("'Papers: {passages}'", CONTRACT),
    "prompt.passage": ("'{document} {title} {dates}: {text}'", CONTRACT),
    "prompt.separator": ("--", {"prompts"}),
    "prompt.question": ("'{question} {as_of}'", CONTRACT),
    "prompt.max_prompt_tokens": (200, {"prompts"}),
    "pipelines.prompt_only.shots": (1, {"prompts", "statistics"}),
    "pipelines.prompt_only.tuned": ("true", {"statistics"}),
    "pipelines.rag.context": ("gold", {"prompts", "statistics"}),
    "statistics.resamples": (300, {"statistics"}),
    "statistics.confidence": (0.9, {"statistics"}),
    "hypotheses": (
        "[{claim: c, metric: correctness/generation/correct, better: [rag], than: [prompt_only]}]",
        {"statistics"},
    ),
    "limit": (2, {"questions", "prompts"}),
    "control_limit": (0, {"questions", "prompts"}),
    "seed": (1, {"adapter", "statistics"}),
}
"""By key: another value, and the stages whose keys it changes."""

WITH: dict[str, tuple[list[str], Any, set[str]]] = {
    "model.decoding.seed": (["model.decoding.temperature=0.5"], 3, ENGINE),
    "repeats": (["model.decoding.temperature=0.5"], 2, {"prompts", "statistics"}),
}
"""The same of keys that matter only beside others."""

UNDATED = {
    "prompt.passage_undated": "{title}: {text}",
    "prompt.question_undated": "Asked: {question}",
}
SAME: dict[str, Any] = {
    "benchmark.name": "another",
    "benchmark.license": "another",
    "benchmark.as_of": "2025-04-01",  # of questions that have no date
    "model.engine.batch_tokens": 99,
    "model.engine.max_rows": 3,
    "model.engine.trust_remote_code": "true",  # a model's own code is among its contents
    "model.engine.workers": 2,
    "model.engine.workers_on": "ray",
    "model.name": "another",
    "prompt.name": "another",
    "pipelines.rag.description": "another",
    "name": "another",
    "title": "another",
    "objective": "{metric: correctness/generation/correct, pipeline: rag}",
    "prices.currency": "USD",
    "prices.machine_hour": 3.0,
    "prices.prompt_tokens": 3.0,
    "prices.output_tokens": 3.0,
    "run_dir": "elsewhere",
    "tuning.trains": "false",
    "tracking.enabled": "false",
}
"""Keys that change nothing that is stored, and another value of each."""

ELSEWHERE = (
    "benchmark.path",  # the contents of its files: tests/test_store_keys.py
    "model.weights.",  # likewise
    "model.engine.device",  # tests/test_store_keys.py
    "tuning.settings.device",  # likewise
    "embedder.weights",
    "judge.judge",  # its name and version
    "judge.evidence",  # likewise
    "judge.weights.",
    "judge.calibration",  # what it does is done to a judge's scores: tests/scoring
    "timeline",
    "store",
)
"""Beginnings of keys whose effect is tested elsewhere."""


MARKS = ("._partial_", "._target_", ".description", ".context", ".tuned", ".shots")
"""Endings of keys of which one stands for all: what is called, and what makes a pipeline."""


def leaves(value: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Every key of a configuration that holds a value."""
    for key, inner in value.items():
        if isinstance(inner, Mapping) and inner:
            yield from leaves(inner, f"{above}{key}.")
        else:
            yield f"{above}{key}"


def test_every_key_of_the_configuration_is_in_a_table(tiny_overrides: list[str]) -> None:
    """One that is added must be said to change something, or nothing."""
    config = resolved(compose([*tiny_overrides, "pipeline=[prompt_only,rag,lora]"]))
    named = {*CHANGES, *WITH, *UNDATED, *SAME}
    forgotten = [
        key
        for key in leaves(config)
        if key not in named and not key.startswith(ELSEWHERE) and not key.endswith(MARKS)
    ]
    assert forgotten == []
    assert set(CHANGES) & set(SAME) == set()


@pytest.mark.parametrize("key", CHANGES)
def test_a_changed_setting_is_another_key(
    key: str, keys: Callable[..., Keys], faulty: Path
) -> None:
    """Of each stage that it can change, and of no other."""
    value, changed = CHANGES[key]
    assert differing(keys(), keys(f"{key}={value}")) == changed


@pytest.mark.parametrize("key", WITH)
def test_a_setting_that_matters_beside_others_is_another_key(
    key: str, keys: Callable[..., Keys]
) -> None:
    others, value, changed = WITH[key]
    assert differing(keys(*others), keys(*others, f"{key}={value}")) == changed


@pytest.mark.parametrize("key", UNDATED)
def test_the_texts_for_a_benchmark_without_dates_are_in_its_keys(
    key: str, keys: Callable[..., Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And in those of no other."""
    text = f"{key}='{UNDATED[key]}'"
    assert keys() == keys(text)
    monkeypatch.setattr(Benchmark, "dated", False)
    assert differing(keys(), keys(text)) == CONTRACT


def test_what_changes_no_result_changes_no_key(keys: Callable[..., Keys]) -> None:
    """All of it at once: names, prices, batches, workers, places."""
    others = [f"{key}={value}" for key, value in SAME.items()]
    assert keys() == keys() == keys(*others)


# --- parts that other configurations have ------------------------------------------------------

CALLS = (
    "key_from", "timeout_s", "concurrency", "attempts", "first_wait_s", "longest_wait_s", "budget.calls",
    "budget.money", "budget.prompt_price", "budget.reply_price",
)  # fmt: skip
"""How a server is asked, and not what."""

PARTS: dict[str, tuple[list[str], Callable[[Experiment], Any], dict[str, Any], set[str]]] = {
    "model": (
        ["model=openai", "model.name=m"],
        lambda experiment: experiment.generator().identity,
        {
            "name": "n", "base_url": "http://localhost:9/v1", "decoding.max_new_tokens": 9,
            "decoding.temperature": 0.5, "engine.model": "n", "engine.tokenizer": "org/model",
            "engine.extra": "{top_p: 0.5}",
        },
        {"decoding.seed", "adapter_name", "weights.model", "weights.source", "weights.url", "engine.base_url",
         "engine.length_key", *(f"engine.{name}" for name in CALLS)},
    ),
    "embedder": (
        ["embedder=hub", "embedder.weights.source=path", "embedder.weights.id=any", "+embedder.weights.path=MODEL"],
        lambda experiment: experiment.embedder_inputs,
        {
            "name": "another", "weights.path": "CHANGED", "encoder.pooling": "cls", "encoder.max_length": 99,
            "encoder.query_prefix": "'query: '", "encoder.passage_prefix": "'passage: '",
        },
        {"weights.source", "weights.id", "weights.revision"},
    ),
    "judge": (
        ["judge=llm", "judge.chat.model=m", "judge.chat.base_url=http://x", "judge.chat.temperature=0.2"],
        lambda experiment: (experiment.judge.name, experiment.judge.version),
        {
            "chat.model": "n", "chat.base_url": "http://y", "chat.temperature": 0.5, "chat.top_p": 0.5,
            "chat.max_tokens": 99, "judge.reasons": "false", "judge.repeats": 3,
        },
        {"stored", "calibration", *(f"chat.{name}" for name in CALLS)},
    ),
}  # fmt: skip
"""By part: what chooses it, what identifies it, what changes that, and the keys that do not: with
sampling alone, or not by themselves, or not at all."""


@pytest.mark.parametrize("part", PARTS)
def test_of_each_part_what_can_change_a_result_is_in_its_identity(
    part: str, tiny_overrides: list[str], tiny_model: Path, tmp_path: Path
) -> None:
    """Every key of it in turn; one that is added must be put into the table."""
    chosen, identity, changes, same = PARTS[part]
    other = shutil.copytree(tiny_model, tmp_path / "changed")
    (other / "tokenizer_config.json").write_text("{}")

    def experiment(*overrides: str) -> Experiment:
        tiny = [o for o in tiny_overrides if not o.startswith((f"{part}.", f"{part}="))]
        words = [
            *tiny,
            f"store={tmp_path / 'store'}",
            "pipeline=[prompt_only]",
            *chosen,
            *overrides,
        ]
        places = {"MODEL": tiny_model, "CHANGED": other}
        for name, place in places.items():
            words = [word.replace(name, str(place)) for word in words]
        return Experiment(resolved(compose(words)))

    usual = experiment()
    for key, value in changes.items():
        changed = experiment(f"{part}.{key}={value}")
        assert identity(changed) != identity(usual), key
    config = usual.config[part]
    forgotten = [k for k in leaves(config) if not k.endswith(MARKS) and k not in {*changes, *same}]
    assert forgotten == []
