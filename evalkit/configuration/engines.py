"""The model of an experiment: its weights, here or on a server, and the engine that answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.configuration.making import call, make
from evalkit.errors import ConfigError
from evalkit.generation.base import Decoding, Generator
from evalkit.generation.sharded import ShardedGenerator
from evalkit.models.weights import Weights, obtain
from evalkit.secrets import without_credentials

WORKER_KEYS = {"workers": 1, "workers_on": "processes"}
"""Keys of ``model.engine`` that are not the engine's, and what they are where they are not given."""

Part = Mapping[str, Any]
"""The configuration's group ``model``."""


def model_weights(model: Part) -> Weights:
    """The weights of ``model``; of a server's, the identity is all that is known.

    Raises:
        ConfigError: A server's address is none.
        WeightsError: See :func:`evalkit.models.weights.obtain`.
    """
    source = model["weights"]
    if source.get("source") != "server":
        return obtain(source)
    url = str(source.get("url"))
    if not url.startswith(("http://", "https://")):
        raise ConfigError(
            f"model.base_url is {source.get('url')!r}, expected an address",
            todo="give one such as model.base_url=http://localhost:8000/v1",
        )
    return Weights(None, f"server:{source.get('model')}@{without_credentials(url).rstrip('/')}")


def adapter_name(model: Part, tuned: Sequence[str]) -> str | None:
    """The name by which a server knows the adapter of the pipelines ``tuned``; None where it is
    trained here, or not needed.

    Raises:
        ConfigError: A server would have to use an adapter that is trained here, or the other way
            round.
    """
    name, on_server = model.get("adapter_name"), model["weights"].get("source") == "server"
    if name and not on_server:
        raise ConfigError(
            f"model.adapter_name is {name!r}, but the model is on this machine, and so is its adapter",
            todo="leave model.adapter_name out, or choose model=openai",
        )
    if tuned and on_server and not name:
        raise ConfigError(
            f"pipelines {list(tuned)} are tuned, but {model['name']} is on a server, which does not"
            " have an adapter that is trained here",
            todo="load an adapter into the server and name it with model.adapter_name=NAME, or choose"
            " pipelines without tuning, for example pipeline=[prompt_only,rag]",
        )
    return str(name) if tuned and name else None


def make_generator(
    model: Part,
    weights: Weights,
    decoding: Decoding,
    adapter: Path | str | None = None,
    adapter_id: str | None = None,
) -> Generator:
    """The engine with base weights, or with an adapter: a folder, or a server's name for it.

    With ``workers`` in the engine's part, so many of it in processes of their own.

    Raises:
        ConfigError: Workers for a server, each of which would have the whole budget to spend.
    """
    part = {key: value for key, value in model["engine"].items() if key not in WORKER_KEYS}
    workers, where = (model["engine"].get(key, default) for key, default in WORKER_KEYS.items())
    if workers != 1 and model["weights"].get("source") == "server":
        raise ConfigError(
            f"model.engine.workers is {workers!r}, but the model is on a server",
            todo="leave it out, and ask the server more at once with model.engine.concurrency=N",
        )
    engine = make(part, "model.engine")
    chosen = {"adapter": adapter, "adapter_id": adapter_id} if adapter_id else {}
    begin: Callable[[], Generator] = partial(
        call, engine, "model.engine", weights.folder, weights.identity, decoding, **chosen
    )
    return begin() if workers == 1 else ShardedGenerator(begin, workers, str(where))
