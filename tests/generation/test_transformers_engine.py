"""The default engine: what comes out, whatever shares a batch, and what is computed for it once."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
from local_engine import engine, requests

from evalkit.errors import EvalkitError, WeightsError
from evalkit.generation import resident, transformers_engine
from evalkit.generation.base import Decoding, Request
from evalkit.generation.resident import Resident
from evalkit.generation.transformers_engine import TransformersGenerator
from evalkit.shared import Shared


def test_every_request_is_completed_and_counted(tiny_model: Path) -> None:
    generator = engine(tiny_model)
    done = {c.id: c for c in generator.generate(requests())}
    assert set(done) == {r.id for r in requests()}
    first = done["r0"]
    assert first.prompt == ("<system>Answer in few words, please.<end><user>why <end><assistant>")
    assert first.prompt_tokens == generator.count_tokens(requests()[0].messages) == 37
    assert (first.output_tokens, first.finish_reason) == (8, "length")
    assert first.seconds > 0
    assert list(generator.generate([])) == []


def test_output_does_not_depend_on_batches_or_order(tiny_model: Path) -> None:
    """One row at a time, all at once, forwards, backwards: the same greedy text in float32."""
    texts = []
    for settings, order in (
        ({"max_rows": 1}, 1),
        ({"max_rows": 32}, 1),
        ({"batch_tokens": 150}, -1),
    ):
        generator = engine(tiny_model, **settings)
        texts.append({c.id: c.text for c in generator.generate(requests()[::order])})
    assert texts[0] == texts[1] == texts[2]


def test_requests_with_different_beginnings_share_a_batch(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two system messages: two shared beginnings, one batch, and the answers of each alone."""
    mixed = [
        Request(f"{number}{r.id}", ({"role": "system", "content": system}, r.messages[1]))
        for number, system in enumerate(
            ["Answer in few words, please.", "Say as much as you like."]
        )
        for r in requests(3)
    ]
    alone = {c.id: c.text for r in mixed for c in engine(tiny_model).generate([r])}
    batches: list[set[tuple[int, ...]]] = []
    real = transformers_engine.decode

    def watched(model: Any, prompts: Any, prefixes: Any, *rest: Any) -> Any:
        batches.append({prefix.ids for prefix in prefixes})
        return real(model, prompts, prefixes, *rest)

    monkeypatch.setattr(transformers_engine, "decode", watched)
    assert {c.id: c.text for c in engine(tiny_model).generate(mixed)} == alone
    assert [len(each) for each in batches] == [2]
    assert all(len(ids) > 16 for ids in batches[0])


