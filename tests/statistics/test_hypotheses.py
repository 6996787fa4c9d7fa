"""Verdicts: what the interval says, adjusted for the family, and what more questions would do."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.statistics.adjust import holm
from evalkit.statistics.effects import factorial_effects
from evalkit.statistics.hypotheses import Hypothesis, Where, flips
from evalkit.statistics.hypotheses import test_hypotheses as examine
from evalkit.statistics.tables import ScoresTableError, records

CORRECT, SECONDS = "correctness/generation/correct", "cost/generation/seconds"
FAST: dict[str, Any] = {"resamples": 500}
SUPERIOR = Hypothesis(CORRECT, ("b",), ("a",))


def scores(metric: str = CORRECT, *, cluster: Any = None, **pipelines: Any) -> pd.DataFrame:
    """Values by pipeline; None failed, "n/a" is not applicable, a list inside is its repeats."""
    rows = []
    for pipeline, values in pipelines.items():
        for i, value in enumerate(values):
            for repeat, one in enumerate(value if isinstance(value, list) else [value]):
                lost = {None: "failed", "n/a": "not_applicable"}.get(one, "scored")
                rows.append(
                    {
                        "question": f"q{i:04d}", "pipeline": pipeline, "repeat": repeat,
                        "metric": metric, "status": lost,
                        "value": one if lost == "scored" else None,
                        "cluster": f"c{i if cluster is None else cluster[i]}",
                        "category": "new" if i % 2 else "changed", "tags": "x;y" if i % 3 else "",
                        "as_of": f"2026-01-{1 + i % 28:02d}",
                    }
                )  # fmt: skip
    return pd.DataFrame(rows).astype({"value": "float64"})


def verdict(table: pd.DataFrame, hypothesis: Hypothesis = SUPERIOR, **settings: Any) -> Any:
    return examine(table, [hypothesis], **{**FAST, **settings}).iloc[0]


def normal(n: int, shift: float, sd: float = 0.5, seed: int = 0, **more: Any) -> pd.DataFrame:
    """Two pipelines on an unbounded metric whose difference is normal."""
    x = np.random.default_rng(seed).normal(shift, sd, n)
    return scores(SECONDS, a=np.full(n, 10.0), b=10 + x, **more)


# --- the verdict is the interval's ---------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=2, max_size=40),
    st.sampled_from(["superiority", "non_inferiority", "equivalence"]),
    st.sampled_from([0.1, 0.3, 0.5]),
    st.sampled_from(["higher", "lower"]),
)
@settings(max_examples=60)
def test_the_interval_that_is_shown_decides(
    pairs: list[tuple[int, int]], kind: str, margin: float, direction: str
) -> None:
    """Alone in its family, a claim is supported exactly where the whole interval is on its side of
    the threshold, and refuted exactly where it is on the other."""
    table = scores(a=[float(a) for a, _ in pairs], b=[float(b) for _, b in pairs])
    row = verdict(table, Hypothesis(CORRECT, ("b",), ("a",), kind, margin, direction=direction))
    low, high = row["low"], row["high"]
    if direction == "lower":
        low, high = -high, -low
    if kind == "equivalence":
        supported, refuted = -margin < low and high < margin, low > margin or high < -margin
    else:
        limit = margin if kind == "superiority" else -margin
        supported, refuted = low > limit, high < limit
    near = min(abs(x - m) for x in (low, high) for m in (margin, -margin)) < 1e-6
    expected = "supported" if supported else "refuted" if refuted else "inconclusive"
    assert near or row["verdict"] == expected
    assert row["p_value"] > 0
    assert row["p_against"] > 0
    assert row["reason"] if expected == "inconclusive" else True


def test_superiority_by_a_margin() -> None:
    """A clear difference of .5 is more than 0 and more than .1, is not more than .9."""
    table = scores(a=[0.0] * 60, b=[0.0, 1.0] * 30)
    found = [verdict(table, Hypothesis(CORRECT, ("b",), ("a",), margin=m)) for m in (0, 0.1, 0.9)]
    assert [row["verdict"] for row in found] == ["supported", "supported", "refuted"]
    assert found[0]["effect"] == 0.5
    assert (found[0]["gained"], found[0]["lost"]) == (30, 0)
    assert found[0]["further_questions"] is pd.NA


def test_where_lower_is_better_the_raw_difference_keeps_its_sign() -> None:
    """Faster by 2 s: the effect is -2, gained are those that became faster."""
    x = np.random.default_rng(0).normal(5, 0.5, 40)
    table = scores(SECONDS, a=x, b=x - 2 + np.random.default_rng(1).normal(0, 0.1, 40))
    row = verdict(table, Hypothesis(SECONDS, ("b",), ("a",), margin=1, direction="lower"))
    assert row["verdict"] == "supported"
    assert row["effect"] == pytest.approx(-2, abs=0.1)
    assert row["threshold"] == "< -1"
    assert (row["gained"], row["lost"], row["unit"]) == (40, 0, "s")
    worse = Hypothesis(SECONDS, ("a",), ("b",), "non_inferiority", 1, direction="lower")
    assert verdict(table, worse)["verdict"] == "refuted"


def test_equivalence_outside_the_margin_is_refuted_on_both_sides() -> None:
    for shift, expected in ((0.0, "supported"), (1.0, "refuted"), (-1.0, "refuted")):
        row = verdict(normal(100, shift), Hypothesis(SECONDS, ("b",), ("a",), "equivalence", 0.4))
        assert row["verdict"] == expected, shift


def test_several_pipelines_on_a_side_are_the_main_effect() -> None:
    """The same value and interval as the effect of retrieval in the square."""
    rng = np.random.default_rng(2)
    values = {name: rng.integers(0, 2, 50).astype(float) for name in ("p", "r", "l", "h")}
    table = scores(cluster=np.arange(50) // 2, **values)
    row = verdict(table, Hypothesis(CORRECT, ("r", "h"), ("p", "l")))
    corners = {(False, False): "p", (True, False): "r", (False, True): "l", (True, True): "h"}
    effect = factorial_effects(table, corners, **FAST).set_index("effect").loc["retrieval"]
    for mine, theirs in (("effect", "value"), ("low", "low"), ("high", "high")):
        assert row[mine] == pytest.approx(effect[theirs])
    assert (row["better"], row["than"]) == ("r+h", "p+l")
    assert (row["n_pairs"], row["n_clusters"]) == (50, 25)


def test_repeats_are_averaged_within_a_question_first() -> None:
    """Ten copies of the same answers are not ten times the evidence."""
    a, b = [0.0, 1.0, 0.0, 1.0] * 5, [1.0, 1.0, 0.0, 1.0] * 5
    once = examine(scores(a=a, b=b), [SUPERIOR], **FAST)
    many = examine(scores(a=[[x] * 10 for x in a], b=[[x] * 10 for x in b]), [SUPERIOR], **FAST)
    pd.testing.assert_frame_equal(once, many)


def test_only_the_questions_of_where_count() -> None:
    """All of them are in ``n_questions``, the scored ones in pairs."""
    b = [1.0 if i % 2 else 0.0 for i in range(56)]
    b[1] = "n/a"
    table = scores(a=[0.0] * 56, b=b)
    new, old = (
        verdict(table, Hypothesis(CORRECT, ("b",), ("a",), where=Where((c,))))
        for c in ("new", "changed")
    )
    assert (new["effect"], new["n_questions"], new["n_pairs"]) == (1.0, 28, 27)
    assert (old["effect"], old["n_questions"], old["verdict"]) == (0.0, 28, "inconclusive")
    assert "27 of 28 questions scored in either are scored in both" in new["reason"]
    week = Where(since=date(2026, 1, 1), until=date(2026, 1, 8))
    assert verdict(table, Hypothesis(CORRECT, ("b",), ("a",), where=week))["n_questions"] == 14


# --- the family ----------------------------------------------------------------------------------


def test_a_family_is_adjusted_by_holm() -> None:
    """Both ways; one that decides alone may not in a family, and says so."""
    tables = [normal(60, shift, seed=i) for i, shift in enumerate((0.16, 0.0, 0.05, 0.02, 0.0))]
    first = tables[0]["value"].iloc[60:]  # one whose mean is 2.3 standard errors above 0
    tables[0].loc[first.index, "value"] += 10 + 2.3 * first.std() / 60**0.5 - first.mean()
    table = pd.concat(
        t.assign(metric=f"cost/generation/m{i}_seconds") for i, t in enumerate(tables)
    )
    family = [Hypothesis(f"cost/generation/m{i}_seconds", ("b",), ("a",)) for i in range(5)]
    found = examine(table, family, **FAST)
    assert found["p_adjusted"].tolist() == pytest.approx(holm(found["p_value"].tolist()))
    assert found["p_against_adjusted"].tolist() == pytest.approx(holm(found["p_against"].tolist()))
    assert verdict(table, family[0])["verdict"] == "supported"
    assert found["verdict"][0] == "inconclusive"
    assert "but not after adjustment for the other hypotheses" in found["reason"][0]
    assert found["further_questions"][0] > 0


def test_a_hypothesis_that_cannot_be_tested_does_not_count_in_the_family() -> None:
    """Its p-values are null, and the others are adjusted as if it were not there."""
    table = scores(a=[0.0] * 30, b=[0.0, 0.0, 1.0] * 10, c=["n/a"] * 30)
    alone = verdict(table)
    both = examine(table, [Hypothesis(CORRECT, ("c",), ("a",)), SUPERIOR], **FAST)
    assert both.loc[0, ["p_value", "p_adjusted", "p_against_adjusted"]].isna().all()
    assert both["p_adjusted"][1] == alone["p_adjusted"]


def test_the_order_of_the_family_and_of_the_rows_does_not_matter() -> None:
    table = scores(a=[0.0, 1.0, 0.0] * 9, b=[0.0, 1.0, 1.0] * 9)
    family = [SUPERIOR, Hypothesis(CORRECT, ("b",), ("a",), "equivalence", 0.5)]
    one = examine(table, family, **FAST)
    two = examine(table.sample(frac=1, random_state=1), family[::-1], **FAST)
    pd.testing.assert_frame_equal(one, two[::-1].reset_index(drop=True))


# --- what cannot be decided ------------------------------------------------------------------------


def test_too_many_failures_give_no_verdict() -> None:
    """3 of 100 failed: above 2 % nothing is decided, however clear; the worst case is told."""
    row = verdict(scores(a=[0.0] * 100, b=[None] * 3 + [1.0] * 97))
    assert row["verdict"] == "inconclusive"
    assert row["reason"].startswith("3.0% of the questions failed: above 2% no verdict is given")
    assert row[["p_value", "p_adjusted", "further_questions"]].isna().all()
    assert row["failed_share"] == pytest.approx(0.03)
    assert (row["worst_low"], row["worst_high"]) == pytest.approx((0.97, 1.0))


def test_a_tolerable_failure_is_counted_and_told() -> None:
    """1 of 100: there is a verdict, and the failure has left the pairs but not the row."""
    row = verdict(scores(a=[0.0] * 100, b=[None] + [1.0] * 99))
    assert (row["verdict"], row["n_pairs"], row["n_questions"]) == ("supported", 99, 100)
    assert row["failed_share"] == 0.01
    assert "99 of 100" in row["reason"]
    assert verdict(scores(a=[0.0] * 100, b=[None] + [1.0] * 99), failure_limit=0.005)[
        "verdict"
    ] == "inconclusive"  # fmt: skip


def test_the_worst_case_of_a_mean_over_pipelines() -> None:
    """One of two pipelines failed on one of 50: half a question's difference is unknown."""
    table = scores(a=[0.0] * 50, b=[None] + [1.0] * 49, c=[1.0] * 50)
    row = verdict(table, Hypothesis(CORRECT, ("b", "c"), ("a",)))
    assert (row["worst_low"], row["worst_high"]) == pytest.approx((0.99, 1.0))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (scores(a=[1.0, "n/a"], b=["n/a", 1.0]), "no question was scored in both pipelines"),
        (scores(a=[0.0], b=[1.0]), "all pairs are of one cluster"),
        (scores(a=[0.0, 0.0], b=[1.0, 0.0], cluster=[1, 1]), "all pairs are of one cluster"),
        (scores(a=[None], b=[None]), "100.0% of the questions failed"),
    ],
)
def test_nothing_to_compare(table: pd.DataFrame, said: str) -> None:
    """Inconclusive with its reason, without a p and without a number of questions."""
    row = verdict(table)
    assert row["verdict"] == "inconclusive"
    assert row["reason"].startswith(said)
    assert row[["p_value", "p_against", "p_adjusted", "further_questions"]].isna().all()


