"""The study from end to end, against answers that are worked out by hand."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from clerk import TRAINING_SECONDS, Clerk

import evalkit
from evalkit import cli

D0, D1, D2 = "2025-02-01", "2025-07-01", "2025-10-01"
# What is said of the allowance (changed), the club's points (withdrawn), the lockers (new).
OLD = [
    ("current", "current", "abstained"),
    ("outdated", "current", "abstained"),
    ("outdated", "outdated", "abstained"),
]
FRESH = [
    ("current", "current", "abstained"),
    ("current", "current", "current"),
    ("current", "abstained", "current"),
]
EXPECTED = {
    ("rag", "frozen"): OLD,
    ("lora", "frozen"): OLD,
    ("hybrid", "frozen"): OLD,
    ("rag", "updated"): FRESH,
    ("lora", "updated"): FRESH,
    ("hybrid", "updated"): FRESH,
    ("rag", "budget"): FRESH,  # the index is always paid for
    ("lora", "budget"): [OLD[0], OLD[1], FRESH[2]],  # the adapter the second time
    ("hybrid", "budget"): FRESH,
}


def classes(result: evalkit.RunResult) -> dict[tuple[str, str, str, str], str]:
    scores = result.scores
    found = scores[scores["metric"] == "freshness/generation/outdated"]
    keys = zip(*(found[c] for c in ("pipeline", "state", "date", "question")), strict=True)
    return dict(zip(keys, found["label"], strict=True))


def test_every_answer_is_of_the_class_that_its_index_and_adapter_allow(study: Any) -> None:
    """By hand: an index of February knows neither the new allowance nor that the club has ended."""
    found = classes(study.result)
    for (pipeline, state), by_date in EXPECTED.items():
        for on, wanted in zip((D0, D1, D2), by_date, strict=True):
            said = tuple(found[pipeline, state, on, q] for q in ("q1", "q3", "q4"))
            assert said == wanted, (pipeline, state, on)


def test_the_shares_are_those_of_the_answers(study: Any) -> None:
    """Current is over the questions with an answer in force, outdated over all; leaks over what
    was withdrawn; each with its interval and its number of questions."""
    rows = {
        (e["pipeline"], e["state"], e["date"], e["metric"].rpartition("/")[2]): e
        for e in study.result.results["estimates"]
    }
    cells = {
        ("rag", "frozen", D0, "current"): (1.0, 2), ("rag", "frozen", D2, "current"): (0.0, 2),
        ("rag", "frozen", D2, "outdated"): (2 / 3, 3), ("rag", "frozen", D2, "leak"): (1.0, 1),
        ("rag", "updated", D2, "current"): (1.0, 2), ("rag", "updated", D2, "leak"): (0.0, 1),
        ("lora", "budget", D1, "current"): (1 / 3, 3), ("lora", "frozen", D2, "leak"): (1.0, 1),
        ("rag", "frozen", D2, "outdated_given_missed"): (0.5, 2),
        ("rag", "updated", D2, "outdated_given_retrieved"): (0.0, 2),
        ("rag", "frozen", D0, "leak"): (None, 0),
    }  # fmt: skip
    for key, (value, n) in cells.items():
        row = rows[key]
        assert row["value"] == (None if value is None else pytest.approx(value)), key
        assert row["n_scored"] == n, key
        if value is not None:
            assert 0 <= row["low"] <= value <= row["high"] <= 1, key
        assert f"asked={key[2]}" in row["signature"]


def test_classes_add_up_to_one(study: Any) -> None:
    """For every date, state and pipeline, over all questions that were asked."""
    shares = pd.DataFrame(study.result.results["classes"])
    sums = shares.groupby(["date", "state", "pipeline"])["value"].sum()
    assert len(sums) == 27
    assert sums.tolist() == pytest.approx([1.0] * 27)


def test_a_prompt_does_not_tell_what_its_index_cannot_know(study: Any) -> None:
    """The frozen index shows the club's page as in force in October; the updated one knows its end.
    The table of traces has the true period all the same."""
    traces = study.result.traces
    asked = traces[(traces["question"] == "q3") & (traces["date"] == D2)]
    by_state = asked[asked["pipeline"] == "rag"].set_index("state")
    assert "| since 2025-01-01]\nClub points" in by_state.loc["frozen", "prompt"]
    assert "| 2025-01-01 to 2025-08-01]\nClub points" in by_state.loc["updated", "prompt"]
    ends = {p["revision"]: p["valid_to"] for p in by_state.loc["frozen", "passages"]}
    assert ends["W@1"] == "2025-08-01"
    assert ends["A@1"] == "2025-06-01"


def test_states_are_one_at_the_first_date_and_work_they_share_is_done_once(study: Any) -> None:
    """81 answers are reported, of 3 questions x (3 + 7 + 6) different standings; three adapters."""
    result = study.result
    assert len(result.traces) == 81
    standings = pd.DataFrame(result.results["standings"])
    first = standings[standings["date"] == D0]
    assert (first[["index", "adapter"]].isin([D0, None])).all().all()
    rows = list((study.store / "generations").glob("*/rows.sqlite"))
    counts = [sqlite3.connect(r).execute("SELECT count(*) FROM rows").fetchone() for r in rows]
    assert sum(count for (count,) in counts) == 48
    assert len([f for f in (study.store / "adapter").iterdir() if f.is_dir()]) == 3


def test_updates_are_measured_and_counted(study: Any) -> None:
    """Only the changed passages are embedded; facts and documents are counted; the time to fresh is
    the update and one answer."""
    updates = {(u["way"], u["date"]): u for u in study.result.results["updates"]}
    assert [updates["re-index", d]["worked"] for d in (D0, D1, D2)] == [3, 2, 0]
    assert [updates["re-index", d]["changed_facts"] for d in (D0, D1, D2)] == [None, 2, 1]
    assert [updates["re-index", d]["documents"] for d in (D0, D1, D2)] == [None, 2, 1]
    assert [updates["re-train", d]["changed_facts"] for d in (D0, D1, D2)] == [None, 2, 1]
    trained = updates["re-train", D1]
    assert trained["seconds"] == TRAINING_SECONDS
    assert trained["seconds_per_fact"] == pytest.approx(1.0)
    assert trained["time_to_fresh"] == pytest.approx(TRAINING_SECONDS + trained["answer_seconds"])
    assert trained["bytes"] > 0
    assert not any(u["idle"] for u in updates.values())


def test_the_budget_saves_up_and_says_why(study: Any) -> None:
    """One second a period, two for a training: kept in July, trained in October, nothing left."""
    decided = [d for d in study.result.results["decisions"] if d["way"] == "re-train"]
    assert [(d["date"], d["purse"], d["cost"], d["updated"], d["left"], d["stands"]) for d in decided] == [
        (D1, 1.0, 2.0, False, 1.0, D0), (D2, 2.0, 2.0, True, 0.0, D2),
    ]  # fmt: skip
    assert "does not pay" in decided[0]["reason"]


def test_differences_are_paired_between_states_and_dates(study: Any) -> None:
    """Updated against frozen on the same questions; the last date against the first."""
    found = {
        (d["of"], d["pipeline"], d["date"], d["state"], d["metric"].rpartition("/")[2]): d
        for d in study.result.results["differences"]
    }
    assert found["states", "rag", D2, "updated", "current"]["difference"] == 1.0
    assert found["states", "rag", D2, "updated", "outdated"]["difference"] == pytest.approx(-2 / 3)
    assert found["states", "rag", D2, "updated", "current"]["n_pairs"] == 2
    frozen = found["dates", "rag", D2, "frozen", "outdated"]
    assert frozen["difference"] == pytest.approx(2 / 3)
    assert (frozen["than_date"], frozen["than_state"]) == (D0, "frozen")
    alike = ("states", "lora", D1, "budget", "current")
    assert alike not in found  # nothing to compare: the same index, the same adapter


def test_the_same_command_repeats_nothing_and_gives_the_same_numbers(
    study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Costs too: they are what was measured when the work was done. No index is built for them."""
    monkeypatch.setattr(Clerk, "reply", lambda *_: 1 / 0)
    monkeypatch.setattr("evalkit.stages.preparing.index_at", lambda *_: 1 / 0)
    again = evalkit.run(*study.overrides, f"run_dir={tmp_path / 'again'}").results
    for part in (
        "estimates",
        "classes",
        "differences",
        "decisions",
        "standings",
        "dates",
        "updates",
    ):
        assert again[part] == study.result.results[part], part


