"""endoflife.date's layout, on pages of our own: identity, revisions, clock, categories."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import Benchmark, BenchmarkError
from evalkit.benchmarks.sources.endoflife import load

DAYS = ("2024-01-01", "2024-07-01", "2025-01-01")


def page(title: str, *releases: tuple[str, str, str], permalink: str = "") -> str:
    listed = "\n".join(
        f'-   releaseCycle: "{cycle}"\n    eol: {eol}  # sic\n    latest: "{latest}"\n    releaseDate: 2020-01-01\n'
        for cycle, latest, eol in releases
    )
    return (
        f"---\ntitle: {title}\npermalink: {permalink or '/' + title.lower()}\n\nreleases:\n{listed}"
        f"\nlinks: none\n---\n\n> {title} is a program.\n"
    )


@pytest.fixture
def pages(write: Any) -> Path:
    """Three days: mill's release changes, loom's page moves, oven's is withdrawn, kiln's comes late."""
    same = page("Oven", ("1", "1.0.1", "false"), ("2", "2.0.3", "2026-01-01"))
    contents = {
        (0, "mill"): page("Mill", ("3.0", "3.0.1", "2025-01-01"), ("2.0", "2.0", "true")),
        (1, "mill"): page("Mill", ("3.0", "3.0.2", "2025-01-01"), ("2.0", "2.0.1", "true")),
        (2, "mill"): page("Mill", ("3.0", "3.0.2", "2025-06-01"), ("2.0", "2.0.1", "true")),
        (0, "loom"): page("Loom", ("1", "1.4", "false")),
        (1, "weaving-loom"): page("Loom", ("1", "1.5", "false"), permalink="/weaving"),
        (2, "weaving-loom"): page("Loom Pro", ("1", "1.6", "false"), permalink="/weaving"),
        (0, "oven"): same,
        (1, "oven"): same,
        (2, "kiln"): page(
            "Kiln", ("5", "5.1", '"{{ site.date }}"'), ("6", "6.1", "no"), ("6", "6.2", "no")
        ),
    }
    for (day, name), text in contents.items():
        write(f"root/{DAYS[day]}/products/{name}.md", text)
    return Path(write("root/LICENSE", "MIT")).parent


def by_id(benchmark: Benchmark) -> dict[str, Any]:
    return {question.id: question for question in benchmark.questions}


def history(question: Any) -> list[tuple[str, str, str | None]]:
    return [(a.text, str(a.valid_from), a.valid_to and str(a.valid_to)) for a in question.answers]


def test_answers_hold_from_the_day_they_are_seen(pages: Path) -> None:
    """Not from a release date; the last has no end."""
    found = by_id(load(pages))
    assert set(found) == {
        "loom/1/latest@2025-01-01",
        "mill/3.0/eol@2025-01-01",
        "mill/3.0/latest@2025-01-01",
    }
    latest = found["mill/3.0/latest@2025-01-01"]
    assert latest.text == "What is the newest release of Mill 3.0?"
    assert history(latest) == [("3.0.1", DAYS[0], DAYS[1]), ("3.0.2", DAYS[1], None)]
    assert [e.revision for e in latest.answers[1].evidence] == [
        "mill@2024-07-01",
        "mill@2025-01-01",
    ]
    assert latest.answers[0].evidence[0].quote == (
        'releaseCycle: "3.0"\n    eol: 2025-01-01  # sic\n    latest: "3.0.1"'
    )


def test_a_page_stays_the_same_document_when_it_moves(pages: Path) -> None:
    """By its title, then by its address; the answers' history runs through."""
    benchmark = load(pages)
    assert {r.document for r in benchmark.revisions} == {"kiln", "loom", "mill", "oven"}
    question = by_id(benchmark)["loom/1/latest@2025-01-01"]
    assert [value for value, _, _ in history(question)] == ["1.4", "1.5", "1.6"]


