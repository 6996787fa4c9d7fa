"""A run: benchmark -> pipelines -> traces -> scores -> comparison -> report, in one folder."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from evalkit import __version__, results, stages, tables
from evalkit.assemble import Experiment
from evalkit.compose import resolved
from evalkit.costs import Prices
from evalkit.environment import describe_environment
from evalkit.errors import ConfigError, EvalkitError, is_disk_problem
from evalkit.pipelines import Pipeline
from evalkit.progress import Progress
from evalkit.quiet import no_telemetry
from evalkit.records import Trace
from evalkit.scoring.instructions import faults as instruction_faults
from evalkit.secrets import Redactor, install_log_filter, redact_config
from evalkit.store import Store

log = logging.getLogger(__name__)

KNOWN_KEYS = (
    "benchmark", "control_limit", "embedder", "judge", "limit", "model", "name", "pipelines", "prices",
    "prompt", "retriever", "run_dir", "seed", "statistics", "store", "title", "tracking", "tuning",
)  # fmt: skip


def run(config: DictConfig, progress: Progress | None = None) -> Path:
    """Run the composed experiment and return its folder, complete with reports.

    Raises:
        EvalkitError: something that the user can mend; finished work is in the store, and the same
            command goes on from there.
    """
    no_telemetry()
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
    except OSError as error:
        if not is_disk_problem(error):
            raise
        raise EvalkitError(
            f"could not write the results: {error}",
            todo="free disk space, or choose another place with run_dir=DIR; answers and adapters are in"
            " the store, and the same command goes on from there",
        ) from error
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
    from evalkit.reporting import write_reports
    from evalkit.scoring import scores_frame

    frame = scores_frame(scores, experiment.benchmark.questions)
    for name, table in (("traces", tables.traces_frame(samples, scores)), ("scores", frame)):
        tables.rewritten(table, redactor.redact_data).to_parquet(
            folder / f"{name}.parquet", index=False
        )
    environment = describe_environment()
    warnings = _warnings(answered.traces, experiment.decoding.max_new_tokens)
    with progress.stage("compare", f"{len(experiment.pipelines)} pipelines"):
        built = results.build(experiment, frame, answered, judge, environment, warnings)
    questions = redactor.redact_data(tables.questions_table(samples, frame, scores))
    _write_json(folder / "questions.json", questions)
    manifest = _manifest(experiment, built)
    _write_json(folder / "manifest.json", redactor.redact_data(manifest))

    def finish() -> None:
        """The reports, and last the file whose presence says that the run is finished."""
        final = redactor.redact_data(built | {"timings": progress.timings})
        write_reports(final, questions, folder)
        _write_json(folder / "results.json", final)

    with progress.stage("report", "tables, figures, page"):
        finish()
    if safe["tracking"].get("enabled"):
        with progress.stage("log", "MLflow"):
            logged = track(folder, experiment.config["tracking"], redactor, built)
        if not logged:
            finish()  # the page says that it was not
    _write_json(
        folder / "results.json", redactor.redact_data(built | {"timings": progress.timings})
    )


def _answer(experiment: Experiment, store: Store, progress: Progress) -> stages.Answered:
    """Every pipeline's traces, in the configuration's order. One model is in memory at a time."""
    pipelines, questions = experiment.pipelines, experiment.benchmark.questions
    fetched: dict[str, stages.Fetched] = {}
    indexed = None
    with progress.stage("weights", str(experiment.config["model"]["name"])):
        _ = experiment.model_weights
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
    engines: dict[str, Mapping[str, Any]] = {}
    for group in ([p for p in pipelines if not p.tuned], tuned):
        if group:
            traces, engine = _generate(experiment, group, fetched, adapter, store, progress)
            found += traces
            engines |= {p.name: engine for p in group}
    rank = {p.name: i for i, p in enumerate(pipelines)}
    return stages.Answered(sorted(found, key=lambda t: rank[t.pipeline]), engines, indexed, adapter)


def _generate(
    experiment: Experiment,
    group: Sequence[Pipeline],
    fetched: Mapping[str, stages.Fetched],
    adapter: stages.Adapter | None,
    store: Store,
    progress: Progress,
) -> tuple[list[Trace], Mapping[str, Any]]:
    use = adapter if group[0].tuned else None
    generator = experiment.generator(use.folder, use.identity) if use else experiment.generator()
    try:
        traces = stages.generate(experiment, generator, group, fetched, store, progress)
        return traces, generator.identity
    finally:
        generator.close()


def _refuse_early(experiment: Experiment) -> None:
    """Find what cannot work before any time is spent: the benchmark, the pipelines, the examples."""
    if unknown := sorted(set(experiment.config) - set(KNOWN_KEYS)):
        near = get_close_matches(unknown[0], KNOWN_KEYS, n=1)
        raise ConfigError(
            f"the configuration has the unknown keys {unknown}",
            todo=f"did you mean {near[0]}?" if near else f"its keys are {list(KNOWN_KEYS)}",
        )
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
    if faults := instruction_faults(experiment.benchmark.format):
        raise ConfigError(
            "the benchmark's format specification has faults: " + "; ".join(faults),
            todo="mend `format` in benchmark.json; `evalkit check DIR` lists the same",
        )
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


def _manifest(experiment: Experiment, built: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "evalkit": __version__,
        "created": built["created"],
        "experiment": built["experiment"],
        "fingerprint": built["benchmark"]["fingerprint"],
        "seed": experiment.seed,
        "weights": experiment.model_weights.identity,
        "embedder": experiment.embedder_inputs,
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
) -> bool:
    """Send a finished run to MLflow; whatever goes wrong there never costs the run.

    Returns:
        Whether it arrived; if not, a warning was added to ``built``.
    """
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
        return True
    log.warning("%s\n  What to do: `evalkit log %s` sends the run later.", warning, folder)
    built["warnings"].append(warning)
    return False


def _warnings(traces: Sequence[Trace], most: int) -> list[str]:
    """What a reader must know before believing the numbers: failed answers, and cut ones."""
    found = []
    if failed := [t for t in traces if t.error]:
        first = failed[0]
        found.append(
            f"{len(failed)} of {len(traces)} answers failed;"
            f" the first: {first.pipeline}, {first.question}: {first.error}"
        )
    cut = Counter(t.pipeline for t in traces if t.finish_reason == "length")
    if cut:
        listed = ", ".join(f"{name} {n}" for name, n in cut.items())
        found.append(
            f"{cut.total()} of {len(traces)} answers were cut at model.decoding.max_new_tokens={most}"
            f" ({listed})"
        )
    return found
