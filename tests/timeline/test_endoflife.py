"""A whole study on endoflife.date: what it reports is what facts.jsonl and the pages say.

The engine reads by rule. What is expected is worked out here, from the outputs in the table of
traces, facts.jsonl (which evalkit never opens) and the files of the pages alone.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evalkit

DATA = Path(os.environ.get("EVALKIT_DATA", "")) / "endoflife"
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="EVALKIT_DATA does not name a folder with endoflife"
)
FIRST, LAST = "2024-01-01", "2025-01-01"
PIPELINES = ("prompt_only", "rag", "lora", "hybrid")
STATES = ("frozen", "updated")


@pytest.fixture(scope="module", params=[60, pytest.param(310, marks=pytest.mark.slow)])
def result(
    request: pytest.FixtureRequest, weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> evalkit.RunResult:
    """The study as it is shipped (or a part of its questions), with another engine, training and
    retriever.
    """
    folder = tmp_path_factory.mktemp("endoflife")
    return evalkit.run(
        "experiment=endoflife", f"benchmark.path={DATA}", "model=path", f"model.weights.path={weights}",
        "model.engine._target_=reader.Reader", "model.engine.device=cpu", "model.engine.dtype=float32",
        "tuning.train._target_=reader.learn", "retriever=bm25", "retriever.chunker.max_words=40",
        f"limit={request.param}", "judge=offline", "tracking=none", "statistics.resamples=100",
        f"store={folder / 'store'}", f"run_dir={folder / 'run'}",
    )  # fmt: skip


def asked(result: evalkit.RunResult) -> int:
    """How many questions."""
    return int(result.results["benchmark"]["questions"])


class Facts:
    """facts.jsonl by day, page and cycle; a page that was renamed is found by its product."""

    def __init__(self) -> None:
        self.by_page: dict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
        self.page_of: dict[tuple[str, str], str] = {}
        self.product_of: dict[str, str] = {}
        with (DATA / "facts.jsonl").open(encoding="utf-8") as stream:
            for row in map(json.loads, stream):
                if row["snapshot_date"] in (FIRST, LAST):
                    self.by_page[row["snapshot_date"], row["doc"]][row["releaseCycle"]] = row
                    self.page_of[row["snapshot_date"], row["product"]] = row["doc"]
                    self.product_of[row["doc"]] = row["product"]

    def value(self, question: str, day: str) -> str:
        """What the page of a day states on the fact that a question, by its id, asks for."""
        document, rest = question.split("/", 1)
        cycle, kind = rest.rpartition("@")[0].rsplit("/", 1)
        page = f"products/{document}.md"
        if (day, page) not in self.by_page:
            page = self.page_of[day, self.product_of[page]]
        return str(self.by_page[day, page][cycle][kind])


@pytest.fixture(scope="module")
def facts() -> Facts:
    return Facts()


def expected_class(output: str, question: str, on: str, facts: Facts) -> str:
    """The class of an answer that is a value of some day, or declines."""
    if output == "unknown":
        return "abstained"
    said = {day for day in (FIRST, LAST) if facts.value(question, day) == output}
    if on in said:
        return "current"
    return "wrong" if not said else "outdated" if on == LAST else "premature"


def test_every_answer_class_is_that_of_facts_jsonl(result: evalkit.RunResult, facts: Facts) -> None:
    """For all questions, pipelines, states and dates: each changed fact in 16 cells."""
    scores = result.scores
    labelled = scores[scores["metric"] == "freshness/generation/outdated"]
    keys = ["question", "pipeline", "state", "date"]
    labels = labelled.set_index(keys)["label"]
    outputs = result.traces.set_index(keys)["output"]
    expected = {
        (question, *rest, on): expected_class(output, question, on, facts)
        for (question, *rest, on), output in outputs.items()
    }
    assert labels.to_dict() == expected
    assert len(expected) == asked(result) * 16
    assert set(expected.values()) >= {"current", "outdated", "wrong", "abstained"}


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_shares_at_both_dates_are_those_of_facts_jsonl(
    result: evalkit.RunResult, facts: Facts, pipeline: str
) -> None:
    """Current and outdated, in each state, in ``results.json`` and on the page's figures of classes."""
    rows = result.traces[result.traces["pipeline"] == pipeline]
    estimates = {
        (e["state"], e["date"], e["metric"].rpartition("/")[2]): e
        for e in result.results["estimates"] if e["pipeline"] == pipeline
    }  # fmt: skip
    shares = {
        (c["state"], c["date"], c["class"]): c["value"]
        for c in result.results["classes"] if c["pipeline"] == pipeline
    }  # fmt: skip
    for state in STATES:
        for on in (FIRST, LAST):
            cell = rows[(rows["state"] == state) & (rows["date"] == on)]
            found = Counter(
                expected_class(output, question, on, facts)
                for question, output in zip(cell["question"], cell["output"], strict=True)
            )
            for name in ("current", "outdated"):
                share = found[name] / asked(result)
                assert estimates[state, on, name]["value"] == pytest.approx(share)
                assert estimates[state, on, name]["n_scored"] == asked(result)
                assert shares[state, on, name] == pytest.approx(share)


