"""A hypothesis as it is stated: what it means in words and numbers, and what is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest

from evalkit.statistics.hypotheses import (
    KINDS,
    Hypothesis,
    HypothesisError,
    Where,
    parse_hypothesis,
)
from evalkit.statistics.tables import ScoresTableError

CORRECT, SECONDS, DATED = (
    "correctness/generation/correct", "cost/generation/seconds", "freshness/generation/share",
)  # fmt: skip
DIRECTIONS = {CORRECT: "higher", SECONDS: "lower", DATED: "none"}
ENTRY = {"metric": CORRECT, "better": "rag", "than": "prompt_only"}


def parse(**changes: Any) -> Hypothesis:
    return parse_hypothesis({**ENTRY, **changes}, "hypotheses[2]", DIRECTIONS)


def test_the_short_form_is_superiority_on_all_questions() -> None:
    """Names become tuples; the direction is the metric's; the claim is put into words."""
    assert parse() == Hypothesis(CORRECT, ("rag",), ("prompt_only",))
    assert parse().claim == f"rag better than prompt_only on {CORRECT}"
    assert parse(metric=SECONDS).direction == "lower"
    both = parse(better=["rag", "hybrid"], than=["prompt_only", "lora"], claim="Documents help")
    assert (both.better, both.claim) == (("rag", "hybrid"), "Documents help")


@pytest.mark.parametrize(
    ("kind", "margin", "higher", "lower"),
    [
        ("superiority", 0.0, "> 0", "< 0"),
        ("superiority", 0.05, "> +0.05", "< -0.05"),
        ("non_inferiority", 0.05, "> -0.05", "< +0.05"),
        ("equivalence", 0.05, "within ±0.05", "within ±0.05"),
    ],
)
def test_the_threshold_is_in_the_metrics_own_orientation(
    kind: str, margin: float, higher: str, lower: str
) -> None:
    """Of the raw difference better - than: for a metric where lower is better the sign turns."""
    assert parse(kind=kind, margin=margin).threshold == higher
    assert parse(kind=kind, margin=margin, metric=SECONDS).threshold == lower


def test_claims_that_mean_different_things_read_differently() -> None:
    claims = {
        parse(kind=kind, margin=margin, where=where).claim
        for kind in KINDS
        for margin in (0.05, 0.1)
        for where in (None, {"tag": "money"})
    }
    assert len(claims) == 12
    assert "rag no worse than prompt_only by 0.1 on correctness/generation/correct" in claims


def test_where_in_words() -> None:
    assert str(parse().where) == "all questions"
    where = parse(
        where={"category": ["changed", "new"], "tag": "money", "since": "2026-01-01", "until": date(2026, 2, 1)}
    ).where  # fmt: skip
    assert str(where) == "category changed or new, tag money, since 2026-01-01, until 2026-02-01"


def test_where_selects_questions_half_open_and_by_any_tag() -> None:
    """since <= as_of < until; one of the tags is enough, a part of a tag is not; an unknown date
    is in no range."""
    table = pd.DataFrame(
        {
            "question": list("abcde"),
            "category": ["changed", "changed", "new", "new", "changed"],
            "tags": ["money;travel", "moneybox", "", "travel", None],
            "as_of": ["2026-01-01", "2026-02-01", "2026-01-31", "2025-12-31", None],
        }
    )

    def chosen(where: Where) -> str:
        return "".join(where.select(table)["question"])

    assert chosen(Where()) == "abcde"
    assert chosen(Where(("changed",))) == "abe"
    assert chosen(Where(tags=("money",))) == "a"
    assert chosen(Where(tags=("money", "travel"))) == "ad"
    assert chosen(Where(since=date(2026, 1, 1), until=date(2026, 2, 1))) == "ac"
    assert chosen(Where(("new",), ("travel",))) == "d"
    with pytest.raises(ScoresTableError, match=r"no column tags, which `where: tag money` reads"):
        Where(tags=("money",)).select(table.drop(columns="tags"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metric": "correctness/generation/corect"}, r"\.metric is .*did you mean correctness/"),
        ({"metric": DATED}, r"\.metric is .*neither way is better"),
        ({"better": []}, r"has no better, expected a value"),
        ({"better": None, "than": ""}, r"has no better and no than"),
        ({"better": 3}, r"\.better is 3, expected a name or a list of names"),
        ({"better": ["rag", "rag"]}, r"\.better is \['rag', 'rag'\], expected pipelines, each named once"),
        ({"better": ["rag", "prompt_only"]}, r"\.than names \['prompt_only'\], which `better` names too"),
        ({"kind": "superior"}, r"\.kind is 'superior', expected .*; did you mean superiority\?"),
        ({"kind": "non-inferiority"}, r"did you mean non_inferiority"),
        ({"kind": "equivalence"}, r"\.margin is 0, expected more than 0"),
        ({"kind": "non_inferiority", "margin": 0}, r"without a margin nothing can show non_inferiority"),
        ({"margin": -0.1}, r"\.margin is -0.1, expected a number of 0 or more"),
        ({"margin": float("nan")}, r"\.margin is nan"),
        ({"margin": "5%"}, r"\.margin is '5%', expected a number"),
        ({"margin": True}, r"\.margin is True, expected a number"),
        ({"margin": 5}, r"\.margin is 5, but .* is a share in \[0, 1\]: write 0.05 for 5 points"),
        ({"claim": ["x"]}, r"\.claim is \['x'\], expected words"),
        ({"marign": 0.1}, r"unknown key 'marign'.*did you mean margin"),
        ({"direction": "lower"}, r"unknown key 'direction'"),
        ({"where": "changed"}, r"\.where is 'changed', expected a mapping"),
        ({"where": {"categorie": "new"}}, r"\.where has the unknown key 'categorie'.*did you mean category"),
        ({"where": {"since": "spring"}}, r"\.where\.since is 'spring', expected a date written YYYY-MM-DD"),
        ({"where": {"since": "2026-02-01", "until": "2026-02-01"}}, r"\.where\.until is 2026-02-01,.*a date after"),
        ({"where": {"tag": [1]}}, r"\.where\.tag is \[1\]"),
    ],
)  # fmt: skip
def test_what_cannot_be_tested_is_refused_by_its_key(changes: dict[str, Any], said: str) -> None:
    """With its value, what was expected, and what comes near."""
    with pytest.raises(HypothesisError, match=rf"^hypotheses\[2\].*{said}"):
        parse(**changes)


@pytest.mark.parametrize("entry", ["rag > prompt_only", None, ["rag"]])
def test_an_entry_that_is_no_mapping_is_refused(entry: Any) -> None:
    with pytest.raises(HypothesisError, match=r"^h is .*expected a mapping with metric"):
        parse_hypothesis(entry, "h", DIRECTIONS)


def test_a_margin_of_several_seconds_is_fine() -> None:
    """Only shares end at 1."""
    assert parse(metric=SECONDS, margin=5, kind="non_inferiority").threshold == "< +5"


def test_a_direction_that_is_none_cannot_be_constructed() -> None:
    with pytest.raises(HypothesisError, match="direction is 'none', expected higher or lower"):
        Hypothesis(CORRECT, ("a",), ("b",), direction="none")
