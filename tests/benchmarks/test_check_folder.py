"""A folder as a whole: every problem is listed, what is right is left alone, and causes come first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import check, listing

Write = Callable[[Any], Path]
Places = Callable[[Any], list[str]]
LAST = [
    "questions.jsonl: 2 lines could not be checked against corpus.jsonl; expected corpus.jsonl mended first",
    "training.jsonl: 1 line could not be checked against corpus.jsonl; expected corpus.jsonl mended first",
]


def test_every_problem_is_listed(write: Write, sound: Any, places: Places) -> None:
    """Faults in three files are all listed, by file and line."""
    sound["corpus"][2]["text"] = 7
    sound["questions"][0]["as_of"] = "soon"
    sound["questions"][2]["id"] = "q2"
    sound["training"][0]["source"] = "NO-1"
    assert places(check(write(sound))) == [
        "corpus.jsonl:3 text",
        "questions.jsonl:1 as_of",
        "questions.jsonl:3 id",
        "training.jsonl:1 source",
    ]


def test_five_days_are_not_in_fifteen_days(write: Write, sound: Any) -> None:
    """Answers of different periods may share letters, as long as they share no words in a row."""
    sound["questions"][1].update(category="changed")
    sound["questions"][1]["answers"].append({"text": "5 days", "valid_from": "2025-07-01"})
    assert check(write(sound)) == []


def test_two_right_answers_at_one_time_may_be_alike(write: Write, sound: Any) -> None:
    """Only answers of different periods must be told apart."""
    sound["questions"][0]["answers"].append({"text": "EUR 42 a day", "valid_from": "2025-05-01"})
    assert check(write(sound)) == []


def test_options_are_checked(write: Write, sound: Any, places: Places) -> None:
    """benchmark.json is held to its own fields."""
    folder = write(sound)
    (folder / "benchmark.json").write_text('{"licence": "x", "format": {"fields": {"a": "b"}}}')
    assert places(check(folder)) == [
        "benchmark.json:0 licence",
        "benchmark.json:0 format.fields",
    ]


def test_an_answer_may_have_evidence_alone(write: Write, sound: Any) -> None:
    """Where it stands is enough where what it is is not known; neither is a fault."""
    answer = sound["questions"][0]["answers"][-1]
    sound["questions"][0]["answers"] = [answer]
    for absent in ("text", "aliases"):
        answer.pop(absent, None)
    assert check(write(sound)) == []
    del answer["evidence"]
    assert [str(each) for each in check(write(sound))] == [
        "questions.jsonl:1 answers[0].text: is missing; expected a short right answer; or evidence "
        "alone, where the answer is not known"
    ]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.unlink(), id="missing"),
        pytest.param(lambda path: path.write_text(""), id="empty"),
        pytest.param(lambda path: path.write_text(path.read_text(), "utf-16"), id="UTF-16"),
        pytest.param(lambda path: path.write_text("{\n" * 3), id="no line is JSON"),
    ],
)
def test_what_follows_from_a_corpus_that_cannot_be_read_is_summed_up(
    write: Write, sound: Any, spoil: Callable[[Path], Any]
) -> None:
    """Both revisions of the evidence of q1, the one of q2 and the source of k1 are lacking then: one
    line for each file, behind the cause, which alone is counted."""
    folder = write(sound)
    spoil(folder / "corpus.jsonl")
    said = listing(check(folder)).splitlines()
    causes = said[: -len(LAST) - 1]
    assert causes
    assert all(line.startswith("corpus.jsonl") for line in causes)
    assert said[len(causes) :] == [*LAST, f"{len(causes)} problem{'s'[: len(causes) > 1]}"]


def test_faults_of_its_own_are_listed_beside_a_corpus_that_cannot_be_read(
    write: Write, sound: Any, places: Places
) -> None:
    """Only what may follow is withheld."""
    sound["questions"][2]["id"] = "q2"
    sound["training"][1]["answer"] = "13 hours"
    folder = write(sound)
    (folder / "corpus.jsonl").unlink()
    assert places(check(folder)) == [
        "corpus.jsonl:0", "questions.jsonl:3 id", "training.jsonl:2 answer",
        "questions.jsonl:0", "training.jsonl:0",
    ]  # fmt: skip


def test_a_misspelt_date_does_not_make_its_revision_a_stranger(
    write: Write, sound: Any, places: Places
) -> None:
    """Its id is made of that date: evidence and examples that name it are not at fault."""
    sound["corpus"][1]["valid_form"] = sound["corpus"][1].pop("valid_from")
    del sound["corpus"][1]["revision"]
    assert places(check(write(sound))) == ["corpus.jsonl:2 valid_form", "questions.jsonl:0"]


def test_a_faulty_revision_does_not_make_examples_false(
    write: Write, sound: Any, places: Places
) -> None:
    """That the document had a revision from then on is not to be seen; who else cites it is checked."""
    sound["corpus"][0]["text"] = None
    assert places(check(write(sound))) == ["corpus.jsonl:1 text", "training.jsonl:0"]


def test_one_faulty_option_does_not_take_the_others_away(
    write: Write, sound: Any, places: Places
) -> None:
    """The date of all questions stays; where it is the fault itself, they are not blamed for it."""
    for question in sound["questions"]:
        del question["as_of"]
    folder = write(sound)
    options = folder / "benchmark.json"
    options.write_text('{"licence": "x", "as_of": "2025-11-20"}')
    assert places(check(folder)) == ["benchmark.json:0 licence"]
    options.write_text('{"as_of": "soon"}')
    assert places(check(folder)) == ["benchmark.json:0 as_of", "questions.jsonl:0"]
