"""What the tests of the default engine share: the engine with a tiny model, and requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evalkit.generation.base import Decoding, Request
from evalkit.generation.transformers_engine import TransformersGenerator


def engine(folder: Path, **settings: Any) -> TransformersGenerator:
    decoding = settings.pop("decoding", Decoding(max_new_tokens=8))
    return TransformersGenerator(
        folder, "tiny", decoding, dtype="float32", device="cpu", **settings
    )


def requests(count: int = 7) -> list[Request]:
    return [
        Request(
            f"r{i}",
            (
                {"role": "system", "content": "Answer in few words, please."},
                {"role": "user", "content": "why " * (i + 1)},
            ),
        )
        for i in range(count)
    ]
