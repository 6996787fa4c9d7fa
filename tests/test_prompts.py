"""The prompt contract: the same words in every corner, with or without a context."""

from __future__ import annotations

from datetime import date

import pytest

from evalkit.prompts import PromptTemplate, Shot
from evalkit.records import FormatSpecification, Passage

SPEC = FormatSpecification(name="house", instruction="Reply with JSON.")
ASKED = date(2025, 7, 1)


def passage(valid_from: str | None = "2025-01-01", valid_to: str | None = None) -> Passage:
    bounds = [None if d is None else date.fromisoformat(d) for d in (valid_from, valid_to)]
    return Passage("A#0", "A", "A@1", "Travel", " EUR 38 a day. ", *bounds)


def test_the_corners_differ_in_the_context_block_alone() -> None:
    """Taking the block out of the prompt with passages gives the prompt without, to the letter."""
    template = PromptTemplate()
    without = template.messages("How much?", ASKED, SPEC)
    shown = template.messages("How much?", ASKED, SPEC, [passage()])
    block = template.context.format(passages=template.render_passage(passage(), ASKED))
    assert shown[0] == without[0]
    assert shown[1]["content"].replace(block, "") == without[1]["content"]
    assert without[1]["content"] == "Date: 2025-07-01\nQuestion: How much?"


def test_a_passage_carries_its_id_title_and_dates() -> None:
    """The context contract, as the model sees it."""
    text = PromptTemplate().render_passage(passage(), ASKED)
    assert text == "[A | Travel | since 2025-01-01]\nEUR 38 a day."


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "dates"),
    [
        ("2025-01-01", "2025-07-01", "2025-01-01 to 2025-07-01"),
        ("2025-01-01", "2025-07-02", "since 2025-01-01"),
        (None, None, "undated"),
        (None, "2025-02-01", "undated to 2025-02-01"),
    ],
)
def test_an_end_is_told_only_once_it_has_come(
    valid_from: str | None, valid_to: str | None, dates: str
) -> None:
    """An end after the question's date would tell the future."""
    assert f"| {dates}]" in PromptTemplate().render_passage(passage(valid_from, valid_to), ASKED)


def test_free_questions_get_no_format_instruction() -> None:
    """A control question is asked as a user would ask it."""
    free = PromptTemplate().messages("Capital of France?", ASKED, FormatSpecification())
    assert "JSON" not in free[0]["content"]


def test_passages_that_do_not_fit_are_left_out_from_the_lowest_rank_up() -> None:
    """Whole passages go, the best stay; with none left the prompt is still complete."""
    template = PromptTemplate(max_prompt_tokens=50)
    passages = [passage()] * 3

    def count(messages: list[dict[str, str]]) -> int:
        return 20 + 15 * messages[1]["content"].count("[A |")

    messages, kept = template.fit("How much?", ASKED, SPEC, passages, count)
    assert (kept, messages[1]["content"].count("[A |")) == (2, 2)
    none, kept = template.fit("How much?", ASKED, SPEC, passages, lambda _: 999)
    assert (kept, none) == (0, template.messages("How much?", ASKED, SPEC))


def test_shots_stand_between_system_and_question() -> None:
    """A worked example is a turn of its own, with its passages and its completion."""
    shot = Shot("When?", ASKED, (passage(),), '{"answer": "now"}')
    messages = PromptTemplate().messages("How much?", ASKED, SPEC, None, (shot,))
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user"]
    assert messages[2]["content"] == '{"answer": "now"}'
    assert "EUR 38 a day" in messages[1]["content"]


def test_without_dates_the_contract_says_none() -> None:
    """In a benchmark where nothing is dated, a date in the prompt would mean nothing."""
    template = PromptTemplate().undated()
    user = template.messages("How much?", ASKED, SPEC, [passage(None)])[1]["content"]
    assert user == "Documents:\n[A | Travel]\nEUR 38 a day.\n\nQuestion: How much?"
    assert template.identity != PromptTemplate().identity


def test_every_text_of_a_template_is_in_its_identity() -> None:
    """Two templates that differ anywhere are told apart."""
    base = PromptTemplate()
    others = [
        PromptTemplate(**{name: "other {passages}"})
        for name in ("system", "system_free", "context", "passage")
    ]
    assert len({t.identity for t in [base, *others]}) == 5
    assert PromptTemplate().identity == base.identity
