"""What an adapter learns at each date: the same examples, with what was right then."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

import evalkit
from evalkit.errors import ConfigError
from evalkit.timeline.asking import over
from evalkit.timeline.learning import chosen_examples, known_at, relearned

D0, D1, D2 = date(2025, 2, 1), date(2025, 7, 1), date(2025, 10, 1)
PART: dict[str, Any] = {
    "kinds": ["behaviour", "knowledge"], "limit": None, "without_context": 0.5,
}  # fmt: skip


@pytest.fixture(scope="module")
def asked(moving_benchmark: evalkit.Benchmark) -> evalkit.Benchmark:
    return over(moving_benchmark, (D0, D1, D2), only_changing=True)


def test_each_date_teaches_what_was_right_then(asked: evalkit.Benchmark) -> None:
    """Facts that do not exist yet, or no longer, are left out; behaviour stays."""
    chosen = chosen_examples(asked, PART, None, 0)
    taught = [{e.id: e.answer for e in known_at(chosen, day)} for day in (D0, D1, D2)]
    assert [t.get("k1") for t in taught] == ["EUR 38", "EUR 42", "EUR 42"]
    assert [("k3" in t, "k4" in t) for t in taught] == [(True, False), (True, True), (False, True)]
    assert all({"b0", "b1", "k2"} <= set(t) for t in taught)
    assert all(e.as_of == D1 for e in known_at(chosen, D1) if e.kind == "knowledge")


def test_relearned_counts_changed_new_and_lost_facts(asked: evalkit.Benchmark) -> None:
    chosen = chosen_examples(asked, PART, None, 0)
    first, second, third = (known_at(chosen, day) for day in (D0, D1, D2))
    assert relearned(first, second) == 2  # the allowance changed, the lockers are new
    assert relearned(second, third) == 1  # the club is gone
    assert relearned(second, second) == 0


def test_what_is_asked_about_is_learned_first(asked: evalkit.Benchmark) -> None:
    """Of knowledge, whatever the seed: no question of the study is about the keys."""
    for seed in range(5):
        chosen = chosen_examples(asked, PART, {"behaviour": 1, "knowledge": 3}, seed)
        assert {e.id for e in chosen if e.kind == "knowledge"} == {"k1", "k3", "k4"}
        assert sum(e.kind == "behaviour" for e in chosen) == 1


def test_a_kind_that_has_no_limit_of_the_study_keeps_its_own(asked: evalkit.Benchmark) -> None:
    chosen = chosen_examples(asked, {**PART, "limit": 1}, {"knowledge": None}, 0)
    kinds = [e.kind for e in chosen]
    assert (kinds.count("knowledge"), kinds.count("behaviour")) == (4, 1)


def test_a_date_at_which_nothing_is_known_is_refused(asked: evalkit.Benchmark) -> None:
    chosen = chosen_examples(asked, PART, None, 0)
    with pytest.raises(ConfigError, match="on 2024-01-01 no knowledge example has an answer"):
        known_at(chosen, date(2024, 1, 1))


def test_the_choice_does_not_depend_on_the_order_of_the_file(asked: evalkit.Benchmark) -> None:
    turned = replace(asked, training=tuple(reversed(asked.training)))
    limits = {"behaviour": 1, "knowledge": 2}
    assert chosen_examples(asked, PART, limits, 3) == chosen_examples(turned, PART, limits, 3)
