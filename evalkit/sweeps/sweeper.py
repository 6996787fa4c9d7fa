"""Hydra's sweeper over every combination; jobs that fail stop nothing, those that are done stay done."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from evalkit.configuration.compose import without_secret_value
from evalkit.errors import ConfigError
from evalkit.plurals import counted
from evalkit.secrets import Redactor, redact_config
from evalkit.sweeps import launchers
from evalkit.sweeps.dispatch import Dispatch
from evalkit.sweeps.planning import Plan, parse, plan, shareable, user_key
from evalkit.sweeps.ran import Ran, announce
from evalkit.sweeps.record import Head, JobRecord, SweepFolder

Plugins.instance()  # when it first looks for plugins, Hydra makes their classes anew
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # noqa: E402

log = logging.getLogger(__name__)

REPLACED = f"{BasicSweeper.__module__}.{BasicSweeper.__name__}"
_OWN_KEYS = ("hydra.sweep.dir", "hydra.sweep.subdir", "hydra.mode")


class Sweep(BasicSweeper):
    """Stands in for Hydra's own sweeper; the jobs still get every override as it was given."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self._given = _given(config)
        self._secrets = [o for o in self._given if shareable(o) != o]
        keys = [o.partition("=")[0].lstrip("+~") for o in self._secrets]
        for part in (config.hydra.sweeper, config.hydra.launcher):
            launchers.check(part, keys)
        if any(o.startswith("hydra.sweep.subdir=") for o in self._given):
            raise ConfigError(
                "hydra.sweep.subdir cannot be chosen: the folder of a job is its number",
                todo="leave it out; sweep.json says which job has which overrides",
            )
        self._redactor = Redactor.collect(config)
        self._redactor.add(*(o.partition("=")[2] for o in self._secrets))
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> list[float | None]:
        """Run the jobs of ``arguments`` and return the objective of each, None where it has none."""
        assert self.config is not None
        self.folder = SweepFolder(Path(str(self.config.hydra.sweep.dir)))
        with self.folder.whole():
            self.folder.restore()
            overrides = parse([*self._parse_config(), *arguments])
            swept = [user_key(o.get_key_element()) for o in overrides if o.is_sweep_override()]
            self.head = self._head(swept)
            self._write_multirun()
            self.ran = Ran(self.folder.path, redactor=self._redactor)
            announce(self.ran)
            try:
                return self.carry_out(overrides)
            finally:
                self.folder.assemble(self.head)

    def carry_out(self, overrides: Sequence[Any]) -> list[float | None]:
        """Every combination of ``overrides``, ``max_batch_size`` jobs at a time."""
        batches = self.split_arguments(list(overrides), self.max_batch_size)
        self._announce(sum(map(len, batches)))
        return [record.objective for batch in batches for record in self.jobs(batch)]

    def jobs(self, batch: Sequence[Sequence[str]]) -> list[JobRecord]:
        """Run one job for each set of overrides, and return their records in this order.

        Raises:
            HydraException: Overrides that do not compose; then none is run.
        """
        planned = plan(self.folder, batch, self.head.swept, self._compose)
        if (at_hand := len(set(planned.ids)) - len(planned.jobs)) and len(batch) > 1:
            print(f"{at_hand} of {len(batch)} need not be run", flush=True)
        self._prepare(planned)
        self.folder.assemble(self.head)
        if planned.jobs:
            Dispatch(self.folder, self.launcher, self._redactor.redact).run(planned.jobs)
        return [self.folder.record(job) for job in planned.ids]

    def _compose(self, overrides: list[str]) -> DictConfig:
        assert self.hydra_context is not None
        assert self.config is not None
        composed = self.hydra_context.config_loader.load_sweep_config(self.config, overrides)
        if self.head.objective is None and composed.get("objective") is not None:
            plain = OmegaConf.to_container(composed.objective, resolve=True)
            if isinstance(plain, Mapping):
                self.head = replace(self.head, objective={str(k): v for k, v in plain.items()})
        return composed

    def _head(self, swept: Sequence[str]) -> Head:
        assert self.config is not None
        assert self.hydra_context is not None
        before = self.folder.head()
        paths = self.hydra_context.config_loader.get_search_path().get_path()
        return replace(
            before,
            swept=list(dict.fromkeys([*before.swept, *swept])),
            command=[shareable(o) for o in self._given if o.partition("=")[0] not in _OWN_KEYS],
            folder=os.getcwd(),
            config_dir=next(
                (p.path.removeprefix("file://") for p in paths if p.provider == "command-line"),
                None,
            ),
        )

    def _write_multirun(self) -> None:
        """What Hydra writes: the configuration, but without secrets and with little of Hydra's own."""
        assert self.config is not None
        safe = redact_config(self.config)
        task = [without_secret_value(o) for o in safe["hydra"]["overrides"]["task"]]
        safe["hydra"] = {
            "sweep": {"dir": str(self.config.hydra.sweep.dir)},
            "overrides": {"task": [shareable(o) for o in task]},
        }
        OmegaConf.save(OmegaConf.create(safe), self.folder.path / "multirun.yaml")

    def _announce(self, count: int) -> None:
        assert self.config is not None
        name = self.config.hydra.runtime.choices.get("hydra/launcher")
        print(f"{counted(count, 'job')}, launcher {name}, in {self.folder.path}", flush=True)

    def _prepare(self, planned: Plan) -> None:
        """MLflow's stores and experiments, before jobs that run at once could make them."""
        from evalkit.tracking import TrackingError, ensure_experiment

        for uri, experiment in planned.trackers:
            if (uri, experiment) in self.ran.trackers:
                continue
            self.ran.trackers.append((uri, experiment))
            try:
                ensure_experiment(uri, experiment)
            except TrackingError as error:  # a tracker must never cost a sweep
                log.warning("%s", error)


def _given(config: DictConfig) -> list[str]:
    """The overrides as they were given: read one by one, those with ``${...}`` would be resolved."""
    given: Any = OmegaConf.to_container(config.hydra.overrides, resolve=False)
    return [str(override) for override in (*given["hydra"], *given["task"])]
