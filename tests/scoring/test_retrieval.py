"""Retrieval: recall and precision of evidence, and the context contract."""

from __future__ import annotations

from math import log2
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.scoring import Judgment, OfflineJudge
from evalkit.scoring.ranking import average_precision, ranking_metrics

RECALL = "faithfulness/retrieval/context_recall"
PRECISION = "faithfulness/retrieval/context_precision"
STRICT, LOOSE = "format/retrieval/contract_strict", "format/retrieval/contract_loose"
NOW, BEFORE, ROOM = "TRV@2025-05-01", "TRV@2025-01-01", "ROOM@2025-01-01"
ALL = ["TRV@2025-01-01", NOW, "TRV@2025-12-01", ROOM, "OLD@2025-01-01"]


@pytest.mark.parametrize(
    ("retrieved", "recall", "precision"),
    [
        ([NOW], 1.0, 1.0),
        ([BEFORE, NOW], 1.0, 0.5),
        ([NOW, BEFORE, ROOM], 1.0, 1.0),
        ([ROOM, BEFORE, NOW], 1.0, 1 / 3),
        ([BEFORE], 0.0, 0.0),
        ([], 0.0, 0.0),
        (None, "not_applicable", "not_applicable"),
    ],
)
def test_only_the_revision_in_force_is_evidence(
    world: Any, retrieved: Any, recall: Any, precision: Any
) -> None:
    """A superseded revision of the same document covers nothing; rank lowers precision alone."""
    assert world.value(RECALL, retrieved=retrieved) == recall
    assert world.value(PRECISION, retrieved=retrieved) == pytest.approx(precision)


def test_a_passage_must_hold_the_quote(world: Any) -> None:
    """Another passage of the right revision does not count; broken lines do not matter."""
    without = world.passage(NOW, "Travel.")
    wrapped = world.passage(NOW, "The meal allowance is EUR\n  42 a day.")
    assert world.value(RECALL, retrieved=[without]) == 0.0
    assert world.value(RECALL, retrieved=[wrapped]) == 1.0
    answers = (world.answer("EUR 42", "2025-05-01", None, NOW, quote="allowance  is\nEUR 42"),)
    assert world.value(RECALL, answers=answers, retrieved=[NOW]) == 1.0


def test_without_a_quote_any_passage_of_the_revision_counts(world: Any) -> None:
    """Evidence that names a revision and no words is covered by the revision."""
    from evalkit.records import Answer, Evidence

    answers = (Answer("EUR 42", evidence=(Evidence(NOW),)),)
    assert world.value(RECALL, answers=answers, retrieved=[world.passage(NOW, "Travel.")]) == 1.0


def test_each_document_counts_once(world: Any) -> None:
    """A question on two documents has half its evidence when one of them is retrieved."""
    both = (world.answer("EUR 42", "2025-05-01", None, NOW, ROOM, quote="."),)
    assert world.value(RECALL, answers=both, retrieved=[NOW, NOW]) == 0.5
    assert world.value(RECALL, answers=both, retrieved=[NOW, ROOM]) == 1.0


@pytest.mark.parametrize("answers", [(), "bike"])
def test_no_evidence_is_not_applicable(world: Any, answers: Any) -> None:
    """Unanswerable and withdrawn questions have nothing to retrieve: neither 0 nor 1."""
    answers = world.bike if answers == "bike" else answers
    found = world.score(RECALL, world.sample(answers=answers, retrieved=[NOW]))
    assert found.status == "not_applicable"
    assert "no reference evidence" in found.reason


UNNAMED = "The meal allowance is EUR 42 a day. The board meets in the Lantern room."


