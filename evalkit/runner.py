"""A run: benchmark -> pipelines -> traces -> scores -> comparison -> report, in one folder."""

from __future__ import annotations

import json
import logging
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from evalkit import __version__, hardware, results, stages, tables
from evalkit.assemble import Experiment
from evalkit.compose import resolved
from evalkit.costs import Prices
from evalkit.errors import ConfigError, EvalkitError
from evalkit.pipelines import Pipeline
from evalkit.progress import Progress
from evalkit.records import Trace
from evalkit.secrets import Redactor, install_log_filter, redact_config
from evalkit.store import Store

log = logging.getLogger(__name__)

PACKAGES = (
    "ragas", "datasets", "transformers", "peft", "torch", "faiss-cpu", "faiss-gpu", "pandas", "hydra-core", "mlflow",
)  # fmt: skip


def run(config: DictConfig, progress: Progress | None = None) -> Path:
    """Run the composed experiment and return its folder, complete with reports.

    Raises:
        EvalkitError: something that the user can mend; finished work is in the store, and the same
            command goes on from there.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    redactor = install_log_filter(Redactor.collect(config))
    try:
        plain = resolved(config)
        experiment = Experiment(plain)
        _refuse_early(experiment)
        store = Store(Path(plain["store"]).expanduser())
        folder = new_folder(plain)
        safe = redact_config(config)
        (folder / "config.yaml").write_text(
            OmegaConf.to_yaml(OmegaConf.create(safe)), encoding="utf-8"
        )
        with progress or Progress() as shown:
            _run(experiment, store, folder, safe, redactor, shown)
    except EvalkitError as error:
        error.rewrite(redactor.redact)
        raise
    return folder


def _run(
    experiment: Experiment,
    store: Store,
    folder: Path,
    safe: Mapping[str, Any],
    redactor: Redactor,
    progress: Progress,
) -> None:
    answered = _answer(experiment, store, progress)
    judge = experiment.judge
    samples, scores = stages.score_all(experiment, answered.traces, judge, progress)
    from evalkit.scoring import scores_frame

    frame = scores_frame(scores, experiment.benchmark.questions)
    for name, table in (("traces", tables.traces_frame(samples)), ("scores", frame)):
        tables.rewritten(table, redactor.redact_data).to_parquet(
            folder / f"{name}.parquet", index=False
        )
    environment = describe_environment()
    warnings = _failures(answered.traces)
    with progress.stage("compare", f"{len(experiment.pipelines)} pipelines"):
        built = results.build(experiment, frame, answered, judge, environment, warnings)
    with progress.stage("report", "tables, figures, page"):
        _write(
            built, tables.questions_table(samples, frame), experiment, folder, redactor, progress
        )
    if safe["tracking"].get("enabled"):
        with progress.stage("log", "MLflow"):
            track(folder, experiment.config["tracking"], redactor, built)
    built["timings"] = progress.timings
    _write_json(folder / "results.json", redactor.redact_data(built))


def _answer(experiment: Experiment, store: Store, progress: Progress) -> stages.Answered:
    """Every pipeline's traces, in the configuration's order. One model is in memory at a time."""
    pipelines, questions = experiment.pipelines, experiment.benchmark.questions
    fetched: dict[str, stages.Fetched] = {}
    indexed = None
    contexts = {p.context for p in pipelines} - {"none"}
    if contexts:
        passages = stages.chunk(experiment, progress)
        if "retrieved" in contexts:
            indexed = stages.index(experiment, passages, store, progress)
            fetched["retrieved"] = stages.retrieve(
                experiment, indexed.retriever, questions, progress
            )
        if "gold" in contexts:
            fetched["gold"] = stages.gold(experiment, passages, questions)
    tuned = [p for p in pipelines if p.tuned]
    adapter = stages.train(experiment, store, progress) if tuned else None
    found: list[Trace] = []
    for group in ([p for p in pipelines if not p.tuned], tuned):
        if group:
            found += _generate(experiment, group, fetched, adapter, store, progress)
    rank = {p.name: i for i, p in enumerate(pipelines)}
    return stages.Answered(sorted(found, key=lambda t: rank[t.pipeline]), indexed, adapter)


def _generate(
    experiment: Experiment,
    group: Sequence[Pipeline],
    fetched: Mapping[str, stages.Fetched],
    adapter: stages.Adapter | None,
    store: Store,
    progress: Progress,
) -> list[Trace]:
    use = adapter if group[0].tuned else None
    generator = experiment.generator(use.folder, use.identity) if use else experiment.generator()
    try:
        return stages.generate(experiment, generator, group, fetched, store, progress)
    finally:
        generator.close()


def _refuse_early(experiment: Experiment) -> None:
    """Find what cannot work before any time is spent: the benchmark, the pipelines, the examples."""
    pipelines, _ = experiment.pipelines, experiment.statistics
    Prices.of(experiment.config.get("prices"))
    if not experiment.benchmark.questions:
        raise ConfigError(
            "the benchmark has no questions to ask",
            todo="check limit, control_limit and questions.jsonl",
        )
    if any(p.tuned for p in pipelines):
        _ = experiment.examples, experiment.tuning_settings
    if any(p.context == "retrieved" for p in pipelines):
        _ = experiment.visibility, experiment.k, experiment.chunker
    experiment.generator().close()
    _ = experiment.judge


def new_folder(config: Mapping[str, Any]) -> Path:
    """A folder of its own for this run; two runs that start at once get two folders.

    Raises:
        ConfigError: ``run_dir`` holds another run, or cannot be made.
    """
    given = config.get("run_dir")
    stem = (
        Path(given) if given else Path("runs") / f"{config['name']}-{datetime.now():%Y%m%d-%H%M%S}"
    )
    for attempt in range(1, 100):
        folder = stem if attempt == 1 else stem.with_name(f"{stem.name}-{attempt}")
        try:
            folder.mkdir(parents=True, exist_ok=given is not None)
        except OSError as error:
            if given is None and isinstance(error, FileExistsError):
                continue
            raise ConfigError(
                f"could not make the run folder {folder}: {error.strerror or error}",
                todo="choose a writable place with run_dir=DIR",
            ) from error
        if given and (folder / "results.json").exists():
            raise ConfigError(
                f"run_dir={folder} holds a finished run",
                todo="choose another run_dir, or delete it",
            )
        return folder
    raise ConfigError(
        f"no free name for a run folder beside {stem}", todo="give one with run_dir=DIR"
    )


def _write(
    built: dict[str, Any],
    questions: list[dict[str, Any]],
    experiment: Experiment,
    folder: Path,
    redactor: Redactor,
    progress: Progress,
) -> None:
    from evalkit.reporting import write_reports

    built["timings"] = progress.timings
    built = redactor.redact_data(built)
    _write_json(folder / "manifest.json", redactor.redact_data(_manifest(experiment, built)))
    _write_json(folder / "results.json", built)
    _write_json(folder / "questions.json", redactor.redact_data(questions))
    write_reports(built, redactor.redact_data(questions), folder)


def _manifest(experiment: Experiment, built: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "evalkit": __version__,
        "created": built["created"],
        "experiment": built["experiment"],
        "fingerprint": built["benchmark"]["fingerprint"],
        "seed": experiment.seed,
        "weights": experiment.model_weights.identity,
        "adapters": sorted({p["adapter"] for p in built["pipelines"] if p["adapter"]}),
        "prompts": sorted({p["prompt"] for p in built["pipelines"]}),
        "environment": built["environment"],
    }


def _write_json(path: Path, value: Any) -> None:
    beside = path.with_suffix(".json.part")
    beside.write_text(
        json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )
    os.replace(beside, path)


def track(
    folder: Path, tracking: Mapping[str, Any], redactor: Redactor, built: dict[str, Any]
) -> None:
    """Send a finished run to MLflow; whatever goes wrong there never costs the run."""
    try:
        from evalkit.tracking import log_run

        log_run(
            folder,
            uri=tracking.get("uri"),
            experiment=str(tracking.get("experiment") or "evalkit"),
            redactor=redactor,
        )
    except ImportError as error:
        warning = f"not logged to MLflow: {error}"
    except EvalkitError as error:
        warning = f"not logged to MLflow: {error.problem}"
    except Exception as error:  # a tracker must never cost a finished run
        warning = f"not logged to MLflow: {type(error).__name__}: {error}"
    else:
        return
    log.warning("%s\n  What to do: `evalkit log %s` sends the run later.", warning, folder)
    built["warnings"].append(warning)


def _failures(traces: Sequence[Trace]) -> list[str]:
    failed = [t for t in traces if t.error]
    if not failed:
        return []
    first = failed[0]
    return [
        f"{len(failed)} of {len(traces)} answers failed; the first: {first.pipeline}, {first.question}: {first.error}"
    ]


def describe_environment() -> dict[str, Any]:
    """Versions, hardware and git revision, for the manifest and the report."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        **hardware.describe(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "git_revision": _git_revision(),
        # Linux counts in KiB, macOS in bytes.
        "peak_memory_bytes": peak if sys.platform == "darwin" else peak * 1024,
        "implementation": platform.python_implementation(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    """The revision of the working directory, with ``+changes`` where files differ from it."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=5
        )
        status = subprocess.run(
            ["git", "status", "--porcelain"], capture_output=True, text=True, check=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() + ("+changes" if status.stdout.strip() else "")
