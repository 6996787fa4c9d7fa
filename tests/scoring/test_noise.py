"""Context utilisation and noise sensitivity, and the statements that they are about."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.scoring import score
from evalkit.scoring.faithfulness import statements
from evalkit.scoring.judges.ragas_bridge import ragas_llm

UTILISATION = "faithfulness/generation/context_utilisation"
RELEVANT = "faithfulness/generation/noise_sensitivity_relevant"
IRRELEVANT = "faithfulness/generation/noise_sensitivity_irrelevant"
OF_STATEMENTS = (
    "faithfulness/generation/faithfulness", "faithfulness/generation/groundedness",
    UTILISATION, RELEVANT, IRRELEVANT,
)  # fmt: skip
NOW, BEFORE, ROOM = "TRV@2025-05-01", "TRV@2025-01-01", "ROOM@2025-01-01"
ALLOWANCE, OLD = "The meal allowance is EUR 42 a day.", "The meal allowance is EUR 38 a day."
BOARD, CATS = "The review board meets in the Lantern room.", "Cats sleep on the radiator."


@pytest.mark.parametrize(
    ("value", "stated"),
    [
        ("EUR 42", ("EUR 42",)),
        ("Yes. It is EUR 42.", ("It is EUR 42.",)),
        (["EUR 42", "1 May 2025"], ("EUR 42", "1 May 2025")),
        ({"amount": 42, "per": {"day": "EUR 42"}}, ("42", "EUR 42")),
        ("- 18 °C", ("- 18 °C",)),
        (True, ()),
        ([None, False, ""], ()),
        ("no", ()),
        ("?!", ()),
    ],
)
def test_the_values_of_a_structured_answer_are_its_statements(
    world: Any, value: Any, stated: Any
) -> None:
    """Lists and objects are taken apart; a bare yes, a truth value or a mark states nothing."""
    output = json.dumps({"answer": value, "source": "X", "effective": "2025-05-01"})
    sample = world.sample(output, spec=world.house)
    assert statements(sample) == stated


@pytest.mark.parametrize("metric", OF_STATEMENTS)
@pytest.mark.parametrize(
    ("output", "status", "label"),
    [
        ("", "not_applicable", "empty"),
        ("not in the handbook", "abstained", "abstained"),
        ("No.", "not_applicable", "no_statements"),
        ("...", "not_applicable", "no_statements"),
    ],
)
def test_no_statement_is_no_number(
    world: Any, metric: str, output: str, status: str, label: str
) -> None:
    """An empty answer, a refusal and an answer that states nothing: three states, told apart."""
    found = world.score(metric, world.sample(output, retrieved=[NOW]))
    assert (found.status, found.label, found.value) == (status, label, None)
    assert found.reason


@pytest.mark.parametrize(
    ("output", "retrieved", "value"),
    [
        (ALLOWANCE, [NOW, ROOM], 1.0),
        (ALLOWANCE, [ROOM, NOW], 0.5),
        (f"{ALLOWANCE} {BOARD}", [NOW, BEFORE, ROOM], (1 + 2 / 3) / 2),
        (f"{OLD} {CATS}", [NOW, BEFORE], 0.5),
        (CATS, [NOW, ROOM], 0.0),
        (CATS, [], "not_applicable"),
        (CATS, None, "not_applicable"),
    ],
)
def test_context_utilisation(world: Any, output: str, retrieved: Any, value: Any) -> None:
    """The rank of the passages that the answer rests on, whether it is right or not."""
    assert world.value(UTILISATION, output, retrieved=retrieved) == pytest.approx(value)


@pytest.mark.parametrize(
    ("output", "retrieved", "relevant", "irrelevant"),
    [
        (ALLOWANCE, [NOW, BEFORE], 0.0, 0.0),
        (OLD, [NOW, BEFORE], 0.0, 1.0),
        (OLD, [NOW], 0.0, 0.0),
        (f"{ALLOWANCE} {OLD}", [NOW, BEFORE], 0.0, 0.5),
        (f"{ALLOWANCE} {BOARD}", [NOW, ROOM], 0.0, 0.5),
        ("Travel.", [NOW, BEFORE], 1.0, 0.0),
        (CATS, [NOW, ROOM], 0.0, 0.0),
        (CATS, [], "not_applicable", "not_applicable"),
        (CATS, None, "not_applicable", "not_applicable"),
    ],
)
def test_noise_sensitivity(
    world: Any, output: str, retrieved: Any, relevant: Any, irrelevant: Any
) -> None:
    """Wrong statements by the passage that they come from; a superseded passage is noise."""
    assert world.value(RELEVANT, output, retrieved=retrieved) == relevant
    assert world.value(IRRELEVANT, output, retrieved=retrieved) == irrelevant


@given(
    st.lists(st.sampled_from([ALLOWANCE, OLD, BOARD, CATS, "Travel."]), min_size=1, max_size=4),
    st.lists(st.sampled_from([NOW, BEFORE, ROOM]), min_size=1, max_size=3),
)
def test_order_does_not_matter_and_shares_add_up(
    world: Any, said: list[str], shown: list[str]
) -> None:
    """Every share is of the same statements; only utilisation depends on the order of passages."""
    values = []
    for order in (shown, shown[::-1]):
        sample = world.sample(" ".join(said), retrieved=order)
        rows = {row.metric: row.value for row in score(sample, world.judge, OF_STATEMENTS)}
        assert rows[RELEVANT] + rows[IRRELEVANT] <= rows[OF_STATEMENTS[0]] + 1e-9
        utilisation = rows.pop(UTILISATION)
        assert (utilisation > 0) == (rows[OF_STATEMENTS[0]] > 0)
        values.append(rows)
    assert values[0] == values[1]
    turned = world.sample(" ".join(said[::-1]), retrieved=shown)
    again = {row.metric: row.value for row in score(turned, world.judge, OF_STATEMENTS)}
    assert {m: again[m] for m in values[0]} == pytest.approx(values[0])


@given(st.lists(st.sampled_from([NOW, BEFORE, ROOM]), max_size=3), st.sampled_from([NOW, ROOM]))
def test_one_more_passage_never_lowers_faithfulness(
    world: Any, shown: list[str], more: str
) -> None:
    """What was supported by the passages stays supported when another one is added."""
    metric, output = OF_STATEMENTS[0], f"{ALLOWANCE} {BOARD} {CATS}"
    before = world.value(metric, output, retrieved=shown)
    after = world.value(metric, output, retrieved=[*shown, more])
    assert before == "not_applicable" or after >= before


def test_ragas_noise_sensitivity_gives_the_same_with_the_same_judge(world: Any) -> None:
    """Where support by the judge and by evidence agree, ragas' own metric gives our number."""
    from ragas.metrics.collections import NoiseSensitivity

    sample = world.sample(f"{ALLOWANCE} {OLD} {CATS} {BOARD}", retrieved=[NOW, BEFORE, ROOM])
    contexts = [f"{p.title}\n\n{p.text}" for p in sample.trace.shown]
    for mode, metric in (("relevant", RELEVANT), ("irrelevant", IRRELEVANT)):
        theirs = asyncio.run(
            NoiseSensitivity(llm=ragas_llm(world.judge), mode=mode).ascore(
                user_input=sample.question.text,
                response=sample.trace.output,
                reference=ALLOWANCE,
                retrieved_contexts=contexts,
            )
        )
        assert theirs.value == pytest.approx(world.score(metric, sample).value)


def test_ragas_context_utilisation_gives_the_same_with_the_same_judge(world: Any) -> None:
    """ragas' own ContextUtilization on our judge is our metric, up to its rounding term."""
    from ragas.metrics.collections import ContextUtilization

    sample = world.sample(f"{ALLOWANCE} {BOARD}", retrieved=[NOW, BEFORE, ROOM])
    theirs = asyncio.run(
        ContextUtilization(llm=ragas_llm(world.judge)).ascore(
            user_input=sample.question.text,
            response=sample.trace.output,
            retrieved_contexts=[f"{p.title}\n\n{p.text}" for p in sample.trace.shown],
        )
    )
    assert theirs.value == pytest.approx(world.score(UTILISATION, sample).value, abs=1e-6)


def test_prose_in_place_of_json_is_split_into_sentences(world: Any) -> None:
    """What was said is measured although the form is wrong."""
    sample = world.sample(f"{ALLOWANCE} {BOARD}", spec=world.house)
    assert statements(sample) == (ALLOWANCE, BOARD)
