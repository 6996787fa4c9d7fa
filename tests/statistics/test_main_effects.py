"""Main effects of a sweep's keys: plain in a grid, adjusted outside of it, honest where they cannot be told."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from evalkit.statistics import records
from evalkit.statistics.main_effects import Panel, main_effects
from evalkit.statistics.variation import repeat_means

METRIC = "correctness/generation/correct"
K, PROMPT = ("1", "3", "5"), ("a", "b")
GRID = pd.DataFrame(list(product(K, PROMPT)), columns=["k", "prompt"])


def _values(settings: pd.DataFrame, questions: int = 24, noise: float = 0.0) -> pd.DataFrame:
    """0.3 for question and all, 0.1 more for k=3, 0.25 for k=5, 0.05 for prompt b."""
    rng = np.random.default_rng(0)
    base = 0.3 + 0.2 * rng.random((questions, 1))
    added = settings["k"].map({"1": 0.0, "3": 0.1, "5": 0.25}) + settings["prompt"].map(
        {"a": 0.0, "b": 0.05}
    )
    spread = noise * rng.standard_normal((questions, len(settings)))
    return pd.DataFrame(base + added.to_numpy() + spread)


def _effects(values: pd.DataFrame, settings: pd.DataFrame, **more: object) -> dict:
    clusters = np.arange(len(values)).astype(str)
    panel = Panel("rag", METRIC, values, settings, clusters, **more)
    return {(r["key"], r["level"]): r for r in records(main_effects([panel], resamples=200))}


def test_in_a_grid_effects_are_differences_of_means() -> None:
    """Over the other keys, within questions: the textbook's main effect."""
    values = _values(GRID, noise=0.05)
    found = _effects(values, GRID)
    mean = {k: values.loc[:, (GRID["k"] == k).to_numpy()].to_numpy().mean() for k in K}
    assert found["k", "3"]["effect"] == pytest.approx(mean["3"] - mean["1"])
    assert found["k", "5"]["effect"] == pytest.approx(mean["5"] - mean["1"])
    assert found["k", "5"]["low"] < found["k", "5"]["effect"] < found["k", "5"]["high"]
    assert all(row["balanced"] for row in found.values())
    assert (found["k", "3"]["n_settings"], found["prompt", "b"]["n_reference"]) == (2, 3)


def test_a_gap_in_the_grid_is_adjusted_for_and_said() -> None:
    """Without (5, b) the plain means mix prompt into k; the effects do not."""
    settings = GRID.iloc[:-1].reset_index(drop=True)
    values = _values(settings)
    found = _effects(values, settings)
    plain = values.loc[:, (settings["k"] == "5").to_numpy()].to_numpy().mean() - (
        values.loc[:, (settings["k"] == "1").to_numpy()].to_numpy().mean()
    )
    assert plain == pytest.approx(0.225)
    assert found["k", "5"]["effect"] == pytest.approx(0.25)
    assert found["prompt", "b"]["effect"] == pytest.approx(0.05)
    assert not any(row["balanced"] for row in found.values())


def test_keys_that_only_change_together_get_no_number() -> None:
    """Two keys in lockstep cannot be told apart, and the table says so."""
    settings = pd.DataFrame({"k": ["1", "3"], "prompt": ["a", "b"]})
    found = _effects(_values(settings), settings)
    for row in found.values():
        assert row["effect"] is None
        assert row["p_value"] is None
        assert "never changes alone" in row["note"]


def test_the_reference_is_the_one_asked_for() -> None:
    """Every level is held against it."""
    found = _effects(_values(GRID), GRID, references={"k": "5", "prompt": "nowhere"})
    assert set(found) == {("k", "1"), ("k", "3"), ("prompt", "b")}
    assert found["k", "1"]["effect"] == pytest.approx(-0.25)


def test_missing_values_do_not_shift_an_effect() -> None:
    """A question scored under some settings only is fitted to those; one that cannot tell is dropped."""
    values = _values(GRID)
    values.iloc[0, 5] = np.nan
    values.iloc[1, 2:] = np.nan
    found = _effects(values, GRID)
    assert found["k", "5"]["effect"] == pytest.approx(0.25)
    assert found["k", "5"]["n_pairs"] == 23
    assert "23 of 24 questions" in found["k", "5"]["note"]
    assert found["prompt", "b"]["n_pairs"] == 24


def test_a_key_without_effect_is_exactly_zero_and_never_shown() -> None:
    """Sums of many numbers must not leave a difference in the last digit that a test takes for one."""
    values = pd.DataFrame(np.tile(np.random.default_rng(3).random((24, 1)), (1, 6)))
    for row in _effects(values, GRID).values():
        assert row["effect"] == 0.0
        assert row["p_value"] == 1.0


def test_p_is_adjusted_within_a_metric() -> None:
    """A sure effect on tokens lends nothing to an unsure one on answers."""
    rng = np.random.default_rng(4)
    settings = pd.DataFrame({"k": ["1", "3"]})
    answers = pd.DataFrame(rng.random((24, 2)))
    tokens = pd.DataFrame(np.column_stack([np.full(24, 100.0), 200 + rng.random(24)]))
    clusters = np.arange(24).astype(str)
    unsure = Panel("rag", METRIC, answers, settings, clusters)
    sure = [
        Panel("rag", f"cost/generation/{i}_tokens", tokens, settings, clusters) for i in range(5)
    ]
    table = main_effects([unsure, *sure], resamples=200)
    assert table["p_adjusted"][0] == table["p_value"][0]


def test_one_level_or_no_panel_gives_an_empty_table_with_its_columns() -> None:
    """Nothing to compare is no error."""
    assert main_effects([]).empty
    settings = pd.DataFrame({"k": ["1", "1"]})
    panel = Panel("rag", METRIC, pd.DataFrame(np.ones((3, 2))), settings, np.array(["a", "b", "c"]))
    assert "p_adjusted" in main_effects([panel]).columns


def test_repeat_means_by_hand() -> None:
    """Repeats with means 0.5 and 1.0 over the two questions that both scored: sd 0.354."""
    rows = [("q1", 0, 0.0), ("q1", 1, 1.0), ("q2", 0, 1.0), ("q2", 1, 1.0), ("q3", 0, 0.0)]
    scores = pd.DataFrame(rows, columns=["question", "repeat", "value"]).assign(
        pipeline="rag", metric=METRIC, status="scored"
    )
    found = records(repeat_means(scores))[0]
    assert (found["n_repeats"], found["n_questions"], found["mean"]) == (2, 2, 0.75)
    assert found["sd_means"] == pytest.approx(0.5 / np.sqrt(2))
    assert (found["least"], found["most"]) == (0.5, 1.0)
    assert repeat_means(scores[scores["repeat"] == 0]).empty
