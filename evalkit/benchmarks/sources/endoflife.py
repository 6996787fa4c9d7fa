"""endoflife.date: questions on releases and ends of life, whose answers change from day to day.

The wording of the questions is ours, the answers and documents are what the dated pages say. The
clock is that of the pages: an answer holds from the first chosen day on which the page states it to
the first on which it states something else or nothing. Release dates are no part of it, as they
would tell a reader what the page of that day could not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

from evalkit.benchmarks.benchmark import Benchmark
from evalkit.benchmarks.check import BenchmarkError
from evalkit.benchmarks.lines import Line
from evalkit.benchmarks.schema import parse_date
from evalkit.benchmarks.sources.building import SHORT, build, told_apart
from evalkit.benchmarks.sources.endoflife_history import History, draw, spread
from evalkit.benchmarks.sources.endoflife_pages import KINDS, Fact, days, pages
from evalkit.benchmarks.sources.endoflife_training import behaviour_lines, knowledge_lines, wanted
from evalkit.benchmarks.wording import contains_words

LICENSE = "MIT (endoflife.date contributors)"
WORDINGS = {
    "latest": "What is the newest release of {product} {cycle}?",
    "eol": "When does {product} {cycle} reach its end of life?",
}
BOTH = "both"


def load(
    path: str | os.PathLike[str],
    *,
    snapshots: Sequence[str] | None = None,
    as_of: str | Sequence[str] | None = None,
    kinds: Sequence[str] = KINDS,
    only_changed: bool = True,
    products: int | Sequence[str] | None = None,
    limit: int | None = None,
    seed: int = 0,
    training: Mapping[str, int | None] | None = None,
) -> Benchmark:
    """Questions on the releases listed on the pages, with the answers of each chosen day.

    Args:
        path: The folder with one folder ``YYYY-MM-DD/products`` for each day.
        snapshots: The days to be used, for example two; default all.
        as_of: The day or days on which the questions are asked; ``"both"`` for the first and last
            chosen ones; default the last.
        kinds: ``latest`` (the newest release of a cycle), ``eol`` (its end of life), or both.
        only_changed: Only questions whose answer on the last chosen day is another than on the
            first; else those that did not change, came later or were withdrawn too.
        products: So many products, drawn with ``seed``, or the names of some (of their pages);
            others' pages are left out.
        limit: At most so many facts are asked for; as many products as can be have one.
        seed: Another seed, another draw. Smaller draws are part of larger ones.
        training: How many examples of each kind an adapter can learn from, ``{"behaviour": 80,
            "knowledge": None}``; None for as many as there are, and for no examples. Behaviour is
            shown on products that have no page in the benchmark, knowledge is of the asked facts.

    Raises:
        BenchmarkError: a day, kind or product is not there, a page cannot be read, or too few
            products are left out for the behaviour examples.
    """
    chosen = _chosen_days(days(path), snapshots)
    asked = _asked_days(chosen, as_of)
    if not kinds or set(kinds) - set(KINDS):
        raise BenchmarkError(f"kinds is {list(kinds)}; expected some of {list(KINDS)}")
    if limit is not None and limit < 1:
        raise BenchmarkError(f"limit is {limit}; expected at least 1 fact, or null for all")
    examples = wanted(training)
    histories: dict[str, History] = {}
    for day, found in pages(path, chosen):
        for page in found:
            histories.setdefault(page.document, History(page.title)).add(day, page)
    documents = _drawn(histories, products, seed)
    questions, facts = _questions(
        histories, documents, kinds, only_changed, asked, chosen, limit, seed
    )
    others = {name: each for name, each in histories.items() if name not in set(documents)}
    return build(
        [line for each in documents for line in histories[each].revisions(chosen)],
        sorted(questions, key=lambda line: str(line.row["id"])),
        [
            *behaviour_lines(others, kinds, chosen[0], examples["behaviour"], seed),
            *knowledge_lines(histories, facts, chosen, examples["knowledge"]),
        ],
        name="endoflife",
        license=LICENSE,
        where=str(path),
        format=SHORT,
    )


def _questions(
    histories: Mapping[str, History],
    documents: Sequence[str],
    kinds: Sequence[str],
    only_changed: bool,
    asked: Sequence[date],
    chosen: Sequence[date],
    limit: int | None,
    seed: int,
) -> tuple[list[Line], list[tuple[str, Fact]]]:
    """The questions, and the facts that they ask for."""
    facts = [
        (document, fact)
        for document in documents
        for fact in histories[document].said
        if fact[1] in kinds and (not only_changed or _changed(histories[document], fact, chosen))
    ]
    questions: list[Line] = []
    asked_for: list[tuple[str, Fact]] = []
    for document, fact in spread(facts, seed):
        made = [
            line
            for day in asked
            if (line := _question(document, histories[document], fact, day, chosen))
            and not (only_changed and len(line.row["answers"]) == 1)
        ]
        questions += made
        asked_for += [(document, fact)] if made else []
        if len(asked_for) == limit:
            break
    return questions, asked_for


def _chosen_days(there: Sequence[date], wanted: Sequence[str] | None) -> list[date]:
    if wanted is None:
        return list(there)
    found = [parse_date(str(each)) for each in wanted]
    missing = [each for each, day in zip(wanted, found, strict=True) if day not in there]
    if missing or not found:
        listed = ", ".join(str(day) for day in there)
        raise BenchmarkError(f"snapshots holds {list(wanted)}; expected some of {listed}")
    return sorted({day for day in found if day})


def _asked_days(chosen: Sequence[date], as_of: str | Sequence[str] | None) -> list[date]:
    if as_of is None or as_of == BOTH:
        return sorted({chosen[-1], *(chosen[:1] if as_of else ())})
    listed = [as_of] if isinstance(as_of, str) else list(as_of)
    found = [day for each in listed if (day := parse_date(str(each))) and day >= chosen[0]]
    if len(found) != len(listed) or not listed:
        raise BenchmarkError(
            f"as_of is {as_of!r}; expected dates YYYY-MM-DD from {chosen[0]} on, or {BOTH!r}"
        )
    return sorted(set(found))


def _drawn(
    histories: dict[str, History], products: int | Sequence[str] | None, seed: int
) -> list[str]:
    """The products that take part, ordered by name."""
    if products is None:
        return sorted(histories)
    if isinstance(products, int):
        if products < 1:
            raise BenchmarkError(f"products is {products}; expected at least 1, or names")
        return sorted(sorted(histories, key=lambda each: draw(seed, each))[:products])
    for each in products:
        if each not in histories:
            near = get_close_matches(each, histories, n=3)
            raise BenchmarkError(
                f"products names {each!r}, which has no page on the chosen days; "
                f"{f'did you mean {near}?' if near else 'expected names of pages'}"
            )
    return sorted(set(products))


def _changed(history: History, fact: Fact, chosen: Sequence[date]) -> bool:
    first, last = (history.value(fact, day) for day in (chosen[0], chosen[-1]))
    return first is not None and last is not None and first != last


def _question(
    document: str,
    history: History,
    fact: Fact,
    as_of: date,
    chosen: Sequence[date],
) -> Line | None:
    """The question on a fact, or None where it cannot be asked on that day.

    That is where the page of the day does not state the fact (or, of a withdrawn page, where it
    comes back later), and where the question itself contains an answer: a reply that repeats the
    question must not be right.
    """
    cycle, kind = fact
    words = WORDINGS[kind].format(product=history.title, cycle=cycle)
    answers = history.answers(fact, chosen)
    if any(contains_words(words, answer["text"]) for answer in answers):
        return None
    category = _category(
        answers, document_gone=_gone(history.there, chosen, as_of), as_of=as_of, chosen=chosen
    )
    if category is None:
        return None
    return Line(
        f"{document}.md {cycle} {kind}",
        0,
        {
            "id": f"{document}/{cycle}/{kind}@{as_of}",
            "question": words,
            "as_of": as_of.isoformat(),
            "category": category,
            "cluster": document,
            "answers": told_apart(answers, as_of),
            "tags": [kind],
        },
    )


def _gone(there: set[date], chosen: Sequence[date], as_of: date) -> bool:
    """Whether the page was withdrawn by that day: not on the last day looked at, but before."""
    looked = [day for day in chosen if day <= as_of]
    return looked[-1] not in there


def _category(
    answers: Sequence[dict[str, Any]], *, document_gone: bool, as_of: date, chosen: Sequence[date]
) -> str | None:
    on = as_of.isoformat()
    current = [a for a in answers if a["valid_from"] <= on and (a["valid_to"] or "9") > on]
    if not current:
        ended = all(a["valid_to"] and a["valid_to"] <= on for a in answers)
        return "withdrawn" if document_gone and ended else None
    if any(one["text"] != other["text"] for one, other in pairwise(answers)):
        return "changed"
    return "unchanged" if answers[0]["valid_from"] == chosen[0].isoformat() else "new"