def test_a_shared_beginning_is_computed_once_and_prompts_are_tokenised_at_once(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of seven prompts in four batches: their beginning goes through the model a single time, the
    rest of each once, and then each new token.
    """
    generator = engine(tiny_model, max_rows=2, decoding=Decoding(max_new_tokens=1))
    asked = requests()
    lengths = [generator.count_tokens(request.messages) for request in asked]
    computed: list[int] = []
    generator.model.get_input_embeddings().register_forward_pre_hook(
        lambda _, given: computed.append(given[0].numel())
    )
    tokenised: list[int] = []
    tokenizer = generator.tokenizer

    class Counting:
        def __call__(self, texts: list[str], **how: Any) -> Any:
            tokenised.append(len(texts))
            return tokenizer(texts, **how)

        def __getattr__(self, name: str) -> Any:
            return getattr(tokenizer, name)

    generator._tokenizer = Counting()
    done = list(generator.generate(asked))
    assert tokenised == [7]
    shared = len(
        tokenizer(done[0].prompt[: done[0].prompt.index("why")], add_special_tokens=False)[
            "input_ids"
        ]
    )
    beginning, *rests = computed
    assert beginning >= shared >= 16
    pairs = [sorted(lengths, reverse=True)[i : i + 2] for i in range(0, 7, 2)]
    assert rests == [len(pair) * (max(pair) - beginning) for pair in pairs]


def test_sampling_is_seeded_per_request(tiny_model: Path) -> None:
    """A row's draws depend on the seed and the request, not on its neighbours."""

    def run(seed: int, count: int) -> dict[str, str]:
        generator = engine(tiny_model, decoding=Decoding(8, temperature=1.0, seed=seed))
        return {c.id: c.text for c in generator.generate(requests(count))}

    few, many, other = run(1, 3), run(1, 7), run(2, 3)
    assert few == {k: many[k] for k in few}
    assert few != other


@pytest.fixture
def adapter(tiny_model: Path, tmp_path: Path) -> Path:
    """An adapter that changes what the tiny model says."""
    import torch
    from peft import LoraConfig, get_peft_model

    from evalkit.models.loading import load_model

    torch.manual_seed(1)
    lora = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(load_model(tiny_model, "float32", "cpu"), lora).save_pretrained(tmp_path / "a")
    return tmp_path / "a"


def test_one_base_model_serves_base_and_tuned_pipelines(
    tiny_model: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Generators made together load the base once, and say what each says alone; afterwards none
    of it is in memory. While the base is in use, an adapter is merged into a copy of its own.
    """
    loads: list[weakref.ref[Any]] = []
    real = transformers_engine.load_model

    def counted(*given: Any, **more: Any) -> Any:
        model = real(*given, **more)
        loads.append(weakref.ref(model))
        return model

    def said(generator: TransformersGenerator) -> list[str]:
        return [c.text for c in generator.generate(requests())]

    def tuned() -> TransformersGenerator:
        return engine(tiny_model, adapter=adapter, adapter_id="a")

    monkeypatch.setattr(transformers_engine, "load_model", counted)
    # Engines of other tests, which did not close them, may still hold a model.
    monkeypatch.setattr(resident, "_RESIDENTS", Shared(Resident.drop))
    alone = []
    for make in (lambda: engine(tiny_model), tuned):
        generator = make()
        alone.append(said(generator))
        generator.close()
    assert alone[0] != alone[1], "the adapter must matter"
    assert len(loads) == 2

    base, changed = engine(tiny_model), tuned()
    together = [said(base)]
    base.close()
    together.append(said(changed))
    assert len(loads) == 3
    assert together == alone
    assert said(base) == alone[0], "a closed generator loads anew"
    assert len(loads) == 4
    base.close()
    changed.close()
    gc.collect()
    assert [reference() for reference in loads] == [None] * 4

    base, changed = engine(tiny_model), tuned()
    assert [said(base), said(changed), said(base)] == [*alone, alone[0]]
    assert len(loads) == 6


def test_the_identity_names_everything_that_can_change_the_output(tiny_model: Path) -> None:
    base = engine(tiny_model).identity
    others = [
        TransformersGenerator(
            tiny_model, "other", Decoding(8), dtype="float32", device="cpu"
        ).identity,
        TransformersGenerator(
            tiny_model, "tiny", Decoding(9), dtype="float32", device="cpu"
        ).identity,
        TransformersGenerator(
            tiny_model, "tiny", Decoding(8), dtype="bfloat16", device="cpu"
        ).identity,
        engine(tiny_model, decoding=Decoding(8, temperature=0.5)).identity,
        engine(tiny_model, adapter=tiny_model, adapter_id="a").identity,
    ]
    assert all(other != base for other in others)
    assert engine(tiny_model, decoding=Decoding(8, seed=3)).identity == base, (
        "greedy ignores the seed"
    )


def test_a_folder_without_a_model_and_a_tokenizer_without_a_template_are_named(
    tiny_model: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    with pytest.raises(WeightsError, match="could not load a causal language model"):
        _ = engine(tmp_path).model
    generator = engine(tiny_model)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = None
    generator._tokenizer = tokenizer
    with pytest.raises(EvalkitError, match="no chat template"):
        generator.render(requests()[0].messages)
