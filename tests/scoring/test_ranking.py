"""Rankings: equal to trec_eval, and plain about what it was not given."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.scoring.ranking import average_precision, ndcg, ranking_metrics, reciprocal_rank

DATA = Path(os.environ.get("EVALKIT_DATA", "")) / "trec_eval"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="EVALKIT_DATA does not name a folder with trec_eval"
)
NAMES = {"map": "AP", "recip_rank": "RR", "ndcg": "nDCG"}
KINDS = {"P": "P", "recall": "R", "ndcg_cut": "nDCG", "success": "Success", "map_cut": "AP"}


def named(measure: str) -> str:
    """trec_eval's name of a measure in ours; empty where we do not have it."""
    kind, _, cutoff = measure.rpartition("_")
    return NAMES.get(measure) or (f"{KINDS[kind]}@{cutoff}" if kind in KINDS else "")


def qrels(path: str) -> dict[str, dict[str, int]]:
    rows: dict[str, dict[str, int]] = defaultdict(dict)
    for line in (DATA / path).read_text().splitlines():
        query, _, document, grade, *_ = line.split()
        rows[query][document] = int(grade)
    return dict(rows)


def run(path: str) -> dict[str, dict[str, float]]:
    rows: dict[str, dict[str, float]] = defaultdict(dict)
    for line in (DATA / path).read_text().splitlines():
        query, _, document, _, score, *_ = line.split()
        rows[query][document] = float(score)
    return dict(rows)


def printed(path: str) -> dict[str, dict[str, float]]:
    """What trec_eval printed: query (or ``all``) -> our measure -> value to 4 decimals."""
    rows: dict[str, dict[str, float]] = defaultdict(dict)
    for line in (DATA / path).read_text().splitlines():
        measure, query, value, *_ = line.split()
        if name := named(measure):
            rows[query][name] = float(value)
    return dict(rows)


@needs_data
@pytest.mark.parametrize(
    "case",
    ["trec_eval_results.test__qrels.test", "trec_eval_results.test__qrels.rel_level", "ir_measures_compat"],
)  # fmt: skip
def test_the_reference_values_of_every_query(case: str) -> None:
    """Binary and graded judgments, negative grades, tied scores: all queries, all measures."""
    reference = json.loads((DATA / "reference_pytrec_eval.json").read_text())[case]
    measures = [named(each) for each in reference["mean"]]
    found = ranking_metrics(run(reference["run"]), qrels(reference["qrels"]), measures)
    for query, values in reference["per_query"].items():
        for measure, value in values.items():
            assert found.values[named(measure)][query] == pytest.approx(value, abs=1e-12)
    for measure, value in reference["mean"].items():
        assert found.means[named(measure)] == pytest.approx(value, abs=1e-12)


@needs_data
@pytest.mark.parametrize(
    ("results", "output"),
    [("results.test", "out.test.aq"), ("results.trunc", "out.test.aqc")],
)
def test_the_output_of_trec_eval_to_four_decimals(results: str, output: str) -> None:
    """Its own test suite: 42 measures per query and over all, with a query that the run misses."""
    expected = printed(f"test/{output}")
    measures = list(expected["301"])
    found = ranking_metrics(run(f"test/{results}"), qrels("test/qrels.test"), measures)
    assert len(measures) == 42
    for query in ("301", "302", "303"):
        values = {measure: found.values[measure][query] for measure in measures}
        assert {m: round(v, 4) for m, v in values.items()} == expected[query]
    assert {m: round(v, 4) for m, v in found.means.items()} == expected["all"]
    assert found.missing == (("302",) if results == "results.trunc" else ())


@needs_data
def test_a_higher_level_of_relevance() -> None:
    """``trec_eval -l``: grades below the level do not count for the binary measures."""
    expected = printed("test/out.test.aql")["all"]
    measures = [m for m in expected if not m.startswith("nDCG")]
    judged = qrels("test/qrels.rel_level")
    found = ranking_metrics(run("test/results.test"), judged, measures, relevant_from=2)
    assert {m: round(v, 4) for m, v in found.means.items()} == {m: expected[m] for m in measures}


def test_tied_scores_are_broken_by_id_from_the_end() -> None:
    """As trec_eval does; the order in which documents were given does not count."""
    for run_ in ({"a": 1.0, "b": 1.0}, {"b": 1.0, "a": 1.0}):
        assert ranking_metrics({"q": run_}, {"q": {"b": 1}}, ["RR"]).means == {"RR": 1.0}
        assert ranking_metrics({"q": run_}, {"q": {"a": 1}}, ["RR"]).means == {"RR": 0.5}


