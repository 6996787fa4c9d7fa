"""Hydra's sweeper, which writes ``multirun.yaml`` into a sweep's folder, without secrets in it."""

from __future__ import annotations

from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from omegaconf import DictConfig, OmegaConf

from evalkit.compose import without_secret_value
from evalkit.secrets import redact_config

REPLACED = f"{BasicSweeper.__module__}.{BasicSweeper.__name__}"


class DiscreetSweeper(BasicSweeper):
    """Stands in for Hydra's own; the jobs still get every override as it was given."""

    def sweep(self, arguments: list[str]) -> Any:
        self._whole = self.config
        assert self.config is not None
        self.config = _shareable(self.config)  # what is written down
        return super().sweep(arguments)

    def is_done(self) -> bool:
        """Asked before each batch of jobs, the first time right after the file was written."""
        self.config = self._whole
        return bool(super().is_done())


def _shareable(config: DictConfig) -> DictConfig:
    safe = redact_config(config)
    overrides = [without_secret_value(o) for o in safe["hydra"]["overrides"]["task"]]
    safe["hydra"] = {
        "sweep": {"dir": str(config.hydra.sweep.dir)},
        "overrides": {"task": overrides},
    }
    return OmegaConf.create(safe)
