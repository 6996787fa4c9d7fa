"""Whatever can change a result changes the key that it is kept under."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import answering, retrieving, scorer, stages
from evalkit.answering import Answers
from evalkit.assemble import Experiment
from evalkit.compose import compose, resolved
from evalkit.generation.base import Decoding
from evalkit.generation.transformers_engine import TransformersGenerator
from evalkit.measures import Plan
from evalkit.progress import Progress
from evalkit.records import (
    Answer,
    FormatSpecification,
    ParsedOutput,
    Passage,
    Question,
    Retrieved,
    Sample,
    Trace,
)
from evalkit.retrieving import Retrievals
from evalkit.store import Store, key_of

PIPELINES = "pipeline=[prompt_only,rag,lora]"
Keys = dict[str, Any]


class Stop(Exception):
    """In place of a training."""


def stop(folder: Path) -> None:
    raise Stop


def rows_of(store: Store, kind: str) -> set[str]:
    """Every row of a kind, by its table's key and its own."""
    found: set[str] = set()
    for name in store.used:
        path = store.root / name / "rows.sqlite"
        if name.startswith(f"{kind}/") and path.exists():
            with closing(sqlite3.connect(path)) as connection:
                found |= {f"{name}/{key}" for (key,) in connection.execute("SELECT key FROM rows")}
    return found


@pytest.fixture
def keys(
    tiny_overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Keys]:
    """The keys of every stage of an experiment, from the objects that a run asks; nothing is
    trained and no model is loaded."""
    count = 0

    def of(*overrides: str) -> Keys:
        nonlocal count
        count += 1
        store = Store(tmp_path / f"store-{count}")
        given = [*tiny_overrides, PIPELINES, f"store={store.root}", *overrides]
        experiment = Experiment(resolved(compose(given)))
        quiet = Progress()
        passages = stages.chunk(experiment, quiet)
        retrievals = Retrievals(experiment, passages, store, quiet)
        questions = experiment.benchmark.questions
        retrievals.complete(questions)
        with monkeypatch.context() as patch:
            patch.setattr(Store, "_build", lambda self, target, kind, inputs, build: stop(target))
            with pytest.raises(Stop):
                stages.train(experiment, store, quiet)
        base = experiment.generator()
        tuned = experiment.generator(tmp_path, "lora:adapter")
        pipelines = experiment.pipelines
        asked = Answers(experiment, base, pipelines, lambda _, block: retrievals.of(block), store)
        prompts = {answering._key(plan) for p in pipelines for plan in asked._planned(p, questions)}
        judge = experiment.judge
        plan = Plan.of(pipelines, experiment.hypotheses, 1, experiment.statistics)
        return {
            "vectors": frozenset(rows_of(store, "vectors")),
            "passages": stages.content_hash([asdict(p) for p in passages]),
            "adapter": frozenset(n for n in store.used if n.startswith("adapter/")),
            "answers": key_of({**base.identity, "stage": answering.GENERATION_VERSION}),
            "tuned answers": key_of({**tuned.identity, "stage": answering.GENERATION_VERSION}),
            "prompts": frozenset(prompts),
            "retrievals": frozenset(n for n in store.used if n.startswith("retrievals/")),
            "questions": frozenset(retrieving._key(question) for question in questions),
            "counts": frozenset(n for n in store.used if n.startswith("prompts/")),
            "judgments": f"{judge.name} {judge.version}",
            "scores": key_of(scorer.score_inputs(experiment, judge)),
            "statistics": key_of(plan.inputs),
        }

    return of


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (["model.decoding.max_new_tokens=9"], {"answers", "tuned answers", "counts"}),
        (["model.decoding.temperature=0.5"], {"answers", "tuned answers"}),
        (["model.engine.dtype=bfloat16"], {"answers", "tuned answers", "adapter"}),
        (["prompt.system=Be terse."], {"prompts", "adapter"}),
        (["prompt.question='{question} {as_of}'"], {"prompts", "adapter"}),
        (["prompt.passage='{document} {title} {dates}: {text}'"], {"prompts", "adapter"}),
        (["prompt.max_prompt_tokens=200"], {"prompts"}),
        (["retriever.k=1"], {"prompts", "retrievals"}),
        (["retriever.view=snapshot"], {"prompts", "retrievals"}),
        (["retriever.recency=decay"], {"retrievals"}),
        (["retriever.recency=decay", "retriever.half_life_days=9"], {"retrievals"}),
        (["retriever=bm25"], {"retrievals"}),
        (["retriever.chunker.max_words=8"], {"prompts", "vectors", "passages", "retrievals"}),
        (["embedder.name=another"], {"vectors", "retrievals"}),
        (["embedder.encoder.dimension=64"], {"vectors", "retrievals"}),
        (["tuning.settings.rank=4"], {"adapter"}),
        (["tuning.settings.learning_rate=0.01"], {"adapter"}),
        (["tuning.examples.limit=3"], {"adapter"}),
        (
            ["judge=llm", "judge.chat.model=m", "judge.chat.base_url=http://x"],
            {"judgments", "scores"},
        ),
        (["statistics.resamples=300"], {"statistics"}),
        (["statistics.confidence=0.9"], {"statistics"}),
        (["seed=1"], {"statistics"}),
        (["pipeline=[prompt_only,rag,oracle]", "+pipelines.lora.tuned=true"], {"statistics"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_changed_setting_is_another_key(
    change: list[str], changed: set[str], keys: Callable[..., Keys]
) -> None:
    """In each stage that it can change."""
    before, after = keys(), keys(*change)
    assert {stage for stage in before if before[stage] != after[stage]} >= changed


def test_nothing_changed_is_the_same_key(keys: Callable[..., Keys]) -> None:
    """And neither the batch nor the place of the store is something that changes a result."""
    assert keys() == keys() == keys("model.engine.max_rows=3", "model.engine.batch_tokens=999")


@pytest.mark.parametrize("change", ["model", "base_url", "temperature", "top_p", "max_tokens"])
def test_a_judges_settings_are_in_the_key_of_its_judgments(
    change: str, keys: Callable[..., Keys]
) -> None:
    judge = ["judge=llm", "judge.chat.model=m", "judge.chat.base_url=http://x"]
    value = {"model": "n", "base_url": "http://y", "temperature": 0.5, "top_p": 0.5}.get(change, 99)
    assert keys(*judge)["judgments"] != keys(*judge, f"judge.chat.{change}={value}")["judgments"]


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "chat_template.jinja"])
def test_changed_contents_of_a_model_are_another_key(
    file: str, tiny_model: Path, tmp_path: Path, keys: Callable[..., Keys]
) -> None:
    """One bit of a weight, a token, a word of the template; the name and the size are the same."""
    copy = tmp_path / "copy"
    shutil.copytree(tiny_model, copy)
    given = f"model.weights.path={copy}"
    before = keys(given)
    assert before == keys()  # where it lies does not matter
    if file == "chat_template.jinja":
        path = copy / file
        path.write_text(path.read_text().replace("<assistant>", "<assistent>"))
    else:
        content = bytearray((copy / file).read_bytes())
        content[-5] ^= 1
        (copy / file).write_bytes(content)
        if file == "tokenizer.json":
            (copy / file).write_bytes((tiny_model / file).read_bytes() + b"\n")
    after = keys(given)
    for stage in ("answers", "tuned answers", "adapter"):
        assert after[stage] != before[stage]