def test_a_negative_grade_is_not_relevant() -> None:
    """It is neither found nor subtracted."""
    found = ranking_metrics({"q": {"a": 2.0, "b": 1.0}}, {"q": {"a": -2, "b": 1}}, ["nDCG", "P@1"])
    assert found.means["P@1"] == 0.0
    assert found.means["nDCG"] == pytest.approx(ndcg([False, True], 1))


def test_a_query_without_results_counts_as_zero() -> None:
    """A retriever gains nothing by not answering; what is unjudged is named and left out."""
    found = ranking_metrics({"a": {"x": 1.0}, "z": {"x": 1.0}}, {"a": {"x": 1}, "b": {"x": 1}})
    assert (found.missing, found.unjudged) == (("b",), ("z",))
    assert found.values["RR"] == {"a": 1.0, "b": 0.0}
    assert found.means["RR"] == 0.5


@pytest.mark.parametrize(
    ("measure", "value"),
    [("MRR@2", 0.0), ("mrr@3", 1 / 3), ("RR", 1 / 3), ("hit@2", 0.0), ("Success@3", 1.0),
     ("recall@3", 0.5), ("precision@10", 0.1), ("MAP", 1 / 6), ("ap@2", 0.0)],
)  # fmt: skip
def test_names_of_measures(measure: str, value: float) -> None:
    """The usual names, in any case, with a cutoff: the one relevant document stands third."""
    run_ = {"q": {"a": 3.0, "b": 2.0, "c": 1.0}}
    found = ranking_metrics(run_, {"q": {"c": 1, "d": 1}}, [measure])
    assert found.means == {measure: pytest.approx(value)}


@pytest.mark.parametrize(
    ("run_", "judged", "measure", "words"),
    [
        ({"q": {"a": 1.0}}, {"q": {"a": 1}}, "nDGC@10", "unknown measure 'nDGC@10'; expected one of"),
        ({"q": {"a": 1.0}}, {"q": {"a": 1}}, "nDCG@0", "unknown measure"),
        ({"q": {"a": 1.0}}, {"q": {"a": 1}}, "P", "write P@10"),
        ({"q": {"a": float("nan")}}, {"q": {"a": 1}}, "AP", "document 'a': score nan"),
        ({"q": {"a": 1.0}}, {"q": {"a": 0.5}}, "AP", "grade 0.5; expected an integer"),
        ({"1": {"a": 1.0}}, {"q1": {"a": 1}}, "AP", "no query is both judged and answered"),
        ({}, {}, "AP", "0 judged"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused(run_: Any, judged: Any, measure: str, words: str) -> None:
    """What would give a number out of nothing is an error that names the place."""
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        ranking_metrics(run_, judged, [measure])


hits = st.lists(st.booleans(), min_size=1, max_size=12)


@given(hits, st.integers(0, 5))
def test_the_formulas_equal_trec_eval(found: list[bool], unfound: int) -> None:
    """The three short formulas of this module against the library, on binary judgments."""
    total = sum(found) + unfound
    run_ = {"q": {f"d{rank}": -float(rank) for rank in range(len(found))}}
    judged = {f"d{rank}": int(hit) for rank, hit in enumerate(found)}
    judged |= {f"missed{number}": 1 for number in range(unfound)}
    reference = ranking_metrics(run_, {"q": judged}, ["AP", "RR", f"nDCG@{len(found)}"]).means
    ours = (average_precision(found, total), reciprocal_rank(found), ndcg(found, total))
    assert ours == pytest.approx(tuple(reference.values()), abs=1e-12)


@given(hits, st.integers(0, 5), st.data())
def test_a_hit_that_moves_up_never_lowers_a_measure(
    found: list[bool], unfound: int, data: st.DataObject
) -> None:
    """Bounded by 0 and 1, and monotone in the rank of every hit."""
    total = sum(found) + unfound
    rank = data.draw(st.integers(0, len(found) - 1))
    better = list(found)
    if rank and better[rank] and not better[rank - 1]:
        better[rank - 1], better[rank] = True, False
    for measure in (
        lambda h: average_precision(h, total),
        reciprocal_rank,
        lambda h: ndcg(h, total),
    ):
        assert 0.0 <= measure(found) <= measure(better) + 1e-12
        assert measure(better) <= 1.0 + 1e-12
