"""Batches whose rows leave against continuous batching, where a waiting row takes their place."""

from __future__ import annotations

import argparse
import operator
import random
from collections.abc import Callable, Sequence
from typing import Any

from speed_common import spread
from speed_device import greedy, in_turns
from speed_shapes import random_prompts

END = -1
"""What ends a row here: no token of any model."""


def continuous(model: Any, rows: int, chosen: argparse.Namespace) -> dict[str, Any]:
    """Tokens a second over four batches' worth of prompts whose answers are of many lengths.

    Both sides have so many rows at once and give each as many tokens as were drawn for it. The cache of
    transformers' side is made in the call that warms up, and kept.
    """
    draw = random.Random(0)
    prompts = random_prompts(model.config.vocab_size, 4 * rows, chosen.prompt, chosen.shared)
    lengths = [draw.randint(1, chosen.new) for _ in prompts]
    works = (
        lambda: batches(model, prompts, lengths, rows, chosen.shared),
        lambda: refilled(model, prompts, lengths, rows),
    )
    ours, theirs = map(spread, in_turns(works, chosen.device, chosen.repeats))
    said = [work() for work in works]
    model.destroy_cached_continuous_batching_manager()
    for each in said:
        if [len(tokens) for tokens in each] != lengths:
            raise SystemExit("continuous batching: rows of other lengths than were asked for")
    return {
        "prompts": len(prompts), "rows": rows, "tokens": sum(lengths), "unlike": sum(map(operator.ne, *said)),
        "batches_seconds": ours, "continuous_seconds": theirs,
    }  # fmt: skip


def batches(
    model: Any, prompts: Sequence[list[int]], lengths: Sequence[int], rows: int, shared: int
) -> list[list[int]]:
    """Our batches, each of so many rows."""
    from evalkit.generation.decode import compute_prefix, decode

    prefix = compute_prefix(model, tuple(prompts[0][:shared]))
    found: list[list[int]] = []
    for first in range(0, len(prompts), rows):
        some = slice(first, first + rows)
        count = len(prompts[some])
        outputs = decode(
            model, prompts[some], [prefix] * count, max(lengths) + 1, frozenset([END]),
            ending(lengths[some], model.device),
        )  # fmt: skip
        found += [tokens for tokens, _ in outputs]
    return found


def ending(lengths: Sequence[int], device: Any) -> Callable[[Any, list[int]], Any]:
    """The likeliest token of each row, until it has its number of them."""
    import torch

    wanted = torch.tensor(lengths, device=device)
    said = 0

    def pick(logits: Any, rows: list[int]) -> Any:
        nonlocal said
        chosen = greedy(logits, rows)
        over = wanted[torch.tensor(rows, device=device)] <= said
        said += 1
        return chosen.masked_fill(over, END)

    return pick


def refilled(
    model: Any, prompts: Sequence[list[int]], lengths: Sequence[int], rows: int
) -> list[list[int]]:
    """transformers' continuous batching, with the attention that the model has: what it would fetch
    instead is code from a hub.
    """
    from transformers import ContinuousBatchingConfig, GenerationConfig

    room = ContinuousBatchingConfig(auto_switch_to_flash=False, max_requests_per_batch=rows)
    longest = max(map(len, prompts)) + max(lengths)
    room.num_blocks = rows * (longest // room.page_size + 2)
    with model.continuous_batching_context_manager(
        generation_config=GenerationConfig(
            do_sample=False, eos_token_id=END, max_new_tokens=max(lengths)
        ),
        continuous_batching_config=room,
        persistent_manager=True,
        timeout=60,
    ) as manager:
        for number, (prompt, length) in enumerate(zip(prompts, lengths, strict=True)):
            manager.add_request(prompt, request_id=str(number), max_new_tokens=length)
        done: dict[int, list[int]] = {}
        while len(done) < len(prompts):
            result = manager.get_result(timeout=1)
            if result is None:
                if not manager.is_running():
                    raise SystemExit("continuous batching ended before its prompts did")
            elif result.error:
                raise SystemExit(f"continuous batching: {result.error}")
            elif result.is_finished():
                done[int(result.request_id)] = list(result.generated_tokens)
    return [done[number] for number in range(len(prompts))]
