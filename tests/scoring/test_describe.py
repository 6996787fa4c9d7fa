"""What is said of a metric is what it does, and the page of all metrics is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

import evalkit.scoring
from evalkit.scoring import METRICS
from evalkit.scoring.describe import explanation, facts, find, listing, near, page

PAGE = Path(evalkit.scoring.__file__).parent / "METRICS.md"


def test_the_page_of_all_metrics_is_up_to_date() -> None:
    """If not: evalkit explain --markdown > evalkit/scoring/METRICS.md"""
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("name", list(METRICS))
def test_every_metric_can_be_explained(name: str) -> None:
    """Definition, details, range, direction, inputs, reasons, source and signature: none empty."""
    metric = METRICS[name]
    told = dict(facts(metric))
    assert all(told.values()), told
    assert told["signature"] == f"{name}@{metric.version}"
    assert metric.definition in page()
    assert name in explanation(metric)


def test_the_explanation_fits_its_columns() -> None:
    """Long texts are wrapped under their heading."""
    for metric in METRICS.values():
        assert all(len(line) <= 80 for line in explanation(metric, columns=80).splitlines())
    assert all(len(line) <= 100 for line in listing(columns=100).splitlines())


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("faithfulness/retrieval/ndcg", ["faithfulness/retrieval/ndcg"]),
        ("NDCG", ["faithfulness/retrieval/ndcg"]),
        ("precision", ["faithfulness/retrieval/precision", "citation/generation/precision"]),
        ("cost/generation", [m for m in METRICS if m.startswith("cost/generation/")]),
        ("citation", ["citation/generation/precision", "citation/generation/recall"]),
        ("ndgc", []),
        ("", []),
    ],
)
def test_a_part_of_an_id_finds_its_metrics(name: str, found: list[str]) -> None:
    """An id, its last part, an axis, or an axis and stage; nothing is guessed."""
    assert [each.id for each in find(name)] == found


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ndgc", "faithfulness/retrieval/ndcg"),
        ("faithfulnes", "faithfulness/generation/faithfulness"),
        ("correctness/generation/corect", "correctness/generation/correct"),
    ],
)
def test_a_slip_of_the_keyboard_is_understood(name: str, meant: str) -> None:
    """The nearest ids are offered, and none where nothing is near."""
    assert meant in near(name)
    assert near("zzz") == []
