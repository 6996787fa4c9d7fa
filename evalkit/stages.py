"""The stages of a run: index, train, retrieve, generate, score. Each stores what it made."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from evalkit.assemble import Experiment, make
from evalkit.generation.base import Completion, Generator, Request
from evalkit.pipelines import Pipeline, gold_passages
from evalkit.progress import Progress, Stage
from evalkit.records import Message, Passage, Question, Retrieved, Sample, Score, Trace
from evalkit.retrieval import Query, Retriever
from evalkit.retrieval.build import Materials
from evalkit.scoring import Judge, parse, score
from evalkit.store import Store, build_cost
from evalkit.tuning.lora import TUNING_VERSION

GENERATION_VERSION = "1"
_WRITE_EVERY = 1.0  # seconds between commits of finished completions


@dataclass(frozen=True)
class Adapter:
    """A trained adapter: its folder, what identifies it, and what training it cost."""

    folder: Path
    identity: str
    report: Mapping[str, Any]
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fetched:
    """What retrieval gave for every question, and the wall seconds of one question's share
    (None where nothing was searched).
    """

    passages: Mapping[str, tuple[Retrieved, ...]]
    seconds: float | None


@dataclass(frozen=True)
class Indexed:
    """A retriever ready to be asked, and what building all it needs took when it was built."""

    retriever: Retriever
    seconds: float
    bytes: int | None


@dataclass(frozen=True)
class Answered:
    """Every pipeline's traces, what identifies its engine, and the artifacts that were used."""

    traces: Sequence[Trace]
    engines: Mapping[str, Mapping[str, Any]]
    indexed: Indexed | None = None
    adapter: Adapter | None = None


def chunk(experiment: Experiment, progress: Progress) -> list[Passage]:
    """Every revision of the corpus as passages."""
    revisions = experiment.benchmark.revisions
    with progress.stage("chunk", f"{len(revisions)} revisions", len(revisions)) as stage:
        passages = experiment.chunker.passages(revisions)
        stage.advance(len(revisions), f"into {len(passages)} passages")
    return passages


def index(
    experiment: Experiment, passages: Sequence[Passage], store: Store, progress: Progress
) -> Indexed:
    """The configured retriever over ``passages``; a stored index is loaded."""
    used: list[Path] = []

    def artifact(*wanted: Any) -> Path:
        used.append(store.artifact(*wanted))
        return used[-1]

    started = time.perf_counter()
    build = make(experiment.config["retriever"]["build"], "retriever.build")
    retriever: Retriever = build(
        Materials(
            passages=passages,
            embedder=lambda: experiment.embedder,
            inputs=index_inputs(experiment, passages),
            artifact=artifact,
            visibility=experiment.visibility,
            stage=progress.stage,
        )
    )
    costs = [build_cost(folder) for folder in used]
    if not costs:  # built in memory
        return Indexed(retriever, time.perf_counter() - started, None)
    return Indexed(retriever, sum(s for s, _ in costs), sum(b for _, b in costs))


def index_inputs(experiment: Experiment, passages: Sequence[Passage]) -> dict[str, Any]:
    """What an index's contents depend on: whole passages, dates included, and the embedder."""
    return {"passages": _hash([asdict(p) for p in passages])} | experiment.embedder_inputs


def train(experiment: Experiment, store: Store, progress: Progress) -> Adapter:
    """The adapter that the configuration describes, trained unless the store has it."""
    part = experiment.config["tuning"]
    examples = experiment.examples
    settings = experiment.tuning_settings
    obtained = experiment.model_weights
    inputs = {
        "tuning": part["name"],
        "version": TUNING_VERSION,
        "weights": obtained.identity,
        "train": part["train"],
        "settings": {**part["settings"], **experiment.tuning_place},
        "examples": _hash([asdict(e) for e in examples]),
    }

    with progress.stage("train", f"{part['name']} on {len(examples)} examples") as stage:

        def build(folder: Path) -> None:
            trainer = make(part["train"], "tuning.train")
            trust = {"trust_remote_code": True} if experiment.trusts_remote_code else {}
            shower = _step_shower(stage)
            report = trainer(obtained.folder, examples, settings, folder, shower, **trust)
            (folder / "training.json").write_text(json.dumps(asdict(report), indent=2) + "\n")

        folder = store.artifact("adapter", inputs, build)
        report = json.loads((folder / "training.json").read_text())
        stage.detail = f"loss {report['losses'][-1]:.3f}" if report["losses"] else ""
    identity = f"{part['name']}:{_contents(folder)}"
    return Adapter(folder, identity, report, tuple(part["examples"]["kinds"]))


def _contents(folder: Path) -> str:
    """A hash of the adapter's weights: what was trained, not what was asked for."""
    digest = sha256()
    for shard in sorted(folder.rglob("*.safetensors")):
        digest.update(shard.read_bytes())
    return digest.hexdigest()[:16]


def _step_shower(stage: Stage) -> Any:
    done = 0

    def show(step: int, steps: int, loss: float) -> None:
        nonlocal done
        if stage.bars is not None:
            stage.bars.update(stage.task, total=steps)
        stage.advance(step - done, f"loss {loss:.3f}")
        done = step

    return show