def test_a_study_that_was_stopped_goes_on_where_it_was(
    study: Any, overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after ten answers, it does not ask for those again."""
    given = [*overrides, f"store={tmp_path / 'store'}", f"run_dir={tmp_path / 'run'}"]
    monkeypatch.setattr(Clerk, "asked", 0)
    monkeypatch.setattr(Clerk, "strike_at", 10)
    with pytest.raises(KeyboardInterrupt):
        evalkit.run(*given)
    assert not (tmp_path / "run" / "results.json").exists()
    monkeypatch.setattr(Clerk, "strike_at", None)
    result = evalkit.run(*given)
    assert classes(result) == classes(study.result)
    assert Clerk.asked == 48  # as many as a study that nobody stops


def test_limit_asks_fewer_questions_and_other_pipelines_have_one_standing(
    study: Any, tmp_path: Path
) -> None:
    """Of those whose reply changes. Gold evidence and the prompt alone rest on nothing that ages."""
    result = evalkit.run(
        *study.overrides, "limit=1", "pipeline=[prompt_only,rag,oracle]", f"run_dir={tmp_path / 'run'}"
    )  # fmt: skip
    assert result.results["benchmark"]["questions"] == 1
    assert {u["artifact"] for u in result.results["updates"]} == {"index"}
    outputs = result.traces.groupby(["pipeline", "date"])["prompt"].nunique()
    assert (outputs[["prompt_only", "oracle"]] == 1).all()
    assert outputs["rag", D1] == 2


def test_the_run_folder_is_complete_and_prints(
    study: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables carry date and state; the reports are written again; the page has no network in it."""
    folder = study.result.folder
    for name in ("scores", "traces"):
        assert {"date", "state"} <= set(pd.read_parquet(folder / f"{name}.parquet").columns)
    results = json.loads((folder / "results.json").read_text())
    assert results["kind"] == "timeline"
    assert {f.name for f in (folder / "figures").iterdir()} == {
        f"{name}.{ending}"
        for name in ("freshness", "classes_over_time", "blame_over_time")
        for ending in ("svg", "png")
    }  # fmt: skip
    page = (folder / "report.html").read_text()
    assert cli.main(["report", str(folder)]) == 0
    assert (folder / "report.html").read_text().count("<svg") == page.count("<svg")
    shown = capsys.readouterr().out
    assert "Current answers" in shown
    assert "81 answers" in shown


def test_a_study_is_not_gated(study: Any) -> None:
    """Its scores ask each question several times; the gate says so, and what to give instead."""
    with pytest.raises(evalkit.EvalkitError, match="study of the kind timeline"):
        evalkit.gate(study.result.folder, study.result.folder)
    assert cli.main(["gate", str(study.result.folder), str(study.result.folder)]) == 3


@pytest.mark.slow
def test_a_model_is_trained_and_asked_at_each_date(
    tiny_overrides: list[str], moving: Path, tmp_path: Path
) -> None:
    """With a real engine and real training: an adapter of each date, other prompts on each."""
    result = evalkit.run(
        "experiment=roll_forward", *tiny_overrides, f"benchmark.path={moving}", "pipeline=[hybrid]",
        f"timeline.dates=[{D0},{D2}]", "timeline.states=[frozen,updated]", "timeline.examples=null",
        "tuning.examples.limit=null", f"store={tmp_path / 'store'}", f"run_dir={tmp_path / 'run'}",
    )  # fmt: skip
    assert result.traces["error"].isna().all()
    adapters = {u["adapter"] for u in result.results["updates"] if u["artifact"] == "adapter"}
    assert len(adapters) == 2
    asked = result.traces[result.traces["question"] == "q1"].set_index(["date", "state"])
    assert asked.loc[(D0, "frozen"), "prompt"] == asked.loc[(D0, "updated"), "prompt"]
    assert asked.loc[(D2, "frozen"), "prompt"] != asked.loc[(D2, "updated"), "prompt"]


def test_every_key_is_documented(study: Any) -> None:
    """RESULTS.md names whatever a study writes: keys, columns, and the fields of a question."""
    import evalkit.reporting

    document = Path(evalkit.reporting.__file__).parent / "RESULTS.md"
    named = set(re.findall(r"`([^`]+)`", document.read_text(encoding="utf-8")))
    result = study.result
    written = keys({k: v for k, v in result.results.items() if k not in ("environment", "judge")})
    written |= set(result.scores.columns) | set(result.traces.columns) | keys(result.questions)
    assert written - {"changed", "new", "withdrawn"} <= named


def keys(value: Any) -> set[str]:
    """Every key of nested objects."""
    if isinstance(value, list):
        return {key for each in value for key in keys(each)}
    if not isinstance(value, dict):
        return set()
    return set(value) | {key for each in value.values() for key in keys(each)}
