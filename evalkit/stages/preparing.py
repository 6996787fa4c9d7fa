"""The stages of a run around the answering: chunk, index, retrieve, train. Each stores what it made."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from evalkit.configuration.assemble import Experiment
from evalkit.configuration.making import make
from evalkit.errors import WeightsError
from evalkit.machine.environment import versions
from evalkit.pipelines import gold_passages
from evalkit.plurals import counted
from evalkit.progress import Progress, Stage
from evalkit.records import Passage, Question, Retrieved
from evalkit.retrieval import Query, Recency, Retriever
from evalkit.retrieval.build import Build, Materials
from evalkit.retrieval.update import IndexUpdate, update
from evalkit.retrieval.update import index_at as retriever_at
from evalkit.retrieval.vectors import VECTORS_VERSION, StoredVectors
from evalkit.store import Store, build_cost, source_of
from evalkit.tables.tally import Tally
from evalkit.tuning.lora import TUNING_VERSION


@dataclass(frozen=True)
class Adapter:
    """An adapter: its folder, what identifies it, and what training it cost.

    One that a server has is known by ``name`` alone.
    """

    folder: Path | None
    identity: str
    report: Mapping[str, Any] | None = None
    kinds: tuple[str, ...] = ()
    name: str | None = None


@dataclass(frozen=True)
class Fetched:
    """What retrieval gave for every question, and the wall seconds that searching took, each
    question's share of those asked together (none where nothing was searched).
    """

    passages: Mapping[str, tuple[Retrieved, ...]]
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Indexed:
    """A retriever ready to be asked (None where all that it would find is stored); the seconds that
    building all of it takes, its embeddings as they were timed when they were made; the bytes that
    are stored of it (None where it is built in memory).
    """

    retriever: Retriever | None
    seconds: float
    bytes: int | None


@dataclass(frozen=True)
class Answered:
    """What every pipeline's answers took, what identifies its engine, and the artifacts used."""

    tally: Tally
    engines: Mapping[str, Mapping[str, Any]]
    indexed: Indexed | None = None
    adapter: Adapter | None = None


def chunk(experiment: Experiment, progress: Progress) -> list[Passage]:
    """Every revision of the corpus as passages."""
    revisions = experiment.benchmark.revisions
    with progress.stage("chunk", counted(len(revisions), "revision"), len(revisions)) as stage:
        passages = experiment.chunker.passages(revisions)
        stage.advance(len(revisions), f"into {counted(len(passages), 'passage')}")
    return passages


def index(
    experiment: Experiment, passages: Sequence[Passage], store: Store, progress: Progress
) -> Indexed:
    """The configured retriever over ``passages``; what was embedded before is not embedded again."""
    retriever, cost = _indexed(experiment, passages, store, progress, update)
    return Indexed(retriever, cost.seconds, cost.bytes or None)


def index_at(
    experiment: Experiment,
    passages: Sequence[Passage],
    store: Store,
    progress: Progress,
    on: date,
    since: date | None = None,
) -> tuple[Retriever, IndexUpdate]:
    """The configured retriever as last updated on a date, and what updating it took from ``since``
    (from nothing where that is None). ``passages`` are those of all dates.
    """
    change = partial(retriever_at, on=on, since=since)
    return _indexed(experiment, passages, store, progress, change)


def _indexed(
    experiment: Experiment,
    passages: Sequence[Passage],
    store: Store,
    progress: Progress,
    change: Callable[[Build, Materials], tuple[Retriever, IndexUpdate]],
) -> tuple[Retriever, IndexUpdate]:
    used: list[Path] = []
    spent = 0.0

    def artifact(*wanted: Any) -> Path:
        nonlocal spent
        started = time.perf_counter()
        used.append(store.artifact(*wanted))
        spent += time.perf_counter() - started
        return used[-1]

    vectors = {**experiment.embedder_inputs, "version": VECTORS_VERSION}
    materials = Materials(
        passages=passages,
        embedder=lambda: experiment.embedder,
        vectors=StoredVectors(lambda: store.rows("vectors", vectors)),
        inputs=index_inputs(experiment, passages),
        artifact=artifact,
        visibility=experiment.visibility,
        stage=progress.stage,
    )
    build = make(experiment.config["retriever"]["build"], "retriever.build")
    retriever, cost = change(recency(experiment).over(build), materials)
    # What a retriever of the user's own keeps as artifacts counts as it did when it was built.
    kept = [build_cost(folder) for folder in used]
    return retriever, replace(
        cost,
        seconds=cost.seconds - spent + sum(seconds for seconds, _ in kept),
        bytes=cost.bytes + sum(size for _, size in kept),
    )