def retrieve(
    experiment: Experiment, retriever: Retriever, questions: Sequence[Question], progress: Progress
) -> Fetched:
    """The passages of every question, best first."""
    with progress.stage(
        "retrieve", f"k={experiment.k}, {experiment.visibility.view}", len(questions)
    ) as stage:
        queries = [Query(q.text, q.as_of) for q in questions]
        retriever.retrieve(queries[:1], experiment.k)  # whatever is loaded at first use, untimed
        started = time.perf_counter()
        results = retriever.retrieve(queries, experiment.k)
        seconds = (time.perf_counter() - started) / max(1, len(questions))
        stage.advance(len(questions))
    return Fetched({q.id: r for q, r in zip(questions, results, strict=True)}, seconds)


def gold(
    experiment: Experiment, passages: Iterable[Passage], questions: Sequence[Question]
) -> Fetched:
    """The gold evidence of every question in place of what a retriever found."""
    by_revision: dict[str, list[Passage]] = {}
    for passage in passages:
        by_revision.setdefault(passage.revision, []).append(passage)
    return Fetched({q.id: gold_passages(q, by_revision, experiment.k) for q in questions}, None)


def generate(
    experiment: Experiment,
    generator: Generator,
    pipelines: Sequence[Pipeline],
    fetched: Mapping[str, Fetched],
    store: Store,
    progress: Progress,
) -> list[Trace]:
    """One trace per question and pipeline, for pipelines that share ``generator``.

    A prompt that occurs twice is completed once. Completions are stored as they come; a rerun
    completes only what is missing.
    """
    benchmark = experiment.benchmark
    planned = [
        (question, pipeline, *_prepare(question, pipeline, fetched, benchmark.format, generator))
        for pipeline in pipelines
        for question in benchmark.questions
    ]
    keys = [_hash(messages) for _, _, messages, _ in planned]
    wanted = {key: Request(key, tuple(p[2])) for key, p in zip(keys, planned, strict=True)}
    names = " + ".join(p.name for p in pipelines)
    rows = store.rows("generations", {**generator.identity, "stage": GENERATION_VERSION})
    try:
        with progress.stage("generate", names, len(wanted)) as stage:
            done = rows.get(wanted)
            stage.advance(len(done), f"{len(done)} at hand" if done else "")
            # Pipeline by pipeline: a batch's seconds are shared out among its rows, and rows of
            # another pipeline would take a part of them.
            for pipeline in pipelines:
                own = [key for key, plan in zip(keys, planned, strict=True) if plan[1] is pipeline]
                missing = [wanted[key] for key in dict.fromkeys(own) if key not in done]
                done.update(_complete(generator, missing, rows, stage))
    finally:
        rows.close()
    return [
        _trace(question, pipeline, marked, Completion(**done[key]), fetched)
        for (question, pipeline, _, marked), key in zip(planned, keys, strict=True)
    ]


def _prepare(
    question: Question,
    pipeline: Pipeline,
    fetched: Mapping[str, Fetched],
    spec: Any,
    generator: Generator,
) -> tuple[list[Message], tuple[Retrieved, ...] | None]:
    found = fetched[pipeline.context].passages[question.id] if pipeline.retrieval else ()
    return pipeline.prepare(question, spec, found, generator.count_tokens)


def _complete(
    generator: Generator, requests: list[Request], rows: Any, stage: Stage
) -> dict[str, Any]:
    """Complete ``requests``, committing finished ones about once a second and at the end."""
    done: dict[str, Any] = {}
    pending: dict[str, Any] = {}
    written = time.monotonic()
    try:
        for completion in generator.generate(requests):
            pending[completion.id] = asdict(completion)
            stage.advance()
            if time.monotonic() - written > _WRITE_EVERY:
                rows.put(_worth_keeping(pending))
                done.update(pending)
                pending, written = {}, time.monotonic()
    finally:
        rows.put(_worth_keeping(pending))
        done.update(pending)
    return done


def _worth_keeping(completions: Mapping[str, Any]) -> dict[str, Any]:
    """A failed completion is not stored, so that a rerun tries it again."""
    return {k: c for k, c in completions.items() if c["error"] is None}


def _trace(
    question: Question,
    pipeline: Pipeline,
    marked: tuple[Retrieved, ...] | None,
    completion: Completion,
    fetched: Mapping[str, Fetched],
) -> Trace:
    seconds = {"generation": completion.seconds}
    searched = fetched[pipeline.context].seconds if pipeline.retrieval else None
    if searched is not None:
        seconds["retrieval"] = searched
    return Trace(
        question=question.id, pipeline=pipeline.name, retrieved=marked, prompt=completion.prompt,
        output=completion.text, prompt_tokens=completion.prompt_tokens,
        output_tokens=completion.output_tokens, finish_reason=completion.finish_reason,
        seconds=seconds, error=completion.error,
    )  # fmt: skip


def score_all(
    experiment: Experiment, traces: Sequence[Trace], judge: Judge, progress: Progress
) -> tuple[list[Sample], list[Score]]:
    """Every metric on every trace. One sample per trace, in the order of ``traces``."""
    benchmark = experiment.benchmark
    questions = {q.id: q for q in benchmark.questions}
    revisions = benchmark.corpus.by_id
    free = type(benchmark.format)(abstention=benchmark.format.abstention)
    samples, scores = [], []
    with progress.stage("score", f"judge {judge.name}", len(traces)) as stage:
        for trace in traces:
            question = questions[trace.question]
            spec = benchmark.format if question.format == "default" else free
            sample = Sample(question, trace, spec, revisions, parse(trace.output, spec))
            samples.append(sample)
            scores.extend(score(sample, judge))
            stage.advance()
    return samples, scores


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return sha256(text.encode()).hexdigest()[:32]
