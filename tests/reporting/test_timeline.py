"""Reports of a study over time: what they claim, and that they show all of it."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from evalkit.reporting import ResultsError, print_scorecard, write_reports
from evalkit.reporting.timeline.page import HEIGHT, WIDTH, chart
from evalkit.reporting.timeline.reading import study_reading
from evalkit.reporting.timeline.tables import study_tables
from evalkit.reporting.timeline.text import study_markdown
from evalkit.reporting.timeline.view import CURRENT, OUTDATED, View

DATES = ["2025-03-31", "2025-06-30", "2025-12-15"]
STATES = ["frozen", "updated", "budget"]
SHARES = {
    ("rag", "frozen"): (0.8, 0.5, 0.2), ("rag", "updated"): (0.8, 0.8, 0.8),
    ("lora|<b>", "frozen"): (0.3, 0.2, 0.1), ("lora|<b>", "updated"): (0.3, 0.3, 0.2),
    ("lora|<b>", "budget"): (0.3, 0.2, 0.2),
}  # fmt: skip


def estimate(on: str, state: str, name: str, metric: str, value: float) -> dict[str, Any]:
    return {
        "date": on, "state": state, "pipeline": name, "metric": metric, "value": value,
        "low": max(0.0, value - 0.1), "high": min(1.0, value + 0.1), "method": "bca", "unit": "share",
        "n_total": 20, "n_scored": 20, "n_failed": 0, "n_not_applicable": 0, "n_abstained": 0,
        "n_clusters": 10, "signature": "s",
    }  # fmt: skip


def difference(
    name: str, of: str, metric: str, value: float, half: float, p: float
) -> dict[str, Any]:
    """The last date: updated against frozen, or (``dates``) frozen against the first date."""
    state = "updated" if of == "states" else "frozen"
    than = DATES[2] if of == "states" else DATES[0]
    return {
        "pipeline": name, "of": of, "date": DATES[2], "state": state, "than_date": than,
        "than_state": "frozen", "metric": metric, "difference": value, "low": value - half,
        "high": value + half, "p_value": p / 2, "p_adjusted": p, "n_pairs": 20, "n_clusters": 10,
        "decidable": True, "reason": "", "signature": "s",
    }  # fmt: skip


def update(
    on: str, since: str | None, artifact: str, seconds: float, **more: Any
) -> dict[str, Any]:
    built = since is None
    return {
        "date": on, "since": since, "artifact": artifact,
        "way": "re-index" if artifact == "index" else "re-train", "idle": False, "seconds": seconds,
        "bytes": 2000, "worked": 7, "price": None, "changed_facts": None if built else 4,
        "seconds_per_fact": None if built else seconds / 4, "price_per_fact": None,
        "answer_seconds": 0.5, "time_to_fresh": None if built else seconds + 0.5,
    } | more  # fmt: skip


@pytest.fixture
def results() -> dict[str, Any]:
    """Invented: rag's index is always updated by the budget, lora's adapter at the last date."""

    def share(name: str, state: str, i: int) -> float:
        kept = state if (name, state) in SHARES else "updated"
        return SHARES[name, kept][i]

    names = ["rag", "lora|<b>"]
    cells = [(on, i, s, n) for i, on in enumerate(DATES) for s in STATES for n in names]

    def stands(on: str, i: int, state: str, name: str) -> dict[str, Any]:
        of = DATES[0] if state == "frozen" else on
        if name != "rag" and state == "budget" and i < 2:
            of = DATES[0]
        key = "index" if name == "rag" else "adapter"
        return {
            "date": on,
            "state": state,
            "pipeline": name,
            "index": None,
            "adapter": None,
            key: of,
        }

    return {
        "schema": 1, "kind": "timeline", "experiment": "roll", "title": "A <title>", "model": "m",
        "created": "2026-01-01T00:00:00+00:00", "evalkit": "0", "statistics": {"confidence": 0.95},
        "benchmark": {"name": "b", "fingerprint": "f" * 64, "questions": 20, "license": "CC0"},
        "judge": {"name": "j", "version": "1"},
        "timeline": {"dates": DATES, "states": STATES, "currency": "EUR", "budget": None},
        "pipelines": [
            {"name": n, "retrieval": n == "rag", "tuning": n != "rag", "prompt": "p:1",
             "rests_on": ["index" if n == "rag" else "adapter"], "description": ""} for n in names
        ],
        "dates": [{"date": on, "questions": 20, "answerable": 16, "not_yet": 2, "withdrawn": 2,
                   "changed_facts": None, "changed_documents": 3} for on in DATES],
        "standings": [stands(*cell) for cell in cells],
        "estimates": [
            estimate(on, s, n, metric, value)
            for on, i, s, n in cells
            for metric, value in ((CURRENT, share(n, s, i)), (OUTDATED, 0.9 - share(n, s, i)))
        ],
        "classes": [
            {"class": kind, "date": on, "state": s, "pipeline": n, "value": value}
            for on, i, s, n in cells
            for kind, value in (("current", share(n, s, i)), ("outdated", 1 - share(n, s, i)))
        ],
        "differences": [
            difference("rag", "dates", CURRENT, -0.6, 0.2, 0.001),
            difference("lora|<b>", "dates", CURRENT, -0.2, 0.3, 0.2),
            difference("rag", "states", CURRENT, 0.6, 0.2, 0.001),
            difference("lora|<b>", "states", CURRENT, 0.1, 0.05, 0.08),
        ],
        "updates": [
            update(DATES[0], None, "index", 9), update(DATES[1], DATES[0], "index", 1.5),
            update(DATES[2], DATES[1], "index", 2.5), update(DATES[0], None, "adapter", 60),
            update(DATES[1], DATES[0], "adapter", 59.5),
            update(DATES[2], DATES[1], "adapter", 0, idle=True, time_to_fresh=None),
        ],
        "decisions": [
            {"date": on, "artifact": "adapter", "way": "re-train", "unit": "seconds", "purse": 40.0,
             "cost": 60.0, "updated": done, "left": 40.0, "reason": "because", "stands": on}
            for on, done in ((DATES[1], False), (DATES[2], True))
        ],
        "costs": [], "timings": [], "environment": {}, "warnings": ["a <warning>"], "notes": [],
    }  # fmt: skip


def questions() -> list[dict[str, Any]]:
    answers = [{"pipeline": "rag", "state": s, "answer": "<x>", "class": "current"} for s in STATES]
    days = [{"date": on, "expected": "EUR 5", "answers": answers} for on in DATES]
    return [{"question": "q1", "text": "How much?", "category": "changed", "dates": days}]


def test_states_that_never_differ_are_one_line(results: dict[str, Any]) -> None:
    """rag's budget always paid for its index; lora's did not."""
    names = [(line.pipeline, line.name) for line in View(results).lines]
    assert names == [
        ("rag", "frozen"), ("rag", "updated, budget"),
        ("lora|<b>", "frozen"), ("lora|<b>", "updated"), ("lora|<b>", "budget"),
    ]  # fmt: skip


def test_a_pipeline_without_index_and_adapter_is_one_line(results: dict[str, Any]) -> None:
    for row in results["standings"]:
        row |= {"index": None, "adapter": None}
    assert [line.name for line in View(results).lines] == ["in every state"] * 2


def test_the_reading_claims_what_its_intervals_support(results: dict[str, Any]) -> None:
    """A change needs an interval that leaves out zero and an adjusted p below .05: the last
    difference of lora has the first and not the second."""
    said = study_reading(View(results))
    left = next(s for s in said if s.startswith("Left alone"))
    assert "down by 60 points in rag [−80, −40], 20 questions" in left
    assert "no change is shown in lora|<b> [−50, +10]" in left
    updated = next(s for s in said if "of what was updated, against" in s)
    assert "up by 60 points in rag [+40, +80]" in updated
    assert "no change is shown in lora|<b> [+5, +15]" in updated
    assert not any("lora" in s and "up by" in s.split("lora")[0][-12:] for s in said)


def test_what_cannot_be_judged_is_said_so(results: dict[str, Any]) -> None:
    results["differences"][0] |= {"decidable": False, "reason": "3 % failed"}
    said = study_reading(View(results))
    assert "cannot be judged in rag (3 % failed)" in said[0]
    assert "60 points" not in said[0]


def test_the_reading_compares_what_was_measured(results: dict[str, Any]) -> None:
    """Medians of time to fresh, 2.5 and 60: 24 times; the idle update and the builds do not count."""
    said = study_reading(View(results))
    costs = next(s for s in said if s.startswith("Time to fresh"))
    assert "2.50 s with re-index and 60.0 s with re-train" in costs
    assert "re-train takes 24 times as long" in costs
    assert "Within the budget, re-train happened at 1 of 2 dates (2025-12-15)." in said


def test_tables_hold_costs_per_fact_and_prices_where_there_are(results: dict[str, Any]) -> None:
    tables = {t.title: t for t in study_tables(View(results))}
    fresh = tables["Time to fresh, and cost per changed fact"]
    assert dict(zip(fresh.head, fresh.rows[0], strict=True)) == {
        "way": "re-index", "updates": "2", "time to fresh, median": "2.50 s", "longest": "3.00 s",
        "seconds in all": "4.00 s", "written": "4.0 kB", "changed facts": "8", "seconds per fact": "0.50 s",
    }  # fmt: skip
    assert fresh.rows[1][1] == "1"
    for row in results["updates"]:
        row |= {"price": 0.4, "price_per_fact": 0.1}
    fresh = {t.title: t for t in study_tables(View(results))}[fresh.title]
    assert fresh.rows[0][-2:] == ["0.80 EUR", "0.10 EUR"]


def test_every_row_is_as_wide_as_its_table(results: dict[str, Any]) -> None:
    for table in study_tables(View(results)):
        assert table.rows, table.title
        assert {len(row) for row in table.rows} == {len(table.head)}, table.title


def test_names_cannot_break_the_markdown_or_the_page(
    results: dict[str, Any], tmp_path: Path
) -> None:
    """Every line of a table has the cells of its head; no tag comes from data; no network."""
    lines = study_markdown(View(results)).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert any("lora\\|&lt;b>" in line for line in table)
    write_reports(results, questions(), tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "<b>&lt;" not in page
    assert "lora|<b>" not in page
    assert "A &lt;title&gt;" in page
    assert "a &lt;warning&gt;" in page
    assert "&lt;x&gt;" in page
    assert not re.search(r"(src|href)=", page)


def test_curves_stay_within_their_drawing(results: dict[str, Any]) -> None:
    """Points and bounds of every line, the higher share above; dates as far apart as in time."""
    view = View(results)
    for name in ("rag", "lora|<b>"):
        drawn = chart(view, name, CURRENT)
        for line in drawn["lines"]:
            assert len(line["points"]) == 3
            for point in line["points"]:
                assert 0 <= point["x"] <= WIDTH
                assert 0 <= point["high"] <= point["y"] <= point["low"] <= HEIGHT
    ticks = chart(view, "rag", CURRENT)["dates"]
    first, second, third = (tick["x"] for tick in ticks)
    assert (second - first) / (third - first) == pytest.approx(91 / 259)


def test_figures_and_terminal_are_made(results: dict[str, Any], tmp_path: Path) -> None:
    """The scorecard of a study is its tables; the figures name every state."""
    written = write_reports(results, [], tmp_path)
    figures = {f"figures/{name}.svg" for name in ("freshness", "classes_over_time")}
    assert {"scorecard.md", "report.html", *figures} <= set(written)
    svg = (tmp_path / "figures" / "freshness.svg").read_text()
    assert all(f">{state}<" in svg for state in STATES)
    out = StringIO()
    print_scorecard(results, Console(file=out, width=120))
    assert "Current answers" in out.getvalue()
    assert "lora|<b>" in out.getvalue()


def test_a_study_without_anything_scored_is_reported(
    results: dict[str, Any], tmp_path: Path
) -> None:
    """All failed: no number, no curve, and the page says so."""
    for row in (*results["estimates"], *results["classes"]):
        row |= {"value": None, "low": None, "high": None, "n_scored": 0, "n_failed": 20}
    results["differences"] = []
    write_reports(results, [], tmp_path)
    assert "no question was scored" in (tmp_path / "report.html").read_text()
    assert "failed" in (tmp_path / "scorecard.md").read_text()


def test_results_of_another_schema_are_refused(results: dict[str, Any]) -> None:
    with pytest.raises(ResultsError, match="schema 9"):
        View({**results, "schema": 9})
