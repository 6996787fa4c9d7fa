"""Training examples: on the prompt contract, a share without context, seeded."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from evalkit.errors import ConfigError
from evalkit.prompts import PromptTemplate
from evalkit.records import Answer, FormatSpecification, Passage, TrainingExample
from evalkit.tuning.examples import as_known_at, choose, knowledge_of, render

DAY = date(2025, 1, 1)
SPEC = FormatSpecification(
    name="house", instruction="Reply with JSON.", abstention="not stated",
    fields={"answer": "answer", "source": "source", "effective": "effective"},
)  # fmt: skip


def examples(count: int = 40) -> list[TrainingExample]:
    passage = Passage("M#0", "M", "M@1", "Hours", "It opens at 9:00.", DAY)
    behaviour = [
        TrainingExample(f"b{i:02}", "behaviour", f"When {i}?", DAY, "9:00", "M", DAY, (passage,))
        for i in range(count)
    ]
    knowledge = [
        TrainingExample(f"k{i}", "knowledge", f"Who {i}?", DAY, "Mira", "B", DAY) for i in range(5)
    ]
    return behaviour + knowledge


@pytest.mark.parametrize("limit", [8, 20, None])
def test_a_quarter_loses_its_context_and_must_then_abstain(limit: int | None) -> None:
    """The share holds for any limit; what lost its passages lost its answer with them."""
    chosen = choose(examples(), ["behaviour"], limit, 0.25, seed=0)
    bare = [e for e in chosen if not e.passages]
    assert len(bare) == len(chosen) // 4
    assert all((e.answer, e.source, e.effective) == (None, None, None) for e in bare)
    assert all(e.answer == "9:00" for e in chosen if e.passages)


def test_knowledge_keeps_its_answer_without_context() -> None:
    """A fact to be learnt by heart is not turned into an abstention."""
    chosen = choose(examples(0), ["knowledge"], None, 0.25, seed=0)
    assert {e.answer for e in chosen} == {"Mira"}


def test_choice_is_seeded_and_a_smaller_limit_is_a_prefix() -> None:
    first = choose(examples(), ["behaviour"], 10, 0.25, seed=0)
    assert choose(examples()[::-1], ["behaviour"], 10, 0.25, seed=0) == first
    assert choose(examples(), ["behaviour"], 20, 0.25, seed=0)[:10] == first
    assert choose(examples(), ["behaviour"], 10, 0.25, seed=1) != first


def test_what_cannot_be_trained_on_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"names 'style', but training.jsonl has \['behaviour', 'knowledge'\]"
    ):
        choose(examples(), ["style"], None, 0.25, 0)
    with pytest.raises(ConfigError, match=r"without_context is 1\.5"):
        choose(examples(), ["behaviour"], None, 1.5, 0)
    for limit in (0, "x", 2.5):
        with pytest.raises(ConfigError, match=r"tuning\.examples\.limit is"):
            choose(examples(), ["behaviour"], limit, 0.25, 0)


def test_examples_are_rendered_on_the_very_prompt_of_the_test_questions() -> None:
    """Same messages as the pipeline's, format instruction included; a completion in the format."""
    template = PromptTemplate()
    (rendered,) = render(examples(1)[:1], template, SPEC)
    source = examples(1)[0]
    assert list(rendered.messages) == template.messages(source.question, DAY, SPEC, source.passages)
    assert rendered.completion == '{"answer": "9:00", "source": "M", "effective": "2025-01-01"}'
    abstaining = choose(examples(4), ["behaviour"], None, 1.0, 0)
    assert {e.completion for e in render(abstaining, template, SPEC)} == {
        '{"answer": "not stated", "source": null, "effective": null}'
    }


MARCH, MAY, JULY, OCTOBER = (date(2025, month, 1) for month in (3, 5, 7, 10))
FEE = TrainingExample(
    "k", "knowledge", "What is the fee?", MARCH, "EUR 5", "F", DAY,
    answers=(Answer("EUR 5", (), DAY, MAY), Answer("EUR 7", (), MAY, OCTOBER)),
    revised=(DAY, MAY, JULY),
)  # fmt: skip


@pytest.mark.parametrize(
    ("on", "answer", "effective"),
    [(DAY, "EUR 5", DAY), (date(2025, 4, 30), "EUR 5", DAY), (MAY, "EUR 7", MAY),
     (date(2025, 9, 30), "EUR 7", JULY)],
)  # fmt: skip
def test_what_was_known_on_a_day(on: date, answer: str, effective: date) -> None:
    """Asked on that day, with the answer in force and the date of the revision that stood then."""
    (known,) = as_known_at([FEE], on)
    assert (known.as_of, known.answer, known.effective) == (on, answer, effective)
    assert (known.id, known.question, known.source) == (FEE.id, FEE.question, FEE.source)


@pytest.mark.parametrize("on", [date(2024, 12, 31), OCTOBER])
def test_what_nobody_knew_is_not_taught(on: date) -> None:
    """Before a fact was there and after it was withdrawn there is nothing to teach."""
    assert as_known_at([FEE], on) == []


def test_a_fact_that_is_not_there_yet_is_not_taught_as_it_stands() -> None:
    """Neither as an abstention; an example without a history still teaches to abstain."""
    late = replace(FEE, id="late", as_of=date(2024, 1, 1), answer=None, effective=None)
    silent = replace(FEE, id="silent", answer=None, answers=())
    assert knowledge_of([FEE, late, silent], ["knowledge"], None) == [FEE, silent]
    assert [e.id for e in knowledge_of([FEE, late], ["knowledge"], "2025-05-01")] == ["k", "late"]


def test_an_example_as_it_is_written_is_the_one_of_its_own_day() -> None:
    assert as_known_at([FEE], FEE.as_of) == [FEE]


def test_behaviour_has_no_day_and_a_fact_without_history_has_one() -> None:
    """Manner does not age; of a fact with one date nothing is known on another."""
    mixed = examples(2)
    assert as_known_at(mixed, DAY) == mixed
    assert as_known_at(mixed, MAY) == mixed[:2]


def test_an_undated_source_gives_no_date() -> None:
    timeless = replace(FEE, effective=None, answers=(Answer("EUR 5"),), revised=())
    (known,) = as_known_at([timeless], OCTOBER)
    assert (known.answer, known.effective) == ("EUR 5", None)


def test_knowledge_of_a_day_is_configured() -> None:
    """null changes nothing; what is no date, or a day without any knowledge, is refused by its key."""
    mixed = [*examples(2), FEE]
    kinds = ["behaviour", "knowledge"]
    assert knowledge_of(mixed, kinds, None) == mixed
    assert knowledge_of(mixed, kinds, "2025-07-01") == as_known_at(mixed, JULY)
    with pytest.raises(ConfigError, match=r"tuning\.examples\.known_at is 'June', expected a date"):
        knowledge_of(mixed, kinds, "June")
    with pytest.raises(ConfigError, match=r"known_at is 2026-01-01, but no knowledge example"):
        knowledge_of(mixed, kinds, date(2026, 1, 1))
    assert len(knowledge_of(mixed, ["behaviour"], "2026-01-01")) == 2
