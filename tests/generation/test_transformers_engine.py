"""The default engine: what comes out, in which order, and what happens when memory runs out."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import EvalkitError, WeightsError
from evalkit.generation import packing, transformers_engine
from evalkit.generation.base import Decoding, Request
from evalkit.generation.decode import Prefix, compute_prefix
from evalkit.generation.packing import Row, pack, together
from evalkit.generation.transformers_engine import TransformersGenerator


def engine(folder: Path, **settings: Any) -> TransformersGenerator:
    decoding = settings.pop("decoding", Decoding(max_new_tokens=8))
    return TransformersGenerator(
        folder, "tiny", decoding, dtype="float32", device="cpu", **settings
    )


def requests(count: int = 7) -> list[Request]:
    return [
        Request(
            f"r{i}",
            (
                {"role": "system", "content": "Answer in few words, please."},
                {"role": "user", "content": "why " * (i + 1)},
            ),
        )
        for i in range(count)
    ]


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


def test_many_beginnings_are_taken_one_after_another() -> None:
    """Up to eight stand together; more would hold too many keys and values at once."""
    few = [Row(str(n), "", [n], (n % 8,)) for n in range(20)]
    assert list(together(few)) == [few]
    many = [Row(str(n), "", [n], (n % 9,)) for n in range(20)]
    bunches = list(together(many))
    assert [len({row.shared for row in bunch}) for bunch in bunches] == [1] * 9
    assert sorted(row.id for bunch in bunches for row in bunch) == sorted(row.id for row in many)
    assert list(together([])) == []


def test_a_batch_takes_a_quarter_of_the_free_memory_at_most(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two layers, two heads of 12 numbers, keys and values, in float32: 384 bytes a token."""
    generator = engine(tiny_model)
    prefix = compute_prefix(generator.model, ())
    for free, tokens in ((10**12, 65_536), (4 * 384 * 1024, 1024), (4 * 384 * 2000, 1024), (0, 1)):
        monkeypatch.setattr(packing, "free_memory", lambda _, free=free: free)
        assert packing.default_budget(generator.model, prefix) == tokens
    assert packing.default_budget(generator.model, Prefix()) == 8192
    monkeypatch.undo()
    assert 2**20 < packing.free_memory("cpu") < 2**50


def test_sampling_is_seeded_per_request(tiny_model: Path) -> None:
    """A row's draws depend on the seed and the request, not on its neighbours."""

    def run(seed: int, count: int) -> dict[str, str]:
        generator = engine(tiny_model, decoding=Decoding(8, temperature=1.0, seed=seed))
        return {c.id: c.text for c in generator.generate(requests(count))}

    few, many, other = run(1, 3), run(1, 7), run(2, 3)
    assert few == {k: many[k] for k in few}
    assert few != other


def test_out_of_memory_halves_the_batch_and_loses_nothing(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that does not fit is split until it does."""
    sizes: list[int] = []
    real = transformers_engine.decode

    def tight(model: Any, prompts: Any, *rest: Any) -> Any:
        sizes.append(len(prompts))
        if len(prompts) > 2:
            raise RuntimeError("CPUAllocator: not enough memory: you tried to allocate ...")
        return real(model, prompts, *rest)

    expected = {c.id: c.text for c in engine(tiny_model).generate(requests())}
    monkeypatch.setattr(transformers_engine, "decode", tight)
    found = {c.id: c.text for c in engine(tiny_model).generate(requests())}
    assert found == expected
    assert sizes[0] == 7
    assert max(sizes[1:]) < 7


def test_the_rows_that_remain_are_packed_with_the_smaller_bound(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lack of memory is met twice on the way from 8 rows to 2, and not again for each batch."""
    sizes: list[int] = []
    real = transformers_engine.decode

    def tight(model: Any, prompts: Any, *rest: Any) -> Any:
        sizes.append(len(prompts))
        if len(prompts) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return real(model, prompts, *rest)

    monkeypatch.setattr(transformers_engine, "decode", tight)
    done = list(engine(tiny_model, max_rows=8).generate(requests(16)))
    assert sizes == [8, 4, *[2] * 8]
    assert [c.id for c in done] == [f"r{i}" for i in reversed(range(16))]


def test_the_failed_batch_is_released_before_the_next_is_tried(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cache hangs on the error's traceback, which must be gone by then."""

    class Cache:
        pass

    failed: list[weakref.ref[Cache]] = []
    real = transformers_engine.decode

    def tight(model: Any, prompts: Any, *rest: Any) -> Any:
        assert all(reference() is None for reference in failed)
        if len(prompts) > 2:
            cache = Cache()
            failed.append(weakref.ref(cache))
            raise RuntimeError("CUDA out of memory.")
        return real(model, prompts, *rest)

    monkeypatch.setattr(transformers_engine, "decode", tight)
    assert len(list(engine(tiny_model, max_rows=8).generate(requests(8)))) == 8
    assert len(failed) == 2


def test_a_single_prompt_that_does_not_fit_fails_alone(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other rows are completed; the failed one says how long it was."""
    real = transformers_engine.decode

    def tight(model: Any, prompts: Any, *rest: Any) -> Any:
        if max(len(p) for p in prompts) > 60:
            raise MemoryError("no memory")
        return real(model, prompts, *rest)

    monkeypatch.setattr(transformers_engine, "decode", tight)
    done = {c.id: c for c in engine(tiny_model).generate(requests())}
    assert len(done) == 7
    assert done["r6"].finish_reason == "error"
    assert done["r6"].error == "out of memory for one prompt of 61 tokens: no memory"
    assert done["r0"].error is None


@pytest.mark.parametrize(
    "said", ["shapes do not match", "CUDA error: an illegal memory access was encountered"]
)
def test_other_errors_are_not_taken_for_a_lack_of_memory(
    said: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError(said)

    monkeypatch.setattr(transformers_engine, "decode", broken)
    with pytest.raises(RuntimeError, match=said):
        list(engine(tiny_model).generate(requests()))


@pytest.fixture
def adapter(tiny_model: Path, tmp_path: Path) -> Path:
    """An adapter that changes what the tiny model says."""
    import torch
    from peft import LoraConfig, get_peft_model

    from evalkit.models import load_model

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
    alone = []
    for generator in (engine(tiny_model), tuned()):
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


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(1, 120), st.integers(1, 6)
)
def test_packing_keeps_order_and_bounds(lengths: list[int], budget: int, rows: int) -> None:
    """Every row once, in order; no batch over its bounds unless it is a single row."""
    batches = list(pack(lengths, budget, rows))
    assert [i for batch in batches for i in batch] == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= rows
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= budget
