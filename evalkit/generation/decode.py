"""Decode a batch: a shared prefix computed once, a preallocated cache, finished rows dropped.

Layout of a row in the cache: ``[shared prefix | padding | rest of the prompt | new tokens]``. The
padding stands in the middle, so that the prefix can be copied in whole; positions are counted over
real tokens only.

That needs a cache that keeps every key and value in its place. Models with sliding windows, linear
attention or other layers of their own get transformers' growing cache, whole prompts and all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Output = tuple[list[int], bool]
"""The new tokens of a row, and whether it ended by itself."""

SHORTEST_PREFIX = 16
"""A shorter common prefix is not worth keeping apart."""


@dataclass(frozen=True)
class Prefix:
    """Token ids that all prompts begin with, and their keys and values by layer, shape (1, heads,
    length, head size).
    """

    ids: tuple[int, ...] = ()
    layers: tuple[tuple[Any, Any], ...] = ()


def common_prefix(prompts: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The longest beginning that all prompts share and none consists of; empty if not worth it."""
    first, last = min(map(tuple, prompts)), max(map(tuple, prompts))
    shared = 0
    for a, b in zip(first, last, strict=False):
        if a != b:
            break
        shared += 1
    shared = min(shared, min(len(p) for p in prompts) - 1)
    return first[:shared] if shared >= SHORTEST_PREFIX else ()


def keeps_everything(model: Any) -> bool:
    """Whether each layer of the model's cache holds all keys and values, preallocated.

    Asked of the cache that transformers makes for the model, and not of the configuration, whose
    keys differ between families. Subclasses (sliding windows, indexed, linear) do not count.
    """
    from transformers import StaticCache
    from transformers.cache_utils import StaticLayer

    try:
        layers = StaticCache(config=model.config, max_cache_len=1).layers
    except (KeyError, TypeError, ValueError, AttributeError, NotImplementedError):
        return False
    return bool(layers) and all(type(layer) is StaticLayer for layer in layers)


def compute_prefix(model: Any, ids: tuple[int, ...]) -> Prefix:
    """Run the model over the prefix once; empty where the model's cache cannot take it over."""
    import torch
    from transformers import DynamicCache

    if not ids or not keeps_everything(model):
        return Prefix()
    cache: Any = DynamicCache(config=model.config)
    with torch.no_grad():
        model(
            torch.tensor([ids], device=model.device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
    return Prefix(ids, tuple((layer.keys, layer.values) for layer in cache.layers))


def decode(
    model: Any,
    prompts: Sequence[Sequence[int]],
    prefix: Prefix,
    new: int,
    ends: frozenset[int],
    pick: Callable[[Any, list[int]], Any],
) -> list[Output]:
    """Continue every prompt by at most ``new`` tokens.

    Args:
        prompts: token ids, each beginning with ``prefix.ids``.
        ends: tokens that end a row; they are not part of the result.
        pick: ``pick(logits of shape (rows, vocabulary), row numbers)`` gives the next token of each
            row, shape (rows,).

    Returns:
        For each prompt its new tokens, and whether it ended by itself.
    """
    import torch
    from transformers import DynamicCache

    rest = [list(p[len(prefix.ids) :]) for p in prompts]
    width = max(len(r) for r in rest)
    device = model.device
    tokens = torch.tensor([[0] * (width - len(r)) + r for r in rest], device=device)
    mask = torch.tensor(
        [[1] * len(prefix.ids) + [0] * (width - len(r)) + [1] * len(r) for r in rest], device=device
    )
    whole = keeps_everything(model)
    cache = (
        _static_cache(model, prefix, len(prompts), len(prefix.ids) + width + new)
        if whole
        else DynamicCache(config=model.config)
    )
    positions = (mask.cumsum(1) - 1).clamp(min=0)[:, len(prefix.ids) :]
    rows = list(range(len(prompts)))
    outputs: list[list[int]] = [[] for _ in prompts]
    ended = [False] * len(prompts)
    with torch.no_grad():
        for _ in range(new):
            logits = model(
                tokens, attention_mask=mask, position_ids=positions, past_key_values=cache,
                use_cache=True, logits_to_keep=1,
            ).logits[:, -1]  # fmt: skip
            chosen = pick(logits, rows)
            for row, token in zip(rows, chosen.tolist(), strict=True):
                ended[row] = ended[row] or token in ends
                if not ended[row]:
                    outputs[row].append(token)
            going = [i for i, row in enumerate(rows) if not ended[row]]
            if not going:
                break
            # Copying the cache costs about as much as a step, so rows leave in halves.
            if whole and len(going) <= len(rows) // 2:
                rows, chosen, mask, positions = _keep(going, rows, cache, chosen, mask, positions)
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            tokens, positions = chosen[:, None], positions[:, -1:] + 1
    return list(zip(outputs, ended, strict=True))


def _static_cache(model: Any, prefix: Prefix, rows: int, length: int) -> Any:
    """An empty cache for ``length`` tokens whose every row begins with the prefix."""
    from transformers import StaticCache

    cache: Any = StaticCache(config=model.config, max_cache_len=length)
    for layer, (keys, values) in zip(cache.layers, prefix.layers, strict=False):
        layer.lazy_initialization(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1))
        layer.keys[:, :, : len(prefix.ids)] = keys
        layer.values[:, :, : len(prefix.ids)] = values
        layer.cumulative_length.fill_(len(prefix.ids))
    return cache


def _keep(going: list[int], rows: list[int], cache: Any, *tensors: Any) -> tuple[Any, ...]:
    """Only the rows that are still going, in the cache and in every tensor."""
    import torch

    index = torch.tensor(going, device=tensors[0].device)
    for layer in cache.layers:
        layer.keys, layer.values = layer.keys[index], layer.values[index]
        layer.batch_size = len(going)
    return ([rows[i] for i in going], *(t[index] for t in tensors))
