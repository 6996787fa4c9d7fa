"""Keys and values of a batch in place: room for all tokens from the start, rows that can leave.

transformers is imported with this module, so it is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers.cache_utils import Cache, CacheLayerMixin

Layers = Sequence[tuple[Any, Any]]
"""Keys and values by layer, each of shape (rows, heads, length, head size)."""


class SlotLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """A layer that writes into given tensors, and attends to what was written and no further.

    ``keys`` and ``values`` have shape (rows, heads, room, head size); ``filled`` of the room is
    written. Unlike transformers' static layer it gives the written part alone, so that no time goes
    into empty room.
    """

    keys: Any
    values: Any
    is_sliding = False
    is_compileable = False

    def __init__(self, keys: Any, values: Any, filled: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.keys, self.values, self.filled = keys, values, filled
        self.lazy_initialization(keys, values)

    def lazy_initialization(self, key_states: Any, value_states: Any) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self.is_initialized = True

    def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        start, self.filled = self.filled, self.filled + key_states.shape[2]
        self.keys[:, :, start : self.filled] = key_states
        self.values[:, :, start : self.filled] = value_states
        return self.keys[:, :, : self.filled], self.values[:, :, : self.filled]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.filled + query_length, 0

    def get_seq_length(self) -> int:
        return self.filled

    def get_max_length(self) -> int:
        return int(self.keys.shape[2])


class Slots:
    """The keys and values of a batch whose rows are filled part by part and leave one by one."""

    def __init__(self, like: Layers, rows: int, room: int) -> None:
        """Room for ``room`` tokens in each of ``rows`` rows, of the kind that ``like`` shows."""
        self._layers = [
            tuple(t.new_zeros(rows, t.shape[1], room, t.shape[3]) for t in layer) for layer in like
        ]

    def part(self, rows: slice, prefix: Layers, length: int) -> Any:
        """A cache of these rows alone; they begin with ``prefix``, of ``length`` tokens."""
        layers: list[Any] = []
        for (keys, values), (first_keys, first_values) in zip(self._layers, prefix, strict=True):
            keys[rows, :, :length] = first_keys[:, :, :length]
            values[rows, :, :length] = first_values[:, :, :length]
            layers.append(SlotLayer(keys[rows], values[rows], length))
        return Cache(layers=layers)

    def whole(self, filled: int) -> Any:
        """A cache of all rows, which goes on behind the first ``filled`` tokens."""
        layers: list[Any] = [SlotLayer(keys, values, filled) for keys, values in self._layers]
        return Cache(layers=layers)


def leave(cache: Any, moves: Sequence[tuple[int, int]], rows: int) -> None:
    """Keep the first ``rows`` rows of a cache, once each row ``to`` is overwritten by ``origin``.

    Args:
        moves: pairs ``(origin, to)``.
    """
    for layer in cache.layers:
        for origin, to in moves:
            layer.keys[to, :, : layer.filled] = layer.keys[origin, :, : layer.filled]
            layer.values[to, :, : layer.filled] = layer.values[origin, :, : layer.filled]
        layer.keys, layer.values = layer.keys[:rows], layer.values[:rows]
