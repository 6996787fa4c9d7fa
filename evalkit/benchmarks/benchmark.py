"""A benchmark in memory: dated documents, dated questions, training examples, one format."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from evalkit.benchmarks.check import BenchmarkError
from evalkit.records import FormatSpecification, Question, Revision, TrainingExample

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Corpus:
    """Dated revisions that can be asked for their state on a day."""

    revisions: tuple[Revision, ...]

    def __len__(self) -> int:
        return len(self.revisions)

    def __iter__(self) -> Iterator[Revision]:
        return iter(self.revisions)

    @cached_property
    def by_id(self) -> Mapping[str, Revision]:
        """The revisions by their id."""
        return {each.revision: each for each in self.revisions}

    @cached_property
    def documents(self) -> tuple[str, ...]:
        """The ids of the documents, each once, in the order of the corpus."""
        return tuple(dict.fromkeys(each.document for each in self.revisions))

    def snapshot(self, on: date) -> Corpus:
        """What was valid on that day: at most one revision of a document."""
        return Corpus(tuple(each for each in self.revisions if each.valid_at(on)))

    def history(self, on: date) -> Corpus:
        """Every revision that had taken effect by that day, superseded and withdrawn ones too."""
        return Corpus(
            tuple(e for e in self.revisions if e.valid_from is None or e.valid_from <= on)
        )


@dataclass(frozen=True)
class Benchmark:
    """A frozen question set with the documents and the training examples that belong to it.

    ``path`` is where it was read from and, like ``name`` and ``license``, no part of its
    fingerprint.
    """

    name: str
    revisions: tuple[Revision, ...]
    questions: tuple[Question, ...]
    training: tuple[TrainingExample, ...] = ()
    format: FormatSpecification = field(default_factory=FormatSpecification)
    license: str = "unknown"
    path: Path | None = None

    @cached_property
    def corpus(self) -> Corpus:
        """The revisions as a corpus."""
        return Corpus(self.revisions)

    @cached_property
    def dated(self) -> bool:
        """Whether any revision or answer has a date; if not, ``as_of`` carries no meaning."""
        periods = [(each.valid_from, each.valid_to) for each in self.revisions]
        periods += [(a.valid_from, a.valid_to) for q in self.questions for a in q.answers]
        return any(start or end for start, end in periods)

    @cached_property
    def categories(self) -> dict[str, int]:
        """The number of questions in each category, in the order of the questions."""
        counts: dict[str, int] = {}
        for question in self.questions:
            counts[question.category] = counts.get(question.category, 0) + 1
        return counts

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (64 hexadecimal digits) of the content that a result can depend on.

        The order of revisions, questions, answers, aliases, evidence and tags does not matter. The
        order of training examples, of their passages and of format instructions does, since a
        tuned model or a prompt depends on it.
        """
        # The JSON of all of it, part by part: that of many questions is large.
        digest = hashlib.sha256(f'{{"format":{_canonical(asdict(self.format))}'.encode())
        for name, parts in (
            ("questions", sorted(_canonical(_plain_question(each)) for each in self.questions)),
            ("revisions", sorted(_canonical(_plain(each, "tags")) for each in self.revisions)),
        ):
            digest.update(f',"{name}":['.encode())
            for i, part in enumerate(parts):
                digest.update(("," if i else "").encode() + part.encode())
            digest.update(b"]")
        training = _canonical([_plain_example(each) for each in self.training])
        digest.update(f',"schema":{SCHEMA_VERSION},"training":{training}}}'.encode())
        return digest.hexdigest()

    def subset(self, limit: int | None, seed: int = 0) -> Benchmark:
        """At most ``limit`` questions, in the shares that the categories have in the whole.

        The choice depends on the ids and the seed alone, and smaller subsets are nested in larger
        ones of the same seed: every question of ``subset(20)`` is in ``subset(40)``, so that a
        quick look is reused by the longer run. Documents and training examples stay whole. The
        questions keep their order.

        Args:
            limit: The number of questions; None, or one that is not smaller, keeps them all.
            seed: Another seed, another choice.

        Raises:
            ValueError: ``limit`` is below 1.
        """
        if limit is None or limit >= len(self.questions):
            return self
        if limit < 1:
            raise ValueError(f"limit is {limit}; expected at least 1 question, or None for all")
        chosen = _nested_order(self.questions, seed)[:limit]
        return self.select(chosen)

    def select(self, ids: Iterable[str]) -> Benchmark:
        """The questions with these ids, in the benchmark's order; the rest stays whole.

        Raises:
            BenchmarkError: an id that no question has.
        """
        wanted = set(ids)
        unknown = sorted(wanted - {question.id for question in self.questions})
        if unknown:
            more = f", ... ({len(unknown)} in all)" if len(unknown) > 10 else ""
            raise BenchmarkError(
                f"the benchmark {self.name!r} has no question {', '.join(unknown[:10])}{more};"
                " expected ids of questions.jsonl"
            )
        return replace(self, questions=tuple(q for q in self.questions if q.id in wanted))


def _nested_order(questions: Iterable[Question], seed: int) -> list[str]:
    """The ids in an order of which every beginning has the shares of the categories."""
    by_category: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for question in questions:
        draw = hashlib.sha256(f"{seed}\0{question.id}".encode()).hexdigest()
        by_category[question.category].append((draw, question.id))
    placed = []
    for members in by_category.values():
        for rank, (draw, name) in enumerate(sorted(members)):
            # The middle of its slot in the category: equal shares at every length of the list.
            placed.append(((rank + 0.5) / len(members), draw, name))
    return [name for _, _, name in sorted(placed)]


def _plain_question(question: Question) -> dict[str, Any]:
    plain = _plain(question, "tags")
    plain["answers"] = _sorted(
        {
            **answer,
            "aliases": sorted(answer["aliases"]),
            "evidence": _sorted(answer["evidence"]),
        }
        for answer in plain["answers"]
    )
    return plain


def _plain_example(example: TrainingExample) -> dict[str, Any]:
    """Without what follows from the corpus, and as ever where there is no history."""
    unsaid = {"revised"} if example.answers else {"revised", "answers"}
    return {name: value for name, value in asdict(example).items() if name not in unsaid}


def _plain(record: Any, *unordered: str) -> dict[str, Any]:
    plain = asdict(record)
    return {**plain, **{name: sorted(plain[name]) for name in unordered}}


def _sorted(items: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(items, key=_canonical)


def _canonical(content: Any) -> str:
    return json.dumps(
        content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_canonical_value
    )


def _canonical_value(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (tuple, set, frozenset)):
        return sorted(value) if isinstance(value, (set, frozenset)) else list(value)
    raise TypeError(f"{type(value).__name__} cannot be part of a fingerprint; expected plain JSON")
