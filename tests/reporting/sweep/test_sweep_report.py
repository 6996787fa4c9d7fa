"""The report of a sweep: one page without network, Markdown that holds, charts that can be read."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[2] / "sweeps"))

from invented_sweeps import CORRECT, World, grid, write_sweep

from evalkit.reporting.sweep import write_sweep as write_reports
from evalkit.reporting.sweep.charts import fronts, parallel, ticks
from evalkit.reporting.sweep.page import sweep_html
from evalkit.reporting.sweep.reading import sweep_reading
from evalkit.reporting.sweep.text import sweep_markdown
from evalkit.reporting.sweep.view import View, jobs_words, short
from evalkit.sweeps.analysis import analyse

HOSTILE = "<script>alert(1)</script> | `x` **"
VOID = {"meta", "link", "br", "path", "circle", "polyline"}


def _truth(levels: Any, pipeline: str) -> float:
    base = {"prompt_only": 0.3, "rag": 0.5}[pipeline]
    return base + (0.3 if levels["retriever.k"] == 5 and pipeline == "rag" else 0.0)


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Twelve jobs with hostile names, seeds, one failed."""
    world = World(_truth, ("prompt_only", "rag"), 48, 2,
                  reaches={"prompt_only": ["prompt", "seed"]},
                  extra=("format/generation/strict", "freshness/generation/outdated"))  # fmt: skip
    folder = write_sweep(
        tmp_path_factory.mktemp("sweep"),
        world,
        grid(retriever__k=[1, 3, 5], prompt=["plain", HOSTILE], seed=[0, 1]),
        failed_jobs={11: f"ModelError: {HOSTILE}"},
        baseline="0/rag",
    )
    return analyse(folder)


class _Page(HTMLParser):
    """Checks that tags nest, and keeps what a reader sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_page_holds_everything_and_needs_nothing(analysis: dict[str, Any]) -> None:
    """One file: no script, no address but links to the jobs' own pages; hostile text is text."""
    text = sweep_html(View(analysis))
    page = _Page(text)
    said = " ".join(page.text)
    for heading in ("Reading", "What the best is worth", "Leaderboard", "Main effect of every key",
                    "Quality against cost", "All settings at once", "Seeds", "Jobs without numbers"):  # fmt: skip
        assert heading in said
    assert "<script" not in text
    assert HOSTILE in said
    assert not re.search(r"https?://", text)
    assert not [v for n, v in page.attributes if n in ("src", "href", "action", "onclick")]
    assert "nan" not in re.findall(r'(?:points|d|cx|cy)="([^"]*)"', text.lower())


def test_every_place_in_a_drawing_is_inside_of_it(analysis: dict[str, Any]) -> None:
    """Places are shares of the drawing from 0 to 1."""
    view = View(analysis)
    for chart in fronts(view):
        places = [p[n] for p in chart["points"] for n in ("x", "y")]
        places += [p[n] for p in chart["points"] if p["front"] for n in ("low", "high")]
        places += [t["at"] for t in (*chart["x"], *chart["y"])]
        assert all(-1e-9 <= at <= 1 + 1e-9 for at in places)
    lines = parallel(view)
    assert lines is not None
    assert all(0 <= y <= 1 for line in lines["lines"] for _, y in line["points"])
    assert [axis["name"] for axis in lines["axes"]] == ["pipeline", "k", "prompt", "correct"]


def test_the_front_rises_with_cost(analysis: dict[str, Any]) -> None:
    """Its steps never go down, and end at the best candidate that is not barred."""
    for chart in fronts(View(analysis)):
        heights = [y for _, y in chart["steps"]]
        assert heights == sorted(heights)


def test_the_best_line_is_drawn_last_and_highest(analysis: dict[str, Any]) -> None:
    """What is drawn later lies on top."""
    lines = parallel(View(analysis))
    assert lines is not None
    best = lines["lines"][-1]
    assert best["tier"] == 0
    assert best["points"][-1][1] == max(line["points"][-1][1] for line in lines["lines"])
    assert [line["tier"] for line in lines["lines"]].count(0) == 1


def test_markdown_tables_hold(analysis: dict[str, Any]) -> None:
    """Every line of a table has as many cells as its head, whatever names and reasons hold."""
    text = sweep_markdown(View(analysis))
    blocks = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(blocks) >= 6
    for block in blocks:
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(counts) == 1
    assert "<script" not in text


def test_reading_says_what_counts(analysis: dict[str, Any]) -> None:
    """The winner, what it is worth on other questions, the key that matters, and what is missing."""
    said = " ".join(sweep_reading(View(analysis)))
    assert re.search(r"best of \d+ candidates on correct answers is (jobs 8, 9|job 10), rag", said)
    assert "On questions that had no part in choosing" in said
    assert "k 5 against 1 in rag" in said
    assert "k does not reach prompt_only" in said
    assert "Seeds of one setting" in said
    assert "1 of 12 jobs has no numbers of its own." in said


