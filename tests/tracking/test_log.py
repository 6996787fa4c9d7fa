"""A run folder in MLflow: what is found there, that it is there once, and what a failure costs."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from evalkit.tracking import TrackingError, ensure_experiment, log_run, payload
from evalkit.tracking.log import _send_benchmark

FINGERPRINT = "f" * 64
SECRET = "s3cr3t-value-of-a-token"
CONFIG = """\
experiment: quartet
limit: 20
seed: 7
retriever: {top_k: 4, rerank: null}
pipelines: [prompt_only, hybrid]
api_key: left-in-by-hand
prompt: "%s"
""" % ("x" * 7000)


def _estimate(pipeline: str, metric: str, value: float | None, n_scored: int = 20) -> dict:
    low, high = (None, None) if value is None else (value - 0.1, value + 0.1)
    return {"pipeline": pipeline, "metric": metric, "value": value, "low": low, "high": high,
            "n_total": 20, "n_scored": n_scored, "signature": "sig-1"}  # fmt: skip


def _results() -> dict[str, Any]:
    return {
        "schema": 1,
        "evalkit": "0.1.0",
        "experiment": "quartet",
        "created": "2025-03-01T10:00:00+00:00",
        "benchmark": {"name": "handbook", "fingerprint": FINGERPRINT, "questions": 20,
                      "categories": {"changed": 20}, "license": "Apache-2.0"},
        "pipelines": [
            {"name": "prompt_only", "retrieval": False, "tuning": False, "description": "bare"},
            {"name": "hybrid", "retrieval": True, "tuning": True, "description": "both"},
        ],
        "estimates": [
            _estimate("prompt_only", "correctness/generation/correct", 0.25),
            _estimate("prompt_only", "faithfulness/generation/faithfulness", None, n_scored=0),
            _estimate("hybrid", "correctness/generation/correct", 0.75),
            _estimate("hybrid", "faithfulness/generation/faithfulness", 0.5, n_scored=18),
        ],
        "comparisons": [{"a": "prompt_only", "b": "hybrid", "difference": 0.5}],
        "effects": [{"metric": "correctness/generation/correct", "effect": "retrieval",
                     "value": 0.4, "low": 0.2, "high": 0.6, "p_value": 0.01}],
        "timings": [{"stage": "generate", "seconds": 90.0}, {"stage": "score", "seconds": 30.0}],
        "environment": {},
    }  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    uri = f"sqlite:///{tmp_path_factory.mktemp('store').as_posix()}/mlflow.db"
    ensure_experiment(uri)
    return uri


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    monkeypatch.setenv("SOME_TOKEN", SECRET)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "2025-03-01-quartet"
    (folder / "figures").mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "manifest.json").write_text(json.dumps({"git_revision": "abc123"}))
    (folder / "results.json").write_text(json.dumps(_results()))
    (folder / "scorecard.md").write_text(f"# Scorecard\n{SECRET}\n")
    (folder / "report.html").write_text(f"<p>{SECRET}</p>")
    (folder / "figures" / "effects.svg").write_text("<svg/>")
    (folder / "store.sqlite").write_text("not for the tracker")
    pd.DataFrame({"question": ["q1"], "value": [1.0]}).to_parquet(folder / "scores.parquet")
    traces = {"question": ["q1"], "passages": [[{"id": "p1", "text": f"see {SECRET}"}]]}
    pd.DataFrame(traces).to_parquet(folder / "traces.parquet")
    return folder


def _client(store: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=store)


# --- what is there -----------------------------------------------------------------------------


def test_parent_and_nested_runs(store: str, run_dir: Path) -> None:
    """The comparison is a parent run named like its folder, with one nested run per pipeline."""
    logged = log_run(run_dir, uri=store)
    client = _client(store)
    parent = client.get_run(logged.parent_run_id)
    assert logged.outcome == "logged"
    assert parent.info.run_name == "2025-03-01-quartet"
    assert parent.info.status == "FINISHED"
    assert list(logged.pipeline_run_ids) == ["prompt_only", "hybrid"]
    for name, run_id in logged.pipeline_run_ids.items():
        run = client.get_run(run_id)
        assert run.info.run_name == name
        assert run.data.tags["mlflow.parentRunId"] == logged.parent_run_id
        assert run.info.end_time - run.info.start_time == 120_000
    assert parent.info.start_time == 1_740_823_200_000


def test_metrics(store: str, run_dir: Path) -> None:
    """Nested runs carry estimates by metric id, the parent the effects; nulls are absent."""
    logged = log_run(run_dir, uri=store)
    client = _client(store)
    metrics = {n: client.get_run(i).data.metrics for n, i in logged.pipeline_run_ids.items()}
    assert metrics["prompt_only"] == {
        "correctness/generation/correct": 0.25,
        "correctness/generation/correct/low": 0.15,
        "correctness/generation/correct/high": 0.35,
        "correctness/generation/correct/n_scored": 20.0,
        "faithfulness/generation/faithfulness/n_scored": 0.0,
    }
    assert metrics["hybrid"]["faithfulness/generation/faithfulness"] == 0.5
    assert client.get_run(logged.parent_run_id).data.metrics == {
        "effects/retrieval/correctness/generation/correct": 0.4,
        "effects/retrieval/correctness/generation/correct/low": 0.2,
        "effects/retrieval/correctness/generation/correct/high": 0.6,
        "effects/retrieval/correctness/generation/correct/p_value": 0.01,
    }


def test_a_study_over_time_is_one_run_with_histories(store: str, run_dir: Path) -> None:
    """Its numbers come back as points, the date's index as step; pipelines have no run of their own."""
    days = ["2025-01-01", "2025-07-01"]
    estimates = [
        _estimate("hybrid", "a/b/c", value) | {"date": day, "state": "frozen"}
        for day, value in zip(days, (0.75, 0.25), strict=True)
    ]
    study = {"kind": "timeline", "timeline": {"dates": days}, "estimates": estimates}
    (run_dir / "results.json").write_text(json.dumps(_results() | study))
    logged = log_run(run_dir, uri=store)
    assert logged.pipeline_run_ids == {}
    history = _client(store).get_metric_history(logged.parent_run_id, "hybrid/frozen/a/b/c")
    assert [(m.step, m.value) for m in history] == [(0, 0.75), (1, 0.25)]
    assert log_run(run_dir, uri=store).outcome == "unchanged"