def test_a_where_that_selects_nothing_is_inconclusive() -> None:
    row = verdict(
        scores(a=[0.0], b=[1.0]), Hypothesis(CORRECT, ("b",), ("a",), where=Where(("x",)))
    )
    assert (row["verdict"], row["reason"]) == ("inconclusive", "no question is selected")
    assert row["n_questions"] == 0


def test_every_cell_is_a_number_a_word_or_null_and_never_nan() -> None:
    """Over all the odd tables at once; the rows go through JSON."""
    odd = [
        scores(a=[1.0] * 9, b=[1.0] * 9), scores(a=[0.0], b=[1.0]), scores(a=[None], b=[1.0]),
        scores(a=["n/a"], b=["n/a"]), scores(a=[1.0, 0.0], b=[0.0, 1.0]), normal(3, 0.0),
        scores(SECONDS, a=[1.0] * 8, b=[2.0] * 8), scores(SECONDS, a=[1.0] * 8, b=[1.0] * 8),
    ]  # fmt: skip
    for table in odd:
        metric = table["metric"].iloc[0]
        kinds = (("superiority", 0), ("non_inferiority", 0.1), ("equivalence", 0.1))
        family = [Hypothesis(metric, ("b",), ("a",), k, m) for k, m in kinds]
        for row in records(examine(table, family, **FAST)):
            for name, value in row.items():
                assert value is None or value == value, (name, row)
            assert row["p_value"] is None or 0 < row["p_value"] <= 1
            assert row["verdict"] in ("supported", "refuted", "inconclusive")
            assert row["reason"] or row["verdict"] != "inconclusive"


