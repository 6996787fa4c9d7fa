"""Which passages a question of a date may see, under each view of time."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.records import Passage
from evalkit.retrieval import View, Visibility

MARCH = date(2025, 3, 31)
DAYS = st.dates(date(2024, 12, 1), date(2025, 12, 31))


def seen(visibility: Visibility, passages: list[Passage], on: date) -> list[str]:
    """The ids of what a question of that date sees."""
    (mask,) = visibility.masks(passages, [on])
    return [p.id for p, shown in zip(passages, mask, strict=True) if shown]


def test_history_shows_all_that_had_taken_effect(passages: list[Passage]) -> None:
    """Superseded and withdrawn passages linger, later ones are not there yet."""
    history = Visibility("history")
    assert seen(history, passages, date(2025, 4, 30)) == ["A1", "B1", "D"]
    assert seen(history, passages, date(2025, 8, 1)) == ["A2", "A1", "B1", "D"]
    assert seen(history, passages, date(2025, 10, 1)) == ["A2", "A1", "B1", "C1", "D"]


def test_snapshot_shows_what_is_valid(passages: list[Passage]) -> None:
    """On the day of a change the new text holds, on the day of a withdrawal nothing."""
    snapshot = Visibility("snapshot")
    assert seen(snapshot, passages, date(2025, 4, 30)) == ["A1", "B1", "D"]
    assert seen(snapshot, passages, date(2025, 5, 1)) == ["A2", "B1", "D"]
    assert seen(snapshot, passages, date(2025, 7, 1)) == ["A2", "D"]


def test_stale_shows_what_was_valid_when_the_index_was_built(passages: list[Passage]) -> None:
    """An index of March answers in November as it did in March, but never from the future."""
    stale = Visibility("stale", MARCH)
    assert seen(stale, passages, date(2025, 11, 1)) == ["A1", "B1", "D"]
    assert seen(stale, passages, date(2024, 12, 31)) == ["D"]


def test_history_with_a_date_ends_there(passages: list[Passage]) -> None:
    """An index that was only ever added to, last in May, shows in November what it held in May."""
    history = Visibility("history", date(2025, 5, 1))
    assert seen(history, passages, date(2025, 11, 1)) == ["A2", "A1", "B1", "D"]
    assert seen(history, passages, date(2025, 4, 30)) == ["A1", "B1", "D"]


@given(DAYS, DAYS, st.sampled_from(["history", "snapshot"]))
def test_a_frozen_view_shows_what_was_shown_on_its_date(on: date, later: date, view: View) -> None:
    """Whatever is asked later, the index is as it was last updated; frozen twice is frozen first."""
    view_on = Visibility(view)
    passages = [
        Passage(str(i), "d", str(i), "t", "x", date(2025, m, 1), date(2025, m + 3, 1))
        for i, m in enumerate((1, 4, 7))
    ]
    frozen = view_on.frozen(on)
    assert seen(frozen, passages, max(on, later)) == seen(view_on, passages, on)
    assert frozen.frozen(max(on, later)) == frozen


@given(DAYS, st.sampled_from(["history", "snapshot", "stale"]))
def test_no_view_shows_the_future(on: date, view: View) -> None:
    """Whatever the view, a passage that begins after the question's date is not shown."""
    visibility = Visibility(view, MARCH if view == "stale" else None)
    later = Passage("x", "x", "x", "x", "x", valid_from=date(2025, 6, 1))
    assert not (visibility.shows(later, on) and on < date(2025, 6, 1))


def test_equal_dates_share_a_mask(passages: list[Passage]) -> None:
    """One array a date, so that queries can be grouped."""
    first, second, third = Visibility().masks(passages, [MARCH, date(2025, 8, 1), MARCH])
    assert first is third
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize(
    ("view", "built_at", "words"),
    [
        ("stale", None, "without built_at"),
        ("snapshot", MARCH, "with built_at"),
        ("now", None, "expected one of history, snapshot, stale"),
    ],
)
def test_senseless_views_are_refused(view: View, built_at: date | None, words: str) -> None:
    """A stale view needs its date, and a snapshot is always up to date."""
    with pytest.raises(ConfigError, match=words):
        Visibility(view, built_at)
