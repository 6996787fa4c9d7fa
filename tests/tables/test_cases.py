"""Traces and the table of questions: what was fetched, shown, said and counted, as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from evalkit.records import (
    Answer,
    FormatSpecification,
    ParsedOutput,
    Passage,
    Question,
    Retrieved,
    Sample,
    Score,
    Trace,
)
from evalkit.scoring.blame import Blame
from evalkit.tables.cases import BlameTable, Case, cases, questions_table, rewritten, traces_frame

NEW, OLD, ASKED = date(2025, 6, 1), date(2025, 1, 1), date(2025, 10, 1)
QUESTION = Question(
    "q", "How much?", ASKED, "changed", "A",
    (Answer("EUR 38", (), OLD, NEW), Answer("EUR 42", (), NEW, None), Answer("42 euros", (), NEW, None)),
)  # fmt: skip
FETCHED = (
    Retrieved(Passage("A#0", "A", "A@new", "T", "EUR 42.", NEW), 0.75),
    Retrieved(Passage("A#1", "A", "A@old", "T", "EUR 38.", OLD, NEW), 0.5, shown=False),
)
TRACE = Trace(
    "q", "rag", FETCHED, "prompt", '{"answer": "EUR 42"}', 10, 4, "stop", {"retrieval": 0.5, "generation": 1.5},
)  # fmt: skip


def sample(trace: Trace = TRACE, question: Question = QUESTION) -> Sample:
    parsed = ParsedOutput("EUR 42", "A", "2025-06-01", structured=True)
    return Sample(question, trace, FormatSpecification(), {}, parsed)


def test_a_trace_row_holds_the_passages_as_they_were_fetched() -> None:
    """With dates as text, scores, and whether each was shown."""
    row = traces_frame([sample()], []).iloc[0]
    assert list(row["passages"]) == [
        {"id": "A#0", "document": "A", "revision": "A@new", "valid_from": "2025-06-01", "valid_to": None,
         "score": 0.75, "shown": True, "text": "EUR 42."},
        {"id": "A#1", "document": "A", "revision": "A@old", "valid_from": "2025-01-01",
         "valid_to": "2025-06-01", "score": 0.5, "shown": False, "text": "EUR 38."},
    ]  # fmt: skip
    assert row[["question", "pipeline", "repeat", "prompt_tokens", "output_tokens"]].tolist() == [
        "q",
        "rag",
        0,
        10,
        4,
    ]
    assert (row["parsed_answer"], row["parsed_source"], row["structured"]) == ("EUR 42", "A", True)
    assert (row["retrieval_seconds"], row["generation_seconds"]) == (0.5, 1.5)


def test_no_retriever_is_null_and_nothing_found_is_empty(tmp_path: Path) -> None:
    """Also after a round through parquet, where nothing but empty lists would be hard to tell."""
    traces = [
        TRACE,
        replace(TRACE, pipeline="none", retrieved=None),
        replace(TRACE, pipeline="empty", retrieved=()),
    ]
    traces_frame([sample(t) for t in traces], []).to_parquet(tmp_path / "t.parquet")
    passages = pd.read_parquet(tmp_path / "t.parquet").set_index("pipeline")["passages"]
    assert len(passages["rag"]) == 2
    assert passages["none"] is None
    assert len(passages["empty"]) == 0


def scores(**values: tuple[float | None, str | None]) -> list[Score]:
    """Scores of the pipeline rag, by metric with ``__`` for each stroke."""
    return [
        Score(
            "q",
            "rag",
            name.replace("__", "/"),
            "not_applicable" if value is None else "scored",
            value,
            label,
        )
        for name, (value, label) in values.items()
    ]


def shown(samples: list[Sample], scores: list[Score]) -> list[dict[str, Any]]:
    return questions_table(cases(samples, scores))


def test_the_table_of_questions_puts_answers_side_by_side() -> None:
    """With what was expected at the question's date, and each answer's class and marks."""
    frame = scores(
        correctness__generation__correct=(1.0, None), format__generation__strict=(0.0, None),
        freshness__generation__outdated=(0.0, "current"),
    )  # fmt: skip
    (row,) = shown([sample(), sample(replace(TRACE, pipeline="lora", retrieved=None))], frame)
    assert row["expected"] == "EUR 42 / 42 euros"
    assert (row["as_of"], row["category"]) == ("2025-10-01", "changed")
    assert list(row["answers"]) == ["rag", "lora"]
    rag = row["answers"]["rag"]
    assert (rag["class"], rag["correct"], rag["strict"]) == ("current", True, False)
    assert rag["passages"][1] == {"id": "A#1", "revision": "A@old", "score": 0.5}
    lora = row["answers"]["lora"]
    assert (lora["class"], lora["correct"], lora["strict"], lora["passages"]) == (
        None,
        None,
        None,
        [],
    )


def test_what_nothing_answers_is_marked_by_abstention() -> None:
    """Of correct, abstention and retention the first that is scored decides."""
    frame = scores(
        correctness__generation__correct=(None, None),
        correctness__generation__abstention=(1.0, "abstained"),
    )
    (row,) = shown([sample(question=replace(QUESTION, answers=()))], frame)
    assert row["answers"]["rag"]["correct"] is True


def test_each_trace_names_the_stage_at_fault() -> None:
    """By the scores of its own repeat."""
    said = ParsedOutput("EUR 42")
    first = replace(sample(), parsed=said)
    second = replace(first, trace=replace(TRACE, repeat=1))
    strict = [
        Score("q", "rag", "format/generation/strict", "scored", value, repeat=repeat)
        for repeat, value in ((0, 1.0), (1, 0.0))
    ]
    wrong = replace(
        sample(replace(TRACE, pipeline="bare", retrieved=None)), parsed=ParsedOutput("7")
    )
    frame = traces_frame([first, second, wrong], strict)
    assert frame["blame"].tolist() == ["none", "malformed", "no_evidence"]
    assert frame["blame_rule"].tolist()[1] == "the answer is right and breaks its format"


def test_the_lines_that_prove_a_fault_survive_a_file(tmp_path: Path) -> None:
    """A list of texts for every trace, empty where nothing is at fault."""
    right = replace(sample(), parsed=ParsedOutput("EUR 42"))
    wrong = replace(
        sample(replace(TRACE, pipeline="bare", retrieved=None)), parsed=ParsedOutput("7")
    )
    traces_frame([right, wrong], []).to_parquet(tmp_path / "t.parquet")
    lines = pd.read_parquet(tmp_path / "t.parquet")["blame_evidence"]
    assert list(lines[0]) == []
    assert lines[1][0] == "asked on 2025-10-01: right is EUR 42 / 42 euros"
    assert lines[1][-1].startswith("output: ")


def test_shares_of_stages_at_fault() -> None:
    """By pipeline, of the questions where something can be at fault; repeats share a question."""
    control = replace(QUESTION, id="c", category="control")
    table = BlameTable(["rag", "lora"], repeats=2)
    assert table.rows() == []
    for repeat, question, stage in (
        (0, QUESTION, "malformed"), (1, QUESTION, "none"), (0, QUESTION, "malformed"),
        (1, QUESTION, "malformed"), (0, control, "none"), (1, control, "none"),
    ):  # fmt: skip
        case = Case(sample(replace(TRACE, repeat=repeat), question), ())
        vars(case)["blame"] = Blame(stage, "given")  # what a cached property keeps
        table.add(case)
    assert table.rows() == [
        {"pipeline": "rag", "stage": "none", "n": 0.5, "share": 0.25},
        {"pipeline": "rag", "stage": "malformed", "n": 1.5, "share": 0.75},
    ]


def test_a_finished_run_has_shares_of_every_pipeline(quartet: Any) -> None:
    """They add up to one, over the five questions that are no controls."""
    table = pd.DataFrame(quartet.result.results["blame"])
    summed = table.groupby("pipeline")[["share", "n"]].sum()
    assert summed["share"].to_numpy() == pytest.approx(1.0)
    assert summed["n"].tolist() == [5.0] * 4
    assert (Path(quartet.result.folder) / "figures" / "blame.svg").is_file()


def test_answers_in_the_table_of_questions_carry_blame() -> None:
    """The same stage as in the traces."""
    strict = Score("q", "rag", "format/generation/strict", "scored", 0.0)
    wrong = replace(
        sample(replace(TRACE, pipeline="bare", retrieved=None)), parsed=ParsedOutput("7")
    )
    (row,) = shown([sample(), wrong], [strict])
    assert row["answers"]["rag"]["blame"] == "malformed"
    assert row["answers"]["bare"]["blame"] == "no_evidence"
    assert "no retriever" in row["answers"]["bare"]["blame_rule"]


def test_a_control_question_is_marked_by_retention() -> None:
    frame = scores(
        correctness__generation__correct=(None, None), retention__generation__correct=(1.0, None)
    )
    (row,) = shown([sample(question=replace(QUESTION, category="control"))], frame)
    assert row["answers"]["rag"]["correct"] is True


def test_unanswerable_and_failed_are_said_in_words() -> None:
    """Nothing to expect is "abstain", and a failure is not an empty answer."""
    failed = sample(replace(TRACE, output="", error="out of memory"), replace(QUESTION, answers=()))
    (row,) = shown([failed], [])
    assert row["expected"] == "(abstain)"
    assert row["answers"]["rag"]["output"] == "(failed: out of memory)"


def test_rewriting_reaches_nested_text_and_leaves_the_rest_alone() -> None:
    """Numbers, nulls and types of columns stay; text is changed wherever it is."""

    def hide(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("EUR 42", "***")
        if isinstance(value, list):
            return [hide(v) for v in value]
        return {k: hide(v) for k, v in value.items()} if isinstance(value, dict) else value

    frame = traces_frame([sample(), sample(replace(TRACE, pipeline="none", retrieved=None))], [])
    hidden = rewritten(frame, hide)
    assert hidden["passages"][0][0]["text"] == "***."
    assert hidden["passages"][1] is None
    assert hidden["output"].tolist() == ['{"answer": "***"}'] * 2
    assert "EUR 42" in frame["output"][0]
    untouched = ["question", "prompt", "prompt_tokens", "generation_seconds", "structured", "error"]
    pd.testing.assert_frame_equal(hidden[untouched], frame[untouched])
    pd.testing.assert_frame_equal(rewritten(frame, lambda v: v), frame)


def test_a_finished_run_has_the_same_table_in_file_and_report(quartet: Any) -> None:
    """questions.json: six questions, four answers each, in the words of the traces."""
    table = quartet.result.questions
    traces = quartet.result.traces.set_index(["question", "pipeline"])
    assert sorted(row["question"] for row in table) == ["c1", "q1", "q2", "q3", "q4", "q5"]
    for row in table:
        assert list(row["answers"]) == ["prompt_only", "rag", "lora", "hybrid"]
        for pipeline, answer in row["answers"].items():
            assert answer["output"] == traces.loc[(row["question"], pipeline), "output"]
    expected = {row["question"]: row["expected"] for row in table}
    assert expected["q1"] == "EUR 42"
    assert expected["q5"] == "(abstain)"


def test_types_of_a_written_table_survive(quartet: Any) -> None:
    traces = quartet.result.traces
    assert traces["prompt_tokens"].dtype.kind == "i"
    assert traces["generation_seconds"].dtype.kind == "f"
    assert quartet.result.scores["value"].dtype.kind == "f"
    assert pytest.approx(traces["repeat"].sum()) == 0
