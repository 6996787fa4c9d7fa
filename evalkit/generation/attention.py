"""Attention for processors: blocks of queries, each against the keys it may see and no others.

torch's attention for processors multiplies bfloat16 matrices without the processor's bfloat16
instructions, and works through the keys that a causal mask hides. The same in blocks through the
matrix library takes about 0.4 (bfloat16) and 0.8 (float32) of its time over prompts. Of single
queries torch's is the faster, and stays.
"""

from __future__ import annotations

from typing import Any

NAME = "evalkit_blocks"
"""The name under which transformers knows this attention."""

QUERIES = 128
"""Queries of a block: few enough that the scores of a row stay in the processor's cache."""

SCORES = 2**19
"""Scores of a block; short prompts share a block up to this."""


def use_blocks(model: Any) -> None:
    """Let a model on a processor attend in blocks, where it attends by torch's sdpa otherwise."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    if model.device.type != "cpu" or model.config._attn_implementation != "sdpa":
        return
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)


def attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> tuple[Any, None]:
    """Causal attention, as transformers' attention functions are called.

    Args:
        query: shape (rows, heads, queries, size); the last query belongs to the last key.
        key: shape (rows, key heads, keys, size); ``value`` likewise.
        attention_mask: bool, shape (rows, 1, queries, keys), True where a key is seen; None where
            only causality hides keys.

    Returns:
        Shape (rows, queries, heads, size), and None in place of weights.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if not _plain(module, query, key, attention_mask, dropout, others):
        found: tuple[Any, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, **others
        )
        return found
    rows, heads, queries, size = query.shape
    before = key.shape[2] - queries
    query = query * (size**-0.5 if scaling is None else scaling)
    out = query.new_empty(rows, queries, heads, value.shape[-1])
    for start in range(0, queries, QUERIES):
        end = min(queries, start + QUERIES)
        seen = before + end
        together = max(1, SCORES // (heads * (end - start) * seen))
        for first in range(0, rows, together):
            some = slice(first, first + together)
            hidden = _hidden(attention_mask, some, start, end, before, query)
            block = _block(
                query[some, :, start:end], key[some, :, :seen], value[some, :, :seen], hidden
            )
            out[some, start:end] = block.transpose(1, 2)
    return out, None


def _plain(
    module: Any, query: Any, key: Any, mask: Any, dropout: float, others: dict[str, Any]
) -> bool:
    """Whether this is causal attention of several queries and nothing more: no dropout, no bias, no
    cap, no sink.
    """
    import torch

    extras = ("position_bias", "softcap", "s_aux", "cache")
    return (
        not dropout
        and getattr(module, "is_causal", True)
        and others.get("is_causal") is not False
        and all(others.get(name) is None for name in extras)
        and 1 < query.shape[2] <= key.shape[2]
        and query.shape[1] % key.shape[1] == 0
        and (mask is None or (mask.dtype == torch.bool and mask.shape[1] == 1))
    )


def _hidden(mask: Any, some: slice, start: int, end: int, before: int, query: Any) -> Any:
    """Which keys up to the block's last are hidden from which of its queries."""
    import torch

    if mask is not None:
        return ~mask[some, :, None, start:end, : before + end]
    size = (end - start, before + end)
    return torch.ones(size, dtype=torch.bool, device=query.device).triu(before + start + 1)


def _block(query: Any, key: Any, value: Any, hidden: Any) -> Any:
    """Attention of scaled queries, shape (rows, heads, queries, size)."""
    import torch

    rows, heads, queries, size = query.shape
    groups = heads // key.shape[1]
    folded = query.reshape(rows, key.shape[1], groups * queries, size)
    scores = torch.matmul(folded, key.transpose(2, 3))
    # The least number and not minus infinity: what pads a prompt sees no key at all.
    least = torch.finfo(scores.dtype).min
    scores.view(rows, key.shape[1], groups, queries, -1).masked_fill_(hidden, least)
    shares = torch.softmax(scores, dim=-1, dtype=torch.float32).to(value.dtype)
    return torch.matmul(shares, value).view(rows, heads, queries, value.shape[-1])
