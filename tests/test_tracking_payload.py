"""What is read from a run folder for the tracker, and MLflow's limits on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalkit import tracking, tracking_payload
from evalkit.secrets import Redactor


def test_limits_are_those_of_mlflow() -> None:
    """The limits that we cut to are the ones that the installed MLflow enforces."""
    from mlflow.utils import validation

    assert validation.MAX_PARAM_VAL_LENGTH == tracking_payload.LONGEST_PARAM
    assert validation.MAX_TAG_VAL_LENGTH == tracking_payload.LONGEST_TAG
    assert validation.MAX_ENTITY_KEY_LENGTH == tracking_payload.LONGEST_KEY
    assert validation.MAX_DATASET_DIGEST_SIZE == tracking_payload.LONGEST_DIGEST
    assert validation.MAX_PARAMS_TAGS_PER_BATCH == tracking.MOST_PARAMS
    assert validation.MAX_METRICS_PER_BATCH == tracking.MOST_METRICS


def test_names_are_made_legal() -> None:
    """``@`` and the like, which MLflow refuses, become ``_``; our metric ids stay as they are."""
    metric = "freshness/retrieval/current_recall"
    assert tracking_payload.legal_key("recall@5") == "recall_5"
    assert tracking_payload.legal_key(metric) == metric


def test_run_without_tables_or_manifest(tmp_path: Path) -> None:
    """Only ``results.json`` is needed to read a run."""
    (tmp_path / "results.json").write_text(json.dumps({"pipelines": [], "estimates": []}))
    payload = tracking_payload.read(tmp_path, Redactor())
    assert payload.parent.params == {}
    assert payload.parent.metrics == {}
    assert payload.started is None


def test_results_that_are_not_json(tmp_path: Path) -> None:
    """A damaged file is named."""
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(tracking.TrackingError, match=r"results\.json is not JSON"):
        tracking_payload.read(tmp_path, Redactor())


def test_results_of_another_shape(tmp_path: Path) -> None:
    """What is missing is named."""
    (tmp_path / "results.json").write_text(json.dumps({"pipelines": []}))
    with pytest.raises(tracking.TrackingError, match="no list 'estimates'"):
        tracking_payload.read(tmp_path, Redactor())


def test_nested_config_is_flattened() -> None:
    """Keys are joined by dots, empty groups stay visible, keys named like secrets are covered."""
    config = {"a": {"b": {"c": 1.5}, "d": []}, "e": {}, "hf_token": "abc", "max_new_tokens": 64}
    assert tracking_payload.flatten(config) == {
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
    payload = tracking_payload.read(tmp_path, Redactor())
    assert payload.pipelines[0].metrics == {"cost/generation/seconds/n_scored": 0.0}


def test_an_empty_run_can_be_staged(tmp_path: Path) -> None:
    """A folder without tables yields just its files."""
    run_dir, staged = tmp_path / "run", tmp_path / "staged"
    run_dir.mkdir()
    staged.mkdir()
    (run_dir / "results.json").write_text(json.dumps({"pipelines": [], "estimates": []}))
    tracking_payload.stage(run_dir, tracking_payload.read(run_dir, Redactor()), staged, Redactor())
    assert sorted(p.name for p in staged.iterdir()) == ["results.json", "tables"]
