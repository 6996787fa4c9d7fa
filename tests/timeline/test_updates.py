"""The budget: updates happen when what was saved up pays for them."""

from __future__ import annotations

from datetime import date, timedelta
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.results.costs import Prices
from evalkit.timeline.settings import Budget
from evalkit.timeline.updates import Decision, Update, decide

FIRST = date(2025, 1, 1)
FREE = Prices()


def dates(n: int) -> list[date]:
    return [FIRST + timedelta(days=30 * i) for i in range(n + 1)]


def update(since: date, on: date, seconds: float, *, idle: bool = False) -> Update:
    return Update("adapter", on, since, seconds, 10, 5, 2, idle)


def decided(costs: list[float | None], allowance: float) -> list[Decision]:
    """One cost per date; None where nothing had changed."""
    days = dates(len(costs))

    def measured(since: date, on: date) -> Update:
        cost = costs[days.index(on) - 1]
        return update(since, on, cost or 0.0, idle=cost is None)

    return decide("adapter", days, Budget("seconds", 0, allowance), measured, FREE)


def test_what_is_left_is_kept() -> None:
    """Allowed 40 a period, a training of 60: every other time, with 20 over, then at once."""
    made = decided([60, 60, 60, 60], 40)
    assert [d.updated for d in made] == [False, True, True, False]
    assert [d.purse for d in made] == [40, 80, 60, 40]
    days = dates(4)
    assert [d.stands for d in made] == [days[0], days[2], days[3], days[3]]


def test_an_exact_fit_is_paid() -> None:
    assert decided([40], 40)[0].updated


def test_without_allowance_nothing_is_updated_and_with_plenty_everything() -> None:
    assert not any(d.updated for d in decided([1, 1, 1], 0))
    assert all(d.updated for d in decided([1e9, 1e9], inf))


def test_nothing_is_done_where_nothing_had_changed() -> None:
    """It costs nothing, and the artifact stays of its date."""
    made = decided([None, 5], 100)
    assert [d.updated for d in made] == [False, True]
    assert made[0].stands == FIRST
    assert made[0].cost == 0
    assert "nothing had changed" in made[0].reason


def test_an_update_is_measured_from_what_stands() -> None:
    """After a period without, the next update has more to do."""
    asked: list[tuple[date, date]] = []
    days = dates(3)

    def measured(since: date, on: date) -> Update:
        asked.append((since, on))
        return update(since, on, 60)

    decide("adapter", days, Budget("seconds", 0, 40), measured, FREE)
    assert asked == [(days[0], days[1]), (days[0], days[2]), (days[2], days[3])]


def test_a_budget_in_money_goes_by_the_price_of_the_machine() -> None:
    """An hour costs 36: 100 seconds cost 1."""
    prices = Prices(machine_hour=36.0)
    days = dates(2)
    made = decide(
        "index", days, Budget("money", 0.5, 0), lambda s, o: update(s, o, 100), prices
    )  # fmt: skip
    assert [(d.cost, d.updated) for d in made] == [(1.0, False), (1.0, True)]
    with pytest.raises(ValueError, match="machine_hour"):
        update(FIRST, FIRST, 1).cost("money", FREE)


@given(costs=st.lists(st.floats(0, 100), min_size=1, max_size=8), allowance=st.floats(0, 80))
def test_no_more_is_spent_than_was_allowed(costs: list[float], allowance: float) -> None:
    """At no date has more been spent than all periods so far allowed."""
    spent = 0.0
    for i, each in enumerate(decided(list(costs), allowance), start=1):
        spent += each.cost if each.updated else 0.0
        assert spent <= allowance * i + 1e-6
        assert each.purse >= 0


def test_a_row_says_what_a_change_costs() -> None:
    """Per changed fact, and until the first answer from it; neither for a first build."""
    row = update(FIRST, dates(1)[1], 60).row(Prices(machine_hour=36.0), 0.5)
    assert row["seconds_per_fact"] == 30
    assert row["time_to_fresh"] == 60.5
    assert row["price"] == pytest.approx(0.6)
    assert row["price_per_fact"] == pytest.approx(0.3)
    built = Update("index", FIRST, None, 60, 1, 1, None).row(FREE, 0.5)
    assert built["time_to_fresh"] is built["seconds_per_fact"] is built["price"] is None
    idle = update(FIRST, dates(1)[1], 0, idle=True).row(FREE, 0.5)
    assert idle["time_to_fresh"] is idle["seconds_per_fact"] is None
    changed_nothing_asked = Update("index", dates(1)[1], FIRST, 2, 1, 1, 0).row(FREE, 0.5)
    assert changed_nothing_asked["seconds_per_fact"] is None
    assert changed_nothing_asked["time_to_fresh"] == 2.5
