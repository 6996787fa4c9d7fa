"""The square: one class, corners that differ in one thing."""

from __future__ import annotations

from datetime import date

import pytest

from evalkit.errors import ConfigError
from evalkit.pipelines import Pipeline, choose_shots, gold_passages
from evalkit.prompts import PromptTemplate, Shot
from evalkit.records import (
    Answer,
    Evidence,
    FormatSpecification,
    Passage,
    Question,
    Retrieved,
    TrainingExample,
)

SPEC = FormatSpecification(
    name="house", instruction="Reply with JSON.", fields={"answer": "answer"}
)
NEW, OLD = date(2025, 6, 1), date(2025, 1, 1)


def question(**more: object) -> Question:
    answers = (
        Answer("EUR 38", (), OLD, NEW, (Evidence("A@old", "EUR 38"),)),
        Answer("EUR 42", (), NEW, None, (Evidence("A@new", "EUR 42"),)),
    )
    return Question("q", "How much?", date(2025, 10, 1), "changed", "A", answers, **more)  # type: ignore[arg-type]


def passages() -> dict[str, list[Passage]]:
    return {
        "A@old": [Passage("A@old#0", "A", "A@old", "T", "It is EUR 38.", OLD, NEW)],
        "A@new": [
            Passage("A@new#0", "A", "A@new", "T", "Trains first.", NEW),
            Passage("A@new#1", "A", "A@new", "T", "It is EUR 42.", NEW),
        ],
    }


def test_corners() -> None:
    """The four named pipelines are the corners; shots or gold evidence leave the square."""
    template = PromptTemplate()
    corners = {
        (context, tuned): Pipeline("p", template, context, tuned).corner
        for context in ("none", "retrieved")
        for tuned in (False, True)
    }
    assert corners == {
        ("none", False): (False, False),
        ("none", True): (False, True),
        ("retrieved", False): (True, False),
        ("retrieved", True): (True, True),
    }
    assert Pipeline("oracle", template, "gold").corner is None
    with pytest.raises(ConfigError, match=r"pipelines\.p\.context is 'web'"):
        Pipeline("p", template, "web")


def test_a_pipeline_without_retrieval_has_no_retrieved_passages() -> None:
    """None (no retriever) is not the same as an empty tuple (found nothing)."""
    fetched = [Retrieved(passages()["A@new"][1], 1.0)]
    plain, marked = Pipeline("p", PromptTemplate()).prepare(question(), SPEC, fetched, lambda _: 1)
    assert marked is None
    assert "EUR 42" not in plain[1]["content"]
    _, nothing = Pipeline("p", PromptTemplate(), "retrieved").prepare(
        question(), SPEC, [], lambda _: 1
    )
    assert nothing == ()


def test_passages_that_did_not_fit_are_marked_as_not_shown() -> None:
    """The trace says which of the fetched passages the model saw."""
    fetched = [Retrieved(p, 1.0 / i) for i, p in enumerate(passages()["A@new"], start=1)]
    pipeline = Pipeline("p", PromptTemplate(max_prompt_tokens=10), "retrieved")
    _, marked = pipeline.prepare(
        question(), SPEC, fetched, lambda m: 5 if m[1]["content"].count("[A |") == 1 else 50
    )
    assert marked is not None
    assert [r.shown for r in marked] == [True, False]


def test_free_questions_are_asked_without_the_format_instruction() -> None:
    messages, _ = Pipeline("p", PromptTemplate()).prepare(
        question(format="free"), SPEC, (), lambda _: 1
    )
    assert "JSON" not in messages[0]["content"]


def test_free_questions_are_asked_without_worked_examples() -> None:
    """The examples show the format, which is not asked for."""
    shot = Shot("When?", OLD, (), '{"answer": "noon"}')
    pipeline = Pipeline("p", PromptTemplate(), shots=(shot,))
    for wanted, count in (("default", 4), ("free", 2)):
        messages, _ = pipeline.prepare(question(format=wanted), SPEC, (), lambda _: 1)
        assert len(messages) == count


def test_gold_passages_are_those_that_hold_the_quote_of_current_evidence() -> None:
    """Not the old revision, and not the passage of the new one that says something else."""
    assert [r.passage.id for r in gold_passages(question(), passages(), 3)] == ["A@new#1"]


def test_gold_without_a_quote_takes_the_revision_and_unanswerable_takes_nothing() -> None:
    bare = Question(
        "q",
        "?",
        date(2025, 10, 1),
        "x",
        "A",
        (Answer("EUR 42", (), NEW, None, (Evidence("A@new"),)),),
    )
    assert [r.passage.id for r in gold_passages(bare, passages(), 3)] == ["A@new#0", "A@new#1"]
    assert [r.passage.id for r in gold_passages(bare, passages(), 1)] == ["A@new#0"]
    assert gold_passages(Question("q", "?", NEW, "unanswerable", "A"), passages(), 3) == ()


def test_shots_are_answerable_behaviour_examples_with_one_passage() -> None:
    """The same ones every time, and a clear error where there are too few."""
    one = passages()["A@new"][1]
    examples = [
        TrainingExample("b3", "behaviour", "When?", OLD, "noon", "M", OLD, (one,)),
        TrainingExample("b1", "behaviour", "When?", OLD, None, None, None, (one,)),
        TrainingExample("b2", "behaviour", "When?", OLD, "noon", "M", OLD, (one, one)),
        TrainingExample("k1", "knowledge", "When?", OLD, "noon", "M", OLD),
    ]
    shots = choose_shots(examples, SPEC, 1, "few_shot")
    assert [s.completion for s in shots] == ['{"answer": "noon"}']
    with pytest.raises(ConfigError, match=r"pipelines\.few_shot\.shots is 2.* has 1 behaviour"):
        choose_shots(examples, SPEC, 2, "few_shot")
