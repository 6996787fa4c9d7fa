"""Shared fixtures: a tiny random Llama with a byte tokenizer, made on the spot, and a tiny benchmark."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("evalkit", deadline=None, max_examples=50)
settings.load_profile("evalkit")

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["RAGAS_DO_NOT_TRACK"] = "true"

sys.path.append(str(Path(__file__).parent / "faulty"))  # helpers that several rooms share


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first, so that none is left to one process alone at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random 2-layer Llama (about 60,000 parameters) and a byte tokenizer."""
    import torch
    from byte_tokenizer import byte_tokenizer
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("tiny-llama")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=264,
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        pad_token_id=256,
        eos_token_id=257,
        bos_token_id=258,
        tie_word_embeddings=True,
        initializer_range=0.2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def tiny_benchmark(tmp_path: Path) -> Path:
    """A folder with two documents (one revised), six questions and eight training examples."""
    return write_tiny(tmp_path / "benchmark")


def write_tiny(folder: Path) -> Path:
    folder.mkdir()
    for name, rows in tiny_rows().items():
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "benchmark.json").write_text(json.dumps(TINY_OPTIONS))
    return folder


TINY_OPTIONS = {
    "name": "tiny",
    "license": "CC0-1.0",
    "format": {
        "name": "house",
        "instruction": 'Reply with JSON {"answer": ..., "source": ..., "effective": ...}.',
        "fields": {"answer": "answer", "source": "source", "effective": "effective"},
        "abstention": "not stated",
        "instructions": [
            {"kind": "one_line"},
            {"kind": "json_schema", "schema": {"type": "object"}},
        ],
    },
}


def tiny_rows() -> dict[str, list[dict[str, Any]]]:
    """The three files as rows; every call gives fresh ones."""
    old, new = "A@2025-01-01", "A@2025-06-01"
    corpus = [
        {
            "document": "A",
            "revision": old,
            "title": "Travel",
            "text": "The allowance is EUR 38 a day. Trains first.",
            "valid_from": "2025-01-01",
            "valid_to": "2025-06-01",
        },
        {
            "document": "A",
            "revision": new,
            "title": "Travel",
            "text": "The allowance is EUR 42 a day. Trains first.",
            "valid_from": "2025-06-01",
            "valid_to": None,
        },
        {
            "document": "B",
            "revision": "B@2025-01-01",
            "title": "Keys",
            "text": "Mira Okonkwo holds the depot keys.",
            "valid_from": "2025-01-01",
            "valid_to": None,
        },
    ]
    allowance = [
        {
            "text": "EUR 38",
            "aliases": [],
            "valid_from": "2025-01-01",
            "valid_to": "2025-06-01",
            "evidence": [{"revision": old, "quote": "EUR 38 a day"}],
        },
        {
            "text": "EUR 42",
            "aliases": ["42 euros"],
            "valid_from": "2025-06-01",
            "valid_to": None,
            "evidence": [{"revision": new, "quote": "EUR 42 a day"}],
        },
    ]
    keys = [
        {
            "text": "Mira Okonkwo",
            "aliases": [],
            "valid_from": "2025-01-01",
            "valid_to": None,
            "evidence": [{"revision": "B@2025-01-01", "quote": "Mira Okonkwo"}],
        }
    ]

    def question(
        name: str, text: str, category: str, answers: list[Any], **more: Any
    ) -> dict[str, Any]:
        return {
            "id": name,
            "question": text,
            "as_of": "2025-10-01",
            "category": category,
            "cluster": more.pop("cluster", name),
            "answers": answers,
            **more,
        }

    free = {"text": "Paris", "aliases": [], "valid_from": None, "valid_to": None, "evidence": []}
    questions = [
        question("q1", "How high is the travel allowance?", "changed", allowance, cluster="A"),
        question("q2", "What may one spend daily on a journey?", "changed", allowance, cluster="A"),
        question("q3", "Who has the keys of the depot?", "unchanged", keys, cluster="B"),
        question("q4", "Which person can open the depot?", "unchanged", keys, cluster="B"),
        question("q5", "What colour is the depot door?", "unanswerable", [], cluster="B"),
        question("c1", "What is the capital of France?", "control", [free], format="free"),
    ]
    training = [
        {
            "id": f"b{i}",
            "kind": "behaviour",
            "question": f"When does gallery {i} open?",
            "as_of": "2025-03-01",
            "answer": f"{i + 8}:00",
            "source": f"MUS-0{i}",
            "effective": "2025-01-01",
            "passages": [
                {
                    "document": f"MUS-0{i}",
                    "title": "Hours",
                    "valid_from": "2025-01-01",
                    "valid_to": None,
                    "text": f"Gallery {i} opens at {i + 8}:00 every day.",
                }
            ],
        }
        for i in range(6)
    ]
    training += [
        {
            "id": "k1",
            "kind": "knowledge",
            "question": "State the per diem for trips.",
            "as_of": "2025-03-31",
            "answer": "EUR 38",
            "source": "A",
            "effective": "2025-01-01",
        },
        {
            "id": "k2",
            "kind": "knowledge",
            "question": "Name the key holder.",
            "as_of": "2025-03-31",
            "answer": "Mira Okonkwo",
            "source": "B",
            "effective": "2025-01-01",
        },
    ]
    return {"corpus": corpus, "questions": questions, "training": training}