@pytest.mark.parametrize("field", ["text", "title", "valid_from"])
def test_a_changed_corpus_is_another_key(
    field: str, shared_benchmark: Path, tmp_path: Path, keys: Callable[..., Keys]
) -> None:
    """Of one revision of one document; everything else is found again."""
    copy = tmp_path / "benchmark"
    shutil.copytree(shared_benchmark, copy)
    lines = (copy / "corpus.jsonl").read_text().splitlines()
    row = json.loads(lines[2])
    row[field] = {"text": "Ana Lund holds the depot keys.", "title": "Locks"}.get(
        field, "2025-02-01"
    )
    (copy / "corpus.jsonl").write_text("\n".join([*lines[:2], json.dumps(row)]) + "\n")
    if field == "text":
        questions = (copy / "questions.jsonl").read_text()
        (copy / "questions.jsonl").write_text(questions.replace("Mira Okonkwo", "Ana Lund"))
    if field == "valid_from":  # a training example names that date
        training = (copy / "training.jsonl").read_text().splitlines()
        training[-1] = training[-1].replace("2025-01-01", "2025-02-01")
        (copy / "training.jsonl").write_text("\n".join(training) + "\n")
    before, after = keys(), keys(f"benchmark.path={copy}")
    assert before["passages"] != after["passages"]
    assert before["prompts"] != after["prompts"]
    assert before["prompts"] & after["prompts"]
    assert before["retrievals"] != after["retrievals"]
    assert before["scores"] != after["scores"]
    assert before["answers"] == after["answers"]
    if field == "text":
        assert before["vectors"] != after["vectors"]


