"""Whatever changes results changes the name, the signature or the key that they are kept under."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import evalkit
from evalkit.configuration.assemble import Experiment
from evalkit.configuration.compose import compose, resolved
from evalkit.errors import ConfigError
from evalkit.progress import Progress
from evalkit.records import Passage
from evalkit.results.signatures import Signer
from evalkit.retrieval import (
    DenseIndex,
    DenseRetriever,
    Embedder,
    HashEmbedder,
    HybridRetriever,
    LexicalIndex,
    LexicalRetriever,
    Recency,
    TransformerEmbedder,
    Visibility,
)
from evalkit.retrieval.build import Build, Materials
from evalkit.stages.preparing import Answered, chunk, index, index_at, recency
from evalkit.store import Store, key_of

MARCH, APRIL = date(2025, 3, 1), date(2025, 4, 1)
BASE = ["embedder=hash", "judge=offline", "pipeline=[rag]", "benchmark=handbook"]


HANDBOOK = evalkit.load_benchmark("handbook")


def experiment(*overrides: str) -> Experiment:
    made = Experiment(resolved(compose([*BASE, *overrides])))
    vars(made)["whole_benchmark"] = HANDBOOK  # read once
    return made


def test_every_setting_of_a_retriever_is_in_its_name(passages: list[Passage]) -> None:
    """Each is changed in turn, and no two names are equal."""

    def dense(embedder: Embedder, visibility: Visibility) -> DenseRetriever:
        return DenseRetriever(DenseIndex.build(passages, embedder), embedder, visibility)

    def bm25(visibility: Visibility, **settings: Any) -> LexicalRetriever:
        return LexicalRetriever(LexicalIndex(passages, **settings), visibility)

    views = [
        Visibility(),
        Visibility("snapshot"),
        *(Visibility(view, on) for view in ("history", "stale") for on in (MARCH, APRIL)),
    ]  # type: ignore[arg-type]
    both = (dense(HashEmbedder(), views[0]), bm25(views[0]))
    retrievers = [
        *(dense(HashEmbedder(), view) for view in views),
        *(dense(each, views[0]) for each in (HashEmbedder(64), HashEmbedder(64, 3))),
        *(bm25(view) for view in views),
        *(bm25(views[0], **s) for s in ({"k1": 1.2}, {"b": 0.75}, {"language": "german"})),
        HybridRetriever(both),
        HybridRetriever(both[::-1]),
        HybridRetriever(both, depth=60),
        HybridRetriever(both, constant=50),
    ]
    assert len({each.name for each in retrievers}) == len(retrievers)


def test_every_recency_is_in_the_name(
    passages: list[Passage],
    tmp_path: Path,
    materials: Callable[..., Materials],
    builds: dict[str, Build],
) -> None:
    """For each retriever; half-lives too."""
    ways = [
        Recency(),
        Recency("current_only"),
        Recency("newest_per_document"),
        Recency("decay", 180),
        Recency("decay", 90),
    ]
    made = [
        way.over(build)(materials(passages, tmp_path)) for build in builds.values() for way in ways
    ]
    assert len({each.name for each in made}) == len(made) == 15


def test_every_setting_of_an_embedder_is_in_its_name() -> None:
    """Two names, two spaces."""
    settings: list[dict[str, Any]] = [
        {}, {"name": "other"}, {"pooling": "cls"}, {"max_length": 64}, {"dtype": "bfloat16"},
        {"query_prefix": "q: "}, {"passage_prefix": "q: "},
    ]  # fmt: skip
    names = {TransformerEmbedder("folder", **each).name for each in settings}
    assert len(names) == len(settings)


CHANGES = [
    "retriever.k=4", "retriever.view=snapshot", "retriever.built_at=2025-03-01",
    "retriever.recency=current_only", "retriever.recency=newest_per_document", "retriever.recency=decay",
    "retriever.half_life_days=90", "retriever.chunker.max_words=60", "retriever.chunker.overlap=8",
    "retriever=bm25", "retriever=hybrid", "embedder.encoder.dimension=64", "embedder.name=other",
]  # fmt: skip


def test_every_setting_is_in_the_signature() -> None:
    """Each key of the configuration is changed in turn; all numbers are signed differently."""

    def setup(*overrides: str) -> str:
        made = experiment(*overrides)
        signer = Signer(made, Answered([], {"rag": {}}), made.judge)
        return key_of(signer.setups["rag"])

    keys = [setup(), *(setup(change) for change in CHANGES)]
    assert len(set(keys)) == len(keys)


def vector_files(store: Path) -> set[Path]:
    return set(store.rglob("rows.sqlite"))


@pytest.mark.parametrize(
    ("change", "shared"),
    [
        ("retriever.k=4", True),
        ("retriever.recency=decay", True),
        ("retriever.view=snapshot", True),
        ("retriever=hybrid", True),
        ("embedder.encoder.dimension=64", False),
        ("+embedder.encoder.ngram=3", False),
        ("embedder.name=other", False),
    ],
)
def test_vectors_are_shared_by_those_that_embed_alike(
    change: str, shared: bool, tmp_path: Path
) -> None:
    """Another search over the same vectors uses them, another embedder never does."""
    store = Store(tmp_path)
    passages = chunk(experiment(), Progress(shown=False))[:3]
    index(experiment(), passages, store, Progress(shown=False))
    before = vector_files(tmp_path)
    index(experiment(change), passages, store, Progress(shown=False))
    assert (vector_files(tmp_path) == before) is shared


def test_the_stage_builds_and_updates_what_is_configured(tmp_path: Path) -> None:
    """The handbook from nothing and over a quarter: the update is a small part, and a rebuilt index
    reports the seconds of its embeddings though they were at hand.
    """
    made, store = experiment("retriever.view=snapshot"), Store(tmp_path)
    passages = chunk(made, Progress(shown=False))
    first, second = (index(made, passages, store, Progress(shown=False)) for _ in range(2))
    assert first.bytes == second.bytes
    assert first.retriever.name == "dense(hash-512-4,snapshot)"
    dates = date(2025, 4, 1), date(2025, 7, 1)
    _, whole = index_at(made, passages, store, Progress(shown=False), dates[0])
    retriever, step = index_at(made, passages, store, Progress(shown=False), dates[1], dates[0])
    assert retriever.name == "dense(hash-512-4,stale@2025-07-01)"
    assert 0 < step.embedded <= step.added < whole.added
    assert 0 < step.bytes < whole.bytes < (first.bytes or 0)


def test_recency_of_a_configuration() -> None:
    """One override, and a retriever of the user's own without the key has none."""
    assert recency(experiment("retriever.recency=decay", "retriever.half_life_days=30")) == Recency(
        "decay", 30
    )
    made = experiment()
    mine = {
        k: v for k, v in made.config["retriever"].items() if k not in ("recency", "half_life_days")
    }
    assert recency(replace(made, config={**made.config, "retriever": mine})) == Recency()
    with pytest.raises(ConfigError, match=r"retriever\.recency is 'newest'"):
        recency(experiment("retriever.recency=newest"))
