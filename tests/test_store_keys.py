"""Other contents and other code are another key: nothing that was computed from them is found again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage_keys import Keys, differing

from evalkit.generation.base import Decoding
from evalkit.generation.transformers_engine import TransformersGenerator
from evalkit.machine import hardware
from evalkit.store import key_of


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
    ("key", "changed"),
    [
        ("embedder.encoder._target_", {"vectors", "retrievals"}),
        ("retriever.build._target_", {"retrievals"}),
        ("tuning.train._target_", {"adapter"}),
    ],
)
def test_changed_code_of_somebodys_own_is_another_key(
    key: str,
    changed: set[str],
    keys: Callable[..., Keys],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a part that is named by ``_target_``; what it computes is not taken for what it did."""
    name = f"somebodys_{key.split('.')[0]}"
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / f"{name}.py"
    file.write_text(
        "from evalkit.retrieval import HashEmbedder\n"
        "from evalkit.retrieval.build import dense\n"
        "from evalkit.tuning.lora import train\n"
    )
    own = {"embedder": "HashEmbedder", "retriever": "dense", "tuning": "train"}[key.split(".")[0]]
    before = keys(f"{key}={name}.{own}")
    assert before == keys(f"{key}={name}.{own}")
    file.write_text(file.read_text() + "# and something else\n")
    assert differing(before, keys(f"{key}={name}.{own}")) == changed


@pytest.mark.parametrize(
    ("place", "changed"),
    [
        ("evalkit.stages.answering.GENERATION_VERSION", {"answers", "tuned answers"}),
        (
            "evalkit.generation.transformers_engine.ENGINE_VERSION",
            {"answers", "tuned answers", "counts"},
        ),
        ("evalkit.stages.preparing.TUNING_VERSION", {"adapter"}),
        ("evalkit.stages.preparing.VECTORS_VERSION", {"vectors", "retrievals"}),
        ("evalkit.stages.retrieving.RETRIEVAL_VERSION", {"retrievals"}),
        ("evalkit.stages.answering.PROMPTS_VERSION", {"counts"}),
        ("evalkit.stages.scorer.SCORES_VERSION", {"scores"}),
    ],
)
def test_a_new_version_of_a_stage_is_another_key(
    place: str, changed: set[str], keys: Callable[..., Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code that computes something else must not find what the old code computed."""
    before = keys()
    monkeypatch.setattr(place, "999")
    after = keys()
    assert differing(before, after) == changed


def test_what_another_machine_computes_is_another_key(
    keys: Callable[..., Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``auto`` is the device that it means: answers and adapters of a GPU are its own."""
    import torch

    auto = ["model.engine.device=auto", "tuning.settings.device=auto"]
    before = keys(*auto)
    monkeypatch.setattr(hardware, "surely_no_accelerator", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert differing(before, keys(*auto)) == {"answers", "tuned answers", "counts", "adapter"}


@pytest.mark.parametrize(
    ("place", "changed"),
    [
        ("evalkit.generation.transformers_engine", {"answers", "tuned answers", "counts"}),
        ("evalkit.stages.preparing", {"adapter"}),
        ("evalkit.stages.retrieving", {"retrievals"}),
    ],
)
def test_what_another_version_of_a_library_computes_is_another_key(
    place: str, changed: set[str], keys: Callable[..., Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys()
    monkeypatch.setattr(f"{place}.versions", lambda *names: dict.fromkeys(names, "999"))
    assert differing(before, keys()) == changed


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