@pytest.mark.parametrize(
    ("row", "said"),
    [({"low": 0.1, "high": 0.3, "p_adjusted": 0.01}, "it is better: +20 points [+10, +30]"),
     ({"low": -0.1, "high": 0.3, "p_adjusted": 0.4}, "no difference is shown: +20 points"),
     ({"decidable": False}, "nothing can be decided: +20 points")],
)  # fmt: skip
def test_the_winner_against_the_baseline(
    row: dict[str, Any], said: str, analysis: dict[str, Any]
) -> None:
    """In a sentence, with the numbers that it rests on."""
    found = json.loads(json.dumps(analysis))
    found["candidates"][0]["difference"] |= {"difference": 0.2} | row
    assert said in " ".join(sweep_reading(View(found)))


def test_candidates_that_are_equally_good_are_counted(analysis: dict[str, Any]) -> None:
    """None of them is called the best; nor is luck spoken of where none shows."""
    found = json.loads(json.dumps(analysis))
    best, second = found["candidates"][:2]
    second["value"] = best["value"]
    found["selection"] |= {"corrected": found["selection"]["naive"], "optimism": 0.0}
    said = " ".join(sweep_reading(View(found)))
    assert "2 of 8 candidates share the best value of correct answers" in said
    assert "so there is no luck in the first number that shows" in said


def test_words_follow_the_direction(analysis: dict[str, Any]) -> None:
    """Where lower is better, a positive difference is worse."""
    flipped = json.loads(json.dumps(analysis))
    flipped["objective"]["direction"] = "lower"
    best = next(c for c in analysis["candidates"] if View(analysis).verdict(c) == "better")
    assert View(flipped).verdict(best) == "worse"
    assert View(analysis).verdict({**best, "difference": None}) == "cannot be decided"


def test_everything_is_written(analysis: dict[str, Any], tmp_path: Path) -> None:
    """Page, Markdown, numbers, and three figures in two forms."""
    written = write_reports(analysis, tmp_path)
    figures = {f"figures/{n}.{e}" for n in ("main_effects", "quality_cost", "settings")
               for e in ("svg", "png")}  # fmt: skip
    assert set(written) == {"report.html", "report.md", "analysis.json"} | figures
    assert all(path.stat().st_size > 0 for path in written.values())
    assert json.loads((tmp_path / "analysis.json").read_text()) == json.loads(json.dumps(analysis))


def test_nothing_finished_is_a_report_too(tmp_path: Path) -> None:
    """It has the jobs and their reasons, and no figure."""
    folder = write_sweep(
        tmp_path, World(_truth), grid(k=[1, 2]), failed_jobs={0: HOSTILE, 1: "late"}
    )
    analysis = analyse(folder)
    page = _Page(sweep_html(View(analysis)))
    assert "Nothing can be compared" in " ".join(page.text)
    assert HOSTILE in " ".join(page.text)
    assert "late" in sweep_markdown(View(analysis))
    assert sweep_reading(View(analysis))[0] == "Nothing can be compared: no job finished."
    row = {"job": "0", "levels": {}, "status": "finished", "reason": "a study over time"}
    read = sweep_reading(View(analysis | {"unfinished": [row]}))
    assert read[0] == "Nothing can be compared: job 0: a study over time."
    assert set(write_reports(analysis, tmp_path)) == {"report.html", "report.md", "analysis.json"}


def test_short_names_stay_apart(analysis: dict[str, Any]) -> None:
    """Keys are called by their last part, unless another key ends the same."""
    keys = [{"key": k, "levels": ["1"], "seed": False} for k in ("a.rank", "b.rank", "retriever.k")]
    view = View({**analysis, "keys": keys})
    assert view.keys == {"a.rank": "a.rank", "b.rank": "b.rank", "retriever.k": "k"}
    assert jobs_words(list("0123456")) == "jobs 0, 1, 2, 3 and 3 more"


def test_long_levels_keep_both_ends() -> None:
    """By which prompts and models differ; short ones stay as they are."""
    assert short("contract") == "contract"
    assert (
        short("Answer as a clerk of the town hall would, briefly.")
        == "Answer as a clerk of the…briefly."
    )
    assert short("Qwen2.5-0.5B-Instruct", 18) == "Qwen2.5-0.5…struct"


def test_a_level_with_spaces_is_not_a_half(analysis: dict[str, Any]) -> None:
    """Only where a scale was halved does the page speak of halves."""
    assert any(" " in row["level"] for row in analysis["effects"])
    assert "compared in halves" not in sweep_html(View(analysis))
    halved = json.loads(json.dumps(analysis))
    halved["effects"][0]["level"] = "above 3"
    assert "compared in halves" in sweep_html(View(halved))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.0, 1.0, [0, 0.25, 0.5, 0.75, 1]), (0.31, 0.52, [0.3, 0.4, 0.5, 0.6]), (2, 2, [2]),
     (-3, 4, [-4, -2, 0, 2, 4])],
)  # fmt: skip
def test_ticks_are_round_and_hold_both_ends(low: float, high: float, expected: list[float]) -> None:
    """By hand."""
    assert ticks(low, high) == pytest.approx(expected)


def test_objective_metric_is_in_every_table(analysis: dict[str, Any]) -> None:
    """The analysis says what was chosen by."""
    assert analysis["objective"]["metric"] == CORRECT