@pytest.fixture(scope="session")
def shared_benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny benchmark in a folder that all tests read and none changes."""
    return write_tiny(tmp_path_factory.mktemp("shared") / "benchmark")


@pytest.fixture(scope="session")
def tiny_overrides(tiny_model: Path, shared_benchmark: Path) -> list[str]:
    """What makes any experiment tiny: a random model, no downloads, few tokens and resamples."""
    return [
        "model=path", f"model.weights.path={tiny_model}", "model.engine.dtype=float32",
        "model.engine.device=cpu", "model.decoding.max_new_tokens=8", "embedder=hash", "judge=offline",
        "tracking=none", "statistics.resamples=200", "benchmark=jsonl",
        f"benchmark.path={shared_benchmark}", "tuning.examples.limit=4",
    ]  # fmt: skip


@pytest.fixture(scope="session")
def quartet(tiny_overrides: list[str], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One finished run of the four pipelines: ``.result``, its ``.overrides`` and its ``.store``, in
    which it left so many ``.adapters``; other tests put more there.

    The overrides leave the study's hypotheses out, so that fewer pipelines can be run with them.
    """
    from types import SimpleNamespace

    import evalkit

    folder = tmp_path_factory.mktemp("quartet")
    overrides = ["experiment=quartet", *tiny_overrides, f"store={folder / 'store'}"]
    result = evalkit.run(*overrides, f"run_dir={folder / 'run'}")
    overrides.append("hypotheses=[]")
    store = folder / "store"
    adapters = sum(f.is_dir() for f in (store / "adapter").iterdir())
    return SimpleNamespace(result=result, overrides=overrides, store=store, adapters=adapters)


@pytest.fixture
def keys(tiny_overrides: list[str], tmp_path: Path) -> Callable[..., Any]:
    """``keys(*overrides)``: of every stage of a tiny experiment, each time with another store."""
    from stage_keys import stage_keys

    numbers = count()

    def of(*overrides: str) -> Any:
        given = [*tiny_overrides, "pipeline=[prompt_only,rag,lora]", *overrides]
        return stage_keys(given, tmp_path / f"store-{next(numbers)}")

    return of


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Makes ``faulty_engines`` importable here and in child processes; the file it logs to."""
    home = str(Path(__file__).parent / "faulty")
    monkeypatch.syspath_prepend(home)
    root = str(Path(__file__).parent.parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([home, root]))
    monkeypatch.setenv("EVALKIT_TEST_LOG", str(tmp_path / "noted.txt"))
    return tmp_path / "noted.txt"


@pytest.fixture
def server() -> Iterator[Any]:
    """A local server of chat completions that says yes to a judge, until it is told to misbehave."""
    from faulty_server import Server, serving

    with serving(Server.verdict(1)) as running:
        yield running


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as in a terminal: a shell's background jobs begin with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
