"""What a study refuses before any time is spent, each time with the key and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from moving import rows, write

import evalkit
from evalkit.configuration.compose import compose
from evalkit.errors import ConfigError
from evalkit.results.costs import Prices
from evalkit.timeline.settings import Budget, Timeline

DAYS = ["2025-02-01", "2025-10-01"]
CLAIM = "hypotheses=[{metric: correctness/generation/correct, better: rag, than: lora}]"


def refused(overrides: list[str], tmp_path: Path, *more: str) -> str:
    """The words with which a study is refused; nothing was built."""
    with pytest.raises(ConfigError) as caught:
        evalkit.run(*overrides, f"store={tmp_path / 'store'}", *more)
    assert not (tmp_path / "store").exists()
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("timeline.dates=[2025-07-01,2025-02-01]", "not ascending: 2025-02-01 comes after 2025-07-01"),
        ("timeline.dates=[2025-07-01,2025-07-01]", "not ascending"),
        ("timeline.dates=[2025-07-01]", "at least two dates"),
        ("timeline.dates=[2025-02-01,summer]", r"timeline.dates[1] is 'summer'"),
        ("timeline.dates=[2024-02-01,2025-07-01]", "dates[0] is 2024-02-01, but moving knows of 2025-01-01 to"),
        ("timeline.dates=[2025-02-01,2026-07-01]", "dates[1] is 2026-07-01"),
        ("timeline.dates=[2025-02-01,2025-03-01]", "the right reply to no question of moving changes"),
        ("timeline.states=[frozen,thawed]", "timeline.states is"),
        ("timeline.states=[]", "timeline.states is"),
        ("timeline.only_changing=maybe", "timeline.only_changing is 'maybe'"),
        ("timeline.budget=null", "timeline.states names budget"),
        ("timeline.budget.adapter=-1", "timeline.budget.adapter is -1"),
        ("timeline.budget={unit: hours}", "timeline.budget.unit is 'hours'"),
        ("timeline.budget={unit: money, index: 1}", "prices.machine_hour is null"),
        ("timeline.examples={knowledge: 0}", "timeline.examples.knowledge is 0"),
        ("+timeline.date=[2025-02-01]", "did you mean dates?"),
        ("timeline.examples={facts: 3}", "unknown keys ['facts']"),
        ("tuning.examples.kinds=[behaviour]", "tuning.examples.kinds is ['behaviour']"),
        ("tuning.examples.known_at=2025-03-01", "tuning.examples.known_at=2025-03-01, but"),
        ("retriever.built_at=2025-03-01", "retriever.built_at=2025-03-01, but"),
        (CLAIM, "hypotheses are tested in a run"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(
    given: str, words: str, overrides: list[str], tmp_path: Path
) -> None:
    said = refused(overrides, tmp_path, given)
    assert words in said


def test_a_benchmark_without_dates_is_refused(overrides: list[str], tmp_path: Path) -> None:
    files = rows()
    for kind in ("corpus", "questions"):
        for row in files[kind]:
            for part in (row, *row.get("answers", [])):
                part.pop("valid_from", None)
                part.pop("valid_to", None)
            row["answers"] = row.get("answers", [])[:1]
    files["corpus"] = [
        {k: v for k, v in r.items() if k != "answers"} for r in files["corpus"][1:]
    ]  # one revision of each document
    files["training"] = [r for r in files["training"] if r["kind"] == "behaviour"]
    for row in files["questions"]:
        row["category"] = "unchanged" if row["answers"] else "unanswerable"
        for answer in row["answers"]:
            answer.pop("evidence", None)
    folder = write(tmp_path / "undated", files)
    said = refused(
        overrides, tmp_path, f"benchmark.path={folder}", "pipeline=[rag]", "tuning.examples.kinds=[behaviour]"
    )  # fmt: skip
    assert "nothing in the benchmark moving has a date" in said
    assert "What to do" in said


def test_knowledge_without_dated_answers_is_refused(overrides: list[str], tmp_path: Path) -> None:
    """Such an adapter could not be trained on what was known at a date."""
    files = rows()
    for row in files["training"]:
        row.pop("answers", None)
    folder = write(tmp_path / "once", files)
    said = refused(overrides, tmp_path, f"benchmark.path={folder}")
    assert "no knowledge example of the benchmark has dated answers" in said
    assert "training.jsonl" in said


def test_a_study_of_retrieval_alone_needs_no_examples(overrides: list[str], tmp_path: Path) -> None:
    """What only tuned pipelines need is not asked of others."""
    from evalkit.configuration.assemble import Experiment
    from evalkit.configuration.compose import resolved
    from evalkit.timeline import check

    given = [o for o in overrides if not o.startswith("tuning.")]
    check(Experiment(resolved(compose([*given, "pipeline=[rag]", "tuning=none"]))))


def test_the_shipped_study_is_sound() -> None:
    """On the bundled handbook, with its own dates, examples and budget."""
    from evalkit.configuration.assemble import Experiment
    from evalkit.configuration.compose import resolved
    from evalkit.timeline import check

    experiment = Experiment(resolved(compose(["experiment=roll_forward", "tracking=none"])))
    check(experiment)
    assert len(experiment.pipelines) == 3


def test_states_come_in_one_order_whatever_the_configuration() -> None:
    part: dict[str, Any] = {"dates": DAYS, "states": ["updated", "frozen"]}
    assert Timeline.of(part, Prices()).states == ("frozen", "updated")
    assert Timeline.of({**part, "states": "updated"}, Prices()).states == ("updated",)


def test_a_budget_has_a_purse_for_each_artifact() -> None:
    part = {"dates": DAYS, "budget": {"unit": "money", "index": 1, "adapter": 2.5}}
    budget = Timeline.of(part, Prices(machine_hour=1.0)).budget
    assert budget == Budget("money", 1.0, 2.5)
    assert budget.allowance("index") == 1.0
