"""Jobs of a sweep on Ray: a cluster of this machine, or one that is there.

Ours, because Hydra's plugin for Ray holds cloudpickle below 3, which MLflow's current set is not,
and wants boto3 for starting clusters on AWS.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from evalkit.errors import ConfigError
from evalkit.machine.clusters import connected

_RESOURCES = (
    ("CPU", "num_cpus", "hydra.launcher.num_cpus"),
    ("GPU", "num_gpus", "hydra.launcher.num_gpus"),
    ("memory", "memory", "hydra.launcher.memory_gb"),
)
"""Ray's names, those of its options, and our keys."""


class RayLauncher(Launcher):
    """Hydra's launcher interface over Ray tasks.

    Args:
        address: None starts a cluster on this machine for as long as the sweep takes; ``auto`` is
            the cluster that this machine belongs to, ``ray://HOST:10001`` one elsewhere. Machines
            must share the working folder, and have evalkit installed or named in ``runtime_env``.
        num_cpus: Cores of one job; as many jobs run at once as the cluster has room for.
        num_gpus: GPUs of one job; a share such as 0.5 puts several jobs on one. None is one where
            the cluster has any.
        memory_gb: Memory that one job reserves; None reserves nothing.
        runtime_env: See Ray's documentation: packages, environment variables.
    """

    def __init__(
        self,
        address: str | None = None,
        num_cpus: float = 1,
        num_gpus: float | None = None,
        memory_gb: float | None = None,
        runtime_env: Mapping[str, Any] | None = None,
    ) -> None:
        self.address = address
        self.resources = {"num_cpus": float(num_cpus)}
        if num_gpus is not None:
            self.resources["num_gpus"] = float(num_gpus)
        if memory_gb is not None:
            self.resources["memory"] = float(memory_gb) * 2**30
        self.runtime_env = dict(OmegaConf.to_container(OmegaConf.create(dict(runtime_env or {}))))  # type: ignore[arg-type]

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.context, self.task, self.config = hydra_context, task_function, config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs; one whose process dies is a failed one, and the others go on.

        Raises:
            ConfigError: There is no such cluster, or it has no room for a job.
        """
        setup_globals()
        with connected(self.address, self.runtime_env) as ray:
            there = ray.cluster_resources()
            self.resources.setdefault("num_gpus", 1.0 if there.get("GPU", 0) >= 1 else 0.0)
            self._refuse_too_much(there)
            begin = ray.remote(max_retries=0, **self.resources)(_job)
            common = ray.put(
                (self.context, self.config, self.task, Singleton.get_state(), os.getcwd())
            )
            begun = [
                begin.remote(common, list(overrides), initial_job_idx + i)
                for i, overrides in enumerate(job_overrides)
            ]
            return [_ended(ray, job) for job in begun]

    def _refuse_too_much(self, there: Mapping[str, float]) -> None:
        for name, ours, key in _RESOURCES:
            if (wanted := self.resources.get(ours, 0)) > there.get(name, 0):
                raise ConfigError(
                    f"{key} is too much: a job wants {wanted:g} {name}, and the cluster has"
                    f" {there.get(name, 0):g} in all",
                    todo=f"lower {key}, which no job could ever get",
                )


def _job(common: Any, overrides: list[str], number: int) -> JobReturn:
    """In a process of the cluster: what Hydra's own launchers do for a job."""
    context, config, task, singletons, folder = common
    setup_globals()
    Singleton.set_state(singletons)
    with suppress(
        OSError
    ):  # a machine that does not have the folder says so in the job's own words
        os.chdir(folder)
    composed = context.config_loader.load_sweep_config(config, overrides)
    with open_dict(composed):
        composed.hydra.job.id = composed.hydra.job.num = number
    HydraConfig.instance().set_config(composed)
    return run_job(
        hydra_context=context,
        task_function=task,
        config=composed,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )


def _ended(ray: Any, job: Any) -> JobReturn:
    try:
        ended: JobReturn = ray.get(job)
    except ray.exceptions.RayError as error:
        ended = JobReturn(status=JobStatus.FAILED)
        ended.return_value = error
    return ended
