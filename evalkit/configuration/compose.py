"""Compose conf/ and experiments/ with Hydra. A user's own folders are searched first."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import ConfigError
from evalkit.secrets import REDACTED, looks_secret

if TYPE_CHECKING:
    from omegaconf import DictConfig

ROOT_CONFIG = "evalkit"
GATE_CONFIG = "gate"
_WHERE_TO_LOOK = {
    ROOT_CONFIG: "`evalkit run --cfg job` prints the keys; conf/ and experiments/ hold the options",
    GATE_CONFIG: "conf/gate.yaml has the keys, and conf/gate/ the gates",
}


def shipped_root() -> Path:
    """The folder that holds the shipped ``conf`` and ``experiments``: the package's own where it
    was installed from a wheel, the repository's where it is installed in place.
    """
    package = Path(__file__).parent.parent
    return package if (package / "conf").is_dir() else package.parent


def search_path() -> list[Path]:
    """Where configuration is looked for, first hit wins. A folder that holds ``experiments`` is in
    the list too: Hydra takes that folder for a group.
    """
    roots = [Path.cwd(), shipped_root()]
    folders = [folder for root in roots for folder in (root / "conf", root)]
    kept = [f for f in dict.fromkeys(folders) if f.is_dir()]
    # Of the working directory itself only `experiments` is ours to read.
    return [f for f in kept if f.name == "conf" or (f / "experiments").is_dir()]


def hydra_arguments(arguments: Sequence[str]) -> list[str]:
    """Flags first, since Hydra takes no flag between overrides; ``experiment=quartet`` is short for
    the group ``experiments``.
    """
    flags = [a for a in arguments if a.startswith("-") or "=" not in a]
    overrides = [a for a in arguments if not a.startswith("-") and "=" in a]
    short = "experiment="
    return flags + [
        f"experiments={o.removeprefix(short)}" if o.startswith(short) else o for o in overrides
    ]


def compose(overrides: Sequence[str], root: str = ROOT_CONFIG) -> DictConfig:
    """The configuration for a single run, or with ``root=GATE_CONFIG`` that of a gate.

    Raises:
        ConfigError: an override that fits no key, an unknown group or option, a bad file.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    _register_plugins()
    GlobalHydra.instance().clear()
    with (
        _plain_errors(overrides, root),
        initialize_config_dir(str(shipped_root() / "conf"), version_base="1.3"),
    ):
        return hydra_compose(root, overrides=hydra_arguments(overrides))


def resolved(config: DictConfig) -> dict[str, Any]:
    """The configuration as plain mappings and values, without Hydra's own part.

    Raises:
        ConfigError: a value that must be given is not, or a ``${...}`` cannot be resolved.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    kept = [str(key) for key in config if key != "hydra"]
    ours = OmegaConf.masked_copy(config, kept)
    if missing := sorted(_missing(OmegaConf.to_container(ours))):
        raise ConfigError(
            f"the configuration needs a value for {', '.join(missing)}",
            todo=f"give it on the command line, for example {missing[0]}=VALUE",
        )
    try:
        plain = OmegaConf.to_container(ours, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(
            f"the configuration cannot be resolved: {' '.join(str(error).split())}",
            todo="set the environment variable, or correct the ${...} that is named",
        ) from error
    assert isinstance(plain, dict)
    return {str(k): v for k, v in plain.items()}


def _missing(node: Any, key: str = "") -> Iterator[str]:
    """The keys whose value is still to be given, whatever refers to them."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from _missing(value, f"{key}.{name}".lstrip("."))
    elif node == "???":
        yield key


def main(
    arguments: Sequence[str],
    task: Callable[[DictConfig], Any],
    plugins: Callable[[], Mapping[str, type]] = dict,
) -> None:
    """Hand ``arguments`` to Hydra's own command line (``-m`` sweeps, ``--cfg``, ``--info`` ...).

    Args:
        plugins: Gives classes for Hydra's sweepers and launchers, by the names that configurations
            have for them.

    Raises:
        ConfigError: as :func:`compose`. What ``task`` raises comes out as it is.
    """
    import hydra
    from hydra.core.plugins import Plugins

    _register_plugins()
    Plugins.instance().class_name_to_class |= plugins()
    decorated = hydra.main(
        config_path=str(shipped_root() / "conf"), config_name=ROOT_CONFIG, version_base="1.3"
    )
    given, full = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv = ["evalkit run", *hydra_arguments(arguments)]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us, in place of a traceback and exit code 1
    try:
        with _plain_errors(arguments):
            decorated(partial(_carried, task))()
    except _Carrier as carrier:
        raise carrier.error from None
    finally:
        sys.argv = given
        os.environ.pop("HYDRA_FULL_ERROR")
        if full is not None:
            os.environ["HYDRA_FULL_ERROR"] = full


class _Carrier(BaseException):
    """Takes an error of the task past Hydra, which would print the overrides, secrets included."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _carried(task: Callable[[DictConfig], Any], config: DictConfig) -> Any:
    try:
        return task(config)
    except Exception as error:
        raise _Carrier(error) from error


@contextmanager
def _plain_errors(overrides: Sequence[str], root: str = ROOT_CONFIG) -> Iterator[None]:
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        yield
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        raise ConfigError(_on_one_line(error, overrides), todo=_WHERE_TO_LOOK[root]) from error


@cache
def _register_plugins() -> None:
    from hydra.core.config_search_path import ConfigSearchPath
    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins
    from hydra.plugins.search_path_plugin import SearchPathPlugin

    class EvalkitSearchPath(SearchPathPlugin):  # type: ignore[misc]
        """The user's folders before the shipped ones."""

        def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
            for folder in reversed(_search_path()):
                search_path.prepend("evalkit", f"file://{folder}")

    Plugins.instance().register(EvalkitSearchPath)
    # Of the plugin's own; ours stands in conf/, and Hydra warns where there are two of a name.
    ConfigStore.instance().repo["hydra"]["launcher"].pop("joblib.yaml", None)


_search_path = search_path


def _on_one_line(error: Exception, overrides: Sequence[str]) -> str:
    """Hydra's message: without its search path, and without secrets given as overrides."""
    text = str(error).partition("Config search path:")[0]
    for override in overrides:
        if without_secret_value(override) != override:
            text = text.replace(override.partition("=")[2], REDACTED)
    # Hydra lists options at times, and its own completely.
    if found := re.search(r"Could not (?:load|find) '(?!hydra/)([\w/]+)/", text):
        text = text.partition("Available options")[0].strip().rstrip(".")
        text += f". Options of {found[1]}: {', '.join(options(found[1]))}."
    return " ".join(text.split())


def without_secret_value(override: str) -> str:
    """``+model.api_key=abc`` as ``+model.api_key=<redacted>``; other overrides unchanged."""
    key, equals, _ = override.partition("=")
    secret = equals and any(looks_secret(part) for part in key.lstrip("+~").split("."))
    return f"{key}={REDACTED}" if secret else override


def options(group: str) -> list[str]:
    """The options of a group, such as ``pipeline``: the user's own and the shipped ones, sorted."""
    names = {file.stem for folder in _search_path() for file in (folder / group).glob("*.yaml")}
    return sorted(names)
