"""Which rows go into a batch together: like lengths, few shared beginnings, what fits in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.generation.decode import Prefix
from evalkit.machine.hardware import available_memory

PREFIXES = 8
"""So many shared beginnings are in memory at once."""


@dataclass(frozen=True)
class Row:
    """A request as the model sees it; ``shared`` is what it begins with as others do."""

    id: str
    prompt: str
    ids: list[int]
    shared: tuple[int, ...] = ()


def together(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Rows to be batched with each other: all, or those of one shared beginning where there are
    so many beginnings that their keys and values should not be in memory at once.
    """
    groups: dict[tuple[int, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(row.shared, []).append(row)
    if 0 < len(groups) <= PREFIXES:
        yield list(rows)
    else:
        yield from groups.values()


def default_budget(model: Any, prefix: Prefix) -> int:
    """Tokens of a batch whose keys and values take a quarter of the free memory, a power of two (so
    that a little more or less free memory changes no batch), at most 65,536.

    Where prompts cannot be computed in parts, what lies between the layers counts for more: 8,192.
    """
    if not prefix.layers:
        return 8192
    size = sum(t.shape[1] * t.shape[3] * t.element_size() for layer in prefix.layers for t in layer)
    fitting = int(free_memory(model.device) // (4 * size))
    return int(min(65_536, 1 << max(0, fitting.bit_length() - 1)))


def pack(lengths: Sequence[int], budget: int, max_rows: int) -> Iterator[list[int]]:
    """Consecutive rows into batches of at most ``budget`` padded tokens and ``max_rows`` rows."""
    batch: list[int] = []
    width = 0
    for row, length in enumerate(lengths):
        width = max(width, length)
        if batch and (len(batch) >= max_rows or width * (len(batch) + 1) > budget):
            yield batch
            batch, width = [], length
        batch.append(row)
    if batch:
        yield batch


def free_memory(device: Any) -> int:
    """Bytes that are free, on a GPU (what torch holds of it without using it is) or of the machine."""
    import torch

    if torch.device(device).type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + held
    return available_memory()
