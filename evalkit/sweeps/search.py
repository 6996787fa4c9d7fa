"""A search over settings with Optuna: each batch of jobs is chosen by how the jobs before it did.

Ours, because Hydra's plugin for Optuna holds Optuna at 2.10, whose SQLite storage fails on current
SQLAlchemy. Written for Optuna 5 (``Study.ask`` and ``Study.tell``); the options have the plugin's names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.errors import ConfigError
from evalkit.sweeps.record import JobRecord
from evalkit.sweeps.sweeper import Sweep

SAMPLERS = ("tpe", "random", "gp", "qmc")
STORE = "optuna.db"
_NAME = "evalkit"
_REPEATS = "repeats"


class OptunaSweeper(Sweep):
    """``-m hydra/sweeper=optuna``: swept keys are the space, ``objective`` what is searched for.

    A key is given as ``a,b,c`` or ``choice(a,b,c)``, ``range(1,10)``, ``interval(0,1)``,
    ``int(interval(1,64))`` or ``tag(log, interval(1e-5,1e-2))``.

    Args:
        n_trials: Trials in all; those of a sweep that is resumed count.
        n_jobs: Trials at once, chosen together.
        sampler: One of :data:`SAMPLERS`.
        seed: Of the sampler.
        direction: ``maximize`` or ``minimize``; None takes it from the objective's metric.
        params: More of the space, by key.
    """

    def __init__(
        self,
        n_trials: int = 20,
        n_jobs: int = 1,
        sampler: str = "tpe",
        seed: int | None = 0,
        direction: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(max_batch_size=None, params=dict(params or {}))
        for name, value in (("n_trials", n_trials), ("n_jobs", n_jobs)):
            if type(value) is not int or value < 1:
                raise ConfigError(
                    f"hydra.sweeper.{name} is {value!r}, expected a whole number from 1"
                )
        if sampler not in SAMPLERS:
            raise ConfigError(
                f"hydra.sweeper.sampler is {sampler!r}, expected one of {', '.join(SAMPLERS)}"
            )
        if direction not in (None, "maximize", "minimize"):
            raise ConfigError(
                f"hydra.sweeper.direction is {direction!r}, expected maximize or minimize"
            )
        self.n_trials, self.n_jobs = n_trials, n_jobs
        self.sampler, self.seed, self.direction = sampler, seed, direction

    def carry_out(self, overrides: Sequence[Any]) -> list[float | None]:
        """Ask and tell until there are enough trials; returns the objective of each of this session.

        Raises:
            ConfigError: Nothing is swept, or there is no objective.
        """
        from optuna.trial import TrialState

        space = {o.get_key_element(): o for o in overrides if o.is_sweep_override()}
        fixed = [o.input_line for o in overrides if not o.is_sweep_override()]
        if not space:
            raise ConfigError(
                "hydra/sweeper=optuna has nothing to search",
                todo="sweep some keys, for example retriever.k=range(1,9)",
            )
        direction = self._direction(fixed, space)
        study = self._study(direction)
        distributions = {key: _distribution(key, override) for key, override in space.items()}
        self._announce(self.n_trials)
        _repeat_failed(study)
        found: list[float | None] = []
        failed = 0
        while True:
            complete = len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
            left = self.n_trials - complete - failed
            if left <= 0:
                return found
            trials = [study.ask(distributions) for _ in range(min(self.n_jobs, left))]
            batch = [[*fixed, *_overrides(space, trial.params)] for trial in trials]
            for trial, record in zip(trials, self.jobs(batch), strict=True):
                failed += not _tell(study, trial, record)
                found.append(record.objective)

    def _direction(self, fixed: Sequence[str], space: Mapping[str, Any]) -> str:
        from evalkit.configuration.compose import resolved
        from evalkit.configuration.objective import read_objective

        first = [f"{key}={_first(override)}" for key, override in space.items()]
        config = resolved(self._compose([*fixed, *first]))
        objective = read_objective(config, list(config.get("pipelines") or ()))
        if objective is None:
            raise ConfigError(
                "hydra/sweeper=optuna searches for the best objective, and none is given",
                todo="say which: 'objective={metric: correctness/generation/correct, pipeline: hybrid}'",
            )
        return self.direction or {"higher": "maximize", "lower": "minimize"}[objective.direction]

    def _study(self, direction: str) -> Any:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        file = (self.folder.path / STORE).resolve().as_posix()
        wanted = optuna.study.StudyDirection[direction.upper()]
        study = optuna.create_study(
            storage=f"sqlite:///{file}", study_name=_NAME, direction=wanted, load_if_exists=True
        )
        if study.direction != wanted:
            raise ConfigError(
                f"the search in {self.folder.path} is to {study.direction.name.lower()}, and not to {direction}",
                todo="keep the objective, or begin another folder",
            )
        # Begun anew with the same seed, a sampler would propose again what it has proposed.
        seed = None if self.seed is None else self.seed + len(study.trials)
        study.sampler = _sampler(self.sampler, seed)
        return study


def _sampler(name: str, seed: int | None) -> Any:
    from optuna import samplers

    made: Mapping[str, Any] = {
        "tpe": samplers.TPESampler,
        "random": samplers.RandomSampler,
        "gp": samplers.GPSampler,
        "qmc": samplers.QMCSampler,
    }
    return made[name](seed=seed)


def _distribution(key: str, override: Any) -> Any:
    """Optuna's distribution for a swept override; choices are the texts that overrides have."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    sweep, log = override.value(), "log" in override.value().tags
    try:
        if override.is_interval_sweep():
            kind = IntDistribution if isinstance(sweep.start, int) else FloatDistribution
            return kind(sweep.start, sweep.end, log=log)
        if override.is_range_sweep() and len(values := sorted(sweep.range())) > 1:
            kind = IntDistribution if isinstance(values[0], int) else FloatDistribution
            return kind(values[0], values[-1], step=abs(sweep.step), log=log)
        return CategoricalDistribution([*override.sweep_string_iterator()])
    except ValueError as error:
        raise ConfigError(
            f"{key}: {error}", todo="give a space such as a,b,c or interval(0,1) or range(1,9)"
        ) from error


def _first(override: Any) -> str:
    if override.is_interval_sweep():
        return str(override.value().start)
    return str(next(override.sweep_string_iterator()))


def _overrides(space: Mapping[str, Any], chosen: Mapping[str, Any]) -> list[str]:
    return [f"{key}={chosen[key]}" for key in space]


def _tell(study: Any, trial: Any, record: JobRecord) -> bool:
    """Tell how a job went; whether it gave a value."""
    from optuna.trial import TrialState

    if record.status == "finished" and record.objective is not None:
        study.tell(trial, record.objective)
        return True
    study.tell(trial, state=TrialState.FAIL)
    return False


def _repeat_failed(study: Any) -> None:
    """Queue the trials of an earlier session that gave no value, or had not ended with it."""
    from optuna.trial import TrialState

    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    repeated = {trial.user_attrs.get(_REPEATS) for trial in study.trials}
    for trial in study.get_trials(states=(TrialState.FAIL,)):
        if trial.number not in repeated and trial.params:
            study.enqueue_trial(trial.params, user_attrs={_REPEATS: trial.number})
