"""LoRA: the loss falls on answer tokens alone, learns, and repeats to the bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.chat import render_chat
from evalkit.errors import ConfigError
from evalkit.generation.base import Decoding, Request
from evalkit.generation.transformers_engine import TransformersGenerator
from evalkit.models.loading import load_model, load_tokenizer
from evalkit.tuning import lora
from evalkit.tuning.examples import Example
from evalkit.tuning.lora import (
    LoraSettings,
    answer_loss,
    changes_logits,
    collate,
    encode,
    train,
    use_one_device,
)

SETTINGS = LoraSettings(
    rank=4, alpha=32, learning_rate=2e-2, batch_size=4, dtype="float32", device="cpu", epochs=1
)

SHAPE = {
    "vocab_size": 264, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1,
    "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.5,
    "pad_token_id": 256, "eos_token_id": 257, "bos_token_id": 258,
}  # fmt: skip


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


def other_models() -> dict[str, tuple[Any, Any]]:
    from transformers import (
        CohereConfig,
        CohereForCausalLM,
        Gemma2Config,
        Gemma2ForCausalLM,
        GraniteConfig,
        GraniteForCausalLM,
    )

    return {
        "logit_scale": (CohereForCausalLM, CohereConfig(**SHAPE, logit_scale=0.25)),
        "logits_scaling": (GraniteForCausalLM, GraniteConfig(**SHAPE, logits_scaling=4.0)),
        "final_logit_softcapping": (
            Gemma2ForCausalLM,
            Gemma2Config(**SHAPE, head_dim=8, final_logit_softcapping=2.0),
        ),
    }


@pytest.mark.parametrize("key", ["logit_scale", "logits_scaling", "final_logit_softcapping"])
def test_the_loss_of_models_that_change_their_logits_is_their_own(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scaled and capped logits give another loss than the vocabulary matrix alone."""
    import torch

    make, config = other_models()[key]
    torch.manual_seed(0)
    model = make(config).eval()
    assert changes_logits(model.config)
    ids = torch.randint(0, 250, (2, 12), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()
    labels[:, :7] = -100
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
    own = model(**batch).loss.item()
    assert answer_loss(model, **batch).item() == pytest.approx(own, rel=1e-5)
    monkeypatch.setattr(lora, "changes_logits", lambda _: False)
    assert answer_loss(model, **batch).item() != pytest.approx(own, rel=1e-2)


def test_a_plain_model_takes_the_short_way(tiny_model: Path) -> None:
    """Nor does a factor of one count as a change."""
    from transformers import AutoConfig, GraniteConfig

    assert not changes_logits(AutoConfig.from_pretrained(tiny_model))
    assert not changes_logits(GraniteConfig(**SHAPE, logits_scaling=1.0))


@pytest.mark.parametrize(("there", "used"), [(0, 0), (1, 1), (4, 1)])
def test_training_uses_one_device(there: int, used: int, tmp_path: Path) -> None:
    """However many GPUs there are: the Trainer wraps the model where ``n_gpu`` is above one."""
    from transformers import TrainingArguments

    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True)
    assert arguments.n_gpu == 0
    arguments._n_gpu = there
    use_one_device(arguments)
    assert arguments.n_gpu == used


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
