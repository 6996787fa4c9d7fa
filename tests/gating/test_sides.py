"""The two sides of a gate: what may be compared, what is missing in one, and where runs come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_runs import CORRECT, NO_WORSE, STRICT, MakeRun, ones

from evalkit.errors import EvalkitError
from evalkit.gating import gate


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"fingerprint": "e" * 64}, ("ffffffffffff", "eeeeeeeeeeee")),
        ({"judge": "other"}, ("offline@1", "other@1")),
        ({"versions": {CORRECT: "2"}}, ("version 1", "2")),
    ],
)
def test_runs_measured_differently_are_refused_naming_both(
    make_run: MakeRun, other: dict[str, Any], named: tuple[str, ...]
) -> None:
    """Another benchmark, judge or metric version is exit code 3."""
    cells = {("rag", CORRECT): ones(50)}
    result = gate(make_run("a", cells), make_run("b", cells, **other))
    assert result.exit_code == 3
    assert all(name in result.reason for name in named)
    assert str(result.baseline["runs"][0]).endswith("a")


def test_runs_without_a_common_pipeline_are_not_comparable_until_they_are_paired(
    make_run: MakeRun,
) -> None:
    a, b = (make_run(p, {(p, CORRECT): ones(200)}) for p in ("rag", "hybrid"))
    assert gate(a, b, NO_WORSE).exit_code == 3
    paired = gate(a, b, NO_WORSE, "pipelines={rag: hybrid}")
    assert paired.ships
    assert list(paired.table["pipeline"]) == ["rag → hybrid"]


def test_questions_that_a_run_lost_have_failed_in_it(make_run: MakeRun) -> None:
    """Runs of one benchmark were asked the same: a row that is gone must not raise the mean, be it
    of a question or of one metric.
    """
    cells = {("rag", CORRECT): ones(200, 20), ("rag", STRICT): ones(200)}
    whole, cut, part = (make_run(name, cells) for name in ("whole", "cut", "part"))
    scores = pd.read_parquet(whole / "scores.parquet")
    wrong = scores["question"] < "q020"
    scores[~wrong].to_parquet(cut / "scores.parquet")
    scores[~wrong | (scores["metric"] == STRICT)].to_parquet(part / "scores.parquet")
    for run in (cut, part):
        result = gate(whole, run, NO_WORSE)
        assert (result.decision, result.table.loc[0, "failed_share"]) == ("inconclusive", 0.1)
    assert gate(whole, cut, NO_WORSE).notes == (
        "20 questions in one run only, counted as failed in the other: q000, ...",
    )


def test_what_looks_like_a_mistake_is_noted(make_run: MakeRun) -> None:
    """One run on both sides, the newer one as baseline, a pipeline that one side alone has."""
    a = make_run("a", {("rag", CORRECT): ones(90), ("hybrid", CORRECT): ones(90)})
    b = make_run("b", {("rag", CORRECT): ones(90), ("lora", CORRECT): ones(90)})
    assert gate(a, str(a), NO_WORSE).notes == (f"the same run is on both sides: {a}",)
    text = (a / "results.json").read_text()
    (a / "results.json").write_text(text.replace("2026-01-01", "2026-03-01"))
    assert gate(a, b, NO_WORSE).notes == (
        "the baseline was made after the candidate: are they swapped?",
        "not compared, of the baseline: hybrid",
        "not compared, of the candidate: lora",
    )


def test_seeds_become_repeats(make_run: MakeRun) -> None:
    """Two runs of one configuration are averaged within a question; a changed one is refused."""
    a = make_run("a", {("rag", CORRECT): ones(200)}, config="seed: 0\nk: 3\n")
    b = make_run("b", {("rag", CORRECT): ones(200, 200)}, config="seed: 1\nk: 3\n")
    joined = gate(f"{a},{b}", a, NO_WORSE)
    assert joined.table.loc[0, "effect"] == pytest.approx(0.5)
    assert joined.table.loc[0, "n_pairs"] == 200
    other = make_run("c", {("rag", CORRECT): ones(200)}, config="seed: 1\nk: 5\n")
    refused = gate([a, other], a, NO_WORSE)
    assert refused.exit_code == 3
    assert "differ in k: 3 and 5" in refused.reason
    with pytest.raises(EvalkitError, match="given twice"):
        gate([a, a], b)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("results.json", "{", "damaged"),
        ("results.json", "[]", "damaged"),
        ("results.json", '{"schema": 9}', "schema 9"),
        ("scores.parquet", "no parquet", "scores.parquet is damaged"),
        ("scores.parquet", None, "no scores.parquet"),
        ("results.json", None, "no finished run"),
    ],
)
def test_a_damaged_run_is_named_with_what_is_wrong(
    make_run: MakeRun, file: str, text: str | None, said: str
) -> None:
    good, bad = (make_run(name, {("rag", CORRECT): ones(20)}) for name in "ab")
    (bad / file).unlink() if text is None else (bad / file).write_text(text)
    with pytest.raises(EvalkitError, match=said) as caught:
        gate(good, bad)
    assert str(bad) in str(caught.value)
    assert caught.value.todo


def test_runs_come_back_from_mlflow_by_their_id(make_run: MakeRun, tmp_path: Path) -> None:
    """A parent run's id stands for its folder; a pipeline's run says which id to give."""
    from evalkit.tracking import log_run

    folder = make_run("a", {("rag", CORRECT): ones(200, 50)})
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    logged = log_run(folder, uri=uri)
    result = gate(logged.parent_run_id, folder, NO_WORSE, uri=uri)
    assert result.table.loc[0, "n_pairs"] == 200
    assert result.baseline["runs"] == [logged.parent_run_id]
    worse = make_run("b", {("rag", CORRECT): ones(200, 90)})
    flipped = gate(logged.parent_run_id, worse, NO_WORSE, uri=uri).flips
    (worse / "questions.json").unlink()
    again = gate(logged.parent_run_id, worse, NO_WORSE, uri=uri).flips
    assert flipped["text"].tolist() == again["text"].tolist()
    assert again["text"].str.startswith("What is").all()
    with pytest.raises(EvalkitError, match=logged.parent_run_id):
        gate(logged.pipeline_run_ids["rag"], folder, uri=uri)
    with pytest.raises(EvalkitError, match="there is no run"):
        gate("0" * 32, folder, uri=uri)
