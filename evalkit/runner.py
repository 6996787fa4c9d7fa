"""A run: benchmark -> pipelines -> traces -> scores -> comparison -> report, in one folder."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any

from omegaconf import DictConfig, OmegaConf

from evalkit import __version__
from evalkit.configuration.assemble import Experiment
from evalkit.configuration.compose import resolved
from evalkit.errors import EvalkitError, is_disk_problem
from evalkit.generation.base import Generator
from evalkit.machine.environment import describe_environment
from evalkit.plurals import counted
from evalkit.preflight import refuse_early, refuse_format
from evalkit.progress import Progress
from evalkit.quiet import no_telemetry
from evalkit.results import document
from evalkit.results.measures import Plan, measured
from evalkit.run_folder import MANIFEST, RESULTS, new_folder, occupied, write_json
from evalkit.secrets import Redactor, install_log_filter, redact_config
from evalkit.stages import preparing
from evalkit.stages.answering import Answers
from evalkit.stages.retrieving import Retrievals, blocks
from evalkit.stages.scorer import Scorer
from evalkit.store import Store, package_source
from evalkit.tables.cases import Case, rewritten
from evalkit.tables.run_tables import RunTables

log = logging.getLogger(__name__)

_UNDRAWN = frozenset({"created", "costs", "environment", "timings", "training"})
"""What no figure shows of ``document.json``, and what differs from run to run."""
SCORED_AT_ONCE = 500
"""Questions whose answers and scores are held at once."""


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
        refuse_early(experiment)
        store = Store(Path(plain["store"]).expanduser())
        refuse_format(experiment, store)
        folder = new_folder(plain)
        with occupied(folder, redactor.redact), progress or Progress() as shown:
            safe = redact_config(config)
            (folder / "config.yaml").write_text(
                OmegaConf.to_yaml(OmegaConf.create(safe)), encoding="utf-8"
            )
            _Run(experiment, store, folder, redactor, shown).finish(safe)
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


@dataclass(frozen=True)
class _Run:
    """What the stages of one run share."""

    experiment: Experiment
    store: Store
    folder: Path
    redactor: Redactor
    progress: Progress

    def finish(self, safe: Mapping[str, Any]) -> None:
        """Everything from the first stage to the report and the tracker."""
        from evalkit.reporting import write_reports

        found = self._found()
        self._write_tables(found)
        built, redact = found.results, self.redactor.redact_data
        questions = found.questions if found.written else redact(found.questions)

        def report() -> None:
            """The reports, and last the file whose presence says that the run is finished."""
            final = redact(built | {"timings": self.progress.timings})
            write_reports(final, questions, self.folder, self._draw)
            # Now that all artifacts were used, drawings among them.
            manifest = _manifest(self.experiment, built, self.store)
            write_json(self.folder / MANIFEST, redact(manifest))
            write_json(self.folder / RESULTS, final)

        with self.progress.stage("report", "tables, figures, page"):
            report()
        if safe["tracking"].get("enabled"):
            with self.progress.stage("log", "MLflow"):
                logged = track(
                    self.folder, self.experiment.config["tracking"], self.redactor, built
                )
            if not logged:
                report()  # the page says that it was not
        final = redact(built | {"timings": self.progress.timings})
        write_json(self.folder / RESULTS, final)

    def _draw(self, results: Mapping[str, Any], folder: Path) -> dict[str, Path]:
        """The figures, drawn once for the same numbers."""
        from evalkit.reporting.figures import save_figures

        shown = {name: part for name, part in results.items() if name not in _UNDRAWN}
        inputs = {
            "results": preparing.content_hash(shown),
            "code": package_source("evalkit.reporting"),
        }

        def build(into: Path) -> None:
            save_figures(results, into)

        drawn = self.store.artifact("figures", inputs, build)
        folder.mkdir(exist_ok=True)
        found = {}
        for file in drawn.iterdir():
            if file.name != MANIFEST:
                found[file.name] = Path(copyfile(file, folder / file.name))
        return found

    def _found(self) -> document.Found:
        from evalkit.timeline import roll_forward

        if self.experiment.config.get("timeline"):
            return roll_forward(self.experiment, self.store, self.progress)
        return self._compared()

    def _write_tables(self, found: document.Found) -> None:
        made, redact = dict(found.tables), self.redactor.redact_data
        if hasattr(self.experiment.judge, "judgments"):
            made["judgments"] = self.experiment.judge.judgments()
        for name, table in made.items():
            path = self.folder / f"{name}.parquet"
            rewritten(table, redact).to_parquet(path, index=False)
        if not found.written:
            write_json(self.folder / "questions.json", redact(found.questions))

    def _compared(self) -> document.Found:
        """The pipelines side by side, each question asked on its own date.

        First every answer is completed, then all are read back from the store, scored and written,
        some questions at once: so memory does not grow with their number.
        """
        experiment, names = self.experiment, [p.name for p in self.experiment.pipelines]
        with ExitStack() as stack:
            written = stack.enter_context(
                RunTables(self.folder, names, experiment.repeats, self.redactor.redact_data)
            )
            groups, indexed, adapter = self._answers(stack)
            self._score(groups, written)
            scores = written.finish()
        engines = {p.name: group.identity for group in groups for p in group.pipelines}
        answered = preparing.Answered(written.tally, engines, indexed, adapter)
        plan = Plan.of(
            experiment.pipelines, experiment.hypotheses, experiment.repeats, experiment.statistics
        )
        with self.progress.stage("compare", counted(len(names), "pipeline")):
            numbers = measured(scores, plan, self.store)
            built = document.build(
                experiment, numbers, answered, experiment.judge, describe_environment(),
                written.blamed.rows(),
            )  # fmt: skip
        return document.Found(built, {}, written.page, written=True)

    def _answers(
        self, stack: ExitStack
    ) -> tuple[list[Answers], preparing.Indexed | None, preparing.Adapter | None]:
        """The answers of every pipeline, complete in the store. One model is in memory at a time."""
        experiment, store, progress = self.experiment, self.store, self.progress
        pipelines, questions = experiment.pipelines, experiment.benchmark.questions
        with progress.stage("weights", str(experiment.config["model"]["name"])):
            _ = experiment.model_weights
        contexts = {p.context for p in pipelines} - {"none"}
        sources: dict[str, Any] = {}
        indexed = None
        if contexts:
            passages = preparing.chunk(experiment, progress)
            if "retrieved" in contexts:
                retrievals = Retrievals(experiment, passages, store, progress)
                stack.callback(retrievals.close)
                sources["retrieved"], indexed = retrievals, retrievals.complete(questions)
            if "gold" in contexts:
                sources["gold"] = preparing.Gold(experiment, passages)
        tuned = [p for p in pipelines if p.tuned]
        adapter = preparing.train(experiment, store, progress) if tuned else None
        # Made together, so that they can share a resident model or a spending cap; loaded one by one.
        generators = [
            (group, _generator(experiment, adapter if group is tuned else None))
            for group in ([p for p in pipelines if not p.tuned], tuned)
            if group
        ]
        for _, generator in generators:
            stack.callback(generator.close)
        groups = []
        for group, generator in generators:
            answers = Answers(
                experiment,
                generator,
                group,
                lambda context, block: sources[context].of(block),
                store,
            )
            stack.callback(answers.close)
            answers.complete(progress)
            generator.close()
            groups.append(answers)
        return groups, indexed, adapter

    def _score(self, groups: Sequence[Answers], written: RunTables) -> None:
        experiment, judge = self.experiment, self.experiment.judge
        rank = {p.name: i for i, p in enumerate(experiment.pipelines)}
        questions = experiment.benchmark.questions
        total = len(questions) * len(rank) * experiment.repeats
        with (
            closing(Scorer(experiment, judge, self.store)) as scorer,
            self.progress.stage("score", f"judge {judge.name}", total) as stage,
        ):
            for block in blocks(questions, SCORED_AT_ONCE):
                traces = [trace for group in groups for trace in group.traces(block)]
                samples = scorer.samples(sorted(traces, key=lambda trace: rank[trace.pipeline]))
                cases = []
                for sample, scores in zip(samples, scorer.scores(samples), strict=True):
                    cases.append(Case(sample, scores))
                    stage.advance()
                written.add(cases)


def _generator(experiment: Experiment, adapter: preparing.Adapter | None) -> Generator:
    if adapter is None:
        return experiment.generator()
    return experiment.generator(adapter.folder or adapter.name, adapter.identity)


def _manifest(experiment: Experiment, built: Mapping[str, Any], store: Store) -> dict[str, Any]:
    return {
        "evalkit": __version__,
        "status": "finished",
        "created": built["created"],
        "experiment": built["experiment"],
        "fingerprint": built["benchmark"]["fingerprint"],
        "seed": experiment.seed,
        "weights": experiment.model_weights.identity,
        "embedder": experiment.embedder_inputs,
        "adapters": sorted({p["adapter"] for p in built["pipelines"] if p["adapter"]}),
        "prompts": sorted({p["prompt"] for p in built["pipelines"]}),
        "artifacts": sorted(store.used),
        "environment": built["environment"],
    }


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
