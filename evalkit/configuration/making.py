"""Make what a configuration names, and say which key is at fault where that fails or is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.errors import ConfigError, EvalkitError


def make(part: Any, key: str) -> Any:
    """Hydra's ``instantiate``, which refuses dangerous targets, with the key named in errors."""
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        return instantiate(part, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, EvalkitError):
            raise cause from None
        first = " ".join(str(cause or error).split())[:300]
        target = part.get("_target_") if isinstance(part, Mapping) else None
        raise ConfigError(
            f"{key}: could not make {target or part!r}: {first}",
            todo=f"check the keys under `{key}` (evalkit run --cfg job prints the composed configuration)",
        ) from error


def call(made: Any, key: str, *given: Any, **named: Any) -> Any:
    """Call what :func:`make` made; a key of the configuration that it does not know is named."""
    from inspect import signature

    try:
        signature(made).bind(*given, **named)
    except (TypeError, ValueError) as error:
        known = [p for p in signature(getattr(made, "func", made)).parameters if p != "self"]
        extra = sorted(set(getattr(made, "keywords", {})) - set(known))
        raise ConfigError(
            f"{key}: {f'the unknown keys {extra}' if extra else error}",
            todo=f"it takes some of {known}",
        ) from error
    return made(*given, **named)


def whole(value: Any, key: str, least: int) -> int:
    """The value, if it is a whole number of at least ``least``.

    Raises:
        ConfigError: It is not.
    """
    if type(value) is not int or value < least:
        raise ConfigError(
            f"{key} is {value!r}, expected a whole number, at least {least}",
            todo=f"set {key}={least} or more",
        )
    return value
