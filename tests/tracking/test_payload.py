"""What is read from a run folder for the tracker, and MLflow's limits on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalkit.secrets import Redactor
from evalkit.tracking import TrackingError, log, payload


def test_limits_are_those_of_mlflow() -> None:
    """The limits that we cut to are the ones that the installed MLflow enforces."""
    from mlflow.utils import validation

    assert validation.MAX_PARAM_VAL_LENGTH == payload.LONGEST_PARAM
    assert validation.MAX_TAG_VAL_LENGTH == payload.LONGEST_TAG
    assert validation.MAX_ENTITY_KEY_LENGTH == payload.LONGEST_KEY
    assert validation.MAX_DATASET_DIGEST_SIZE == payload.LONGEST_DIGEST
    assert validation.MAX_PARAMS_TAGS_PER_BATCH == log.MOST_PARAMS
    assert validation.MAX_METRICS_PER_BATCH == log.MOST_METRICS


def test_names_are_made_legal() -> None:
    """``@`` and the like, which MLflow refuses, become ``_``; our metric ids stay as they are."""
    metric = "freshness/retrieval/current_recall"
    assert payload.legal_key("recall@5") == "recall_5"
    assert payload.legal_key(metric) == metric


def test_run_without_tables_or_manifest(tmp_path: Path) -> None:
    """Only ``results.json`` is needed to read a run."""
    (tmp_path / "results.json").write_text(json.dumps({"pipelines": [], "estimates": []}))
    read = payload.read(tmp_path, Redactor())
    assert read.parent.params == {}
    assert read.parent.metrics == {}
    assert read.started is None


def test_results_that_are_not_json(tmp_path: Path) -> None:
    """A damaged file is named."""
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(TrackingError, match=r"results\.json is not JSON"):
        payload.read(tmp_path, Redactor())


def test_results_of_another_shape(tmp_path: Path) -> None:
    """What is missing is named."""
    (tmp_path / "results.json").write_text(json.dumps({"pipelines": []}))
    with pytest.raises(TrackingError, match="no list 'estimates'"):
        payload.read(tmp_path, Redactor())


def test_nested_config_is_flattened() -> None:
    """Keys are joined by dots, empty groups stay visible, keys named like secrets are covered."""
    config = {"a": {"b": {"c": 1.5}, "d": []}, "e": {}, "hf_token": "abc", "max_new_tokens": 64}
    assert payload.flatten(config) == {
        "a.b.c": "1.5",
        "a.d": "[]",
        "e": "{}",
        "hf_token": "<redacted>",
        "max_new_tokens": "64",
    }


def test_estimates_that_are_not_numbers_are_left_out(tmp_path: Path) -> None:
    """Neither null nor NaN becomes a metric."""
    row = {"pipeline": "rag", "metric": "cost/generation/seconds", "value": float("nan")}
    results = {"pipelines": [{"name": "rag"}], "estimates": [row | {"low": None, "n_scored": 0}]}
    (tmp_path / "results.json").write_text(json.dumps(results))
    read = payload.read(tmp_path, Redactor())
    assert read.pipelines[0].metrics == {"cost/generation/seconds/n_scored": 0.0}


def test_an_empty_run_can_be_staged(tmp_path: Path) -> None:
    """A folder without tables yields just its files."""
    run_dir, staged = tmp_path / "run", tmp_path / "staged"
    run_dir.mkdir()
    staged.mkdir()
    (run_dir / "results.json").write_text(json.dumps({"pipelines": [], "estimates": []}))
    payload.stage(run_dir, payload.read(run_dir, Redactor()), staged, Redactor())
    assert sorted(p.name for p in staged.iterdir()) == ["results.json", "tables"]
