"""Decode a batch: shared prefixes computed once, prompts in parts, rows that ended dropped.

Prompts are computed in parts of like length into one cache that has room for all tokens; then all
rows go on together, a token a step. Layout of a row: ``[prefix | padding | rest of the prompt | gap |
new tokens]``. Padding evens out the rows of a part, the gap evens out the parts; positions are
counted over real tokens only.

That needs a cache that keeps every key and value in its place. Models with sliding windows, linear
attention or other layers of their own get transformers' growing cache, whole prompts and all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Output = tuple[list[int], bool]
"""The new tokens of a row, and whether it ended by itself."""

SHORTEST_PREFIX = 16
"""A shorter common prefix is not worth keeping apart."""

PART_TOKENS = {"cpu": 2048}
"""Tokens of prompts that go through the model at once, padding included, by device: what lies between
its layers should stay in the processor's cache."""

MOST_PART_TOKENS = 16_384
"""The same where the device is not named."""


@dataclass(frozen=True)
class Prefix:
    """Token ids that several prompts begin with, and their keys and values by layer, shape (1, heads,
    length, head size); no layers where the model's cache cannot take them over.
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
    """Run the model over the prefix once.

    Without ``ids`` the layers are those of no tokens: they tell their shape all the same.
    """
    import torch
    from transformers import DynamicCache

    if not keeps_everything(model):
        return Prefix()
    cache: Any = DynamicCache(config=model.config)
    with torch.no_grad():
        model(
            torch.tensor([ids or (0,)], device=model.device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
    layers = [
        (layer.keys[:, :, : len(ids)], layer.values[:, :, : len(ids)]) for layer in cache.layers
    ]
    return Prefix(ids, tuple(layers))


def decode(
    model: Any,
    prompts: Sequence[Sequence[int]],
    prefixes: Sequence[Prefix],
    new: int,
    ends: frozenset[int],
    pick: Callable[[Any, list[int]], Any],
) -> list[Output]:
    """Continue every prompt by at most ``new`` tokens.

    Args:
        prompts: token ids; neighbours of like length and with one prefix are computed together.
        prefixes: for each prompt what it begins with.
        ends: tokens that end a row; they are not part of the result.
        pick: ``pick(logits of shape (rows, vocabulary), row numbers)`` gives the next token of each
            row, shape (rows,).

    Returns:
        For each prompt its new tokens, and whether it ended by itself.
    """
    import torch

    in_place = all(prefix.layers for prefix in prefixes)
    rows = list(range(len(prompts)))
    outputs: list[list[int]] = [[] for _ in prompts]
    ended = [False] * len(prompts)
    with torch.no_grad():
        begin = _in_parts if in_place else _at_once
        logits, cache, seen = begin(model, prompts, prefixes, new)
        positions = torch.tensor([len(p) for p in prompts], device=model.device)
        for step in range(1, new + 1):
            chosen = pick(logits, rows)
            for row, token in zip(rows, chosen.tolist(), strict=True):
                ended[row] = ended[row] or token in ends
                if not ended[row]:
                    outputs[row].append(token)
            if step == new or all(ended):
                break
            if in_place and (order := _going([ended[row] for row in rows])):
                rows, (chosen, seen, positions) = _keep(order, rows, cache, chosen, seen, positions)
            seen = torch.cat([seen, seen.new_ones(len(rows), 1)], dim=1)
            logits = model(
                chosen[:, None], attention_mask=seen, position_ids=positions[:, None],
                past_key_values=cache, use_cache=True,
            ).logits[:, -1]  # fmt: skip
            positions = positions + 1
    return list(zip(outputs, ended, strict=True))


def _in_parts(
    model: Any, prompts: Sequence[Sequence[int]], prefixes: Sequence[Prefix], new: int
) -> tuple[Any, Any, Any]:
    """The prompts' last logits, the cache behind them, and which of its columns each row sees."""
    import torch

    from evalkit.generation.cache import Slots

    parts = list(_parts(prompts, prefixes, PART_TOKENS.get(model.device.type, MOST_PART_TOKENS)))
    filled = max(max(len(p) for p in prompts[part]) for part in parts)
    slots = Slots(prefixes[0].layers, len(prompts), filled + new)
    seen = torch.zeros(len(prompts), filled, dtype=torch.long, device=model.device)
    logits = []
    for part in parts:
        prefix = prefixes[part.start]
        tokens, mask = _padded(model, [p[len(prefix.ids) :] for p in prompts[part]])
        seen[part, : len(prefix.ids)] = 1
        seen[part, len(prefix.ids) : len(prefix.ids) + mask.shape[1]] = mask
        own = seen[part, : len(prefix.ids) + mask.shape[1]]
        logits.append(
            model(
                tokens, attention_mask=own, position_ids=_positions(own)[:, len(prefix.ids) :],
                past_key_values=slots.part(part, prefix.layers, len(prefix.ids)),
                use_cache=True, logits_to_keep=1,
            ).logits[:, -1]
        )  # fmt: skip
    return torch.cat(logits), slots.whole(filled), seen


def _at_once(
    model: Any, prompts: Sequence[Sequence[int]], prefixes: Sequence[Prefix], new: int
) -> tuple[Any, Any, Any]:
    """As ``_in_parts``, with the cache that transformers makes for the model."""
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)
    tokens, mask = _padded(model, prompts)
    logits = model(
        tokens, attention_mask=mask, position_ids=_positions(mask), past_key_values=cache,
        use_cache=True, logits_to_keep=1,
    ).logits[:, -1]  # fmt: skip
    return logits, cache, mask


def _parts(
    prompts: Sequence[Sequence[int]], prefixes: Sequence[Prefix], most: int
) -> Iterator[slice]:
    """Neighbours with the same prefix, at most ``most`` padded tokens together."""
    start, width = 0, 0
    for row, (prompt, prefix) in enumerate(zip(prompts, prefixes, strict=True)):
        width = max(width, length := len(prompt) - len(prefix.ids))
        if row > start and (prefix is not prefixes[start] or width * (row + 1 - start) > most):
            yield slice(start, row)
            start, width = row, length
    yield slice(start, len(prompts))


def _padded(model: Any, prompts: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    """Token ids with zeros before the shorter prompts, and a mask that is 0 there."""
    import torch

    width = max(map(len, prompts))
    empty = [width - len(p) for p in prompts]
    tokens = [[*[0] * n, *p] for n, p in zip(empty, prompts, strict=True)]
    mask = [[0] * n + [1] * (width - n) for n in empty]
    return torch.tensor(tokens, device=model.device), torch.tensor(mask, device=model.device)


def _positions(mask: Any) -> Any:
    """Positions over real tokens, shape of the mask; 0 on the padding before them."""
    return (mask.cumsum(1) - 1).clamp(min=0)


def _going(ended: Sequence[bool]) -> list[int]:
    """Where each row that goes on stands now, in their new order; empty where none ended.

    Rows from the end fill the places of those that ended, so that few are copied.
    """
    left = ended.count(False)
    if left == len(ended):
        return []
    last = [row for row in range(left, len(ended)) if not ended[row]]
    return [last.pop() if ended[row] else row for row in range(left)]


def _keep(
    order: list[int], rows: list[int], cache: Any, *tensors: Any
) -> tuple[list[int], list[Any]]:
    """Only the rows that are still going, in the cache and in every tensor."""
    import torch

    from evalkit.generation.cache import leave

    leave(cache, [(row, place) for place, row in enumerate(order) if row != place], len(order))
    index = torch.tensor(order, device=tensors[0].device)
    return [rows[row] for row in order], [t[index] for t in tensors]
