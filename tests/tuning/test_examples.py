"""Training examples: on the prompt contract, a share without context, seeded."""

from __future__ import annotations

from datetime import date

import pytest

from evalkit.errors import ConfigError
from evalkit.prompts import PromptTemplate
from evalkit.records import FormatSpecification, Passage, TrainingExample
from evalkit.tuning.examples import choose, render

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
