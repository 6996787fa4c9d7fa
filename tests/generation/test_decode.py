"""Decoding: shared prefixes and dropped rows must never show in the output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.generation import decode as decode_module
from evalkit.generation.decode import (
    SHORTEST_PREFIX,
    _going,
    common_prefix,
    compute_prefix,
    decode,
    keeps_everything,
)
from evalkit.models.loading import load_model

NEW = 12
ENDS = frozenset(
    {257, *range(0, 256, 5)}
)  # many tokens end a row, so that rows end at many lengths


def greedy(logits, _rows):  # type: ignore[no-untyped-def]
    return logits.argmax(-1)


@pytest.fixture(scope="module")
def model(tiny_model: Path):  # type: ignore[no-untyped-def]
    return load_model(tiny_model, "float32", "cpu").eval()


def alone(model, prompt: list[int]) -> tuple[list[int], bool]:  # type: ignore[no-untyped-def]
    """The definition: the whole sequence through the model for every token, no cache, no batch."""
    import torch

    tokens = list(prompt)
    for _ in range(NEW):
        with torch.no_grad():
            token = int(model(torch.tensor([tokens])).logits[0, -1].argmax())
        if token in ENDS:
            return tokens[len(prompt) :], True
        tokens.append(token)
    return tokens[len(prompt) :], False


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.integers(0, 255), min_size=1, max_size=30), min_size=1, max_size=7),
    st.sampled_from([0, SHORTEST_PREFIX, 25]),
)
def test_a_batch_with_a_shared_prefix_equals_each_prompt_alone(model, rests, shared) -> None:  # type: ignore[no-untyped-def]
    """In float32 the greedy output depends neither on the batch nor on how the prompt was split."""
    prompts = [[*range(100, 100 + shared), *rest] for rest in rests]
    prefix = compute_prefix(model, tuple(range(100, 100 + shared)))
    given_prefixes = [prefix] * len(prompts)
    assert decode(model, prompts, given_prefixes, NEW, ENDS, greedy) == [
        alone(model, p) for p in prompts
    ]


def test_an_ended_row_says_nothing_more(model) -> None:  # type: ignore[no-untyped-def]
    """While its neighbours go on, an ended row stays as it ended."""
    prompts = [[i, i + 1, i + 2] for i in range(40, 46)]
    together = decode(model, prompts, [compute_prefix(model, ())] * len(prompts), NEW, ENDS, greedy)
    lengths = {len(tokens) for tokens, _ in together}
    assert len(lengths) > 1, "the rows must end at different lengths for this test to say anything"
    assert together == [alone(model, p) for p in prompts]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.lists(st.integers(0, 255), min_size=1, max_size=20)),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([1, 12, 40]),
)
def test_prompts_in_parts_with_several_prefixes_equal_each_prompt_alone(model, rows, most) -> None:  # type: ignore[no-untyped-def]
    """Rows of one batch may begin differently, and be computed in as many parts as one likes."""
    beginnings = [(), tuple(range(100, 117)), tuple(range(150, 180))]
    computed = [compute_prefix(model, ids) for ids in beginnings]
    rows.sort(key=lambda row: row[0])
    prompts = [[*beginnings[kind], *rest] for kind, rest in rows]
    prefixes = [computed[kind] for kind, _ in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(decode_module.PART_TOKENS, "cpu", most)
        found = decode(model, prompts, prefixes, NEW, ENDS, greedy)
    assert found == [alone(model, p) for p in prompts]


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_rows_that_go_on_close_ranks_and_few_of_them_move(ended: list[bool]) -> None:
    """Each row that goes on stands in the new order once; no more move than places fell free."""
    order = _going(ended)
    if not any(ended):
        assert order == []
        return
    assert sorted(order) == [row for row, over in enumerate(ended) if not over]
    assert sum(row != place for place, row in enumerate(order)) <= ended.count(True)


def other_models() -> dict[str, Any]:
    """Tiny random models whose caches do not keep every key and value in its place."""
    import torch
    from transformers import (
        Gemma2Config,
        Gemma2ForCausalLM,
        MistralConfig,
        MistralForCausalLM,
        Qwen3NextConfig,
        Qwen3NextForCausalLM,
    )

    shape = {
        "vocab_size": 264, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
        "initializer_range": 0.5, "pad_token_id": 256, "eos_token_id": 257, "bos_token_id": 258,
    }  # fmt: skip
    linear = {
        "linear_num_value_heads": 2, "linear_num_key_heads": 2, "linear_key_head_dim": 8,
        "linear_value_head_dim": 8, "num_experts": 0, "decoder_sparse_step": 1,
        "layer_types": ["linear_attention", "full_attention"],
    }  # fmt: skip
    torch.manual_seed(0)
    return {
        "all layers slide": MistralForCausalLM(MistralConfig(**shape, sliding_window=8)),
        "every other layer slides": Gemma2ForCausalLM(Gemma2Config(**shape, sliding_window=8)),
        "linear and full layers": Qwen3NextForCausalLM(Qwen3NextConfig(**shape, **linear)),
    }


@pytest.mark.parametrize(
    "kind", ["all layers slide", "every other layer slides", "linear and full layers"]
)
def test_models_with_other_caches_equal_the_definition_too(kind: str) -> None:
    """Prompts and answers longer than the window, padded and not, some ending early."""
    model = other_models()[kind].eval()
    assert not keeps_everything(model)
    beginning = tuple(range(100, 100 + SHORTEST_PREFIX))
    prefix = compute_prefix(model, beginning)
    assert prefix.ids == (), "nothing can be taken over"
    prompts = [[*beginning, *range(40, 40 + n)] for n in (1, 2, 5, 9, 14, 20)]
    found = decode(model, prompts, [prefix] * len(prompts), NEW, ENDS, greedy)
    assert found == [alone(model, p) for p in prompts]
    assert len({len(tokens) for tokens, _ in found}) > 1


def test_a_plain_model_shares_its_prefix(model) -> None:  # type: ignore[no-untyped-def]
    """Full attention in every layer: the prefix is computed once."""
    assert keeps_everything(model)
    assert compute_prefix(model, tuple(range(20))).ids == tuple(range(20))


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=40), min_size=1, max_size=5))
def test_the_common_prefix_is_shared_by_all_and_leaves_every_prompt_a_token(
    prompts: list[list[int]],
) -> None:
    """It is as long as can be, or empty where that is short."""
    prefix = common_prefix(prompts)
    assert all(tuple(p[: len(prefix)]) == prefix and len(p) > len(prefix) for p in prompts)
    longest = max(
        n for n in range(min(map(len, prompts))) if len({tuple(p[:n]) for p in prompts}) == 1
    )
    assert len(prefix) == (longest if longest >= SHORTEST_PREFIX else 0)
