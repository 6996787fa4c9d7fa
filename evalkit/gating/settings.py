"""The configuration of a gate, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalkit.configuration.compose import GATE_CONFIG, compose, resolved
from evalkit.configuration.making import whole
from evalkit.errors import ConfigError

_KEYS = (
    "hypotheses", "pipelines", "confidence", "resamples", "seed", "failure_limit",
)  # fmt: skip
# Rows times resamples: some three seconds of drawing.
_MOST_DRAWS, _FEWEST_RESAMPLES = 100_000_000, 2_000
_FALLBACK = {"confidence": 0.95, "resamples": 10_000, "seed": 0}


@dataclass(frozen=True)
class Settings:
    """What ``conf/gate.yaml`` holds; ``chosen`` is whether the user named hypotheses."""

    hypotheses: Any
    pipelines: Any
    confidence: float | None
    resamples: int | None
    seed: int | None
    failure_limit: float
    chosen: bool = False

    def completed(self, run: Mapping[str, Any]) -> Settings:
        """With what a run's ``statistics`` say wherever the configuration leaves it to the run."""
        said = {**_FALLBACK, **{k: v for k, v in run.items() if k in _FALLBACK}}
        left = {k: v for k, v in said.items() if getattr(self, k) is None}
        return replace(self, **left)

    def checked(self) -> Settings:
        """The same, if every value is in its range.

        Raises:
            ConfigError: One is not.
        """
        if self.confidence is not None:
            _between("confidence", self.confidence, 0, 1)
        if self.resamples is not None:
            whole(self.resamples, "resamples", 100)
        if self.seed is not None:
            whole(self.seed, "seed", 0)
        _between("failure_limit", self.failure_limit, -1e-12, 1)
        return self

    def affordable(self, rows: int) -> Settings:
        """With fewer resamples where a table is long: intervals there hardly depend on their number."""
        assert self.resamples is not None
        most = max(_FEWEST_RESAMPLES, _MOST_DRAWS // max(1, rows))
        return replace(self, resamples=min(self.resamples, most))

    @property
    def testing(self) -> dict[str, Any]:
        """The arguments of :func:`evalkit.statistics.hypotheses.test_hypotheses`."""
        return {name: getattr(self, name) for name in _KEYS[2:]}


def read_settings(overrides: Sequence[str]) -> Settings:
    """Compose ``conf/gate.yaml`` with a gate of ``conf/gate/`` and check the values.

    Args:
        overrides: ``gate=NAME`` and any ``KEY=VALUE``.

    Raises:
        ConfigError: An unknown gate or key, or a value out of its range.
    """
    if odd := [o for o in overrides if "=" not in o or o.startswith("-")]:
        raise ConfigError(
            f"{odd[0]!r} is neither a run nor KEY=VALUE",
            todo="give BASELINE and CANDIDATE, then gate=NAME and other keys of conf/gate.yaml",
        )
    plain = resolved(compose(overrides, GATE_CONFIG))
    if isinstance(plain.get("gate"), Mapping):
        raise ConfigError(
            "the chosen gate sets its keys below `gate`, where they do nothing",
            todo="let its file in conf/gate/ begin with the line `# @package _global_`",
        )
    if unknown := sorted(set(plain) - set(_KEYS)):
        raise ConfigError(
            f"the gate has the unknown key {unknown[0]!r}", todo=f"its keys are {', '.join(_KEYS)}"
        )
    named = ("gate", "hypotheses")
    chosen = any(o.lstrip("+").partition("=")[0].partition("[")[0] in named for o in overrides)
    values: dict[str, Any] = {key: plain.get(key) for key in _KEYS}
    return Settings(**values, chosen=chosen).checked()


def _between(key: str, value: Any, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low < value < high:
        raise ConfigError(
            f"{key} is {value!r}", todo=f"give a number above {max(low, 0):g} and below {high:g}"
        )
