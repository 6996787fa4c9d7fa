"""endoflife.date: what an adapter may learn from, and that nothing of the test leaks into it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import Benchmark, BenchmarkError
from evalkit.benchmarks.sources.endoflife import load
from evalkit.benchmarks.wording import contains_words, near_duplicates
from evalkit.records import TrainingExample
from evalkit.tuning.examples import as_known_at

DATA = Path(os.environ.get("EVALKIT_DATA", "")) / "endoflife"
DAYS = ["2024-01-01", "2025-01-01"]
PAGE = """---
title: {title}
releases:
-   releaseCycle: "{cycle}"
    eol: 2030-01-01
    latest: "{latest}"
---

> {title} is a program.
"""


def of_kind(benchmark: Benchmark, kind: str) -> list[TrainingExample]:
    return [each for each in benchmark.training if each.kind == kind]


@pytest.fixture
def folder(write: Any) -> Path:
    """Mill changes, loom comes on the second day; anvil and lathe are left for behaviour."""
    for day, name, cycle, latest in [
        (DAYS[0], "mill", "3", "3.1"), (DAYS[1], "mill", "3", "3.2"), (DAYS[1], "loom", "1", "1.5"),
        (DAYS[0], "anvil", "7", "7.4"), (DAYS[1], "anvil", "7", "7.9"), (DAYS[0], "lathe", "2", "2.6"),
    ]:  # fmt: skip
        text = PAGE.format(title=name.title(), cycle=cycle, latest=latest)
        path = write(f"root/{day}/products/{name}.md", text)
    return path.parents[2]


def taught(folder: Path, **more: Any) -> Benchmark:
    return load(folder, products=["mill", "loom"], only_changed=False, **more)


def test_there_are_no_examples_unless_they_are_asked_for(folder: Path) -> None:
    assert taught(folder).training == ()


def test_knowledge_is_of_the_asked_facts_with_their_dates(folder: Path) -> None:
    """As of the first day; a fact that came later has no answer then, and one on its day."""
    examples = {e.id: e for e in taught(folder, training={"knowledge": None}).training}
    mill, loom = (examples[f"knowledge/{name}/latest"] for name in ("mill/3", "loom/1"))
    assert (mill.answer, str(mill.as_of), str(mill.effective)) == ("3.1", DAYS[0], DAYS[0])
    assert [(a.text, str(a.valid_from), a.valid_to and str(a.valid_to)) for a in mill.answers] == [
        ("3.1", DAYS[0], DAYS[1]), ("3.2", DAYS[1], None),
    ]  # fmt: skip
    assert loom.answer is None
    (known,) = as_known_at([loom], loom.answers[0].valid_from)  # type: ignore[arg-type]
    assert (known.answer, str(known.effective)) == ("1.5", DAYS[1])


def test_behaviour_is_of_products_that_have_no_page_in_the_benchmark(folder: Path) -> None:
    """As their pages stood on the first day, and with no end that was not known then."""
    benchmark = taught(folder, training={"behaviour": 4})
    assert {e.source for e in benchmark.training} == {"anvil", "lathe"}
    for each in benchmark.training:
        assert {p.document for p in each.passages} <= {"anvil", "lathe"}
        assert {(str(p.valid_from), p.valid_to) for p in each.passages} == {(DAYS[0], None)}
        assert "7.9" not in str(each)


@pytest.mark.parametrize(
    ("training", "words"),
    [
        ({"behaviour": 5}, r"training.behaviour is 5, but the pages of 2 products .* give 4 examples"),
        ({"behaviour": -1}, "training.behaviour is -1; expected a whole number"),
        ({"manner": 3}, r"training names 'manner'; expected some of \['behaviour', 'knowledge'\]"),
    ],
)  # fmt: skip
def test_what_cannot_be_given_is_refused(folder: Path, training: Any, words: str) -> None:
    with pytest.raises(BenchmarkError, match=words):
        taught(folder, training=training)


@pytest.fixture(scope="module")
def real() -> Benchmark:
    """As in the study of two snapshots, all of its questions."""
    if not DATA.is_dir():
        pytest.skip("EVALKIT_DATA does not name a folder with endoflife")
    return load(DATA, snapshots=DAYS, products=150, training={"behaviour": 80, "knowledge": None})


def test_nothing_of_the_test_leaks(real: Benchmark) -> None:
    """No page of the corpus, no question of the test nor nearly, is in a behaviour example."""
    documents = set(real.corpus.documents)
    texts = {each.text for each in real.revisions}
    behaviour = of_kind(real, "behaviour")
    assert len(behaviour) == 80
    for each in behaviour:
        assert each.source not in documents
        assert not {p.document for p in each.passages} & documents
        assert not {p.text for p in each.passages} & texts
    asked = {q.id: q.text for q in real.questions}
    assert near_duplicates({e.id: e.question for e in real.training}, asked) == []


def test_an_answer_stands_in_what_is_shown_or_abstaining_is_right(real: Benchmark) -> None:
    """Every fifth has passages without the answer; elsewhere the answer is not always in the first."""
    behaviour = of_kind(real, "behaviour")
    places = []
    for each in behaviour:
        if each.answer is not None:
            holds = [contains_words(p.text, each.answer) for p in each.passages]
            places.append(holds.index(True))
        assert len(each.passages) == 3
    assert 60 <= len(places) <= 68
    assert set(places) == {0, 1, 2}


def test_knowledge_agrees_with_the_questions(real: Benchmark) -> None:
    """Of each question the same values on the same days; a few more than 300 facts."""
    by_fact = {e.id.removeprefix("knowledge/"): e for e in of_kind(real, "knowledge")}
    assert len(by_fact) == len(real.questions) >= 300
    for question in real.questions:
        example = by_fact[question.id.rpartition("@")[0]]
        assert [(a.text, a.valid_from, a.valid_to) for a in example.answers] == [
            (a.text, a.valid_from, a.valid_to) for a in question.answers
        ]


def test_a_draw_of_examples_is_the_same_every_time_and_nested(real: Benchmark) -> None:
    few = load(DATA, snapshots=DAYS, products=150, training={"behaviour": 20, "knowledge": 30})
    for kind in ("behaviour", "knowledge"):
        mine = of_kind(few, kind)
        assert mine == of_kind(real, kind)[: len(mine)]
    assert len(few.training) == 50
