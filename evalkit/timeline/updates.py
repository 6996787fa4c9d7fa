"""What an update of the index or the adapter costs, and whether a budget allows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from evalkit.results.costs import Prices
from evalkit.timeline.settings import Budget


@dataclass(frozen=True)
class Update:
    """Bringing the ``index`` or the ``adapter`` from one date to another, as it was measured.

    Attributes:
        since: What it was brought up from; None where it was built from nothing.
        seconds: Wall seconds of the work.
        bytes: Bytes written.
        worked: Passages embedded, or examples trained on.
        changed: Facts that are otherwise than on ``since``: those that the benchmark asks for, or
            those that the examples teach. None for the first build.
        idle: Nothing had changed, so that there was nothing to do.
        detail: More counts, by name.
    """

    artifact: str
    on: date
    since: date | None
    seconds: float
    bytes: int
    worked: int
    changed: int | None
    idle: bool = False
    detail: tuple[tuple[str, Any], ...] = ()

    def cost(self, unit: str, prices: Prices) -> float:
        """Seconds or money; 0 where there was nothing to do.

        Raises:
            ValueError: It has no price.
        """
        if self.idle:
            return 0.0
        if unit == "seconds":
            return self.seconds
        money = prices.of_seconds(self.seconds)
        if money is None:
            raise ValueError("prices.machine_hour is null, expected a price")
        return money

    def row(self, prices: Prices, answer_seconds: float | None) -> dict[str, Any]:
        """As ``results.json`` has it; ``answer_seconds`` is how long one answer then takes.

        ``time_to_fresh`` is None for an index or adapter built from nothing, and where there was
        nothing to do: no document had changed.
        """
        money = prices.of_seconds(self.seconds)
        per_fact = None if self.idle or not self.changed else 1 / self.changed
        fresh = None if self.since is None or self.idle or answer_seconds is None else 1.0
        return {
            "date": self.on.isoformat(),
            "since": None if self.since is None else self.since.isoformat(),
            "artifact": self.artifact,
            "way": way(self.artifact),
            "idle": self.idle,
            "seconds": self.seconds,
            "bytes": self.bytes,
            "worked": self.worked,
            "price": money,
            "changed_facts": self.changed,
            "seconds_per_fact": per_fact and self.seconds * per_fact,
            "price_per_fact": None if money is None or per_fact is None else money * per_fact,
            "answer_seconds": answer_seconds,
            "time_to_fresh": fresh and self.seconds + (answer_seconds or 0.0),
            **dict(self.detail),
        }


def way(artifact: str) -> str:
    """How an artifact is brought up to date, in words."""
    return "re-index" if artifact == "index" else "re-train"


@dataclass(frozen=True)
class Decision:
    """Whether an artifact was updated at a date, out of a purse, and why.

    ``stands`` is the date that the artifact is of afterwards; it stays where nothing had changed.
    """

    artifact: str
    on: date
    unit: str
    purse: float
    cost: float
    updated: bool
    reason: str
    stands: date

    def row(self) -> dict[str, Any]:
        """As ``results.json`` has it."""
        return {
            "date": self.on.isoformat(),
            "artifact": self.artifact,
            "way": way(self.artifact),
            "unit": self.unit,
            "purse": self.purse,
            "cost": self.cost,
            "updated": self.updated,
            "left": self.purse - self.cost if self.updated else self.purse,
            "reason": self.reason,
            "stands": self.stands.isoformat(),
        }


def decide(
    artifact: str,
    dates: Sequence[date],
    budget: Budget,
    measured: Callable[[date, date], Update],
    prices: Prices,
) -> list[Decision]:
    """Update at a date where what has been saved up pays for it; what is left is kept.

    Args:
        artifact: ``index`` or ``adapter``.
        dates: Of the study; at the first everything is built, at no cost to the budget.
        budget: What each later date adds to the purse.
        measured: ``measured(since, on)`` is the update from one date to another.
        prices: For a budget in money.

    Returns:
        One decision per date after the first.
    """
    stands, purse, made = dates[0], 0.0, []
    for on in dates[1:]:
        purse += budget.allowance(artifact)
        update = measured(stands, on)
        cost = update.cost(budget.unit, prices)
        updated = not update.idle and cost <= purse
        reason = "the purse pays for it" if updated else "the purse does not pay for it"
        if update.idle:
            reason = f"nothing had changed since {stands}"
        stands = on if updated else stands
        made.append(Decision(artifact, on, budget.unit, purse, cost, updated, reason, stands))
        purse -= cost if updated else 0.0
    return made
