"""One vLLM engine for all generators that can share it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.shared import Shared


class Resident:
    """A vLLM engine that is loaded at first use.

    ``adapters`` is whether one will be asked for: without, the engine keeps no room for them.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.adapters = False
        self._options = dict(options)
        self._engine: Any = None
        self._loaded_with_adapters = False
        self._numbers: dict[str, int] = {}

    def engine(self, *, with_adapters: bool) -> Any:
        """The engine; loaded anew where it keeps no room for adapters and one is asked for."""
        self.adapters |= with_adapters
        if self._engine is not None and with_adapters and not self._loaded_with_adapters:
            self.shut_down()
        if self._engine is None:
            self._engine = _load(self._options, self.adapters)
            self._loaded_with_adapters = self.adapters
        return self._engine

    def shut_down(self) -> None:
        """Free its memory; it is loaded anew if it is used again."""
        if self._engine is not None:
            self._engine.engine_core.shutdown()
            self._engine = None

    def number(self, adapter: str) -> int:
        """The number that vLLM knows an adapter by, from 1."""
        return self._numbers.setdefault(adapter, len(self._numbers) + 1)


_RESIDENTS: Shared[Resident] = Shared(Resident.shut_down)


def hold(holder: object, options: Mapping[str, Any]) -> tuple[Resident, Callable[[], Any]]:
    """The engine with these options, shared with other holders; and a function that lets go."""
    key = json.dumps(options, sort_keys=True)
    return _RESIDENTS.hold(holder, key, lambda: Resident(options))


def _load(options: Mapping[str, Any], adapters: bool) -> Any:
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    from vllm import EngineArgs, LLMEngine

    try:
        return LLMEngine.from_engine_args(
            EngineArgs(
                **options,
                enable_lora=adapters,
                enable_prefix_caching=True,
                disable_log_stats=True,
            )
        )
    except (ValueError, RuntimeError) as error:
        raise EvalkitError(
            f"vLLM could not load {options['model']}: {' '.join(str(error).split())[:500]}",
            todo="where memory is short: model.engine.memory_share, max_length or gpus;"
            " model/engine=transformers runs the same model without vLLM",
        ) from error


def step(engine: Any) -> list[Any]:
    """What the engine's next step gives.

    Raises:
        EvalkitError: It stopped.
    """
    try:
        outputs: list[Any] = engine.step()
    except Exception as error:
        raise EvalkitError(
            f"vLLM stopped: {type(error).__name__}: {' '.join(str(error).split())[:500]}",
            todo="run the same command again: finished answers are kept; where it stops again,"
            " model/engine=transformers runs the same model without vLLM",
        ) from error
    return outputs
