"""Compose conf/ and experiments/ with Hydra. A user's own folders are searched first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig

ROOT_CONFIG = "evalkit"


def shipped_root() -> Path:
    """The folder that holds the shipped ``conf`` and ``experiments``: the package's own where it
    was installed from a wheel, the repository's where it is installed in place."""
    package = Path(__file__).parent
    return package if (package / "conf").is_dir() else package.parent


def search_path() -> list[Path]:
    """Where configuration is looked for, first hit wins. A folder that holds ``experiments`` is in
    the list too: Hydra takes that folder for a group."""
    roots = [Path.cwd(), shipped_root()]
    folders = [folder for root in roots for folder in (root / "conf", root)]
    kept = [f for f in dict.fromkeys(folders) if f.is_dir()]
    # Of the working directory itself only `experiments` is ours to read.
    return [f for f in kept if f.name == "conf" or (f / "experiments").is_dir()]


def hydra_arguments(arguments: Sequence[str]) -> list[str]:
    """``experiment=quartet`` is short for the group ``experiments``."""
    renamed = []
    for argument in arguments:
        head, equals, tail = argument.partition("=")
        renamed.append(f"experiments{equals}{tail}" if head == "experiment" and equals else argument)
    return renamed


def compose(overrides: Sequence[str]) -> DictConfig:
    """The configuration for a single run.

    Raises:
        ConfigError: an override that fits no key, an unknown group or option, a bad file.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    _register_search_path()
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(shipped_root() / "conf"), version_base="1.3"):
            return hydra_compose(ROOT_CONFIG, overrides=hydra_arguments(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(
            _first_lines(error),
            todo="`evalkit run --cfg job` prints the keys; conf/ and experiments/ hold the options",
        ) from error


def main(arguments: Sequence[str], task: Callable[[DictConfig], Any]) -> None:
    """Hand ``arguments`` to Hydra's own command line (``-m`` sweeps, ``--cfg``, ``--info`` ...)."""
    import sys

    import hydra

    _register_search_path()
    sys.argv = ["evalkit run", *hydra_arguments(arguments)]
    decorated = hydra.main(config_path=str(shipped_root() / "conf"), config_name=ROOT_CONFIG, version_base="1.3")
    decorated(task)()


@cache
def _register_search_path() -> None:
    from hydra.core.config_search_path import ConfigSearchPath
    from hydra.core.plugins import Plugins
    from hydra.plugins.search_path_plugin import SearchPathPlugin

    class EvalkitSearchPath(SearchPathPlugin):  # type: ignore[misc]
        """The user's folders before the shipped ones."""

        def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
            for folder in reversed(_search_path()):
                search_path.prepend("evalkit", f"file://{folder}")

    Plugins.instance().register(EvalkitSearchPath)


_search_path = search_path


def _first_lines(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:4])
