"""Small edits: which difference is seen between a statement and the sentence it is laid beside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.scoring import OfflineJudge
from evalkit.scoring.judges.checks import KINDS, differences

ROOT = Path(__file__).parents[3]
PAIRS: list[dict[str, Any]] = [
    json.loads(line)
    for line in Path(__file__).with_name("minimal_pairs.jsonl").open(encoding="utf-8")
]
WINDOW = (
    "The depot manager may grant up to 3 working days, and Ilse Brandt must not sign before 1 May."
)


@pytest.mark.parametrize(
    ("kind", "statement", "window"),
    [
        ("negation", "Drivers may park here.", "Drivers may not park here."),
        ("negation", "The shop is closed on Mondays.", "The shop is open on Mondays."),
        ("number", "Claims are paid within 5 days.", "Claims are paid within 15 days."),
        ("number", "It costs 1,200 euros.", "It costs EUR 1,500."),
        ("date", "It ends on Friday.", "It ends on Sunday."),
        ("date", "It is on the first Monday.", "It is on the last Monday."),
        ("unit", "Keys last 45 weeks.", "Keys last 45 days."),
        ("unit", "It costs USD 5.", "It costs EUR 5."),
        ("unit", "Staff get EUR 40 a week.", "Staff get EUR 40 a day."),
        ("name", "Ask Ilse Varga for the key.", "Ask Ilse Brandt for the key."),
        ("modality", "You must close the door.", "You may close the door."),
        ("modality", "Most vans carry grit.", "All vans carry grit."),
        ("modality", "Almost every van carries grit.", "Every van carries grit."),
        ("comparison", "Bring at least two.", "Bring at most two."),
        ("comparison", "Write it down after you leave.", "Write it down before you leave."),
        ("comparison", "Loads above 22 kg need two.", "Loads below 22 kg need two."),
        ("roles", "Lindhaven calls Ostrey at night.", "Ostrey calls Lindhaven at night."),
    ],
)
def test_an_edit_is_seen_as_what_it_is(kind: str, statement: str, window: str) -> None:
    """One small change is named by its kind."""
    assert kind in differences(statement, window)


@pytest.mark.parametrize(
    ("statement", "window"),
    [
        ("It costs 1000 euros.", "It costs EUR 1,000."),
        ("It starts on 1 March 2026 at 5:30 pm.", "It starts on 2026-03-01 at 17:30."),
        ("Wait two minutes.", "Wait 2 minutes."),
        ("It may take up to 5 days.", "It may take no more than 5 days."),
        ("You have to sign.", "You must sign."),
        ("In May the board meets.", "The board meets in May."),
        ("The board is heard on Mondays.", "On Mondays the board is heard."),
        ("The list is kept by Ilse Brandt.", "Ilse Brandt keeps the list."),
        ("Parcels wait for 14 days (Passage 3).", "Parcels wait for 14 days, sorted by name."),
        ("She neither confirmed nor denied it.", "She did not confirm or deny it."),
        ("Paid monthly.", "Paid every month."),
        ("It closes Monday.", "It closes on Mondays."),
        ("The rating is 4 stars.", "The rating is 4.0 stars."),
    ],
)
def test_other_words_for_the_same_are_no_edit(statement: str, window: str) -> None:
    """Spellings of values, synonyms of bounds and duties, fronting and passives differ in nothing."""
    assert differences(statement, window) == set()


@given(st.sampled_from(PAIRS))
def test_a_sentence_does_not_differ_from_itself(pair: dict[str, Any]) -> None:
    """No check finds anything between a text and the same text."""
    assert differences(pair["true"], pair["true"]) == set()
    assert differences(pair["edited"], pair["edited"]) == set()


def test_what_is_left_out_is_no_edit() -> None:
    """A statement that says less than the window contradicts nothing of it."""
    assert differences("The depot manager may grant up to 3 working days.", WINDOW) == set()


def test_the_pairs_are_what_they_should_be() -> None:
    """300 pairs in eight kinds, each of a revision that exists, no two alike."""
    corpus = ROOT / "evalkit" / "benchmarks" / "handbook" / "corpus.jsonl"
    revisions = {json.loads(line)["revision"] for line in corpus.open(encoding="utf-8")}
    assert len(PAIRS) == len({pair["id"] for pair in PAIRS}) == 300
    assert {pair["kind"] for pair in PAIRS} == set(KINDS)
    assert len({(pair["true"], pair["edited"]) for pair in PAIRS}) == 300
    assert all(pair["true"] != pair["edited"] for pair in PAIRS)
    assert {pair["revision"] for pair in PAIRS} <= revisions
    assert sum(pair["wording"] == "verbatim" for pair in PAIRS) == 148
    assert sum(pair["unseen"] for pair in PAIRS) == 72


def test_the_committed_figures_are_those_of_the_judge() -> None:
    """What the scorecard says of its blindness was measured on the judge as it is."""
    path = ROOT / "evalkit" / "scoring" / "judges" / "minimal_pairs.json"
    committed = json.loads(path.read_text())["judges"]["offline-lexical"]
    corpus = ROOT / "evalkit" / "benchmarks" / "handbook" / "corpus.jsonl"
    rows = [json.loads(line) for line in corpus.open(encoding="utf-8")]
    texts = {row["revision"]: f"{row['title']}\n\n{row['text']}" for row in rows}
    judge = OfflineJudge()
    for kind in KINDS:
        told_apart = []
        for pair in (p for p in PAIRS if p["kind"] == kind and p["wording"] == "reworded"):
            true, edited = (
                judge.support([pair[key]], [texts[pair["revision"]]])[0].supported
                for key in ("true", "edited")
            )
            told_apart.append(bool(true) and not edited)
        assert sum(told_apart) / len(told_apart) == pytest.approx(
            committed[kind]["reworded"], abs=5e-4
        )
