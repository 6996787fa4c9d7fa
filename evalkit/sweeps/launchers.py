"""The launchers and what each needs: packages, a cluster, and no secrets in what it writes down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from evalkit.errors import ConfigError

RAY = "hydra_plugins.evalkit.RayLauncher"
OPTUNA = "hydra_plugins.evalkit.OptunaSweeper"
"""Names for Hydra, which makes launchers and sweepers only by names inside its own packages."""


@dataclass(frozen=True)
class Needs:
    """What a launcher or a search needs.

    Attributes:
        option: How it is chosen.
        modules: What must be importable.
        packages: Whose versions are told.
        extra: The extra of evalkit that brings them.
        writes_overrides: Whether it writes the overrides of jobs to the disk as they are.
    """

    option: str
    modules: tuple[str, ...]
    packages: tuple[str, ...]
    extra: str
    writes_overrides: bool = False

    @property
    def absent(self) -> list[str]:
        """Modules that are not installed; none is imported."""
        return [name for name in self.modules if find_spec(name.partition(".")[0]) is None] or [
            name for name in self.modules if find_spec(name) is None
        ]

    @property
    def versions(self) -> str:
        found = []
        for package in self.packages:
            try:
                found.append(f"{package} {version(package)}")
            except PackageNotFoundError:
                found.append(f"{package} is not installed")
        return ", ".join(found)


_SUBMITIT = "hydra_plugins.hydra_submitit_launcher"
NEEDS = {
    "joblib": Needs(
        "hydra/launcher=joblib",
        ("joblib", "hydra_plugins.hydra_joblib_launcher"),
        ("hydra-joblib-launcher", "joblib"),
        "joblib",
    ),
    "slurm": Needs(
        "hydra/launcher=slurm",
        ("submitit", _SUBMITIT),
        ("hydra-submitit-launcher", "submitit"),
        "slurm",
        writes_overrides=True,
    ),
    "ray": Needs("hydra/launcher=ray", ("ray",), ("ray",), "ray"),
    "optuna": Needs("hydra/sweeper=optuna", ("optuna",), ("optuna",), "optuna"),
}


def needs_of(target: str) -> Needs | None:
    """What the class with this name needs; None where it needs nothing, or is the user's own."""
    for needs in NEEDS.values():
        if any(target.startswith(f"{name}.") for name in needs.modules if "_plugins" in name):
            return needs
    return {RAY: NEEDS["ray"], OPTUNA: NEEDS["optuna"]}.get(target)


def one_by_one(target: str) -> bool:
    """Whether a launcher runs one job after the other, in this process."""
    return target.endswith("BasicLauncher")


def check(part: Any, secrets: Sequence[str]) -> None:
    """Refuse a launcher or sweeper that cannot work here.

    Args:
        part: ``hydra.launcher`` or ``hydra.sweeper``.
        secrets: The keys of overrides that hold a secret.

    Raises:
        ConfigError: A package is missing, or it would write a secret to the disk.
    """
    needs = needs_of(str(part.get("_target_", "")))
    if needs is None:
        return
    if absent := needs.absent:
        raise ConfigError(
            f"{needs.option} needs {', '.join(absent)}, which is not installed",
            todo=f"pip install 'evalkit[{needs.extra}]', or choose another launcher",
        )
    if needs.writes_overrides and secrets:
        raise ConfigError(
            f"{needs.option} writes the overrides of its jobs to the disk, and {', '.join(secrets)}"
            " holds a secret",
            todo=f"put it into an environment variable: '{secrets[0]}=${{oc.env:NAME}}'",
        )
