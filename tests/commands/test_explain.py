"""``evalkit explain``."""

from __future__ import annotations

import argparse

import pytest

from evalkit.commands import explain
from evalkit.errors import EvalkitError
from evalkit.scoring import METRICS
from evalkit.scoring.describe import page


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    explain.add(parser.add_subparsers())
    options = parser.parse_args(["explain", *arguments])
    return int(options.function(options))


def test_one_metric_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """What it measures, its range and direction, where it is undefined, source and signature."""
    assert run("ndcg") == 0
    told = capsys.readouterr().out
    for words in ("0 to 1", "higher is better", "no retriever", "trec_eval", "retrieval/ndcg@1"):
        assert words in told


def test_without_a_name_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Every metric has a line under its axis and stage."""
    assert run() == 0
    told = capsys.readouterr().out
    for metric in METRICS.values():
        assert f"  {metric.id.rsplit('/', 1)[-1]} " in told
        assert f"{metric.axis}/{metric.stage}\n" in told


def test_names_are_explained_in_order_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Several names may be given; a metric named twice is told once."""
    assert run("mrr", "cost", "mrr") == 0
    told = capsys.readouterr().out
    assert told.count("faithfulness/retrieval/mrr@") == 1
    assert told.index("retrieval/mrr") < told.index("cost/retrieval/seconds")


def test_the_page_is_printed_as_it_is_committed(capsys: pytest.CaptureFixture[str]) -> None:
    """``evalkit explain --markdown > FILE`` writes the page to the byte."""
    assert run("--markdown") == 0
    assert capsys.readouterr().out == page()


def test_an_unknown_metric_is_an_error_with_its_neighbours() -> None:
    """It says what was not found, what may have been meant, and where to look."""
    with pytest.raises(EvalkitError, match="no metric 'ndgc'") as caught:
        run("ndgc")
    assert "faithfulness/retrieval/ndcg" in str(caught.value)
    assert "evalkit explain lists all" in str(caught.value)


def test_a_kind_of_format_instruction_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """When it is met, its parameters and what they must be, its source, and how it is used."""
    assert run("json_schema", "words") == 0
    told = " ".join(capsys.readouterr().out.split())
    for words in (
        "format instruction json_schema", "schema (required): a JSON schema", "JSON Schema 2020-12",
        "{kind: json_schema, ...}", "counts The number of words", "at_least (optional)",
    ):  # fmt: skip
        assert words in told


def test_the_kinds_are_listed_and_looked_near() -> None:
    """A misspelled kind is an error that names the right one."""
    with pytest.raises(EvalkitError, match="json_schema"):
        run("json_shema")
