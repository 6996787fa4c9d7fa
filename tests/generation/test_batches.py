"""What goes into a batch, and what happens when it does not fit into the memory."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_engine import engine, requests

from evalkit.generation import packing, transformers_engine
from evalkit.generation.base import Request
from evalkit.generation.decode import Prefix, compute_prefix
from evalkit.generation.packing import Row, pack, together


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


def said(text: str) -> tuple[dict[str, str], ...]:
    return ({"role": "user", "content": text},)


def room_for_two(monkeypatch: pytest.MonkeyPatch, complaint: str) -> list[int]:
    """Memory for twice the tokens of the longest row of all, and else an error with these words; the
    sizes of the batches that are tried.
    """
    sizes: list[int] = []
    real = transformers_engine.decode
    longest = 0

    def tight(model: Any, prompts: Any, prefixes: Any, new: int, *rest: Any) -> Any:
        nonlocal longest
        sizes.append(len(prompts))
        width = max(map(len, prompts)) + new
        longest = max(longest, width)
        if len(prompts) * width > 2 * longest:
            raise RuntimeError(complaint)
        return real(model, prompts, prefixes, new, *rest)

    monkeypatch.setattr(transformers_engine, "decode", tight)
    return sizes


def test_out_of_memory_halves_the_batch_and_loses_nothing(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that does not fit is split until it does."""
    expected = {c.id: c.text for c in engine(tiny_model).generate(requests())}
    sizes = room_for_two(monkeypatch, "CPUAllocator: not enough memory: you tried to allocate ...")
    found = {c.id: c.text for c in engine(tiny_model).generate(requests())}
    assert found == expected
    assert sizes[0] == 7
    assert max(sizes[1:]) < 7


def test_the_rows_that_remain_are_packed_with_the_smaller_bound(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lack of memory is met twice on the way from 8 rows to 2, and not again for each batch."""
    sizes = room_for_two(monkeypatch, "CUDA out of memory. Tried to allocate 2.00 GiB.")
    done = list(engine(tiny_model, max_rows=8).generate(requests(16)))
    assert sizes[:3] == [8, 4, 2]
    assert sum(sizes[2:]) == 16
    assert [c.id for c in done] == [f"r{i}" for i in reversed(range(16))]


def test_after_long_prompts_that_did_not_fit_together_short_ones_do(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was too much is a number of tokens: of prompts a tenth as long ten times as many fit."""
    long = [Request(f"long {n}", said("x" * 900)) for n in range(2)]
    short = [Request(f"short {n}", said(f"{n}")) for n in range(10)]
    real = transformers_engine.decode
    sizes = []

    def tight(model: Any, prompts: Any, *rest: Any) -> Any:
        sizes.append(len(prompts))
        if len(prompts) > 1 and max(map(len, prompts)) > 900:
            raise RuntimeError("CUDA out of memory.")
        return real(model, prompts, *rest)

    monkeypatch.setattr(transformers_engine, "decode", tight)
    assert len(list(engine(tiny_model).generate([*short, *long]))) == 12
    assert sizes == [12, 6, 3, 1, 1, 10]


def test_a_shared_beginning_that_does_not_fit_alone_fails_its_rows_and_no_others(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, alone = requests(4), [Request("alone", said("short"))]
    compute, decode = transformers_engine.compute_prefix, transformers_engine.decode

    def no_prefix(model: Any, ids: Any) -> Any:
        if ids:
            raise RuntimeError("CUDA out of memory.")
        return compute(model, ids)

    def tight(model: Any, prompts: Any, *rest: Any) -> Any:
        if max(map(len, prompts)) > 30:
            raise RuntimeError("CUDA out of memory.")
        return decode(model, prompts, *rest)

    monkeypatch.setattr(transformers_engine, "compute_prefix", no_prefix)
    monkeypatch.setattr(transformers_engine, "decode", tight)
    done = {c.id: c.error for c in engine(tiny_model).generate([*shared, *alone])}
    assert done.pop("alone") is None
    assert all("out of memory for one prompt of" in str(error) for error in done.values())


def test_a_prompt_beyond_the_models_context_fails_with_what_to_do(tiny_model: Path) -> None:
    """It would be answered with garbage, or with an error for all; the others are answered."""
    done = {
        c.id: c
        for c in engine(tiny_model).generate(
            [Request("long", said("x" * 5000)), Request("short", said("x"))]
        )
    }
    assert done["short"].error is None
    assert done["long"].finish_reason == "error"
    assert "more than the model's context of 4096; show fewer" in str(done["long"].error)


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
