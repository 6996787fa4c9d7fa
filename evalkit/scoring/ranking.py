"""Rankings: the measures of information retrieval, for one question and for a whole run.

A question's own cells know only which ranks hit what is to be found; the short formulas here do
that. A run of scored documents against graded judgments goes through ir-measures, which is
trec_eval itself: its tie-breaking, its treatment of grades, and its denominators.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_NAMES = {
    "ap": "AP", "map": "AP", "rr": "RR", "mrr": "RR", "ndcg": "nDCG", "p": "P", "precision": "P",
    "r": "R", "recall": "R", "success": "Success", "hit": "Success",
}  # fmt: skip
_NEEDS_CUTOFF = ("P", "R", "Success")
_MEASURE = re.compile(r"(?P<name>[A-Za-z]+)(?:@(?P<cutoff>[1-9]\d*))?")

Run = Mapping[str, Mapping[str, float]]
"""Query -> document -> score; higher is better."""
Judgments = Mapping[str, Mapping[str, int]]
"""Query -> document -> grade; zero and below is not relevant."""


@dataclass(frozen=True)
class RankingMetrics:
    """The measures of a run.

    Attributes:
        values: Measure -> query -> value in [0, 1], for every judged query.
        missing: Judged queries that the run does not answer; they count 0.
        unjudged: Queries of the run without judgments; nothing can be said of them.
    """

    values: Mapping[str, Mapping[str, float]]
    missing: tuple[str, ...]
    unjudged: tuple[str, ...]

    @cached_property
    def means(self) -> dict[str, float]:
        """Measure -> mean over the judged queries, as ``trec_eval -c`` gives it."""
        return {
            measure: math.fsum(by_query.values()) / len(by_query)
            for measure, by_query in self.values.items()
        }


def ranking_metrics(
    run: Run,
    judgments: Judgments,
    measures: Iterable[str] = ("nDCG@10", "R@100", "AP", "RR", "P@10", "Success@10"),
    *,
    relevant_from: int = 1,
) -> RankingMetrics:
    """The values of trec_eval, per query.

    Documents are ranked by score, equal scores by id in descending order; the order of the
    mappings does not count. A query that the run misses counts 0, so that a retriever cannot
    gain by not answering.

    Args:
        run: What was retrieved.
        judgments: What is relevant (qrels). Grades weigh in nDCG alone.
        measures: ``nDCG``, ``AP`` (MAP), ``RR`` (MRR), with or without ``@k``; ``P@k``, ``R@k``,
            ``Success@k`` (hit). Case does not count.
        relevant_from: The lowest grade that is relevant for the binary measures, at least 1.

    Returns:
        The measures under the names given.

    Raises:
        ValueError: A measure is unknown or lacks its cutoff, a score is not finite, a grade is not
            an integer, nothing is judged, or no query of the run is judged.
        ModuleNotFoundError: ir-measures is not installed (it is not by default on Linux on ARM).

    Source:
        Buckley and Voorhees, trec_eval (https://github.com/usnistgov/trec_eval), through
        ir-measures (MacAvaney et al. 2022, https://ir-measur.es).
    """
    wanted = {name: _parse(name) for name in measures}
    missing, unjudged = _check(run, judgments, relevant_from)
    values = {
        name: _values(run, judgments, kind, cutoff, relevant_from)
        for name, (kind, cutoff) in wanted.items()
    }
    return RankingMetrics(values, missing, unjudged)


def average_precision(hits: Sequence[bool], total: int | None = None) -> float:
    """Mean of precision at k over the ranks k that hit, in [0, 1]; 0 when none does.

    Divided by ``total``, the number of things to be found (MAP's average precision), or where it
    is not given by the number of hits (ragas' context precision).

    Source: Manning, Raghavan, Schütze 2008, section 8.4.
    """
    ranks = [rank for rank, hit in enumerate(hits, start=1) if hit]
    divisor = len(ranks) if total is None else total
    return (
        sum(found / rank for found, rank in enumerate(ranks, start=1)) / divisor if ranks else 0.0
    )


def reciprocal_rank(hits: Sequence[bool]) -> float:
    """One over the rank of the first hit, 0 without one."""
    return 1 / (list(hits).index(True) + 1) if any(hits) else 0.0


def ndcg(hits: Sequence[bool], total: int) -> float:
    """Gain discounted by ``1 / log2(rank + 1)``, over that of ``total`` hits at the first ranks.

    The ideal is cut at the length of the ranking, as nDCG at k is.

    Source: Järvelin and Kekäläinen 2002, doi 10.1145/582415.582418, binary gains.
    """
    gained = math.fsum(_discount(rank) for rank, hit in enumerate(hits, start=1) if hit)
    best = math.fsum(_discount(rank) for rank in range(1, min(total, len(hits)) + 1))
    return gained / best if gained else 0.0


def _discount(rank: int) -> float:
    return 1 / math.log2(rank + 1)


def _parse(measure: str) -> tuple[str, int | None]:
    match = _MEASURE.fullmatch(measure.strip())
    kind = _NAMES.get(match["name"].lower()) if match else None
    if match is None or kind is None:
        raise ValueError(
            f"unknown measure {measure!r}; expected one of {', '.join(sorted(set(_NAMES.values())))}"
            f", with @k where it is cut at rank k (nDCG@10)"
        )
    if kind in _NEEDS_CUTOFF and match["cutoff"] is None:
        raise ValueError(f"measure {measure!r} needs a cutoff; write {measure.strip()}@10")
    return kind, int(match["cutoff"]) if match["cutoff"] else None


def _check(
    run: Run, judgments: Judgments, relevant_from: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The queries that are missing and unjudged, once the input is sound."""
    if relevant_from < 1:
        raise ValueError(f"relevant_from={relevant_from}; grades of zero and below never count")
    for query, graded in judgments.items():
        for document, grade in graded.items():
            if not isinstance(grade, int):
                raise ValueError(  # noqa: TRY004  (a wrong value in a table, not in the call)
                    f"query {query!r}, document {document!r}: grade {grade!r}; expected an integer"
                )
    for query, scored in run.items():
        for document, score in scored.items():
            if not math.isfinite(score):
                raise ValueError(
                    f"query {query!r}, document {document!r}: score {score!r}; expected a number"
                )
    judged = {query for query, graded in judgments.items() if graded}
    answered = {query for query, scored in run.items() if scored}
    if not judged & answered:
        raise ValueError(
            f"no query is both judged and answered: {len(judged)} judged "
            f"({', '.join(sorted(judged)[:3])}), {len(answered)} in the run "
            f"({', '.join(sorted(answered)[:3])}); check that both use the same ids"
        )
    return tuple(sorted(judged - answered)), tuple(sorted(answered - judged))


def _values(
    run: Run, judgments: Judgments, kind: str, cutoff: int | None, relevant_from: int
) -> dict[str, float]:
    judged = {query: dict(graded) for query, graded in judgments.items() if graded}
    found = {query: dict(scored) for query, scored in run.items() if scored and query in judged}
    values = dict.fromkeys(sorted(judged), 0.0)
    for each in _evaluator(kind, cutoff, relevant_from, judged).iter_calc(found):
        values[each.query_id] = float(each.value)
    if kind == "RR" and cutoff is not None:
        # trec_eval has no cut reciprocal rank; 1/rank itself tells whether the rank is within it.
        return {query: v if round(v * cutoff, 9) >= 1 else 0.0 for query, v in values.items()}
    return values


def _evaluator(kind: str, cutoff: int | None, relevant_from: int, judged: Any) -> Any:
    try:
        import ir_measures
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the measures of a run need ir-measures; what to do: pip install ir-measures"
        ) from error
    measure = getattr(ir_measures, kind)
    settings: dict[str, int] = {}
    if kind != "nDCG":
        settings["rel"] = relevant_from
    if cutoff is not None and kind != "RR":
        settings["cutoff"] = cutoff
    return ir_measures.pytrec_eval.evaluator([measure(**settings)], judged)