@pytest.mark.parametrize(
    ("wording", "retrieved", "recall", "precision"),
    [
        (UNNAMED, [NOW, ROOM], 1.0, 1.0),
        (UNNAMED, [BEFORE, NOW], 0.5, 0.5),
        (UNNAMED, [BEFORE], 0.0, 0.0),
        (UNNAMED, [], 0.0, 0.0),
        ("yes", [NOW], "not_applicable", "not_applicable"),
        (UNNAMED, None, "not_applicable", "not_applicable"),
    ],
)
def test_without_named_evidence_the_judge_looks_for_the_answer(
    world: Any, wording: str, retrieved: Any, recall: Any, precision: Any
) -> None:
    """The share of the reference answer's statements that the passages support, as in ragas."""
    answers = (world.answer(wording, "2025-01-01", None),)
    assert world.value(RECALL, answers=answers, retrieved=retrieved) == recall
    assert world.value(PRECISION, answers=answers, retrieved=retrieved) == precision


def test_the_judge_is_not_asked_where_evidence_is_named(world: Any) -> None:
    """Ids decide where there are ids; without them a judge that fails makes the score fail."""

    class Silent(OfflineJudge):
        def support(self, statements: Any, texts: Any) -> list[Judgment]:
            return [Judgment(None, error="no reply") for _ in statements]

    unnamed = (world.answer("EUR 42", "2025-01-01", None),)
    for metric in (RECALL, PRECISION):
        assert world.value(metric, retrieved=[NOW], judge=Silent()) == 1.0
        assert world.value(metric, answers=unnamed, retrieved=[NOW], judge=Silent()) == "failed"


@given(st.lists(st.sampled_from(ALL), max_size=4), st.sampled_from(ALL))
def test_adding_a_passage_never_lowers_judged_recall(
    world: Any, have: list[str], more: str
) -> None:
    """Monotone with the judge too: what was supported stays supported."""
    answers = (world.answer(UNNAMED, "2025-01-01", None),)
    before = world.value(RECALL, answers=answers, retrieved=have)
    assert world.value(RECALL, answers=answers, retrieved=[*have, more]) >= before


@pytest.mark.parametrize(
    ("relevant", "value"),
    [
        ([], 0.0),
        ([False], 0.0),
        ([True, False, True], (1 + 2 / 3) / 2),
        ([False, True, True], (1 / 2 + 2 / 3) / 2),
        ([True, True, True], 1.0),
    ],
)
def test_average_precision_by_hand(relevant: list[bool], value: float) -> None:
    """The mean of precision at the ranks that are relevant; exactly 1 when all are first."""
    assert average_precision(relevant) == pytest.approx(value, abs=1e-15)


@given(st.lists(st.booleans(), max_size=12))
def test_average_precision_is_best_when_sorted(relevant: list[bool]) -> None:
    """Relevant passages first is 1 (if any), and no order beats it."""
    best = average_precision(sorted(relevant, reverse=True))
    assert best == (1.0 if any(relevant) else 0.0)
    assert 0 <= average_precision(relevant) <= best


@given(st.lists(st.sampled_from(ALL), max_size=5), st.sampled_from(ALL))
def test_adding_a_passage_never_lowers_recall(world: Any, have: list[str], more: str) -> None:
    """Recall is monotone in what was retrieved, and ignores the order."""
    before = world.value(RECALL, retrieved=have)
    assert world.value(RECALL, retrieved=[*have, more]) >= before
    assert world.value(RECALL, retrieved=have[::-1]) == before


@pytest.mark.parametrize(
    ("retrieved", "values"),
    [
        ([NOW, ROOM], [1.0, 1.0, 1.0, 1.0, 1.0]),
        ([NOW, NOW, ROOM], [1.0, 1.0, 1.0, (1 + 2 / 3) / 2, 1.5 / (1 + 1 / log2(3))]),
        ([BEFORE, NOW], [0.5, 1.0, 0.5, 0.5 / 2, (1 / log2(3)) / (1 + 1 / log2(3))]),
        ([BEFORE], [0.0, 0.0, 0.0, 0.0, 0.0]),
        ([], [0.0, 0.0, 0.0, 0.0, 0.0]),
        (None, [*["not_applicable"] * 5]),
    ],
)
def test_ranking_cells_by_hand(world: Any, retrieved: Any, values: list[Any]) -> None:
    """Two evidence documents are to be found; a second passage of one finds nothing new."""
    both = (world.answer("EUR 42", "2025-05-01", None, NOW, ROOM, quote="."),)
    for name, value in zip(("precision", "hit", "mrr", "map", "ndcg"), values, strict=True):
        metric = f"faithfulness/retrieval/{name}"
        assert world.value(metric, answers=both, retrieved=retrieved) == pytest.approx(value), name


