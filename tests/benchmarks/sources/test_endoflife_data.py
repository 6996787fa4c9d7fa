"""endoflife.date's real pages: what the loader says equals what facts.jsonl says, worked out here.

The loader never opens facts.jsonl, and this file takes its values from nothing else.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter, defaultdict
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import Benchmark
from evalkit.benchmarks.sources.endoflife import load
from evalkit.benchmarks.wording import contains_words
from evalkit.records import (
    FormatSpecification,
    ParsedOutput,
    Passage,
    Question,
    Retrieved,
    Revision,
    Sample,
    Trace,
)
from evalkit.scoring import METRICS, answer_class

DATA = Path(os.environ.get("EVALKIT_DATA", "")) / "endoflife"
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="EVALKIT_DATA does not name a folder with endoflife"
)
FIRST, LAST = "2024-01-01", "2025-01-01"
Key = tuple[str, str, str]


@pytest.fixture(scope="module")
def two_days() -> Benchmark:
    return load(DATA, snapshots=[FIRST, LAST], as_of="both")


@pytest.fixture(scope="module")
def facts() -> dict[Key, dict[str, str]]:
    """Product, cycle and kind -> what facts.jsonl has on each day, where it is an answer."""
    with (DATA / "facts.jsonl").open(encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    names = same_products(rows)
    times = Counter((row["snapshot_date"], row["doc"], row["releaseCycle"]) for row in rows)
    found: dict[Key, dict[str, str]] = defaultdict(dict)
    for row in rows:
        if times[row["snapshot_date"], row["doc"], row["releaseCycle"]] > 1:
            continue  # two releases under one name: no question can be asked
        for kind in ("latest", "eol"):
            stated = row[kind]
            dated = re.fullmatch(r"\d{4}-\d{2}-\d{2}", str(stated))
            if stated and "{{" not in stated and (kind == "latest" or dated):
                key = (names[row["doc"]], row["releaseCycle"], kind)
                found[key][row["snapshot_date"]] = stated
    return found


def same_products(rows: list[dict[str, Any]]) -> dict[str, str]:
    """A name for each product, which is the same when its page was moved or renamed."""
    parents = {"products/omnissa-horizon.md": "products/vmware-horizon.md"}  # sold and renamed

    def top(name: str) -> str:
        while name in parents:
            name = parents[name]
        return name

    for row in rows:
        page, title = top(row["doc"]), top(f"title {row['product']}")
        if page != title:
            parents[title] = page
    return {row["doc"]: top(row["doc"]) for row in rows}


def key_of(question: Question, names: dict[str, str]) -> Key:
    document, rest = question.id.split("/", 1)
    cycle, kind = rest.rsplit("@", 1)[0].rsplit("/", 1)
    return names[f"products/{document}.md"], cycle, kind


@pytest.fixture(scope="module")
def names() -> dict[str, str]:
    with (DATA / "facts.jsonl").open(encoding="utf-8") as stream:
        return same_products([json.loads(line) for line in stream])


def alike(a: str, b: str) -> bool:
    return contains_words(a, b) or contains_words(b, a)


def test_the_changed_questions_are_those_of_facts_jsonl(
    two_days: Benchmark, facts: dict[Key, dict[str, str]], names: dict[str, str]
) -> None:
    """Every change between two days is asked for on both, but where its values cannot be told apart
    or stand in the question; 300 of them at least, of both kinds."""
    changed = {
        key: (days[FIRST], days[LAST])
        for key, days in facts.items()
        if FIRST in days and LAST in days and days[FIRST] != days[LAST]
    }
    asked = defaultdict(list)
    texts = {}
    for question in two_days.questions:
        asked[key_of(question, names)].append(question.as_of.isoformat())
        texts[key_of(question, names)] = question.text
    assert set(asked) <= set(changed)
    assert all(sorted(days) == [FIRST, LAST] for days in asked.values())
    for key in set(changed) - set(asked):
        old, new = changed[key]
        assert alike(old, new) or any(contains_words(key[1], value) for value in (old, new)), key
    kinds = Counter(kind for _, _, kind in asked)
    assert len(asked) >= 300
    assert min(kinds["latest"], kinds["eol"]) >= 100


def test_the_dated_answers_are_those_of_facts_jsonl(
    two_days: Benchmark, facts: dict[Key, dict[str, str]], names: dict[str, str]
) -> None:
    """The old value until the second day, the new one from then on, and nothing else."""
    for question in two_days.questions:
        days = facts[key_of(question, names)]
        found = [(a.text, a.valid_from, a.valid_to) for a in question.answers]
        first, last = date.fromisoformat(FIRST), date.fromisoformat(LAST)
        assert found == [(days[FIRST], first, last), (days[LAST], last, None)]


def test_the_history_of_nine_days_is_that_of_facts_jsonl(
    facts: dict[Key, dict[str, str]], names: dict[str, str]
) -> None:
    """Each answer holds from the day on which it is first seen to the next other one, or to none."""
    days = sorted(p.name for p in DATA.iterdir() if p.is_dir())
    started = time.perf_counter()
    whole = load(DATA, only_changed=False, products=150)
    assert time.perf_counter() - started < 60  # every page of the nine days is read
    assert {q.category for q in whole.questions} == {"changed", "unchanged", "new", "withdrawn"}
    for question in whole.questions:
        seen = facts[key_of(question, names)]
        expected: list[list[str | None]] = []
        for day in days:
            value = seen.get(day)
            running = expected[-1][0] if expected and expected[-1][2] is None else None
            if value == running:
                continue
            if running is not None:
                expected[-1][2] = day
            if value is not None:
                expected.append([value, day, None])
        found = [
            [a.text, str(a.valid_from), str(a.valid_to) if a.valid_to else None]
            for a in question.answers
        ]
        assert [each for each in found if each not in expected] == []
        left_out = [each[0] for each in expected if each not in found]
        assert all(any(alike(str(out), str(kept[0])) for kept in found) for out in left_out)
        held = [each[0] for each in expected if days[-1] >= str(each[1]) and each[2] is None]
        assert [a.text for a in question.current_answers()] == held
        if question.category == "withdrawn":
            assert held == []


@pytest.mark.parametrize("day", [FIRST, LAST])
def test_a_snapshot_is_the_pages_of_that_day(two_days: Benchmark, day: str) -> None:
    """Text for text; and what the history holds beside them stands on no page of that day."""
    on = date.fromisoformat(day)
    pages = [p.read_text(encoding="utf-8") for p in (DATA / day / "products").glob("*.md")]
    snapshot = two_days.corpus.snapshot(on)
    assert Counter(each.text for each in snapshot) == Counter(pages)
    left = {each.revision for each in two_days.corpus.history(on)} - set(snapshot.by_id)
    assert all(two_days.corpus.by_id[each].text not in pages for each in left)
    assert bool(left) == (day == LAST)


def test_equal_pages_are_one_revision(two_days: Benchmark) -> None:
    """A page that says the same on both days is there once, and in force on both."""
    both = [
        name.name
        for name in (DATA / FIRST / "products").glob("*.md")
        if (DATA / LAST / "products" / name.name).exists()
    ]
    same = [
        name
        for name in both
        if (DATA / FIRST / "products" / name).read_bytes()
        == (DATA / LAST / "products" / name).read_bytes()
    ]
    by_document = Counter(each.document for each in two_days.revisions)
    assert same
    assert all(by_document[name.removesuffix(".md")] == 1 for name in same)


def test_every_quote_names_the_cycle_and_the_value(two_days: Benchmark) -> None:
    """The evidence is words of the page, to the letter, that hold both."""
    for question in two_days.questions:
        cycle = question.id.split("/", 1)[1].rsplit("@", 1)[0].rsplit("/", 1)[0]
        for answer in question.answers:
            assert answer.evidence
            for evidence in answer.evidence:
                assert evidence.quote is not None
                assert evidence.quote in two_days.corpus.by_id[evidence.revision].text
                assert cycle in evidence.quote
                assert answer.text in evidence.quote


def sample_of(
    benchmark: Benchmark, question: Question, answer: str, shown: list[Revision]
) -> Sample:
    fetched = tuple(
        Retrieved(Passage(f"{r.revision}#0", r.document, r.revision, r.title, r.text,
                          r.valid_from, r.valid_to), 1.0)
        for r in shown
    )  # fmt: skip
    trace = Trace(question.id, "rag", fetched, prompt="", output=answer)
    return Sample(
        question, trace, FormatSpecification(), benchmark.corpus.by_id, ParsedOutput(answer)
    )


def test_answer_classes_are_those_of_the_dates(two_days: Benchmark) -> None:
    """The old value is current on the first day and outdated on the last; the new one is premature
    and current."""
    expected = {FIRST: ["current", "premature"], LAST: ["outdated", "current"]}
    wrong = []
    for question in two_days.questions:
        old, new = (answer.text for answer in question.answers)
        found = [answer_class(sample_of(two_days, question, each, [])) for each in (old, new)]
        if found != expected[question.as_of.isoformat()]:
            wrong.append((question.id, old, new, found))
    assert wrong == []


@cache
def pages_of(day: Path) -> frozenset[str]:
    return frozenset(page.read_text(encoding="utf-8") for page in day.glob("*.md"))


def test_the_stale_rate_is_the_share_of_pages_that_say_something_else_today(
    two_days: Benchmark,
) -> None:
    """Computed from the files: a passage is stale where its page is not the page of that day."""
    stale_rate = METRICS["freshness/retrieval/stale_rate"].function
    by_document: dict[str, list[Revision]] = defaultdict(list)
    for revision in two_days.revisions:
        by_document[revision.document].append(revision)
    known = list(by_document)
    checked = Counter[float]()
    for position, question in enumerate(two_days.questions):
        shown = [
            *by_document[question.cluster],
            *by_document[known[position % len(known)]][:1],
        ][: 1 + position % 3]
        day = DATA / question.as_of.isoformat() / "products"
        today = pages_of(day)
        expected = sum(revision.text not in today for revision in shown) / len(shown)
        result = stale_rate(sample_of(two_days, question, "", shown), None)  # type: ignore[arg-type]
        assert result.value == pytest.approx(expected)
        checked[expected] += 1
    assert len(checked) >= 4


def test_a_draw_is_the_same_every_time_and_nested() -> None:
    """The same seed gives the same benchmark, another another; fewer facts are some of more."""
    made = [
        load(DATA, snapshots=[FIRST, LAST], products=90, limit=limit, seed=seed)
        for limit, seed in ((20, 0), (20, 0), (40, 0), (20, 1))
    ]
    few, again, more, other = ({q.id for q in each.questions} for each in made)
    assert made[0].fingerprint == made[1].fingerprint
    assert few == again
    assert few < more
    assert few != other
    assert len({q.cluster for q in made[0].questions}) == 20
