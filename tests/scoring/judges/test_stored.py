"""Judgments are kept by all that can change them: a rerun asks nothing, an audit reads them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from evalkit.scoring import Judgment
from evalkit.scoring.judges.stored import COLUMNS, StoredJudge, stored
from evalkit.store import Rows


class Counting:
    """Supports statements that stand in a text, and notes what it is asked."""

    blind_to: tuple[str, ...] = ("irony",)

    def __init__(self, name: str = "counting", version: str = "1") -> None:
        self.name, self.version = name, version
        self.asked: list[str] = []

    def support(self, statements: Sequence[str], texts: Sequence[str]) -> list[Judgment]:
        self.asked += statements
        return [self._one(statement, texts) for statement in statements]

    def _one(self, statement: str, texts: Sequence[str]) -> Judgment:
        if statement == "broken":
            return Judgment(None, error="no reply")
        found = any(statement in text for text in texts)
        record = {"model": "m", "prompt": "p", "replies": ["r"] * 3, "agreement": 2 / 3}
        return Judgment(found, float(found), "e", record=record)


@pytest.fixture
def shelf(tmp_path: Path) -> Rows:
    return Rows(tmp_path / "rows.sqlite")


def test_a_rerun_calls_nothing_and_gives_the_same(shelf: Rows) -> None:
    """Also what the audit reads is the same, but for where it came from."""
    first, second = Counting(), Counting()
    before, after = StoredJudge(first, shelf), StoredJudge(second, shelf)
    assert before.support(["a", "b"], ["a text"]) == after.support(["a", "b"], ["a text"])
    assert (first.asked, second.asked) == (["a", "b"], [])
    tables = [judge.judgments() for judge in (before, after)]
    assert list(tables[0].columns) == list(COLUMNS)
    assert [table["stored"].tolist() for table in tables] == [[False, False], [True, True]]
    assert tables[0].drop(columns="stored").equals(tables[1].drop(columns="stored"))


@pytest.mark.parametrize(
    "other",
    [
        (Counting("another model"), "a", ["a text"]),
        (Counting(version="2"), "a", ["a text"]),
        (Counting(), "b", ["a text"]),
        (Counting(), "a", ["another text"]),
        (Counting(), "a", ["a text", "another text"]),
        (Counting(), "a", ["a", " text"]),
    ],
    ids=["model", "version", "statement", "text", "more", "split"],
)
def test_the_key_names_the_model_the_statement_and_the_texts(shelf: Rows, other: Any) -> None:
    """A cache whose key omits the model, or is the query's text only, gives another's verdict."""
    StoredJudge(Counting(), shelf).support(["a"], ["a text"])
    judge, statement, texts = other
    StoredJudge(judge, shelf).support([statement], texts)
    assert judge.asked == [statement]


def test_a_failure_is_not_kept(shelf: Rows) -> None:
    """It is counted, told, and asked for again; what came beside it is kept."""
    first, second = Counting(), Counting()
    judge = StoredJudge(first, shelf)
    found = judge.support(["broken", "a"], ["a text"])
    assert [each.supported for each in found] == [None, True]
    assert judge.facts()["failed"] == 1
    assert StoredJudge(second, shelf).support(["broken", "a"], ["a text"])[0].error == "no reply"
    assert second.asked == ["broken"]


def test_a_statement_said_twice_is_asked_once(shelf: Rows) -> None:
    judge = Counting()
    found = StoredJudge(judge, shelf).support(["a", "b", "a"], ["a text"])
    assert [each.supported for each in found] == [True, False, True]
    assert judge.asked == ["a", "b"]


def test_too_few_judgments_are_an_error(shelf: Rows) -> None:
    """They cannot be told apart, so none of them is believed or kept."""
    judge = Counting()
    judge.support = lambda statements, texts: [Judgment(True)]  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="gave 1 judgment for 2 statements"):
        StoredJudge(judge, shelf).support(["a", "b"], ["t"])


def test_what_is_on_disk_can_be_read_without_evalkit(shelf: Rows, tmp_path: Path) -> None:
    """One row of JSON for each judgment: judge, statement, texts, verdict, prompt and replies."""
    StoredJudge(Counting(), shelf).support(["a"], ["a text"])
    ((value,),) = sqlite3.connect(tmp_path / "rows.sqlite").execute("SELECT value FROM rows")
    row = json.loads(value)
    assert (row["kind"], row["judge"], row["statement"]) == ("judgment", "counting", "a")
    assert row["texts"] == ["a text"]
    assert row["supported"] is True
    assert row["record"]["replies"] == ["r"] * 3


def test_threads_share_one_judge(shelf: Rows) -> None:
    """Many at once lose nothing."""
    judge = StoredJudge(Counting(), shelf)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: judge.support([f"{i}"], ["1 2 3"])[0], range(40)))
    assert [each.supported for each in found][:4] == [False, True, True, True]
    assert judge.facts()["judgments"] == 40
    assert StoredJudge(Counting(), shelf).support(["3"], ["1 2 3"])[0].supported is True


def test_agreement_is_reported_over_repeated_judgments(shelf: Rows) -> None:
    judge = StoredJudge(Counting(), shelf)
    assert judge.facts()["agreement"] is None
    judge.support(["a", "b"], ["a text"])
    assert judge.facts()["agreement"] == pytest.approx(2 / 3)


def test_only_a_judge_that_takes_texts_apart_does_so_when_stored(shelf: Rows) -> None:
    """Claims are kept too; a judge without that ability does not pretend to have it."""

    class Able(Counting):
        def claims(self, text: str) -> list[str]:
            self.asked.append(text)
            return text.split()

        def ragas_llm(self, shelf: Any) -> Any:
            return shelf

    able, again = Able(), Able()
    assert stored(able, shelf).claims("a b") == stored(again, shelf).claims("a b") == ["a", "b"]
    assert (able.asked, again.asked) == (["a b"], [])
    assert stored(able, shelf).ragas_llm() is shelf
    assert not hasattr(stored(Counting(), shelf), "claims")
    assert not hasattr(stored(Counting(), shelf), "ragas_llm")
