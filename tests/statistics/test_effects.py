"""The square: main effects, interaction, and what is left when a metric needs retrieval."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evalkit.statistics import ScoresTableError, factorial_effects
from evalkit.statistics.adjust import benjamini_hochberg

METRIC = "correctness/generation/correct"
CORNERS = {
    (False, False): "prompt_only",
    (True, False): "rag",
    (False, True): "lora",
    (True, True): "hybrid",
}


def square(values: dict[str, list], metric: str = METRIC) -> pd.DataFrame:
    """Scores of several pipelines, one cluster per question; a string is a status."""
    rows = []
    for pipeline, column in values.items():
        for i, value in enumerate(column):
            status = value if isinstance(value, str) else "scored"
            rows.append(
                {
                    "question": f"q{i:03d}", "pipeline": pipeline, "repeat": 0, "metric": metric,
                    "status": status, "value": None if status == value else float(value),
                    "cluster": f"c{i:03d}",
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def test_effects_by_hand() -> None:
    """Corner means 0.1, 0.5, 0.2, 0.9: retrieval 0.55, tuning 0.25, interaction 0.3."""
    means = {"prompt_only": 0.1, "rag": 0.5, "lora": 0.2, "hybrid": 0.9}
    jitter = np.linspace(-0.1, 0.1, 12)
    found = factorial_effects(
        square({name: list(mean + jitter) for name, mean in means.items()}), CORNERS
    ).set_index("effect")
    assert found["value"].to_dict() == pytest.approx(
        {"retrieval": 0.55, "tuning": 0.25, "interaction": 0.3}
    )
    assert found["n_pairs"].tolist() == [12, 12, 12]
    assert found["note"].tolist() == ["", "", ""]


def test_effects_lie_between_their_simple_effects_and_hold_their_value() -> None:
    """Random corners: the interval holds the value, and p is small only for the real effect."""
    rng = np.random.default_rng(2)
    made = {n: list((rng.random(80) < p) * 1.0) for n, p in
            {"prompt_only": 0.2, "rag": 0.8, "lora": 0.2, "hybrid": 0.8}.items()}  # fmt: skip
    found = factorial_effects(square(made), CORNERS).set_index("effect")
    mean = {name: np.mean(column) for name, column in made.items()}
    simple = sorted([mean["rag"] - mean["prompt_only"], mean["hybrid"] - mean["lora"]])
    assert simple[0] <= found.loc["retrieval", "value"] <= simple[1]
    assert (found["low"] <= found["value"]).all()
    assert (found["value"] <= found["high"]).all()
    assert found.loc["retrieval", "p_value"] < 0.001
    assert found.loc["tuning", "low"] < 0 < found.loc["tuning", "high"]


def test_only_questions_scored_in_all_four_count() -> None:
    """One corner failing on a question takes it out of all, and the note says so."""
    values = {"prompt_only": [0] * 7, "rag": [1] * 7, "lora": [0] * 7, "hybrid": [1] * 7}
    values["lora"][0] = "failed"
    found = factorial_effects(square(values), CORNERS).set_index("effect")
    assert found["n_pairs"].tolist() == [6, 6, 6]
    assert found.loc["retrieval", "note"] == (
        "14.3% of the questions failed: above 2% no verdict is given"
    )
    assert found.loc["retrieval", "value"] == 1.0
    assert 0 < found.loc["retrieval", "low"] < 1.0
    assert found["p_value"].isna().all()
    assert found["p_adjusted"].isna().all()


def test_a_failure_in_a_hundred_leaves_effects_decided() -> None:
    """Up to 2 % failed questions p is given, over those that did not fail."""
    values = {"prompt_only": [0] * 100, "rag": [1] * 100, "lora": [0] * 100, "hybrid": [1] * 100}
    values["lora"][0] = "failed"
    found = factorial_effects(square(values), CORNERS).set_index("effect")
    assert found.loc["retrieval", "p_value"] < 0.001
    assert found.loc["retrieval", "note"] == (
        "99 of 100 questions scored in some pipeline are scored in all"
    )


def test_metrics_that_need_retrieval_get_the_simple_effect_of_tuning() -> None:
    """Without a score outside retrieval there is no effect of retrieval to give."""
    none = ["not_applicable"] * 6
    values = {"prompt_only": none, "rag": [0.2] * 5 + [0.4], "lora": none, "hybrid": [0.7] * 6}
    found = factorial_effects(square(values, "faithfulness/generation/faithfulness"), CORNERS)
    assert found["effect"].tolist() == ["tuning"]
    assert found["value"].tolist() == pytest.approx([0.7 - 1.4 / 6])
    assert found["note"].item().startswith("simple effect, with retrieval only: the metric is not")


def test_two_corners_give_one_simple_effect() -> None:
    """Without tuned pipelines there is still an effect of retrieval on the base weights."""
    corners = {k: v for k, v in CORNERS.items() if not k[1]}
    found = factorial_effects(square({"prompt_only": [0] * 6, "rag": [1, 1, 1, 0, 1, 1]}), corners)
    assert found["effect"].tolist() == ["retrieval"]
    assert found["value"].tolist() == pytest.approx([5 / 6])
    assert found["note"].item() == "simple effect, base weights only: a corner was not run"


def test_pairs_left_out_by_abstaining_are_told() -> None:
    """A metric that a pipeline abstains on shrinks the pairs, and the note says by how much."""
    values = {"prompt_only": [0] * 4 + ["abstained"] * 3, "rag": [1] * 7}
    corners = {k: v for k, v in CORNERS.items() if not k[1]}
    found = factorial_effects(square(values), corners).iloc[0]
    assert found["n_pairs"] == 4
    assert found["note"].startswith("simple effect, base weights only: a corner was not run; ")
    assert "4 of 7 questions scored in either are scored in both" in found["note"]


def test_no_common_question_is_null() -> None:
    """Four corners that never meet: null values and a note."""
    off = "not_applicable"
    values = {"prompt_only": [1, off], "rag": [off, 1], "lora": [1, off], "hybrid": [off, 1]}
    found = factorial_effects(square(values), CORNERS)
    assert found["value"].isna().all()
    assert set(found["note"]) == {"no question was scored in every pipeline compared"}


def test_a_corner_that_was_not_run_is_named() -> None:
    """The complaint says which pipeline is missing and which there are."""
    with pytest.raises(ScoresTableError, match=r"no pipeline hybrid, lora, rag; the table has"):
        factorial_effects(square({"prompt_only": [1]}), CORNERS)


def test_effects_carry_error_power_and_adjusted_p() -> None:
    """sd / sqrt(n) of each contrast; p adjusted over the effects of all metrics."""
    rng = np.random.default_rng(6)
    values = {name: list(rng.random(60)) for name in CORNERS.values()}
    table = pd.concat([square(values), square(values, "correctness/generation/f1")])
    found = factorial_effects(table, CORNERS, resamples=500)
    interaction = found[found["effect"] == "interaction"].iloc[0]
    corner = {name: np.array(column) for name, column in values.items()}
    contrast = corner["hybrid"] - corner["rag"] - corner["lora"] + corner["prompt_only"]
    assert interaction["standard_error"] == pytest.approx(contrast.std(ddof=1) / np.sqrt(60))
    assert interaction["mde"] == pytest.approx(2.85 * interaction["standard_error"], rel=0.01)
    assert found["p_adjusted"].tolist() == pytest.approx(benjamini_hochberg(list(found["p_value"])))
    assert len(found) == 6
    assert (found["p_value"] > 0).all()


def test_all_equal_corners_are_defined() -> None:
    """Nothing differs: effects of 0 with room on both sides, p of 1, and no guess at power."""
    found = factorial_effects(square({name: [1, 0, 1, 0, 1] for name in CORNERS.values()}), CORNERS)
    assert found["value"].tolist() == [0, 0, 0]
    assert (found["low"] < 0).all()
    assert (found["high"] > 0).all()
    assert found["p_value"].tolist() == [1, 1, 1]
    assert found["mde"].isna().all()
