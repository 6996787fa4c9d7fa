"""From overrides to jobs: what each is to compute, and which of them are done already."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evalkit.configuration.compose import resolved, without_secret_value
from evalkit.errors import ConfigError
from evalkit.secrets import REDACTED, Redactor, looks_secret
from evalkit.sweeps.record import JobRecord, SweepFolder

if TYPE_CHECKING:
    from omegaconf import DictConfig

_BESIDE = ("run_dir", "store", "tracking", "objective")
"""Where results go and which of them counts; what is computed does not depend on it."""
_VARIABLE = re.compile(r"(['\"]?)\$\{oc\.env:\w+\}\1")
_LONGEST_VALUE = 60


@dataclass(frozen=True)
class Planned:
    """A job to be run: its record, and for the launcher its overrides, secrets included."""

    record: JobRecord
    overrides: tuple[str, ...]

    @property
    def id(self) -> str:
        return self.record.id


@dataclass(frozen=True)
class Plan:
    """The jobs of some overrides.

    Attributes:
        jobs: Those to be run.
        ids: The number of each, in the given order.
        trackers: Where they are logged: store (None is the default one) and experiment, each once.
    """

    jobs: list[Planned]
    ids: list[str]
    trackers: list[tuple[str | None, str]]


def plan(
    folder: SweepFolder,
    wanted: Sequence[Sequence[str]],
    swept: Iterable[str],
    compose: Callable[[list[str]], DictConfig],
) -> Plan:
    """Give each set of overrides a number, and write down what is to be run.

    A job that finished before, in this folder and with the same content, keeps its number and is
    not run again; one that failed is run anew under its number. Of jobs with the same content the
    later ones are skipped.

    Args:
        wanted: The overrides of each job, as Hydra takes them.
        swept: Keys that differ between jobs, for the labels.
        compose: Gives the configuration of some overrides.
    """
    before = {record.key: record for record in reversed(folder.records()) if not _is_twin(record)}
    taken = {record.id for record in folder.records()}
    names = set(swept)
    jobs: list[Planned] = []
    ids: list[str] = []
    seen: dict[str, str] = {}
    trackers: dict[tuple[str | None, str], None] = {}
    for overrides in wanted:
        key, plain, problem = _content(compose, list(overrides))
        trackers |= _tracker(plain.get("tracking") or {})
        known = before.get(key)
        if key in seen:
            ids.append(seen[key])
            _skip(folder, taken, overrides, key, seen[key], names)
            continue
        number = known.id if known else _next(taken)
        taken.add(number)
        ids.append(number)
        seen[key] = number
        if known and is_finished(folder, known):
            _weigh(folder, known, plain)
            continue
        record = JobRecord(number, _by_key(overrides), key, label=_label(overrides, names))
        if problem is not None:
            record = replace(record, status="failed", reason=problem)
        else:
            jobs.append(Planned(record, tuple(overrides)))
        folder.write(record)
    return Plan(jobs, ids, list(trackers))


def _tracker(tracking: Mapping[str, Any]) -> dict[tuple[str | None, str], None]:
    if not tracking.get("enabled"):
        return {}
    return {(tracking.get("uri"), str(tracking.get("experiment") or "evalkit")): None}


def is_finished(folder: SweepFolder, record: JobRecord) -> bool:
    """Whether a job has ended well and its run is still there."""
    if record.status != "finished" or record.run_dir is None:
        return False
    return (folder.path / record.run_dir / "results.json").is_file()


def _weigh(folder: SweepFolder, record: JobRecord, config: Mapping[str, Any]) -> None:
    """Note a finished job's objective, which may be another than when it ran."""
    from evalkit.api import open_run
    from evalkit.configuration.objective import read_objective

    objective = read_objective(config, list(config.get("pipelines") or ()))
    run = folder.path / str(record.run_dir)
    value = objective.value(open_run(run).results) if objective else None
    if value != record.objective:
        folder.write(replace(record, objective=value))


def content_key(config: Mapping[str, Any]) -> str:
    """Hash of a resolved configuration: of what is computed, and not of where the results go.

    Values under keys that are named like secrets do not count, so that a new key of a server does
    not make finished jobs unfinished.
    """
    plain = _without_secrets({k: v for k, v in config.items() if k not in _BESIDE})
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def shareable(override: str) -> str:
    """An override as it may be written down: secrets and passwords in addresses are not in it, but
    the name of an environment variable that holds one.
    """
    if _VARIABLE.fullmatch(override.partition("=")[2]):
        return override
    return Redactor().redact(without_secret_value(override))


def parse(overrides: Sequence[str]) -> list[Any]:
    """Hydra's reading of overrides.

    Raises:
        HydraException: One is not of its grammar.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    found: list[Any] = OverridesParser.create().parse_overrides(list(overrides))
    return found


def user_key(key: str) -> str:
    """A key as the user writes it: ``experiment`` is the group ``experiments``."""
    bare = key.lstrip("+~")
    return "experiment" if bare == "experiments" else bare


def _content(
    compose: Callable[[list[str]], DictConfig], overrides: list[str]
) -> tuple[str, dict[str, Any], str | None]:
    """What overrides mean: its key, and the configuration. Where they mean nothing, a key of their
    words, no configuration, and why.
    """
    from omegaconf import open_dict

    composed = compose(overrides)
    with open_dict(composed):
        composed.run_dir = None  # may refer to the job's number, which is not known yet
    try:
        plain = resolved(composed)
    except ConfigError as error:
        words = json.dumps([shareable(override) for override in overrides])
        return hashlib.sha256(words.encode()).hexdigest()[:24], {}, str(error)
    return content_key(plain), plain, None


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_secrets(v) for k, v in value.items() if not looks_secret(k)}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return value


def _is_twin(record: JobRecord) -> bool:
    return record.status == "skipped"


def _next(taken: set[str]) -> str:
    return str(next(number for number in range(len(taken) + 1) if str(number) not in taken))


def _skip(
    folder: SweepFolder,
    taken: set[str],
    overrides: Sequence[str],
    key: str,
    twin: str,
    swept: set[str],
) -> None:
    """Note a job with the content of another, once."""
    written = _by_key(overrides)
    if any(r.status == "skipped" and r.overrides == written for r in folder.records()):
        return
    number = _next(taken)
    taken.add(number)
    folder.write(
        JobRecord(
            number, written, key, "skipped", run_dir=twin, reason=f"the same as job {twin}",
            label=_label(overrides, swept),
        )
    )  # fmt: skip


def _by_key(overrides: Sequence[str]) -> dict[str, Any]:
    ours = [override for override in parse(overrides) if not override.is_hydra_override()]
    return {user_key(override.get_key_element()): _value(override) for override in ours}


def _label(overrides: Sequence[str], swept: set[str]) -> str:
    values = _by_key(overrides).items()
    return " ".join(f"{key}={_short(value)}" for key, value in values if key in swept)


def _value(override: Any) -> Any:
    """As a JSON value, without secrets."""
    if any(looks_secret(part) for part in user_key(override.get_key_element()).split(".")):
        return REDACTED
    return Redactor().redact_data(json.loads(json.dumps(override.value(), default=str)))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
