"""The embedder of an experiment, and what can change its vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.configuration.making import call, make
from evalkit.machine.environment import versions
from evalkit.machine.hardware import resolve_device
from evalkit.models import weights
from evalkit.retrieval import Embedder
from evalkit.store import source_of

Part = Mapping[str, Any]
"""The configuration's group ``embedder``."""


def make_embedder(part: Part) -> Embedder:
    """The encoder, with its weights where it has any."""
    encoder = make(part["encoder"], "embedder.encoder")
    if not part.get("weights"):
        return encoder  # type: ignore[no-any-return]
    folder = weights.obtain(part["weights"]).folder
    return call(encoder, "embedder.encoder", folder, name=part["name"])  # type: ignore[no-any-return]


def embedder_inputs(part: Part) -> dict[str, Any]:
    """Everything about the embedder that can change a vector or its name."""
    encoder = part["encoder"]
    code = source_of(str(encoder["_target_"]))
    inputs = {
        "embedder": part["name"],
        "encoder": {**encoder, **({"code": code} if code else {})},
        "weights": str(part["name"]),
    }
    if source := part.get("weights"):
        inputs["weights"] = weights.obtain(source).identity
        inputs["device"] = resolve_device(str(encoder.get("device", "auto"))).split(":")[0]
        inputs["libraries"] = versions("torch", "transformers")
    return inputs
