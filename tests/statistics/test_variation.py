"""Variance between questions and between repeats: by hand, against REML, and where it is undefined."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evalkit.statistics.variation import variation

METRIC = "correctness/generation/correct"


def table(values: dict[str, Any], **more: Any) -> pd.DataFrame:
    """One row per question and repeat; None is a failed repeat."""
    rows = [
        {
            "question": question, "pipeline": "rag", "repeat": repeat, "metric": METRIC,
            "status": "failed" if value is None else "scored", "value": value, "cluster": question,
        } | more
        for question, repeats in values.items()
        for repeat, value in enumerate(repeats)
    ]  # fmt: skip
    return pd.DataFrame(rows).astype({"value": "float64"})


def test_a_worked_example() -> None:
    """Means .2 and .6, each +-.1: within .02, between .16, so .07 of questions and 1/8 of noise."""
    found = variation(table({"a": [0.1, 0.3], "b": [0.5, 0.7]}))
    (row,) = found.to_dict("records")
    assert (row["pipeline"], row["metric"]) == ("rag", METRIC)
    assert (row["n_questions"], row["n_repeats"]) == (2, 2)
    assert row["sd_repeats"] ** 2 == pytest.approx(0.02)
    assert row["sd_questions"] ** 2 == pytest.approx(0.07)
    assert row["share_repeats"] == pytest.approx(1 / 8)


def test_balanced_components_are_those_of_reml() -> None:
    """In balanced data the method of moments is REML where its components are positive."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    rng = np.random.default_rng(1)
    x = np.clip(rng.uniform(0.2, 0.8, (30, 1)) + rng.normal(0, 0.05, (30, 4)), 0, 1)
    found = variation(table({f"q{i}": list(row) for i, row in enumerate(x)})).iloc[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = MixedLM(x.ravel(), np.ones(x.size), np.repeat(np.arange(30), 4)).fit(reml=True)
    assert found["sd_repeats"] ** 2 == pytest.approx(fitted.scale, rel=1e-3)
    assert found["sd_questions"] ** 2 == pytest.approx(float(fitted.cov_re[0, 0]), rel=1e-3)


def test_unequal_numbers_of_repeats_are_estimated_without_bias() -> None:
    """Over 400 simulated pipelines with one to five repeats, both components come out on average."""
    rng = np.random.default_rng(5)
    tables = []
    for i in range(400):
        centres = rng.uniform(0.3, 0.7, 12)  # variance .4 ** 2 / 12
        values = {f"q{j}": c + rng.uniform(-0.2, 0.2, 1 + j % 5) for j, c in enumerate(centres)}
        tables.append(table(values, pipeline=f"p{i}"))
    found = variation(pd.concat(tables)).astype({"sd_questions": float, "sd_repeats": float})
    assert len(found) == 400
    for name in ("sd_questions", "sd_repeats"):
        assert (found[name] ** 2).mean() == pytest.approx(0.4**2 / 12, rel=0.06)


def test_repeats_that_agree_cause_nothing_and_questions_that_agree_cause_nothing() -> None:
    """The share is 0, 1, and null where nothing varies at all."""
    alike = variation(table({"a": [1.0, 1.0], "b": [0.0, 0.0]})).iloc[0]
    assert (alike["sd_repeats"], alike["share_repeats"]) == (0.0, 0.0)
    noisy = variation(table({"a": [0.0, 1.0], "b": [1.0, 0.0]})).iloc[0]
    assert (noisy["sd_questions"], noisy["share_repeats"]) == (0.0, 1.0)
    constant = variation(table({"a": [1.0, 1.0], "b": [1.0, 1.0]})).iloc[0]
    assert constant["sd_repeats"] == constant["sd_questions"] == 0.0
    assert constant["share_repeats"] is pd.NA


def test_one_question_tells_nothing_about_questions() -> None:
    row = variation(table({"a": [0.0, 1.0, 1.0]})).iloc[0]
    assert row["sd_questions"] is row["share_repeats"] is pd.NA
    assert row["sd_repeats"] == pytest.approx(np.std([0, 1, 1], ddof=1))


def test_only_what_was_repeated_has_a_row() -> None:
    """A run without repeats has an empty table, with its columns; so does one repeated metric."""
    once = table({"a": [1.0], "b": [0.0]})
    assert variation(once).empty
    assert "share_repeats" in variation(once).columns
    both = pd.concat([once.assign(metric="format/generation/strict"), table({"a": [1.0, 0.0]})])
    assert variation(both)["metric"].tolist() == [METRIC]


def test_a_failed_repeat_takes_its_question_out() -> None:
    """As it does for every estimate: what remains must not look steadier than it was."""
    found = variation(table({"a": [0.1, 0.3], "b": [0.5, 0.7], "c": [0.9, None]})).iloc[0]
    assert found["n_questions"] == 2
    assert found["share_repeats"] == pytest.approx(1 / 8)