def test_parameters_and_tags(store: str, run_dir: Path) -> None:
    """Parameters are the config with dots, cut to MLflow's limit; tags identify the numbers."""
    logged = log_run(run_dir, uri=store)
    data = _client(store).get_run(logged.pipeline_run_ids["hybrid"]).data
    assert data.params["retriever.top_k"] == "4"
    assert data.params["retriever.rerank"] == "null"
    assert data.params["pipelines"] == '["prompt_only", "hybrid"]'
    assert data.params["pipeline.retrieval"] == "true"
    assert data.params["api_key"] == "<redacted>"
    assert len(data.params["prompt"]) == 6000
    assert data.params["prompt"].endswith("[cut, 7000 characters]")
    assert data.tags["evalkit.fingerprint"] == FINGERPRINT
    assert data.tags["evalkit.version"] == "0.1.0"
    assert data.tags["evalkit.git_revision"] == "abc123"
    assert data.tags["evalkit.signature"] == "sig-1"
    assert data.tags["evalkit.pipeline"] == "hybrid"


def test_benchmark_is_a_dataset_input(store: str, run_dir: Path) -> None:
    """Parent and nested runs name the benchmark, its fingerprint being the dataset's digest."""
    logged = log_run(run_dir, uri=store)
    for run_id in (logged.parent_run_id, *logged.pipeline_run_ids.values()):
        inputs = _client(store).get_run(run_id).inputs.dataset_inputs
        assert [(i.dataset.name, i.dataset.digest) for i in inputs] == [("handbook", "f" * 36)]
        assert json.loads(inputs[0].dataset.profile)["questions"] == 20


def test_artifacts(store: str, run_dir: Path) -> None:
    """The run's files and its tables are artifacts, kept beside the database, without secrets."""
    logged = log_run(run_dir, uri=store)
    parent = _client(store).get_run(logged.parent_run_id)
    folder = Path(store.removeprefix("sqlite:///")).parent
    assert parent.info.artifact_uri.startswith((folder / "mlartifacts" / "evalkit").as_uri())
    root = Path(parent.info.artifact_uri.removeprefix("file://"))
    sent = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
    assert sent == [
        "config.yaml", "figures/effects.svg", "manifest.json", "report.html", "results.json",
        "scorecard.md", "scores.parquet", "tables/comparisons.csv", "tables/effects.csv",
        "tables/estimates.csv", "tables/timings.csv", "traces.parquet",
    ]  # fmt: skip
    assert len(pd.read_csv(root / "tables" / "estimates.csv")) == 4
    assert (root / "scorecard.md").read_text() == "# Scorecard\n<redacted>\n"
    assert (root / "report.html").read_text() == "<p>&lt;redacted&gt;</p>"
    passages = pd.read_parquet(root / "traces.parquet").passages[0]
    assert list(passages) == [{"id": "p1", "text": "see <redacted>"}]
    assert pd.read_parquet(root / "scores.parquet").value.tolist() == [1.0]
    description = parent.data.tags["mlflow.note.content"]
    assert SECRET not in description
    assert SECRET in (run_dir / "scorecard.md").read_text(), "the run folder is not touched"