@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=6))
def test_ranking_cells_equal_trec_eval(world: Any, retrieved: list[str]) -> None:
    """The short formulas here are those of the reference implementation."""
    both = (world.answer("EUR 42", "2025-05-01", None, NOW, ROOM, quote="."),)
    firsts = [each if each not in retrieved[:i] else f"{i}" for i, each in enumerate(retrieved)]
    run = {"q": {each: -float(rank) for rank, each in enumerate(firsts)}}
    k = len(retrieved)
    found = ranking_metrics(run, {"q": {NOW: 1, ROOM: 1}}, [f"nDCG@{k}", "AP", "RR", f"R@{k}"])
    cells = ("ndcg", "map", "mrr", "context_recall")
    for name, value in zip(cells, found.means.values(), strict=True):
        metric = f"faithfulness/retrieval/{name}"
        ours = world.value(metric, answers=both, retrieved=retrieved)
        assert ours == pytest.approx(value, abs=1e-12), name


@given(st.permutations([NOW, BEFORE, ROOM, "OLD@2025-01-01"]))
def test_only_the_rank_aware_cells_see_the_order(world: Any, order: list[str]) -> None:
    """Recall, precision and hit are the same in any order; the others are best when sorted."""
    both = (world.answer("EUR 42", "2025-05-01", None, NOW, ROOM, quote="."),)
    best = sorted(order, key=lambda each: each not in (NOW, ROOM))
    for name in ("context_recall", "precision", "hit"):
        metric = f"faithfulness/retrieval/{name}"
        values = [world.value(metric, answers=both, retrieved=each) for each in (order, best)]
        assert values[0] == values[1]
    for name in ("context_precision", "mrr", "map", "ndcg"):
        metric = f"faithfulness/retrieval/{name}"
        assert world.value(metric, answers=both, retrieved=best) == 1.0
        assert world.value(metric, answers=both, retrieved=order) <= 1.0


def test_the_contract_is_kept(world: Any) -> None:
    """Passages with id, title and date, whole and different, are worth 1."""
    assert world.value(STRICT, retrieved=[NOW, ROOM]) == 1.0
    assert world.value(LOOSE, retrieved=[NOW, ROOM]) == 1.0


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"id": ""}, "no id"),
        ({"title": ""}, "no title"),
        ({"valid_from": None}, "no date"),
        ({"intact": False}, "cut inside"),
        ({"text": "Rooms. The review board meets  in the Lantern room."}, "duplicate"),
    ],
)
def test_each_breach_of_the_contract(world: Any, change: dict[str, Any], word: str) -> None:
    """One bad passage of two: strict is 0, loose one half, and the reason names the breach."""
    sample = world.sample(retrieved=[world.passage(ROOM), world.passage(NOW, **change)])
    assert world.score(STRICT, sample).value == 0.0
    loose = world.score(LOOSE, sample)
    assert loose.value == 0.5
    assert word in loose.reason


def test_a_passage_that_did_not_reach_the_prompt_breaks_the_contract(world: Any) -> None:
    """Truncated passages count as broken, all of them here."""
    assert world.value(LOOSE, retrieved=[NOW, ROOM], shown=False) == 0.0


@pytest.mark.parametrize("retrieved", [None, []])
def test_no_passages_no_contract(world: Any, retrieved: Any) -> None:
    """Without passages the contract is not applicable: an empty list does not keep it."""
    assert world.value(STRICT, retrieved=retrieved) == "not_applicable"
