"""The engine of an experiment, by what the configuration says of it."""

from __future__ import annotations

import pytest

from evalkit.configuration.engines import make_generator
from evalkit.errors import ConfigError
from evalkit.generation.base import Decoding
from evalkit.models.weights import Weights


def test_workers_for_a_server_are_refused() -> None:
    """Each would have the whole budget to spend."""
    model = {
        "name": "far", "weights": {"source": "server"},
        "engine": {"_target_": "evalkit.generation.openai_engine.OpenAIGenerator", "workers": 2},
    }  # fmt: skip
    with pytest.raises(ConfigError, match="workers is 2, but the model is on a server") as caught:
        make_generator(model, Weights(None, "server"), Decoding())
    assert "model.engine.concurrency" in str(caught.value.todo)
