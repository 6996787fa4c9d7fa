"""Reports of a study over time: what they claim, and that they show all of it."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from invented_study import DATES, STATES, estimate, questions, study
from rich.console import Console

from evalkit.reporting import ResultsError, print_scorecard, write_reports
from evalkit.reporting.timeline.page import HEIGHT, WIDTH, chart, study_html
from evalkit.reporting.timeline.reading import study_reading
from evalkit.reporting.timeline.tables import study_tables
from evalkit.reporting.timeline.text import study_markdown
from evalkit.reporting.timeline.view import CURRENT, View


@pytest.fixture
def results() -> dict[str, Any]:
    return study()


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
    difference of lora has the first and not the second, and the reading says which is lacking."""
    said = study_reading(View(results))
    left = next(s for s in said if s.startswith("Left alone"))
    assert "down by 60 points in rag [−80, −40], 20 questions" in left
    assert "no change is shown in lora|<b> [−50, +10]" in left
    updated = next(s for s in said if "of what was updated, against" in s)
    assert "up by 60 points in rag [+40, +80]" in updated
    assert (
        "no change is shown in lora|<b> [+5, +15], 20 questions (the interval alone leaves out 0, but"
        " p adjusted over 4 comparisons is 0.080)" in updated
    )
    assert said[-1].endswith("p, adjusted over the study's 4 comparisons, is below 0.05.")
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


def test_repeats_have_a_table_with_a_row_for_each_line_that_varies(results: dict[str, Any]) -> None:
    tables = {t.title: t for t in study_tables(View(results))}
    assert tables["Repeats"].lead.startswith("Every question was asked 3 times.")
    assert tables["Repeats"].rows == [["current", "rag", "frozen", "25 %", "–", "50 %"]]
    results["variation"] = []
    assert "Repeats" not in {t.title for t in study_tables(View(results))}


def test_a_column_of_which_no_line_has_anything_is_left_out(results: dict[str, Any]) -> None:
    """Nothing but the share of stale passages was measured of retrieval: one column."""
    metric = "freshness/retrieval/stale_rate"
    results["estimates"] += [estimate(DATES[2], s, "rag", metric, 0.3) for s in STATES]
    table = next(t for t in study_tables(View(results)) if t.title.startswith("What was retrieved"))
    assert table.head == ["pipeline", "state", "stale passages"]
    assert table.rows[0] == ["rag", "frozen", "30 [20, 40] (20)"]


def test_every_row_is_as_wide_as_its_table(results: dict[str, Any]) -> None:
    for table in study_tables(View(results)):
        assert table.rows, table.title
        assert {len(row) for row in table.rows} == {len(table.head)}, table.title


def test_names_cannot_break_the_markdown_or_the_page(results: dict[str, Any]) -> None:
    """Every line of a table has the cells of its head; no tag comes from data; no network."""
    lines = study_markdown(View(results)).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert any("lora\\|&lt;b>" in line for line in table)
    page = study_html(View(results), questions())
    assert "<b>&lt;" not in page
    assert "lora|<b>" not in page
    assert "A &lt;title&gt;" in page
    assert "a &lt;warning&gt;" in page
    assert "&lt;x&gt;" in page
    assert not re.search(r"(src|href)=", page)


def test_what_the_judge_cannot_see_is_said_wherever_the_study_is_shown(
    results: dict[str, Any],
) -> None:
    """Whether an answer was faithful decides which stage is at fault."""
    results["judge"]["blind_to"] = ["negation"]
    out = StringIO()
    print_scorecard(results, Console(file=out, width=120))
    shown = (out.getvalue(), study_html(View(results)), study_markdown(View(results)))
    assert all("The judge (j) is blind to: negation." in text for text in shown)


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
    names = ("freshness", "classes_over_time", "blame_over_time")
    figures = {f"figures/{name}.svg" for name in names}
    assert {"scorecard.md", "report.html", *figures} <= set(written)
    svg = (tmp_path / "figures" / "freshness.svg").read_text()
    assert all(f">{state}<" in svg for state in STATES)
    assert "Which stage is at fault" in (tmp_path / "report.html").read_text()
    blame = (tmp_path / "figures" / "blame_over_time.svg").read_text()
    assert all(f">{name}<" in blame for name in ("retrieved stale", "nothing at fault"))
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
