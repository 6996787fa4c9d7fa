"""Repeats: sampled anew, deterministic, stored apart, and averaged within a question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evalkit

SAMPLING = [
    "pipeline=[prompt_only,rag]", "model.decoding.temperature=1.0",
    "model.engine.max_rows=2",  # so that a question's repeats are in batches of their own
]  # fmt: skip
KEY = ["question", "pipeline", "repeat"]


@pytest.fixture(scope="module")
def thrice(tiny_overrides: list[str], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run with three repeats, and the folder of its store."""
    folder = tmp_path_factory.mktemp("thrice")
    result = evalkit.run(
        *tiny_overrides, *SAMPLING, "repeats=3", f"store={folder / 'store'}", f"run_dir={folder / 'run'}"
    )  # fmt: skip
    return result, folder


def test_every_question_is_asked_so_often(thrice: Any) -> None:
    """Three traces and three scores of every metric, numbered from 0; all with the same prompt."""
    traces = thrice[0].traces
    assert traces.groupby(["question", "pipeline"])["repeat"].agg(set).map({0, 1, 2}.__eq__).all()
    assert (traces.groupby(["question", "pipeline"])["prompt"].nunique() == 1).all()
    assert not traces.duplicated(KEY).any()
    scores = thrice[0].scores
    assert (scores.groupby(["question", "pipeline", "metric"])["repeat"].nunique() == 3).all()
    assert thrice[0].results["repeats"] == 3


def test_repeats_are_sampled_under_other_seeds(thrice: Any) -> None:
    """A random model at temperature 1 hardly says the same thing twice."""
    outputs = thrice[0].traces.groupby(["question", "pipeline"])["output"].nunique()
    assert (outputs > 1).all()
    assert outputs.mean() > 2.5


def test_repeats_are_deterministic_and_only_new_ones_are_generated(
    thrice: Any, tiny_overrides: list[str], tmp_path: Path, faulty: Path
) -> None:
    """With another store the same answers come; with the same store two of four are at hand, and
    one repeat is what a run without repeats gives."""
    result, folder = thrice
    first = result.traces.set_index(KEY)["output"]
    fresh = evalkit.run(
        *tiny_overrides, *SAMPLING, "repeats=2", f"store={tmp_path / 'store'}", f"run_dir={tmp_path / 'a'}"
    ).traces.set_index(KEY)["output"]  # fmt: skip
    pd.testing.assert_series_equal(fresh, first[first.index.get_level_values("repeat") < 2])
    more = evalkit.run(
        *tiny_overrides, *SAMPLING, "repeats=4", f"store={folder / 'store'}", f"run_dir={tmp_path / 'b'}",
        "model.engine._target_=faulty_engines.Noted",
    )  # fmt: skip
    assert len(faulty.read_text().split()) == 12  # the fourth repeat of 6 questions, 2 pipelines
    assert set(more.traces["repeat"]) == {0, 1, 2, 3}
    once = evalkit.run(
        *tiny_overrides, *SAMPLING, f"store={folder / 'store'}", f"run_dir={tmp_path / 'c'}"
    ).traces.set_index(KEY)["output"]  # fmt: skip
    pd.testing.assert_series_equal(once, first[first.index.get_level_values("repeat") == 0])


def test_repeats_are_not_more_questions(thrice: Any) -> None:
    """Counts and pairs are of questions; the mean is over questions of means over repeats."""
    result = thrice[0]
    rows = {(e["pipeline"], e["metric"]): e for e in result.results["estimates"]}
    tokens = rows["rag", "cost/generation/output_tokens"]
    assert tokens["n_total"] == tokens["n_scored"] == 6
    expected = result.traces[result.traces["pipeline"] == "rag"].groupby("question")
    assert tokens["value"] == pytest.approx(expected["output_tokens"].mean().mean())
    assert all(row["n_pairs"] <= 6 for row in result.results["comparisons"])


def test_the_variance_of_repeats_is_reported_apart(thrice: Any, quartet: Any) -> None:
    """Prompts do not vary between repeats, wall time does; without repeats there is nothing to say."""
    rows = {(r["pipeline"], r["metric"]): r for r in thrice[0].results["variation"]}
    prompt, seconds = (rows["rag", f"cost/generation/{n}"] for n in ("prompt_tokens", "seconds"))
    assert (prompt["sd_repeats"], prompt["share_repeats"]) == (0.0, 0.0)
    assert seconds["sd_repeats"] > 0
    assert {r["n_repeats"] for r in rows.values()} == {3}
    assert quartet.result.results["variation"] == []
    assert quartet.result.results["repeats"] == 1


def test_the_table_of_questions_shows_the_first_repeat(thrice: Any) -> None:
    result = thrice[0]
    outputs = result.traces.set_index(KEY)["output"]
    for row in result.questions:
        for pipeline, answer in row["answers"].items():
            assert answer["output"] == outputs[row["question"], pipeline, 0]


def test_costs_are_per_answer(thrice: Any) -> None:
    """Tokens add up over all answers, and the median second is of one answer."""
    result = thrice[0]
    mine = result.traces[result.traces["pipeline"] == "rag"]
    costs = {c["name"]: c["value"] for c in result.results["costs"] if c.get("pipeline") == "rag"}
    assert costs["output tokens"] == mine["output_tokens"].sum()
    seconds = mine["generation_seconds"] + mine["retrieval_seconds"]
    assert costs["seconds per answer in its batch, median"] == pytest.approx(seconds.median())
