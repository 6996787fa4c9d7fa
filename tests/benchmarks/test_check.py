"""One fault at a time: the checker names its file, line and field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import check, listing

Write = Callable[[Any], Path]
Spoil = Callable[[Any], Any]
Places = Callable[[Any], list[str]]


def test_sound_folder_has_no_problem(write: Write, sound: Any) -> None:
    """A sound benchmark passes, and says so."""
    problems = check(write(sound))
    assert problems == []
    assert listing(problems) == "no problems"


CASES: list[tuple[str, Spoil, str, str]] = [
    (
        "unknown field",
        lambda r: r["corpus"][0].update(valid_form="2025-01-01"),
        "corpus.jsonl:1 valid_form",
        "did you mean 'valid_from'?",
    ),
    (
        "missing field",
        lambda r: r["questions"][2].pop("answers"),
        "questions.jsonl:3 answers",
        "is missing",
    ),
    (
        "a tag with the mark that parts tags",
        lambda r: r["questions"][0].update(tags=["fine", "a;b"]),
        "questions.jsonl:1 tags[1]",
        "'a;b' holds a semicolon",
    ),
    ("null field", lambda r: r["corpus"][0].update(text=None), "corpus.jsonl:1 text", "is null"),
    (
        "empty text",
        lambda r: r["questions"][0].update(question="  "),
        "questions.jsonl:1 question",
        "is empty",
    ),
    (
        "wrong type",
        lambda r: r["questions"][1]["answers"][0].update(text=15),
        "questions.jsonl:2 answers[0].text",
        "is a number; expected a string",
    ),
    (
        "answers not a list",
        lambda r: r["questions"][0].update(answers={"text": "x"}),
        "questions.jsonl:1 answers",
        "is an object; expected a list of answers",
    ),
    (
        "impossible date",
        lambda r: r["questions"][0].update(as_of="2025-02-30"),
        "questions.jsonl:1 as_of",
        "'2025-02-30' is not a date",
    ),
    (
        "date without dashes",
        lambda r: r["questions"][0].update(as_of="20251120"),
        "questions.jsonl:1 as_of",
        "YYYY-MM-DD",
    ),
    (
        "unknown kind",
        lambda r: r["training"][0].update(kind="facts"),
        "training.jsonl:1 kind",
        "expected 'behaviour' or 'knowledge'",
    ),
    (
        "same revision twice",
        lambda r: (
            r["corpus"][1].update(
                document="X", revision="FIN-03@2025-01-01", valid_from="2024-01-01"
            )
            or r["questions"][0]["answers"][1].pop("evidence")
        ),
        "corpus.jsonl:2 revision",
        "stands already on line 1",
    ),
    (
        "overlap",
        lambda r: r["corpus"][0].update(valid_to="2025-05-02"),
        "corpus.jsonl:2 valid_from",
        "overlaps [2025-01-01, 2025-05-02)",
    ),
    (
        "empty period",
        lambda r: r["corpus"][2].update(valid_to="2025-01-15"),
        "corpus.jsonl:3 valid_to",
        "is empty",
    ),
    (
        "same question twice",
        lambda r: r["questions"][2].update(id="q1"),
        "questions.jsonl:3 id",
        "'q1' stands already on line 1",
    ),
    (
        "same example twice",
        lambda r: r["training"][1].update(id="k1"),
        "training.jsonl:2 id",
        "'k1' stands already on line 1",
    ),
    (
        "no as_of though dated",
        lambda r: r["questions"][2].pop("as_of"),
        "questions.jsonl:3 as_of",
        "the corpus is dated",
    ),
    (
        "evidence names a document",
        lambda r: r["questions"][0]["answers"][1]["evidence"][0].update(revision="FIN-03"),
        "questions.jsonl:1 answers[1].evidence[0].revision",
        "expected a revision of that document: FIN-03@2025-01-01, FIN-03@2025-05-01",
    ),
    (
        "evidence misspelt",
        lambda r: r["questions"][0]["answers"][1]["evidence"][0].update(
            revision="FIN-3@2025-05-01", quote=None
        ),
        "questions.jsonl:1 answers[1].evidence[0].revision",
        "did you mean 'FIN-03@2025-05-01'?",
    ),
    (
        "quote of another revision",
        lambda r: r["questions"][0]["answers"][1]["evidence"][0].update(quote="EUR 38 a day"),
        "questions.jsonl:1 answers[1].evidence[0].quote",
        "'EUR 38 a day' does not stand in 'FIN-03@2025-05-01'",
    ),
    (
        "evidence of another time",
        lambda r: r["questions"][0]["answers"][1]["evidence"][0].update(
            revision="FIN-03@2025-01-01", quote=None
        ),
        "questions.jsonl:1 answers[1].evidence[0].revision",
        "the answer in [2025-05-01, ...)",
    ),
    (
        "never valid at as_of",
        lambda r: r["questions"][0].update(as_of="2024-12-31"),
        "questions.jsonl:1 answers",
        "no answer is valid at as_of 2024-12-31",
    ),
    (
        "nothing answers a changed question",
        lambda r: r["questions"][0].update(answers=[]),
        "questions.jsonl:1 answers",
        "none at all",
    ),
    (
        "withdrawn, but still valid",
        lambda r: r["questions"][1].update(as_of="2025-06-30"),
        "questions.jsonl:2 answers",
        "category is 'withdrawn'",
    ),
    (
        "unanswerable, but answered",
        lambda r: r["questions"][2].update(answers=["Bo"]),
        "questions.jsonl:3 answers",
        "category is 'unanswerable'",
    ),
    (
        "answers alike",
        lambda r: r["questions"][0]["answers"][1].update(aliases=["now 38 Euros"]),
        "questions.jsonl:1 answers[1]",
        "match each other as words",
    ),
    (
        "the very test question",
        lambda r: r["training"][0].update(question="what is the daily meal allowance"),
        "training.jsonl:1 question",
        "it is the question 'q1'",
    ),
    (
        "nearly the test question",
        lambda r: r["training"][0].update(question="What is the usual daily meal allowance?"),
        "training.jsonl:1 question",
        "it is nearly (0.86 of the words) the question 'q1'",
    ),
    (
        "behaviour on a test document",
        lambda r: (
            r["training"][1]["passages"][0].update(document="OPS-07")
            or r["training"][1].update(source="OPS-07")
        ),
        "training.jsonl:2 passages[0].document",
        "leaks the test document 'OPS-07'",
    ),
    (
        "behaviour with a test text",
        lambda r: (
            r["training"][1]["passages"][0].update(text="Lockers lock after 15 days.")
            or r["training"][1].update(answer="15 days")
        ),
        "training.jsonl:2 passages[0].text",
        "leaks the text of the test document 'OPS-07'",
    ),
    (
        "knowledge of no document",
        lambda r: r["training"][0].update(source="FIN-99"),
        "training.jsonl:1 source",
        "'FIN-99' is no document",
    ),
    (
        "knowledge without a source",
        lambda r: r["training"][0].update(source=None),
        "training.jsonl:1 source",
        "is missing",
    ),
    (
        "no revision took effect then",
        lambda r: r["training"][0].update(effective="2025-02-01"),
        "training.jsonl:1 effective",
        "expected one of 2025-01-01, 2025-05-01",
    ),
    (
        "knowledge of the future",
        lambda r: r["training"][0].update(effective="2025-05-01"),
        "training.jsonl:1 effective",
        "not valid at as_of 2025-03-31",
    ),
    (
        "answer not in the passages",
        lambda r: r["training"][1].update(answer="13 hours"),
        "training.jsonl:2 answer",
        "in none of its passages",
    ),
    (
        "source not in the passages",
        lambda r: r["training"][1].update(source="FRY-09"),
        "training.jsonl:2 source",
        "'FRY-09' is none of its passages",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "place", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_one_fault_is_named(
    write: Write, sound: Any, places: Places, spoil: Spoil, place: str, words: str
) -> None:
    """One fault in a sound folder is found at its line and field, and is said in plain words."""
    spoil(sound)
    problems = check(write(sound))
    assert place in places(problems)
    assert any(words in str(p) for p in problems if place in places([p]))


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_one_fault_makes_few_problems(write: Write, sound: Any, case: Any) -> None:
    """A single fault does not bury the reader: at most two problems follow from it."""
    case[1](sound)
    assert 1 <= len(check(write(sound))) <= 2
