"""What a benchmark answers in memory: its corpus on a day, its fingerprint, its subsets."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.benchmarks import Benchmark, BenchmarkError, Corpus, load
from evalkit.records import Answer, FormatSpecification, Question, Revision, TrainingExample

DAYS = st.integers(0, 40).map(lambda n: date(2025, 1, 1) + timedelta(days=n))

MARCH, MAY, JULY = date(2025, 3, 1), date(2025, 5, 1), date(2025, 7, 1)
CORPUS = Corpus(
    (
        Revision("A", "A@1", "A", "old", None, MARCH),
        Revision("A", "A@2", "A", "new", MARCH, None),
        Revision("B", "B@1", "B", "gone", MARCH, MAY),
        Revision("C", "C@1", "C", "late", JULY, None),
        Revision("D", "D", "D", "undated"),
    )
)


def ids(corpus: Corpus) -> list[str]:
    """The revision ids of a corpus."""
    return [each.revision for each in corpus]


def questions(count: int) -> tuple[Question, ...]:
    """Questions of three categories in the shares 6 : 3 : 1."""
    shares = ["a"] * 6 + ["b"] * 3 + ["c"]
    return tuple(
        Question(f"q{i:03}", f"Question {i}?", MAY, shares[i % 10], f"d{i}") for i in range(count)
    )


BENCHMARK = Benchmark("b", CORPUS.revisions, questions(100))


def test_snapshot_is_what_was_valid_on_the_day() -> None:
    """A period begins on its first day and ends before its last: [valid_from, valid_to)."""
    assert ids(CORPUS.snapshot(date(2025, 2, 28))) == ["A@1", "D"]
    assert ids(CORPUS.snapshot(MARCH)) == ["A@2", "B@1", "D"]
    assert ids(CORPUS.snapshot(MAY)) == ["A@2", "D"]


def test_history_keeps_what_was_superseded_or_withdrawn() -> None:
    """History is everything that had taken effect, and nothing of the future."""
    assert ids(CORPUS.history(MAY)) == ["A@1", "A@2", "B@1", "D"]
    assert ids(CORPUS.history(JULY)) == ["A@1", "A@2", "B@1", "C@1", "D"]


@given(DAYS, DAYS)
def test_history_grows_and_holds_the_snapshot(a: date, b: date) -> None:
    """A later history holds the earlier one, and each history holds its snapshot."""
    early, late = sorted((a, b))
    assert set(ids(CORPUS.history(early))) <= set(ids(CORPUS.history(late)))
    assert set(ids(CORPUS.snapshot(late))) <= set(ids(CORPUS.history(late)))


def test_documents_and_revisions_by_id() -> None:
    """Documents are named once, revisions are found by id."""
    assert CORPUS.documents == ("A", "B", "C", "D")
    assert CORPUS.by_id["B@1"].text == "gone"
    assert len(CORPUS) == 5


def test_fingerprint_ignores_order_and_labels() -> None:
    """Shuffled lines, another name, licence or folder are the same benchmark."""
    rows, asked = list(BENCHMARK.revisions), list(BENCHMARK.questions)
    random.Random(3).shuffle(rows)
    random.Random(4).shuffle(asked)
    other = Benchmark("c", tuple(rows), tuple(asked), license="MIT", path=Path("elsewhere"))
    assert other.fingerprint == BENCHMARK.fingerprint
    assert len(other.fingerprint) == 64


def test_fingerprint_ignores_the_order_of_aliases_and_answers() -> None:
    """Within a question, the order of what is a set does not count."""
    first = Answer("1", ("one", "un"), None, MAY)
    second = Answer("2", ("two",), MAY)
    one = replace(BENCHMARK, questions=(replace(questions(1)[0], answers=(first, second)),))
    turned = replace(first, aliases=("un", "one"))
    two = replace(BENCHMARK, questions=(replace(questions(1)[0], answers=(second, turned)),))
    assert one.fingerprint == two.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"revisions": CORPUS.revisions[1:]},
        {"revisions": (replace(CORPUS.revisions[0], text="old "), *CORPUS.revisions[1:])},
        {"revisions": (replace(CORPUS.revisions[0], valid_to=MAY), *CORPUS.revisions[1:])},
        {"questions": BENCHMARK.questions[1:]},
        {"questions": (replace(BENCHMARK.questions[0], as_of=JULY), *BENCHMARK.questions[1:])},
        {"training": (TrainingExample("t", "behaviour", "?", MAY, "x"),)},
        {"format": FormatSpecification(instruction="Reply in JSON.")},
        {"format": FormatSpecification(instructions=({"kind": "one_line"},))},
    ],
)
def test_fingerprint_sees_every_change_of_content(change: dict[str, Any]) -> None:
    """A letter, a date, a question, an example or an instruction makes another benchmark."""
    assert replace(BENCHMARK, **change).fingerprint != BENCHMARK.fingerprint


def test_fingerprint_is_the_same_in_another_process(
    write: Callable[[Any], Path], sound: Any
) -> None:
    """The fingerprint of the sound files is pinned: it depends on nothing but their content."""
    assert load(write(sound)).fingerprint.startswith("5f0bea494a0bcf36")


def test_subset_keeps_the_shares_of_the_categories() -> None:
    """Ten of a hundred questions are 6, 3 and 1 of the three categories."""
    assert Counter(q.category for q in BENCHMARK.subset(10).questions) == {"a": 6, "b": 3, "c": 1}
    assert Counter(q.category for q in BENCHMARK.subset(50).questions) == {"a": 30, "b": 15, "c": 5}


@given(st.integers(1, 100), st.integers(1, 100), st.integers(0, 5))
def test_subsets_are_nested(a: int, b: int, seed: int) -> None:
    """A smaller subset lies in a larger one of the same seed, and each has its size."""
    small, large = (BENCHMARK.subset(n, seed).questions for n in sorted((a, b)))
    assert (len(small), len(large)) == (min(a, b), max(a, b))
    assert set(small) <= set(large)


def test_subset_depends_on_the_ids_not_on_their_order() -> None:
    """Shuffled questions give the same subset, another seed another one; order is kept."""
    asked = list(BENCHMARK.questions)
    random.Random(5).shuffle(asked)
    shuffled = replace(BENCHMARK, questions=tuple(asked))
    assert shuffled.subset(20).fingerprint == BENCHMARK.subset(20).fingerprint
    assert BENCHMARK.subset(20, 1).questions != BENCHMARK.subset(20, 2).questions
    chosen = [q.id for q in BENCHMARK.subset(20).questions]
    assert chosen == sorted(chosen)


def test_subset_of_all_is_the_benchmark_itself() -> None:
    """No limit, or one that is large enough, changes nothing; zero questions are refused."""
    assert BENCHMARK.subset(None) is BENCHMARK
    assert BENCHMARK.subset(100) is BENCHMARK
    with pytest.raises(ValueError, match="at least 1 question"):
        BENCHMARK.subset(0)


def test_select_takes_the_named_questions() -> None:
    """Questions come in the benchmark's order; an unknown id is named."""
    assert [q.id for q in BENCHMARK.select(["q007", "q002"]).questions] == ["q002", "q007"]
    with pytest.raises(BenchmarkError, match=r"has no question q999; expected ids"):
        BENCHMARK.select(["q001", "q999"])


def test_categories_are_counted() -> None:
    """Categories come in the order of their first question."""
    assert BENCHMARK.categories == {"a": 60, "b": 30, "c": 10}