def test_memory_is_as_old_as_its_adapter(result: evalkit.RunResult, facts: Facts) -> None:
    """By facts.jsonl alone: what was taught is said as of the adapter's day, and nothing else known."""
    rows = result.traces[result.traces["pipeline"] == "lora"]
    taught = Counter[tuple[str, str]]()
    for state, on, adapter, question, output in zip(
        *(rows[c] for c in ("state", "date", "adapter_date", "question", "output")), strict=True
    ):
        assert adapter == (on if state == "updated" else FIRST)
        assert output in (facts.value(question, adapter), "unknown")
        taught[state, on] += output != "unknown"
    assert len(set(taught.values())) == 1
    assert 25 <= taught["frozen", FIRST] <= 160
    plain = result.traces[result.traces["pipeline"] == "prompt_only"]
    assert set(plain["output"]) == {"unknown"}


def test_the_stale_rate_is_the_share_of_passages_that_no_page_of_the_day_holds(
    result: evalkit.RunResult,
) -> None:
    """From the files: a revision, named by its first day, is stale where its page reads otherwise today."""
    pages = {
        day: {page.stem: page.read_text(encoding="utf-8") for page in (DATA / day / "products").glob("*.md")}
        for day in (FIRST, LAST)
    }  # fmt: skip
    scores = result.scores[result.scores["metric"] == "freshness/retrieval/stale_rate"]
    keys = ["question", "pipeline", "state", "date"]
    values = scores.set_index(keys)["value"].to_dict()
    rows = result.traces[result.traces["pipeline"].isin(["rag", "hybrid"])]
    today = {day: set(texts.values()) for day, texts in pages.items()}
    checked = Counter[float]()
    for _, row in rows.iterrows():
        stale = []
        for passage in row["passages"]:
            document, _, since = passage["revision"].rpartition("@")
            # A page that was renamed later has another file's name on its first day.
            text = pages[since].get(document)
            held = text if text is not None else passage["text"]
            stale.append(
                held not in today[row["date"]] if text is not None
                else not any(passage["text"] in page for page in today[row["date"]])
            )  # fmt: skip
        expected = sum(stale) / len(stale)
        assert values[tuple(row[k] for k in keys)] == pytest.approx(expected)
        checked[expected] += 1
    assert len(checked) == 4  # none, one, two and all of three


def test_the_report_shows_both_shares_of_each_pipeline_at_both_dates(
    result: evalkit.RunResult,
) -> None:
    """In the tables for people, with intervals and numbers of questions."""
    text = (result.folder / "scorecard.md").read_text(encoding="utf-8")
    for title in ("Current answers", "Outdated answers"):
        part = text.partition(f"## {title}")[2].partition("\n## ")[0]
        for pipeline in PIPELINES:
            lines = [line for line in part.splitlines() if line.startswith(f"| {pipeline} |")]
            assert len(lines) == (1 if pipeline == "prompt_only" else 2), (title, pipeline)
            assert all(line.count(f"({asked(result)})") == 2 for line in lines), lines


def test_updating_makes_retrieval_and_weights_fresh_again(result: evalkit.RunResult) -> None:
    """Frozen, nothing is current on the last day; updated, a good part is."""
    cells = {
        (e["pipeline"], e["state"], e["date"]): e["value"]
        for e in result.results["estimates"]
        if e["metric"] == "freshness/generation/current"
    }
    for pipeline in ("rag", "lora", "hybrid"):
        assert cells[pipeline, "frozen", LAST] < 0.02
        assert cells[pipeline, "updated", LAST] > 0.25


def test_the_table_of_traces_has_every_answer(result: evalkit.RunResult) -> None:
    assert isinstance(result.traces, pd.DataFrame)
    assert len(result.traces) == asked(result) * 16
    assert result.traces["error"].isna().all()
