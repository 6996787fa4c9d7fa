"""What retrieval found, kept by question: nothing is embedded or searched a second time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from evalkit.configuration.assemble import Experiment
from evalkit.machine.environment import versions
from evalkit.progress import Progress, Stage
from evalkit.records import Passage, Question, Retrieved
from evalkit.retrieval import Retriever
from evalkit.stages.preparing import Fetched, Indexed, content_hash, index, index_inputs, searched
from evalkit.store import Store, source_of

RETRIEVAL_VERSION = "1"
AT_ONCE = 500
"""Questions that are searched for together, and then stored: what a kill can lose."""
_INDEX = "index"
_DATES = ("valid_from", "valid_to")


class Retrievals:
    """The findings of the configured retriever over ``passages``, stored by question and date.

    The index is built where a question's findings are missing, and not otherwise. What building it
    cost is stored with them, so that it is told by a run that did not build it too.

    Args:
        build: Gives the retriever; None builds the configured one over all ``passages``.
        built: What else identifies what ``build`` gives, such as a date.
    """

    def __init__(
        self,
        experiment: Experiment,
        passages: Sequence[Passage],
        store: Store,
        progress: Progress,
        build: Callable[[], Indexed] | None = None,
        built: str | None = None,
    ) -> None:
        self._build = build or (lambda: index(experiment, passages, store, progress))
        self._experiment = experiment
        self._by_id = {passage.id: passage for passage in passages}
        self._progress = progress
        inputs = retrieval_inputs(experiment, passages)
        self._rows = store.rows("retrievals", inputs | ({"built": built} if built else {}))

    def complete(self, questions: Sequence[Question]) -> Indexed:
        """Search for every question whose findings are not stored; what the index costs.

        Of jobs of a sweep that would search for the same, one does, and the others find it.
        """
        with self._rows.turn(map(_key, questions)):
            return self._completed(questions)

    def _completed(self, questions: Sequence[Question]) -> Indexed:
        stored = self._rows.get([_INDEX])
        missing = sum(len(self._missing(block)) for block in blocks(questions, AT_ONCE))
        if not missing and stored:
            with self._search(len(questions)) as stage:
                stage.advance(len(questions), f"{len(questions)} at hand")
            return Indexed(None, **stored[_INDEX])
        built = self._build()
        if not stored:
            self._rows.put({_INDEX: {"seconds": built.seconds, "bytes": built.bytes}})
        assert built.retriever is not None
        with self._search(len(questions)) as stage:
            stage.advance(len(questions) - missing)
            for block in blocks(questions, AT_ONCE):
                self._retrieve(built.retriever, self._missing(block), stage)
        return built

    def of(self, questions: Sequence[Question]) -> Fetched:
        """The findings for ``questions``, which must have been completed before."""
        keys = {question.id: _key(question) for question in questions}
        found = self._rows.get(keys.values())
        passages = {name: self._revived(found[key]) for name, key in keys.items()}
        return Fetched(passages, {name: found[key]["seconds"] for name, key in keys.items()})

    def close(self) -> None:
        self._rows.close()

    def _search(self, count: int) -> Any:
        doing = f"k={self._experiment.k}, {self._experiment.visibility.view}"
        return self._progress.stage("retrieve", doing, count)

    def _missing(self, questions: Sequence[Question]) -> list[Question]:
        keys = {question.id: _key(question) for question in questions}
        found = self._rows.get(keys.values())
        return [question for question in questions if keys[question.id] not in found]

    def _retrieve(self, retriever: Retriever, questions: Sequence[Question], stage: Stage) -> None:
        if not questions:
            return
        results, seconds = searched(retriever, questions, self._experiment.k)
        self._rows.put(
            {
                _key(question): {"found": [self._plain(r) for r in found], "seconds": seconds}
                for question, found in zip(questions, results, strict=True)
            }
        )
        stage.advance(len(questions))

    def _plain(self, retrieved: Retrieved) -> list[Any]:
        """The passage by its id; whole where a retriever gives others than it was built from."""
        passage, score = retrieved.passage, float(retrieved.score)
        if self._by_id.get(passage.id) == passage:
            return [passage.id, score]
        plain = asdict(passage)
        return [plain | {name: plain[name] and plain[name].isoformat() for name in _DATES}, score]

    def _revived(self, row: Mapping[str, Any]) -> tuple[Retrieved, ...]:
        return tuple(
            Retrieved(self._by_id[what] if isinstance(what, str) else _passage(what), score)
            for what, score in row["found"]
        )


def retrieval_inputs(experiment: Experiment, passages: Sequence[Passage]) -> dict[str, Any]:
    """What findings depend on, beside the question: passages, embedder, every setting, the code."""
    part = experiment.config["retriever"]
    return {
        **index_inputs(experiment, passages),
        "retriever": part,
        "code": source_of(str(part["build"]["_target_"])),
        "libraries": versions("faiss-cpu", "faiss-gpu", "bm25s"),
        "version": RETRIEVAL_VERSION,
    }


def blocks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Consecutive items, ``size`` at once."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _key(question: Question) -> str:
    return content_hash([question.text, question.as_of.isoformat()])


def _passage(plain: Mapping[str, Any]) -> Passage:
    dates = {name: plain[name] and date.fromisoformat(plain[name]) for name in _DATES}
    return Passage(**{**plain, **dates})
