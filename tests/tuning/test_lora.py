"""LoRA: the loss falls on answer tokens alone, learns, and repeats to the bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalkit.errors import ConfigError
from evalkit.generation.base import Decoding, Request
from evalkit.generation.transformers_engine import TransformersGenerator
from evalkit.models import load_model, load_tokenizer, render_chat
from evalkit.tuning.examples import Example
from evalkit.tuning.lora import LoraSettings, answer_loss, collate, encode, train

SETTINGS = LoraSettings(
    rank=4, alpha=32, learning_rate=2e-2, batch_size=4, dtype="float32", device="cpu", epochs=1
)


def example(i: int, completion: str = "yes") -> Example:
    return Example(f"e{i}", ({"role": "user", "content": f"Question {i}?"},), completion)


def test_label_masking_recovers_the_completion(tiny_model: Path) -> None:
    """What is not masked is the completion and the end token, and nothing of the prompt."""
    tokenizer = load_tokenizer(tiny_model)
    encoded = encode(tokenizer, example(1, "42 Grüße"))
    kept = [t for t in encoded.labels if t != -100]
    assert tokenizer.decode(kept) == "42 Grüße<end>"
    prompt = [t for t, label in zip(encoded.ids, encoded.labels, strict=True) if label == -100]
    assert tokenizer.decode(prompt) == render_chat(tokenizer, example(1).messages)


def test_the_loss_equals_the_models_own(tiny_model: Path) -> None:
    """Cross-entropy over labelled tokens alone, computed without the other tokens' logits."""
    model, tokenizer = load_model(tiny_model, "float32", "cpu"), load_tokenizer(tiny_model)
    encoded = [encode(tokenizer, example(i, "x" * (i + 1))) for i in range(3)]
    batch = collate(
        [{"input_ids": e.ids, "labels": e.labels} for e in encoded], tokenizer.pad_token_id
    )
    own = model(**batch).loss
    found = answer_loss(model, **batch)
    assert found.item() == pytest.approx(own.item(), rel=1e-5)


def test_training_teaches_the_answer_and_writes_safetensors(
    tiny_model: Path, tmp_path: Path
) -> None:
    """After training the merged adapter says what the examples say, and the base did not."""
    examples = [example(i) for i in range(32)]
    seen: list[tuple[int, int]] = []
    settings = LoraSettings(**{**SETTINGS.__dict__, "epochs": 10})
    report = train(
        tiny_model, examples, settings, tmp_path / "a", lambda s, n, _: seen.append((s, n))
    )
    assert (report.steps, report.examples, seen[-1]) == (80, 32, (80, 80))
    assert report.losses[-1] < report.losses[0] / 4
    assert (
        report.trainable_parameters
        == sum(
            4 * (a + b)
            for a, b in [(48, 48), (48, 24), (48, 24), (48, 48), (48, 96), (48, 96), (96, 48)]
        )
        * 2
    )
    assert {p.name for p in (tmp_path / "a").iterdir()} >= {
        "adapter_model.safetensors",
        "adapter_config.json",
    }
    assert not list((tmp_path / "a").glob("*.bin"))
    request = Request("r", example(99).messages)
    for adapter, says_yes in ((None, False), (tmp_path / "a", True)):
        generator = TransformersGenerator(
            tiny_model,
            "tiny",
            Decoding(5),
            adapter=adapter,
            adapter_id=str(adapter),
            dtype="float32",
            device="cpu",
        )
        (completion,) = generator.generate([request])
        assert (completion.text == "yes") is says_yes


def test_the_same_inputs_give_the_same_bytes(tiny_model: Path, tmp_path: Path) -> None:
    """Two trainings are bit-identical; another seed is not."""
    weights = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        settings = LoraSettings(**{**SETTINGS.__dict__, "seed": seed})
        train(tiny_model, [example(i) for i in range(8)], settings, tmp_path / name)
        weights.append((tmp_path / name / "adapter_model.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]


def test_long_examples_are_left_out_and_named(tiny_model: Path, tmp_path: Path) -> None:
    """One long example costs only itself; if all are too long, the key to raise is named."""
    examples = [example(0), Example("long", ({"role": "user", "content": "x" * 500},), "yes")]
    settings = LoraSettings(**{**SETTINGS.__dict__, "max_length": 100})
    report = train(tiny_model, examples, settings, tmp_path / "a")
    assert (report.examples, report.skipped) == (1, ("long",))
    assert json.loads((tmp_path / "a" / "adapter_config.json").read_text())["r"] == 4
    with pytest.raises(ConfigError, match=r"tuning\.max_length=100"):
        train(tiny_model, examples[1:], settings, tmp_path / "b")
