"""What a study over time does: the dates, the states of a pipeline, and what updates may cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

from evalkit.errors import ConfigError
from evalkit.results.costs import Prices

STATES = ("frozen", "updated", "budget")
ARTIFACTS = ("index", "adapter")
UNITS = ("seconds", "money")


@dataclass(frozen=True)
class Budget:
    """What may be spent in the period before each date after the first; what is left is kept.

    The index and the adapter have a purse each, since all pipelines share the one and the other.

    Attributes:
        unit: ``seconds`` of computing, or ``money`` in the currency of the prices.
        index: The index's allowance for a period, at least 0.
        adapter: The adapter's.
    """

    unit: str = "seconds"
    index: float = 0.0
    adapter: float = 0.0

    def allowance(self, artifact: str) -> float:
        """What a period adds to the purse of the ``index`` or the ``adapter``."""
        return self.index if artifact == "index" else self.adapter


@dataclass(frozen=True)
class Timeline:
    """The settings of a study over time.

    Attributes:
        dates: When the questions are asked, ascending; everything is built at the first.
        states: What becomes of a pipeline afterwards: ``frozen`` (never touched), ``updated`` (at
            every date), ``budget`` (when the purse allows).
        only_changing: Ask only questions whose right reply is not the same at all dates.
        budget: For the state ``budget``.
        examples: Training examples by kind, None for all; kinds that are not named keep
            ``tuning.examples.limit``. Of knowledge, what is asked about comes first.
    """

    dates: tuple[date, ...]
    states: tuple[str, ...] = STATES
    only_changing: bool = True
    budget: Budget | None = None
    examples: Mapping[str, int | None] | None = None

    @classmethod
    def of(cls, part: Any, prices: Prices) -> Timeline:
        """Read the configuration's ``timeline``.

        Raises:
            ConfigError: A key is unknown or has a wrong value.
        """
        given = _mapping(part, "timeline", tuple(cls.__annotations__))
        states = _states(given.get("states", STATES))
        only = given.get("only_changing", True)
        if not isinstance(only, bool):
            raise ConfigError(f"timeline.only_changing is {only!r}, expected true or false")
        budget = None if given.get("budget") is None else _budget(given["budget"], prices)
        if "budget" in states and budget is None:
            raise ConfigError(
                "timeline.states names budget, but timeline.budget says nothing",
                todo="say what each period allows, for example timeline.budget={index: 5, adapter: 60}"
                " (seconds), or leave the state out",
            )
        return cls(_dates(given.get("dates")), states, only, budget, _limits(given.get("examples")))

    @property
    def first(self) -> date:
        return self.dates[0]

    @property
    def updates(self) -> bool:
        """Whether anything is built after the first date."""
        return bool({"updated", "budget"} & set(self.states))

    def plain(self) -> dict[str, Any]:
        """As ``results.json`` has it."""
        return {
            "dates": [day.isoformat() for day in self.dates],
            "states": list(self.states),
            "only_changing": self.only_changing,
            "budget": None if self.budget is None else asdict(self.budget),
            "examples": None if self.examples is None else dict(self.examples),
        }


def _mapping(part: Any, key: str, known: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(part, Mapping):
        raise ConfigError(f"{key} is {part!r}, expected the keys {list(known)}")
    if unknown := sorted(set(part) - set(known)):
        near = get_close_matches(unknown[0], known, n=1)
        raise ConfigError(
            f"{key} has the unknown keys {unknown}",
            todo=f"did you mean {near[0]}?" if near else f"its keys are {list(known)}",
        )
    return part


def _dates(given: Any) -> tuple[date, ...]:
    if not isinstance(given, list | tuple) or len(given) < 2:
        raise ConfigError(
            f"timeline.dates is {given!r}, expected at least two dates",
            todo="for example timeline.dates=[2025-03-31,2025-12-15]",
        )
    days = tuple(_date(each, f"timeline.dates[{i}]") for i, each in enumerate(given))
    for earlier, later in pairwise(days):
        if later <= earlier:
            raise ConfigError(
                f"timeline.dates are not ascending: {later} comes after {earlier}",
                todo="give each date once, the earliest first",
            )
    return days


def _date(value: Any, key: str) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise ConfigError(f"{key} is {value!r}, expected a date written YYYY-MM-DD") from error


def _states(given: Any) -> tuple[str, ...]:
    named = tuple(given) if isinstance(given, list | tuple) else (given,)
    wrong = [each for each in named if each not in STATES]
    if wrong or not named or len(set(named)) < len(named):
        raise ConfigError(
            f"timeline.states is {given!r}, expected some of {list(STATES)}, each once"
        )
    return tuple(state for state in STATES if state in named)


def _budget(part: Any, prices: Prices) -> Budget:
    given = _mapping(part, "timeline.budget", tuple(Budget.__annotations__))
    unit = given.get("unit", "seconds")
    if unit not in UNITS:
        raise ConfigError(f"timeline.budget.unit is {unit!r}, expected one of {list(UNITS)}")
    if unit == "money" and prices.machine_hour is None:
        raise ConfigError(
            "timeline.budget.unit is money, but prices.machine_hour is null: no update has a price",
            todo="give the price of an hour of this machine, for example prices.machine_hour=0.40,"
            " or count seconds with timeline.budget.unit=seconds",
        )
    return Budget(unit, *(_amount(given.get(name, 0), name) for name in ARTIFACTS))


def _amount(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ConfigError(
            f"timeline.budget.{name} is {value!r}, expected what a period allows: 0 or more"
        )
    return float(value)


def _limits(part: Any) -> Mapping[str, int | None] | None:
    if part is None:
        return None
    given = _mapping(part, "timeline.examples", ("behaviour", "knowledge"))
    for kind, value in given.items():
        if value is not None and (type(value) is not int or value < 1):
            raise ConfigError(
                f"timeline.examples.{kind} is {value!r}, expected at least 1, or null for all"
            )
    return dict(given)