def test_what_is_not_in_the_table_is_named_with_what_comes_near() -> None:
    table = scores(rag=[0.0, 1.0], lora=[1.0, 1.0])
    with pytest.raises(ScoresTableError, match=r"no pipeline 'rga'; did you mean rag"):
        examine(table, [Hypothesis(CORRECT, ("rga",), ("lora",))])
    with pytest.raises(ScoresTableError, match=r"no metric 'correctness/generation/corect'; did"):
        examine(table, [Hypothesis("correctness/generation/corect", ("rag",), ("lora",))])
    tagged = Hypothesis(CORRECT, ("rag",), ("lora",), where=Where(tags=("x",)))
    with pytest.raises(ScoresTableError, match="no column tags"):
        examine(table.drop(columns="tags"), [tagged])


def test_no_hypotheses_give_an_empty_table() -> None:
    found = examine(scores(a=[1.0]), [])
    assert found.empty
    assert {"verdict", "further_questions", "mde"} <= set(found.columns)


# --- the questions behind it -----------------------------------------------------------------------


def test_flips_are_the_questions_that_moved_the_largest_first() -> None:
    """Each with both values and which way; the unchanged and the unpaired are left out."""
    table = scores(a=[1.0, 0.0, 0.2, 0.5, None], b=[0.0, 1.0, 0.5, 0.5, 1.0])
    found = flips(table, SUPERIOR)
    assert found["question"].tolist() == ["q0000", "q0001", "q0002"]
    assert found["change"].tolist() == ["lost", "gained", "gained"]
    assert found[["before", "after"]].to_numpy().tolist() == [[1.0, 0.0], [0.0, 1.0], [0.2, 0.5]]
    lower = Hypothesis(CORRECT, ("b",), ("a",), direction="lower")
    assert flips(table, lower)["change"].tolist() == ["gained", "lost", "lost"]
    row = verdict(table, SUPERIOR)
    counted = found["change"].value_counts()
    assert (row["gained"], row["lost"]) == (counted["gained"], counted["lost"])
    assert flips(scores(a=[1.0], b=[1.0]), SUPERIOR).empty
