"""Hypotheses of a configuration: refused early where they cannot be tested, answered in the results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evalkit
from evalkit.configuration.assemble import Experiment
from evalkit.configuration.compose import compose, resolved
from evalkit.errors import ConfigError
from evalkit.statistics.hypotheses import test_hypotheses as examine

STRICT = "format/generation/strict"


def experiment(tiny_overrides: list[str], *more: str) -> Experiment:
    return Experiment(resolved(compose([*tiny_overrides, *more])))


def entry(**changes: Any) -> str:
    """An override with one hypothesis; Hydra takes its grammar from JSON with quotes taken off."""
    parts = {"metric": STRICT, "better": "rag", "than": "prompt_only"} | changes
    text = json.dumps(parts).replace('"', "")
    return f"hypotheses=[{text}]"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (entry(metric="format/generation/strct"), r"hypotheses\[0\]\.metric is .*format/generation/strict"),
        (entry(better="rga"), r"hypotheses\[0\]\.better names 'rga', .* did you mean rag.*\n.*hypotheses=\[\]"),
        (entry(than=["prompt_only", "orakel"]), r"hypotheses\[0\]\.than names 'orakel'.*did you mean oracle"),
        (entry(where={"category": "chnged"}), r"where\.category is 'chnged', .*did you mean changed"),
        (entry(where={"tag": "money"}), r"where\.tag is 'money', which no question has; there are none"),
        (entry(where={"since": "2030-01-01"}), r"selects no question: since 2030-01-01\n.*from 2025-10-01"),
        (entry(kind="equivalence"), r"hypotheses\[0\]\.margin is 0, expected more"),
        (entry(kind="equal"), r"hypotheses\[0\]\.kind is 'equal', expected superiority"),
        ("hypotheses=5", r"hypotheses is 5, expected a list"),
        ("hypotheses=[fast]", r"hypotheses\[0\] is 'fast', expected a mapping"),
        ("repeats=0", r"repeats is 0, expected a whole number, at least 1"),
        ("repeats=3", r"repeats is 3, but model\.decoding\.temperature is 0.*\n.*temperature=0\.7"),
    ],
)  # fmt: skip
def test_what_cannot_be_tested_is_refused_before_any_work(
    override: str, said: str, tiny_overrides: list[str], tmp_path: Path
) -> None:
    """By its key, with what comes near and what to do; no run folder is left behind."""
    with pytest.raises(ConfigError, match=said):
        evalkit.run(*tiny_overrides, override, f"run_dir={tmp_path / 'run'}")
    assert not (tmp_path / "run").exists()


def test_a_configuration_without_hypotheses_claims_nothing(tiny_overrides: list[str]) -> None:
    assert experiment(tiny_overrides).hypotheses == ()
    assert experiment(tiny_overrides, "hypotheses=null").hypotheses == ()


def test_a_hypothesis_about_pipelines_that_do_not_run_is_left_out(
    tiny_overrides: list[str],
) -> None:
    """A study can be run in part: what its other pipelines were to show is named and not tested."""
    made = experiment(tiny_overrides, entry(than=["oracle", "few_shot"]))
    assert made.hypotheses == ()
    assert list(made.untested.values()) == ["oracle, few_shot"]
    both = experiment(tiny_overrides, entry())
    assert (len(both.hypotheses), both.untested) == (1, {})


def test_the_direction_is_the_metrics_own(tiny_overrides: list[str]) -> None:
    """Of seconds, fewer are better; nobody has to say so."""
    made = experiment(tiny_overrides, entry(metric="cost/generation/seconds"), "repeats=1")
    assert made.hypotheses[0].direction == "lower"


def test_a_limit_does_not_make_a_category_unknown(tiny_overrides: list[str]) -> None:
    """The category exists; that this run asks none of its questions is for the verdict to say."""
    made = experiment(tiny_overrides, entry(where={"category": "unanswerable"}), "limit=1")
    assert made.hypotheses[0].where.categories == ("unanswerable",)


def test_the_results_answer_every_claim_of_the_study(quartet: Any) -> None:
    """In the study's words and order, signed, and as the scores on disk give them again."""
    rows = quartet.result.results["hypotheses"]
    assert [row["claim"].split()[0] for row in rows] == [
        "Retrieval", "Tuning", "Tuning", "Retrieval", "Tuning",
    ]  # fmt: skip
    claimed = experiment(quartet.overrides[:-1]).hypotheses
    scores = pd.read_parquet(quartet.result.folder / "scores.parquet")
    again = examine(scores, claimed, resamples=200)
    for row, (_, other) in zip(rows, again.iterrows(), strict=True):
        assert row["verdict"] == other["verdict"]
        assert row["p_value"] == (None if other["p_value"] is pd.NA else other["p_value"])
        assert row["metric"] in row["signature"]
        for name in (*row["better"].split("+"), *row["than"].split("+")):
            assert f"{name}:" in row["signature"]
    control = rows[4]
    assert (control["verdict"], control["n_pairs"]) == ("inconclusive", 1)
    assert control["reason"] == "all pairs are of one cluster"
    equal = rows[3]  # nobody writes JSON: nothing differs, and more questions would show it
    assert (equal["effect"], equal["n_pairs"], equal["n_questions"]) == (0.0, 5, 6)
    assert equal["further_questions"] > 0


def test_scores_carry_the_date_and_the_tags_of_their_question(quartet: Any) -> None:
    scores = pd.read_parquet(quartet.result.folder / "scores.parquet")
    assert set(scores["as_of"]) == {"2025-10-01"}
    assert set(scores["tags"]) == {""}