@pytest.mark.parametrize(
    ("place", "changed"),
    [
        ("evalkit.answering.GENERATION_VERSION", {"answers", "tuned answers"}),
        (
            "evalkit.generation.transformers_engine.ENGINE_VERSION",
            {"answers", "tuned answers", "counts"},
        ),
        ("evalkit.stages.TUNING_VERSION", {"adapter"}),
        ("evalkit.stages.VECTORS_VERSION", {"vectors"}),
        ("evalkit.retrieving.RETRIEVAL_VERSION", {"retrievals"}),
        ("evalkit.answering.PROMPTS_VERSION", {"counts"}),
        ("evalkit.scorer.SCORES_VERSION", {"scores"}),
    ],
)
def test_a_new_version_of_a_stage_is_another_key(
    place: str, changed: set[str], keys: Callable[..., Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code that computes something else must not find what the old code computed."""
    before = keys()
    monkeypatch.setattr(place, "999")
    after = keys()
    assert {stage for stage in before if before[stage] != after[stage]} == changed


DAY = date(2025, 6, 1)
PASSAGE = Passage("A#0", "A", "A@1", "Travel", "EUR 42 a day.", DAY)
SAMPLE = Sample(
    Question("q", "How much?", DAY, "changed", "A", (Answer("EUR 42"),)),
    Trace("q", "rag", (Retrieved(PASSAGE, 0.5),), "prompt", "EUR 42", 10, 4, seconds={"generation": 1.0}),
    FormatSpecification(), {}, ParsedOutput("EUR 42"),
)  # fmt: skip
OTHER: dict[type, dict[str, Any]] = {
    Trace: {
        "pipeline": "hybrid", "retrieved": None, "prompt": "other", "output": "other", "prompt_tokens": 11,
        "output_tokens": 5, "finish_reason": "length", "seconds": {"generation": 2.0}, "error": "no",
        "repeat": 1, "tokens_estimated": True,
    },
    Question: {
        "text": "Which?", "as_of": date(2025, 7, 1), "category": "new", "cluster": "B",
        "answers": (Answer("EUR 38"),), "format": "free", "tags": ("x",), "id": "r",
    },
    Passage: {
        "id": "A#1", "document": "B", "revision": "A@2", "title": "Trips", "text": "EUR 38", "start": 1,
        "valid_from": None, "valid_to": DAY, "end": 9, "intact": False,
    },
    Retrieved: {"score": 0.6, "shown": False},
    ParsedOutput: {"answer": "42", "source": "A", "effective": "2025", "structured": True},
}  # fmt: skip


def changed_sample(kind: type, name: str) -> Sample:
    """The sample with one thing in it changed."""
    (hit,) = SAMPLE.trace.retrieved or ()
    value = {name: OTHER[kind][name]}
    if kind is Question:
        return replace(SAMPLE, question=replace(SAMPLE.question, **value))
    if kind is ParsedOutput:
        return replace(SAMPLE, parsed=replace(SAMPLE.parsed, **value))
    if kind is Passage:
        hit = replace(hit, passage=replace(PASSAGE, **value))
    if kind is Retrieved:
        hit = replace(hit, **value)
    trace = replace(SAMPLE.trace, **(value if kind is Trace else {"retrieved": (hit,)}))
    return replace(SAMPLE, trace=trace)


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, names in OTHER.items() for n in names])
def test_whatever_a_metric_sees_is_in_the_key_of_its_score(kind: type, name: str) -> None:
    """Every field of a trace, a question, a passage and a parsed output."""
    assert scorer._key(changed_sample(kind, name)) != scorer._key(SAMPLE)


def test_no_field_that_a_metric_sees_is_left_out() -> None:
    """A field that is added to a record must be added here, and so to the key."""
    apart = {Trace: {"question"}, Retrieved: {"passage"}}  # a trace's question is in the sample
    for kind, others in OTHER.items():
        assert {f.name for f in fields(kind)} == set(others) | apart.get(kind, set()), kind


DECODINGS = st.builds(
    Decoding,
    max_new_tokens=st.integers(1, 99),
    temperature=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 3),
)


@given(DECODINGS, DECODINGS, st.sampled_from(["a", "b"]), st.sampled_from([None, "x", "y"]))
def test_two_engines_have_one_key_exactly_where_they_answer_alike(
    one: Decoding, other: Decoding, weights: str, adapter: str | None
) -> None:
    """Decoding, weights, adapter: every difference counts, but for the seed of greedy decoding."""

    def key(decoding: Decoding, weights: str, adapter: str | None) -> str:
        folder = Path("nowhere")
        engine = TransformersGenerator(
            folder, weights, decoding, adapter=folder if adapter else None, adapter_id=adapter,
            device="cpu", dtype="float32",
        )  # fmt: skip
        return key_of(engine.identity)

    def matters(decoding: Decoding) -> tuple[Any, ...]:
        seed = decoding.seed if decoding.temperature else None
        return decoding.max_new_tokens, decoding.temperature, seed

    alike = (matters(one), weights, adapter) == (matters(other), "a", None)
    assert (key(one, weights, adapter) == key(other, "a", None)) == alike
