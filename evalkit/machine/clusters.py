"""Ray: a cluster of this machine, or one that is there."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from evalkit.errors import ConfigError


@contextmanager
def connected(address: str | None, runtime_env: Mapping[str, Any] | None = None) -> Iterator[Any]:
    """Ray's module, connected; a cluster that was started here ends here.

    Raises:
        ConfigError: There is no such cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        yield ray
        return
    options: dict[str, Any] = {} if address else {"include_dashboard": False}
    if runtime_env:
        options["runtime_env"] = dict(runtime_env)
    # Ray says at each start that access to the cluster is kept by a token, as it should be.
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
    try:
        # "local" and not None, which would join whatever cluster RAY_ADDRESS names.
        ray.init(address=address or "local", configure_logging=False, **options)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise ConfigError(
            f"could not reach Ray at {address or 'this machine'}: {' '.join(str(error).split())[:300]}",
            todo="check the address (RAY_AUTH_MODE=token where the cluster asks for one), or leave it"
            " out for a cluster of this machine",
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()
