"""Attention in blocks: the definition, whatever the blocks, the padding and the heads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.generation import attention
from evalkit.generation.attention import NAME, attend, use_blocks


def definition(query: Any, key: Any, value: Any, seen: Any) -> Any:
    """softmax(q k / sqrt(size)) v over the keys seen, in float64; (rows, queries, heads, size)."""
    import torch

    groups = query.shape[1] // key.shape[1]
    key, value = (t.double().repeat_interleave(groups, dim=1) for t in (key, value))
    scores = query.double() @ key.transpose(2, 3) / query.shape[-1] ** 0.5
    shares = torch.softmax(scores.masked_fill(~seen, float("-inf")), dim=-1)
    return (shares @ value).transpose(1, 2)


@settings(max_examples=40)
@given(
    rows=st.integers(1, 4),
    key_heads=st.sampled_from([1, 2]),
    groups=st.sampled_from([1, 3]),
    before=st.integers(0, 9),
    queries=st.integers(2, 11),
    block=st.sampled_from([1, 4, 128]),
    scores=st.sampled_from([1, 200, 2**19]),
    hidden=st.lists(st.integers(0, 6), min_size=4, max_size=4),
    data=st.integers(0, 99),
)
def test_blocks_equal_the_definition(  # type: ignore[no-untyped-def]
    rows, key_heads, groups, before, queries, block, scores, hidden, data
) -> None:
    """Padded rows or none, few keys before or many, one head a key or three: to float32 rounding."""
    import torch

    torch.manual_seed(data)
    query = torch.randn(rows, key_heads * groups, queries, 8)
    key, value = (torch.randn(rows, key_heads, before + queries, size) for size in (8, 6))
    causal = torch.ones(queries, before + queries, dtype=torch.bool).tril(before)
    columns = torch.arange(before + queries)
    padding = torch.stack([columns >= min(n, queries - 1) for n in hidden[:rows]])
    mask = (causal & padding[:, None])[:, None]
    module = SimpleNamespace(is_causal=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "QUERIES", block)
        patch.setattr(attention, "SCORES", scores)
        found, weights = attend(module, query, key, value, mask)
        plain, _ = attend(module, query, key, value, None, scaling=8**-0.5)
    assert weights is None
    expected = definition(query, key, value, mask)
    some = mask.any(-1)[:, 0]  # a query that pads sees nothing and means nothing, but is a number
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found.double()[some], expected[some], atol=1e-5, rtol=1e-5)
    whole = definition(query, key, value, causal)
    torch.testing.assert_close(plain.double(), whole, atol=1e-5, rtol=1e-5)


def test_what_is_more_than_causal_attention_is_left_to_transformers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Single queries, which torch does faster; biases, sinks, caps, other masks, both directions."""
    import torch
    from transformers.integrations import sdpa_attention

    asked: list[str] = []
    monkeypatch.setattr(
        sdpa_attention, "sdpa_attention_forward", lambda *_, **__: (asked.append("sdpa"), None)
    )
    causal, both = SimpleNamespace(is_causal=True), SimpleNamespace(is_causal=False)
    some, one = torch.randn(1, 2, 3, 4), torch.randn(1, 2, 1, 4)
    attend(causal, some, some, some, None)
    assert asked == []
    attend(causal, one, some, some, None)
    attend(both, some, some, some, None)
    attend(causal, some, some, some, None, is_causal=False)
    attend(causal, some, some, some, torch.zeros(1, 1, 3, 3))
    attend(causal, some, some, some, None, dropout=0.1)
    for name in ("position_bias", "softcap", "s_aux"):
        attend(causal, some, some, some, None, **{name: 1.0})
    assert len(asked) == 8


def test_only_a_model_on_a_processor_that_attends_by_sdpa_is_changed(tiny_model) -> None:  # type: ignore[no-untyped-def]
    """The same logits as before, to float32 rounding; eager attention stays as it was chosen."""
    import torch

    from evalkit.models.loading import load_model

    model = load_model(tiny_model, "float32", "cpu").eval()
    tokens = torch.arange(40).reshape(2, 20)
    mask = torch.ones_like(tokens)
    mask[1, :5] = 0
    with torch.no_grad():
        before = model(tokens, attention_mask=mask).logits
        use_blocks(model)
        after = model(tokens, attention_mask=mask).logits
    assert model.config._attn_implementation == NAME
    torch.testing.assert_close(after[mask == 1], before[mask == 1], atol=1e-4, rtol=1e-4)
    model.set_attn_implementation("eager")
    use_blocks(model)
    assert model.config._attn_implementation == "eager"
