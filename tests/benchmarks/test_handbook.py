"""The bundled handbook is sound and as large and varied as its readers are told."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta
from functools import cache
from itertools import pairwise

import pytest
from jsonschema import Draft202012Validator

from evalkit.benchmarks import Benchmark, check, listing, load_bundled
from evalkit.benchmarks.jsonl import _HERE
from evalkit.benchmarks.wording import contains_words
from evalkit.records import TrainingExample
from evalkit.tuning.examples import as_known_at, knowledge_of

EARLY, LATE = date(2025, 3, 31), date(2025, 8, 1)


@cache
def handbook() -> Benchmark:
    """The bundled benchmark, loaded once."""
    return load_bundled("handbook")


def test_handbook_has_no_problem() -> None:
    """The checker finds nothing to say about what we ship."""
    problems = check(_HERE / "handbook")
    assert problems == [], listing(problems)


@cache
def knowledge() -> list[TrainingExample]:
    """Its knowledge examples."""
    return [each for each in handbook().training if each.kind == "knowledge"]


def test_documents_change_through_the_year() -> None:
    """At least 60 documents, half of them with 2 to 4 revisions; some withdrawn, some late."""
    corpus = handbook().corpus
    counts = Counter(each.document for each in corpus)
    assert len(counts) >= 60
    assert sum(2 <= n <= 4 for n in counts.values()) >= len(counts) / 2
    assert max(counts.values()) <= 4
    first = {d: min(r.valid_from or date.min for r in corpus if r.document == d) for d in counts}
    assert sum(start >= LATE for start in first.values()) >= 3
    ended = set(counts) - {r.document for r in corpus.snapshot(date(2025, 12, 31))}
    assert len(ended) >= 3


def test_every_category_is_asked() -> None:
    """At least 200 test questions over the six categories, and 40 controls beside them."""
    counts = dict(handbook().categories)
    assert counts.pop("control") >= 40
    assert set(counts) == {
        "unchanged", "changed", "new", "withdrawn", "unanswerable", "two_document",
    }  # fmt: skip
    assert sum(counts.values()) >= 200
    assert min(counts.values()) >= 10


def test_categories_mean_what_they_say() -> None:
    """The dated answers of a question agree with its category."""
    for question in handbook().questions:
        answers = question.answers
        match question.category:
            case "unchanged":
                assert len(answers) == 1, question.id
                assert answers[0].valid_at(EARLY), question.id
                assert answers[0].valid_at(question.as_of), question.id
            case "changed":
                assert question.past_answers(), question.id
                assert question.answerable, question.id
            case "new":
                assert question.answerable, question.id
                assert not any(answer.valid_at(EARLY) for answer in answers), question.id
            case "withdrawn":
                assert question.past_answers() == answers != (), question.id
            case "unanswerable":
                assert answers == (), question.id
            case "two_document":
                cited = {
                    handbook().corpus.by_id[evidence.revision].document
                    for answer in question.current_answers()
                    for evidence in answer.evidence
                }
                assert len(cited) >= 2, question.id


def test_some_answers_lie_in_the_future() -> None:
    """Some changed questions are asked between two changes, so that answers can be premature."""
    assert sum(bool(question.future_answers()) for question in handbook().questions) >= 10


def test_evidence_holds_its_answer() -> None:
    """Each piece of evidence of a one-document answer holds one of the answer's wordings."""
    by_id = handbook().corpus.by_id
    for question in handbook().questions:
        if question.category in ("two_document", "control"):
            continue
        for answer in question.answers:
            assert answer.evidence, question.id
            for evidence in answer.evidence:
                text = by_id[evidence.revision].text
                assert any(contains_words(text, w) for w in answer.wordings), question.id


def test_training_examples_of_both_kinds() -> None:
    """At least 160 behaviour and 200 knowledge examples; abstaining and context-free ones too."""
    behaviour = [each for each in handbook().training if each.kind == "behaviour"]
    knowledge = [each for each in handbook().training if each.kind == "knowledge"]
    assert len(behaviour) >= 160
    assert len(knowledge) >= 200
    assert any(each.answer is None for each in behaviour)
    assert all(each.as_of == EARLY for each in knowledge)


def test_knowledge_was_true_in_the_early_snapshot() -> None:
    """Each knowledge example's answer stands in its source as it read on that day; one without an
    answer is of a fact that began later.
    """
    snapshot = {each.document: each for each in handbook().corpus.snapshot(EARLY)}
    for each in knowledge():
        if each.answer is None:
            assert begun(each) > EARLY, each.id
            assert each.effective is None, each.id
        else:
            assert each.source in snapshot, each.id
            assert contains_words(snapshot[each.source].text, each.answer), each.id


def begun(each: TrainingExample) -> date:
    """When its fact begins."""
    first = each.answers[0].valid_from
    assert first is not None
    return first


