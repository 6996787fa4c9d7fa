"""Questions asked at dates of a study's choice, and what changes between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from evalkit.benchmarks.benchmark import Benchmark
from evalkit.records import Question

Reply = frozenset[object]
"""What identifies the right reply at a date: equal replies are the same; empty means to abstain."""


def reply_at(question: Question, on: date) -> Reply:
    """The right reply on a date: the texts of the answers in force, or where they stand."""
    return frozenset(a.text or a.evidence for a in question.answers if a.valid_at(on))


def asked_at(benchmark: Benchmark, on: date) -> Benchmark:
    """The benchmark with every question asked on ``on``.

    The answers are dated, so what is current, past and future follows. Where nothing answers a
    question on that day, because its fact does not exist yet or has been withdrawn, the question
    stays, and the right reply is to abstain.
    """
    asked = tuple(replace(question, as_of=on) for question in benchmark.questions)
    return replace(benchmark, questions=asked)


def over(benchmark: Benchmark, dates: Sequence[date], *, only_changing: bool) -> Benchmark:
    """The questions of a study over ``dates``.

    A question whose right reply changes gets the category that says how, as these dates show it:
    ``new`` (answered at the last date, not at the first), ``withdrawn`` (the other way round) or
    ``changed``. The others keep theirs, or are left out with ``only_changing``. A question that the
    benchmark asks on several dates is there once.
    """
    kept: dict[object, Question] = {}
    for question in benchmark.questions:
        changes = len({reply_at(question, day) for day in dates}) > 1
        if changes or not only_changing:
            category = _what_happens(question, dates) if changes else question.category
            same = (question.text, question.cluster, question.format, question.answers)
            kept.setdefault(same, replace(question, category=category))
    return replace(benchmark, questions=tuple(kept.values()))


def _what_happens(question: Question, dates: Sequence[date]) -> str:
    first, last = (bool(reply_at(question, day)) for day in (dates[0], dates[-1]))
    if first == last:
        return "changed"
    return "new" if last else "withdrawn"


def changed_facts(benchmark: Benchmark, since: date, on: date) -> int:
    """How many facts that the benchmark asks for are not on ``on`` what they were on ``since``.

    Questions with one and the same history of answers ask for one fact.
    """
    changed = (q for q in benchmark.questions if reply_at(q, since) != reply_at(q, on))
    return len({(q.cluster, frozenset(q.answers)) for q in changed})


def changed_documents(benchmark: Benchmark, since: date, on: date) -> int:
    """How many documents have another revision in force on ``on`` than on ``since``, or none."""
    before, after = (
        {(r.document, r.revision) for r in benchmark.corpus.snapshot(day)} for day in (since, on)
    )
    return len({document for document, _ in before ^ after})


def span(benchmark: Benchmark) -> tuple[date, date] | None:
    """The first and the last day that the benchmark knows of; None where nothing is dated.

    The last is that of the latest beginning, or of the latest question: what comes after that the
    benchmark cannot know.
    """
    if not benchmark.dated:
        return None
    answers = [a for q in benchmark.questions for a in q.answers]
    periods = [(r.valid_from, r.valid_to) for r in benchmark.revisions]
    periods += [(a.valid_from, a.valid_to) for a in answers]
    begun = [start for start, _ in periods if start]
    ended = [end for _, end in periods if end]
    asked = [question.as_of for question in benchmark.questions]
    return min(begun or ended), max([*begun, *asked])
