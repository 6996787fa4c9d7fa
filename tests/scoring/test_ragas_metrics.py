"""Every metric of ours as a ragas metric, used from ragas alone."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from evalkit.scoring import METRICS, score
from evalkit.scoring.judges.ragas_bridge import as_ragas_metric
from evalkit.scoring.ragas_sample import ragas_sample

NOW, ROOM = "TRV@2025-05-01", "ROOM@2025-01-01"
FIELDS: dict[str, Any] = {
    "user_input": "When is tea served?",
    "response": "Tea is served at four. The kettle is red.",
    "reference": "at four",
    "retrieved_contexts": ["The kettle is in the kitchen.", "Tea is served at four, daily."],
    "reference_contexts": ["Tea is served at four"],
}


@pytest.mark.parametrize("name", list(METRICS))
def test_a_metric_gives_the_same_from_ragas(world: Any, name: str) -> None:
    """``ascore`` gives our value; where we have none it gives NaN and says why."""
    from ragas.metrics.collections.base import BaseMetric

    metric = as_ragas_metric(name, world.judge)
    assert isinstance(metric, BaseMetric)
    for sample in (
        world.sample('{"answer": "EUR 42"}', spec=world.house, retrieved=[ROOM, NOW]),
        world.sample("", error="out of memory"),
    ):
        expected = world.score(name, sample)
        found = asyncio.run(metric.ascore(sample=sample))
        if expected.value is None:
            assert math.isnan(found.value)
            assert found.reason == f"{expected.status}: {expected.reason}"
        else:
            assert found.value == expected.value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("faithfulness/retrieval/context_recall", 1.0),
        ("faithfulness/retrieval/mrr", 0.5),
        ("faithfulness/retrieval/precision", 0.5),
        ("faithfulness/generation/faithfulness", 0.5),
        ("faithfulness/generation/groundedness", 0.5),
        ("faithfulness/generation/context_utilisation", 0.5),
        ("correctness/generation/contains", 1.0),
        ("correctness/generation/exact_match", 0.0),
    ],
)
def test_a_metric_takes_the_fields_of_ragas(world: Any, name: str, value: float) -> None:
    """A row of a ragas dataset is enough; ragas' own batch call works too."""
    metric = as_ragas_metric(name, world.judge)
    assert [each.value for each in metric.batch_score([FIELDS, FIELDS])] == [value, value]


def test_contexts_are_matched_by_id_where_ids_are_given(world: Any) -> None:
    """The text of the evidence need not stand in the context when both have one id."""
    fields = FIELDS | {
        "retrieved_context_ids": ["k", "t"],
        "reference_context_ids": ["k"],
    }
    sample = ragas_sample(**fields)
    (row,) = score(sample, world.judge, ["faithfulness/retrieval/mrr"])
    assert row.value == 1.0


def test_without_contexts_nothing_was_retrieved(world: Any) -> None:
    """No contexts is a pipeline without a retriever, not one that found nothing."""
    sample = ragas_sample(response="Tea is served at four.", reference="at four")
    (row,) = score(sample, world.judge, ["faithfulness/generation/faithfulness"])
    assert (row.status, row.reason) == ("not_applicable", "no retriever")


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("faithfulness/retrieval/mrr", {}, "expected only sample="),
        ("faithfulness/retrieval/mrr", {"answer": "x"}, "got arguments"),
        ("faithfulness/retrieval/mrr", {"response": "x", "context": "y"}, "user_input"),
        ("correctness/generation/correct", {"response": "x"}, "give reference="),
    ],
)
def test_wrong_fields_are_refused(world: Any, name: str, given: Any, words: str) -> None:
    """The error names the metric, what was given and what is expected."""
    with pytest.raises(TypeError, match=words):
        asyncio.run(as_ragas_metric(name, world.judge).ascore(**given))


def test_ids_and_contexts_must_be_as_many() -> None:
    """A missing id would shift all that follow."""
    with pytest.raises(ValueError, match="1 retrieved_context_ids for 2 retrieved_contexts"):
        ragas_sample(response="x", retrieved_contexts=["a", "b"], retrieved_context_ids=["a"])