def test_revisions_are_what_the_days_show(pages: Path) -> None:
    """A page that has not changed is one revision; one that is gone has ended."""
    corpus = load(pages).corpus
    oven = [r for r in corpus if r.document == "oven"]
    assert [(str(r.valid_from), str(r.valid_to)) for r in oven] == [(DAYS[0], DAYS[2])]
    assert {r.document for r in corpus.snapshot(date(2025, 3, 1))} == {"kiln", "loom", "mill"}
    assert len(corpus.snapshot(date(2023, 1, 1))) == 0


def test_the_other_categories(pages: Path) -> None:
    """Unchanged, new and withdrawn on request; a value that is no answer, a cycle that stands twice and
    an answer that the question contains give no question."""
    found = by_id(load(pages, only_changed=False))
    assert {name: q.category for name, q in found.items()} == {
        "kiln/5/latest@2025-01-01": "new",
        "loom/1/latest@2025-01-01": "changed",
        "mill/3.0/eol@2025-01-01": "changed",
        "mill/3.0/latest@2025-01-01": "changed",
        "oven/1/latest@2025-01-01": "withdrawn",
        "oven/2/latest@2025-01-01": "withdrawn",
        "oven/2/eol@2025-01-01": "withdrawn",
    }
    assert found["oven/2/eol@2025-01-01"].current_answers() == ()


def test_the_days_can_be_chosen(pages: Path) -> None:
    """Only they are known (a page's first name too), and both the first and the last can be asked."""
    benchmark = load(pages, snapshots=[DAYS[1], DAYS[2]], as_of="both", kinds=["latest"])
    assert set(by_id(benchmark)) == {
        "weaving-loom/1/latest@2024-07-01",
        "weaving-loom/1/latest@2025-01-01",
    }
    first = by_id(benchmark)["weaving-loom/1/latest@2024-07-01"]
    assert [a.text for a in first.current_answers()] == ["1.5"]
    assert [a.text for a in first.future_answers()] == ["1.6"]
    between = load(pages, as_of="2024-03-01", products=["mill"])
    assert {q.as_of for q in between.questions} == {date(2024, 3, 1)}
    assert {r.document for r in between.revisions} == {"mill"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"snapshots": ["2024-02-01"]}, "expected some of 2024-01-01, 2024-07-01"),
        ({"as_of": "2023-01-01"}, "from 2024-01-01 on"),
        ({"kinds": ["lts"]}, r"expected some of \['latest', 'eol'\]"),
        ({"products": ["mil"]}, r"did you mean \['mill'\]"),
        ({"products": 0}, "at least 1"),
        ({"limit": 0}, "at least 1 fact"),
    ],
)
def test_an_option_that_cannot_be_is_refused(
    pages: Path, options: dict[str, Any], words: str
) -> None:
    """With what was expected."""
    with pytest.raises(BenchmarkError, match=words):
        load(pages, **options)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no front matter", r"bad\.md:1 has no front matter"),
        ("---\ntitle: X\nreleases: [\n---\n", r"bad\.md:\d+ has a front matter that is not YAML"),
    ],
)
def test_a_page_that_cannot_be_read_is_named(pages: Path, text: str, words: str) -> None:
    """By file and line."""
    (pages / DAYS[1] / "products" / "bad.md").write_text(text)
    with pytest.raises(BenchmarkError, match=words):
        load(pages)


def test_a_folder_without_days_says_where_pages_come_from(tmp_path: Path) -> None:
    """The way to get them is in the documentation that is named."""
    with pytest.raises(BenchmarkError, match=r"no folder named YYYY-MM-DD(?s:.)*SOURCES\.md"):
        load(tmp_path)


def test_the_same_pages_are_the_same_benchmark(pages: Path) -> None:
    """And another page is another."""
    before = load(pages).fingerprint
    assert load(pages).fingerprint == before
    mill = pages / DAYS[2] / "products" / "mill.md"
    mill.write_text(mill.read_text().replace("3.0.2", "3.0.9"))
    assert load(pages).fingerprint != before