def recency(experiment: Experiment) -> Recency:
    """How the configured retriever treats the age of passages."""
    part = experiment.config["retriever"]
    return Recency(part.get("recency", "none"), part.get("half_life_days"))


def index_inputs(experiment: Experiment, passages: Sequence[Passage]) -> dict[str, Any]:
    """What an index's contents depend on: whole passages, dates included, and the embedder."""
    return {
        "passages": _fingerprint(tuple(passages)),
        "vectors": VECTORS_VERSION,
        **experiment.embedder_inputs,
    }


@lru_cache(maxsize=1)
def _fingerprint(passages: tuple[Passage, ...]) -> str:
    """Kept, since a study over time asks for every index and every update of them."""
    return content_hash([asdict(p) for p in passages])


def train(experiment: Experiment, store: Store, progress: Progress) -> Adapter:
    """The adapter that the configuration describes, trained unless the store or a server has it."""
    if name := experiment.adapter_name:
        return Adapter(None, f"server:{name}", name=name)
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
        "libraries": versions("torch", "transformers", "peft"),
        "examples": content_hash([asdict(e) for e in examples]),
    }
    if code := source_of(str(part["train"]["_target_"])):
        inputs["code"] = code

    with progress.stage("train", f"{part['name']} on {counted(len(examples), 'example')}") as stage:

        def build(folder: Path) -> None:
            trainer = make(part["train"], "tuning.train")
            trust = {"trust_remote_code": True} if experiment.trusts_remote_code else {}
            shower = _step_shower(stage)
            report = trainer(obtained.folder, examples, settings, folder, shower, **trust)
            (folder / "training.json").write_text(json.dumps(asdict(report), indent=2) + "\n")

        folder = store.artifact("adapter", inputs, build)
        report = json.loads((folder / "training.json").read_text())
        stage.detail = f"loss {report['losses'][-1]:.3f}" if report["losses"] else ""
    identity = f"{part['name']}:{contents_of(folder)}"
    return Adapter(folder, identity, report, tuple(part["examples"]["kinds"]))


def contents_of(folder: Path) -> str:
    """A hash of the adapter's weights and of how they are to be added (scale, target modules): what was
    trained, not what was asked for.

    Raises:
        WeightsError: A trainer of the user's own wrote no safetensors.
    """
    shards = sorted(folder.rglob("*.safetensors"))
    if not shards:
        raise WeightsError(
            f"the adapter in {folder} has no *.safetensors, and nothing else is loaded",
            todo="let the function that tuning.train names save with save_pretrained(FOLDER)",
        )
    digest = sha256()
    for shard in shards:
        digest.update(shard.read_bytes())
    for file in sorted(folder.rglob("adapter_config.json")):
        settings = json.loads(file.read_text(encoding="utf-8"))
        settings.pop("base_model_name_or_path", None)  # where the model lies, which is no matter
        if isinstance(targets := settings.get("target_modules"), list):  # else a pattern
            settings["target_modules"] = sorted(targets)  # a set, written in any order
        digest.update(content_hash(settings).encode())
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


def searched(
    retriever: Retriever, questions: Sequence[Question], k: int
) -> tuple[list[tuple[Retrieved, ...]], float]:
    """The passages of each question, best first, and one question's share of the wall seconds."""
    queries = [Query(question.text, question.as_of) for question in questions]
    retriever.retrieve(queries[:1], k)  # whatever is loaded at first use, untimed
    started = time.perf_counter()
    results = retriever.retrieve(queries, k)
    return results, (time.perf_counter() - started) / max(1, len(questions))


class Gold:
    """The gold evidence of a question in place of what a retriever found."""

    def __init__(self, experiment: Experiment, passages: Iterable[Passage]) -> None:
        self._k = experiment.k
        self._by_revision: dict[str, list[Passage]] = {}
        for passage in passages:
            self._by_revision.setdefault(passage.revision, []).append(passage)

    def of(self, questions: Sequence[Question]) -> Fetched:
        """The passages that carry the evidence for each question."""
        return Fetched({q.id: gold_passages(q, self._by_revision, self._k) for q in questions}, {})


def content_hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return sha256(text.encode()).hexdigest()[:32]