# --- once --------------------------------------------------------------------------------------


def test_logged_twice_is_logged_once(store: str, run_dir: Path) -> None:
    """An unchanged folder sends nothing; a changed one updates its runs, and says so."""
    first = log_run(run_dir, uri=store)
    again = log_run(run_dir, uri=store)
    assert again.outcome == "unchanged"
    assert (again.parent_run_id, again.pipeline_run_ids) == (
        first.parent_run_id,
        first.pipeline_run_ids,
    )
    results = _results()
    results["estimates"][0] |= {"value": 0.3, "low": None, "high": None}
    (run_dir / "results.json").write_text(json.dumps(results))
    updated = log_run(run_dir, uri=store)
    assert updated.outcome == "updated"
    assert updated.pipeline_run_ids == first.pipeline_run_ids
    metrics = _client(store).get_run(first.pipeline_run_ids["prompt_only"]).data.metrics
    assert metrics["correctness/generation/correct"] == 0.3
    low = metrics["correctness/generation/correct/low"]
    assert low != low, "a bound that is gone is not shown any more"


def test_what_a_run_writes_after_it_was_logged_is_no_change(store: str, run_dir: Path) -> None:
    """The time that logging took and its warnings come into results.json later, indented anew."""
    log_run(run_dir, uri=store)
    late = _results() | {"warnings": ["not logged"], "created": _results()["created"]}
    late["timings"] = [*late["timings"], {"stage": "log", "seconds": 2.0}]
    (run_dir / "results.json").write_text(json.dumps(late, indent=1))
    assert log_run(run_dir, uri=store).outcome == "unchanged"
    (run_dir / "results.json").write_text(json.dumps(late | {"notes": ["another"]}))
    assert log_run(run_dir, uri=store).outcome == "updated"


def test_a_deleted_run_is_logged_anew(store: str, run_dir: Path) -> None:
    """Runs that were deleted in MLflow are not updated unseen."""
    first = log_run(run_dir, uri=store)
    _client(store).delete_run(first.parent_run_id)
    again = log_run(run_dir, uri=store)
    assert again.outcome == "logged"
    assert again.parent_run_id != first.parent_run_id


def test_logging_that_was_cut_short_goes_on(
    store: str, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that fails half way leaves runs that the next call completes."""
    with monkeypatch.context() as patch:
        patch.setattr(payload, "stage", _fail)
        with pytest.raises(TrackingError, match="disk full"):
            log_run(run_dir, uri=store)
    begun = json.loads((run_dir / "tracking.json").read_text())["logged"][0]["runs"]
    finished = log_run(run_dir, uri=store)
    assert finished.outcome == "updated"
    assert {"": finished.parent_run_id, **finished.pipeline_run_ids} == begun
    assert _client(store).get_run(finished.parent_run_id).info.status == "FINISHED"


def _fail(*_: object) -> None:
    raise OSError("disk full")


def test_experiment_created_by_several_at_once(store: str) -> None:
    """Everyone who needs the experiment gets the same one, whoever creates it."""
    with ThreadPoolExecutor(4) as pool:
        ids = set(pool.map(lambda _: ensure_experiment(store, "raced"), range(4)))
    assert len(ids) == 1


def test_a_dataset_that_another_writer_names_first_is_named_again() -> None:
    """Of several writers on one database MLflow refuses all but one; a lasting refusal is told, and a
    server that is down is not asked five times.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import BAD_REQUEST, TEMPORARILY_UNAVAILABLE

    class Refusing:
        def __init__(self, times: int, code: int = BAD_REQUEST) -> None:
            self.left, self.asked, self.code = times, 0, code

        def log_inputs(self, run_id: str, datasets: list[Any]) -> None:
            self.asked += 1
            self.left -= 1
            if self.left >= 0:
                said = "duplicate key value violates unique constraint"
                raise MlflowException(said, error_code=self.code)

    once: Any = Refusing(1)
    _send_benchmark(once, "run", {"name": "handbook", "fingerprint": "f"})
    assert once.asked == 2
    always: Any = Refusing(100)
    with pytest.raises(MlflowException, match="duplicate key"):
        _send_benchmark(always, "run", {"name": "handbook"})
    assert always.asked == 5
    down: Any = Refusing(100, TEMPORARILY_UNAVAILABLE)
    with pytest.raises(MlflowException):
        _send_benchmark(down, "run", {"name": "handbook"})
    assert down.asked == 1