def test_every_new_fact_is_taught() -> None:
    """For each question on what came after the early snapshot there is an example with its history."""
    later = {(e.source, e.answers[0].text): e for e in knowledge() if e.answer is None}
    new = [q for q in handbook().questions if q.category == "new"]
    assert len(later) == len(new) == 28
    for question in new:
        example = later[question.cluster, question.answers[0].text]
        assert [(a.text, a.valid_from, a.valid_to) for a in example.answers] == [
            (a.text, a.valid_from, a.valid_to) for a in question.answers
        ], example.id


def test_a_new_fact_is_taught_from_its_day_on() -> None:
    """Neither the early snapshot nor the examples as they stand teach it; the day that it begins does."""
    training = handbook().training
    early = as_known_at(training, EARLY)
    assert [e.id for e in knowledge_of(training, ["knowledge"], None)] == [e.id for e in early]
    for each in knowledge():
        if each.answer is None:
            assert each.id not in {e.id for e in as_known_at([each], begun(each) - timedelta(1))}
            (taught,) = as_known_at([each], begun(each))
            assert (taught.answer, taught.effective) == (each.answers[0].text, begun(each))


def test_every_known_fact_has_its_history() -> None:
    """Of all 244, half change or end; the answer at as_of is the one that the example gives."""
    assert len(knowledge()) == 244
    assert sum(len(each.answers) > 1 for each in knowledge()) >= 100
    assert sum(each.answers[-1].valid_to is not None for each in knowledge()) >= 20
    for each in knowledge():
        held = [a.text for a in each.answers if a.valid_at(each.as_of)] or [None]
        assert held == [each.answer], each.id


def test_histories_agree_with_the_corpus() -> None:
    """They span the life of the source (a new fact's from the revision on that first states it), and
    each answer stands in each revision of its period; where the next begins, the answer has changed.
    """
    for each in knowledge():
        revisions = [r for r in handbook().corpus if r.document == each.source]
        if each.answer is None:
            before = [r.text for r in revisions if r.valid_from and r.valid_from < begun(each)]
            assert not any(contains_words(text, each.answers[0].text) for text in before), each.id
            assert begun(each) in {r.valid_from for r in revisions}, each.id
        else:
            assert each.answers[0].valid_from == revisions[0].valid_from, each.id
        assert each.answers[-1].valid_to == revisions[-1].valid_to, each.id
        for answer in each.answers:
            texts = [r.text for r in revisions if r.valid_from and answer.valid_at(r.valid_from)]
            assert texts, each.id
            assert all(contains_words(text, answer.text) for text in texts), (each.id, answer)
        for before, after in pairwise(each.answers):
            assert before.valid_to == after.valid_from, each.id
            assert before.text != after.text, each.id


def test_histories_agree_with_the_questions() -> None:
    """An example with the answers that a test question of the same document has, has its dates too."""
    told = 0
    for question in handbook().questions:
        dated = {(a.text, a.valid_from, a.valid_to) for a in question.answers}
        for each in knowledge():
            if each.source == question.cluster and len(each.answers) > 1:
                texts = {a.text for a in each.answers}
                if texts == {text for text, _, _ in dated}:
                    told += 1
                    mine = {(a.text, a.valid_from, a.valid_to) for a in each.answers}
                    assert mine == dated or question.category == "two_document", (each.id, question)
    assert told >= 70


def test_handbook_has_a_machine_checkable_format() -> None:
    """The house format is told in words, held by instructions, and names its three roles."""
    specification = handbook().format
    assert specification.instruction
    assert specification.instructions
    assert set(specification.fields) == {"answer", "source", "effective"}
    assert specification.abstention in specification.instruction


@pytest.mark.parametrize(
    ("source", "met"),
    [("FIN-03", True), ("FIN-03, OPS-07", True), (None, True), ("FIN-03,OPS-07", False),
     ("FIN-03, ", False), ("FIN-3", False), ("XYZ", False), ("FIN-03@2025-05-01", False)],
)  # fmt: skip
def test_a_source_is_one_id_or_several(source: str | None, met: bool) -> None:
    """Questions over two documents may cite both; the form is held by the schema."""
    schema = next(i["schema"] for i in handbook().format.instructions if "schema" in i)
    value = {"answer": "x", "source": source, "effective": None}
    assert Draft202012Validator(schema).is_valid(value) is met


def test_the_instruction_holds_no_id_that_could_be_copied() -> None:
    """It says what an id looks like in words; every source in the data looks like that."""
    instruction = handbook().format.instruction
    assert '"source": the document\'s id (three letters, a hyphen, two digits)' in instruction
    assert not re.search(r"[A-Z]{3}-[0-9]{2}", instruction)
    for revision in handbook().corpus.revisions:
        assert re.fullmatch(r"[A-Z]{3}-[0-9]{2}", revision.document)
