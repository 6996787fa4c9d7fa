"""results.json: every number adds up, is signed, and can be found again in the tables."""

from __future__ import annotations

import json
import math
from datetime import date, datetime
from typing import Any

import pandas as pd
import pytest

import evalkit
from evalkit.pipelines import Pipeline
from evalkit.prompts import PromptTemplate, Shot
from evalkit.results.document import notes
from evalkit.scoring import METRICS

PIPELINES = ["prompt_only", "rag", "lora", "hybrid"]
ORDINARY = 5  # questions that are not control questions


@pytest.fixture(scope="module")
def results(quartet: Any) -> dict[str, Any]:
    return quartet.result.results


def test_what_was_compared_is_named(results: dict[str, Any]) -> None:
    assert results["schema"] == 1
    assert results["evalkit"] == evalkit.__version__
    assert results["experiment"] == "quartet"
    assert results["title"] == "What do retrieval, tuning and both together buy?"
    assert results["benchmark"] | {"fingerprint": ""} == {
        "name": "tiny", "fingerprint": "", "questions": 6, "license": "CC0-1.0",
        "categories": {"changed": 2, "unchanged": 2, "unanswerable": 1, "control": 1},
    }  # fmt: skip
    assert datetime.fromisoformat(results["created"]).tzinfo is not None
    assert results["judge"]["name"] == "offline-lexical"
    assert "negation" in results["judge"]["blind_to"]
    assert results["notes"] == []
    assert results["warnings"] == [
        "24 of 24 answers were cut at model.decoding.max_new_tokens=8"
        " (prompt_only 6, rag 6, lora 6, hybrid 6)"
    ]


def test_the_pipelines_are_the_square(results: dict[str, Any]) -> None:
    """In the order of the configuration, each with its corner, its prompt and its adapter."""
    assert [(p["name"], p["retrieval"], p["tuning"]) for p in results["pipelines"]] == [
        ("prompt_only", False, False), ("rag", True, False), ("lora", False, True), ("hybrid", True, True),
    ]  # fmt: skip
    assert len({p["prompt"] for p in results["pipelines"]}) == 1
    assert {p["shots"] for p in results["pipelines"]} == {0}


def test_every_cell_is_there_and_its_counts_add_up(results: dict[str, Any], quartet: Any) -> None:
    """Scored, failed, not applicable and abstained make the total; each is what the scores table
    holds; a value is there exactly where something was scored, within its interval."""
    cells = {(e["pipeline"], e["metric"]): e for e in results["estimates"]}
    assert set(cells) == {(p, m) for p in PIPELINES for m in METRICS}
    counted = quartet.result.scores.groupby(["pipeline", "metric", "status"]).size()
    for (pipeline, metric), cell in cells.items():
        counts = {s: cell[f"n_{s}"] for s in ("scored", "failed", "not_applicable", "abstained")}
        assert sum(counts.values()) == cell["n_total"] == 6
        assert counts == {s: counted.get((pipeline, metric, s), 0) for s in counts}
        if counts["scored"]:
            if cell["method"] == "degenerate":  # two clusters alike say nothing about open values
                assert cell["low"] is cell["high"] is None
            else:
                assert cell["low"] <= cell["value"] <= cell["high"]
            values = quartet.result.scores.query("pipeline == @pipeline and metric == @metric")[
                "value"
            ]
            assert cell["value"] == pytest.approx(values.mean())
            assert "reason" not in cell or not cell["reason"]
        else:
            assert cell["value"] is cell["low"] is cell["high"] is None
            assert cell["reason"]


def test_undefined_cells_are_not_zero(results: dict[str, Any]) -> None:
    """What has no retriever has no retrieval quality; control questions have only retention and cost."""
    cells = {(e["pipeline"], e["metric"]): e for e in results["estimates"]}
    for metric in (m for m in METRICS if "/retrieval/" in m):
        assert cells["prompt_only", metric]["value"] is None, metric
        assert cells["lora", metric]["n_not_applicable"] == 6, metric
    assert cells["rag", "faithfulness/retrieval/context_recall"]["n_scored"] == 4
    assert cells["rag", "format/generation/strict"]["n_scored"] == ORDINARY
    assert cells["rag", "retention/generation/correct"]["n_scored"] == 1
    assert cells["rag", "freshness/generation/outdated"]["n_scored"] == 2
    assert cells["rag", "cost/generation/prompt_tokens"]["n_scored"] == 6


def test_known_values_of_a_random_model(results: dict[str, Any]) -> None:
    """k=3 of three passages fetches all evidence; a random model writes no JSON and knows nothing."""
    value = {(e["pipeline"], e["metric"]): e["value"] for e in results["estimates"]}
    for pipeline in ("rag", "hybrid"):
        assert value[pipeline, "faithfulness/retrieval/context_recall"] == 1.0
        assert value[pipeline, "freshness/retrieval/current_recall"] == 1.0
        # Each question gets two current passages and one that was superseded.
        assert value[pipeline, "freshness/retrieval/stale_rate"] == pytest.approx(1 / 3)
        assert value[pipeline, "freshness/retrieval/lag_days"] == pytest.approx(122 / 3)
    for pipeline in PIPELINES:
        assert value[pipeline, "format/generation/strict"] == 0.0
        assert value[pipeline, "retention/generation/correct"] == 0.0
    assert (
        value["rag", "cost/generation/prompt_tokens"]
        > value["prompt_only", "cost/generation/prompt_tokens"]
    )


def test_each_estimate_is_signed_with_what_made_it(results: dict[str, Any]) -> None:
    """Two tables can be told apart years later: benchmark, weights, adapter, context, prompt, judge."""
    signed = {(e["pipeline"], e["metric"]): e["signature"] for e in results["estimates"]}
    assert all(signed.values())
    metric = "faithfulness/generation/groundedness"
    base, rag, lora = (signed[p, metric] for p in ("prompt_only", "rag", "lora"))
    fingerprint = results["benchmark"]["fingerprint"][:12]
    assert f"evalkit={evalkit.__version__}|benchmark=tiny@{fingerprint}|model=" in base
    assert "|model=path:" in base
    assert "|adapter=none|context=none|prompt=" in base
    assert "|context=dense,k=3,history|" in rag
    assert rag.split("|setup=")[1][:12] != base.split("|setup=")[1][:12]
    assert f"|adapter={results['pipelines'][2]['adapter']}|" in lora
    assert f"{metric}@" in base
    assert "judge=offline-lexical@" in base


def test_another_retriever_is_another_signature(quartet: Any, tmp_path: Any) -> None:
    """k=1 and k=3 are not the same measurement."""
    one = evalkit.run(
        *quartet.overrides, "pipeline=[rag]", "retriever.k=1", f"run_dir={tmp_path / 'one'}"
    )
    metric = "faithfulness/retrieval/context_recall"
    signatures = [
        next(
            e["signature"]
            for e in r.results["estimates"]
            if (e["pipeline"], e["metric"]) == ("rag", metric)
        )
        for r in (one, quartet.result)
    ]
    parts = [dict(p.partition("=")[::2] for p in s.split("|") if "=" in p) for s in signatures]
    differing = {name for name in parts[0] if parts[0][name] != parts[1][name]}
    assert differing == {"context", "setup"}


def test_every_table_is_signed_and_setups_are_spelt_out(results: dict[str, Any]) -> None:
    """A difference names the setups that it compares; the pipelines' rows say what those are."""
    for table in ("by_category", "comparisons", "effects"):
        assert results[table]
        assert all("|setups=" in row["signature"] for row in results[table])
    setup = {p["name"]: p["setup"] for p in results["pipelines"]}
    assert setup["rag"]["retriever"]["chunker"]["max_words"] == setup["rag"]["chunker"]["max_words"]
    assert setup["rag"]["engine"]["max_new_tokens"] == setup["lora"]["engine"]["max_new_tokens"]
    assert "retriever" not in setup["prompt_only"]
    assert results["statistics"].keys() == {"resamples", "confidence", "seed"}


def test_comparisons_are_paired_and_in_order(results: dict[str, Any], quartet: Any) -> None:
    """Each pair once, as b minus a on the questions scored in both."""
    pairs = list(dict.fromkeys((c["a"], c["b"]) for c in results["comparisons"]))
    assert pairs == [
        ("prompt_only", "rag"), ("prompt_only", "lora"), ("prompt_only", "hybrid"),
        ("rag", "lora"), ("rag", "hybrid"), ("lora", "hybrid"),
    ]  # fmt: skip
    found = {(c["a"], c["b"], c["metric"]): c for c in results["comparisons"]}
    tokens = found["prompt_only", "rag", "cost/generation/prompt_tokens"]
    by_question = quartet.result.traces.pivot(
        index="question", columns="pipeline", values="prompt_tokens"
    )
    assert tokens["difference"] == pytest.approx(
        (by_question["rag"] - by_question["prompt_only"]).mean()
    )
    assert (tokens["n_pairs"], tokens["failed_share"]) == (6, 0)
    assert ("prompt_only", "rag", "faithfulness/retrieval/context_recall") not in found
    for comparison in results["comparisons"]:
        assert comparison["p_value"] is None or 0 < comparison["p_value"] <= 1


def test_effects_are_those_of_the_square(results: dict[str, Any]) -> None:
    """Retrieval's effect is the mean of its two simple effects; the interaction their difference."""
    effects = {(e["metric"], e["effect"]): e["value"] for e in results["effects"]}
    mean = {(e["pipeline"], e["metric"]): e["value"] for e in results["estimates"]}
    metric = "cost/generation/prompt_tokens"
    base, rag, lora, hybrid = (mean[p, metric] for p in PIPELINES)
    assert effects[metric, "retrieval"] == pytest.approx(((rag - base) + (hybrid - lora)) / 2)
    assert effects[metric, "tuning"] == pytest.approx(((lora - base) + (hybrid - rag)) / 2)
    assert effects[metric, "interaction"] == pytest.approx((hybrid - rag) - (lora - base))
    assert effects[metric, "retrieval"] > 0
    assert effects[metric, "tuning"] == 0


def test_answer_classes_cover_the_time_sensitive_questions(results: dict[str, Any]) -> None:
    totals = pd.DataFrame(results["classes"]).groupby("pipeline")[["n", "share"]].sum()
    assert totals["n"].to_dict() == dict.fromkeys(PIPELINES, 2)
    assert totals["share"].to_dict() == pytest.approx(dict.fromkeys(PIPELINES, 1.0))


def test_categories_are_shown_where_something_was_scored(results: dict[str, Any]) -> None:
    rows = results["by_category"]
    assert all(r["n_scored"] > 0 for r in rows)
    counts = {r["category"]: r["n_scored"] for r in rows
              if (r["pipeline"], r["metric"]) == ("rag", "format/generation/strict")}  # fmt: skip
    assert counts == {"changed": 2, "unchanged": 2, "unanswerable": 1}


def test_costs_training_and_timings(results: dict[str, Any], quartet: Any) -> None:
    """Tokens are the traces' sums; stages are all timed, training has its losses."""
    costs = {(c.get("pipeline", c.get("stage")), c["name"]): c["value"] for c in results["costs"]}
    sums = quartet.result.traces.groupby("pipeline")[["prompt_tokens", "output_tokens"]].sum()
    for pipeline in PIPELINES:
        assert costs[pipeline, "prompt tokens"] == sums.loc[pipeline, "prompt_tokens"]
        assert costs[pipeline, "output tokens"] == sums.loc[pipeline, "output_tokens"]
    assert costs["run", "peak memory"] > 10**8
    assert costs["adapter", "size of the adapter"] > 1000
    assert costs["index", "time to fresh, full re-index"] > costs["index", "building the index"]
    assert ("adapter", "time to fresh, full re-train") not in costs, (
        "behaviour alone learns no facts"
    )
    assert results["training"]["examples"] == 4
    assert all(math.isfinite(loss) for loss in results["training"]["losses"])
    assert [t["stage"] for t in results["timings"]] == [
        "weights", "chunk", "embed", "index", "retrieve", "train", "generate", "generate", "score",
        "compare", "report",
    ]  # fmt: skip


def test_the_file_is_strict_json(quartet: Any) -> None:
    """No NaN and no Infinity, which other languages refuse to read."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads((quartet.result.folder / "results.json").read_text(), parse_constant=refuse)


def test_notes_say_where_the_corners_differ_in_more_than_one_thing() -> None:
    """Another prompt for one corner, and two pipelines on one corner; few-shot is on none."""
    template, other = PromptTemplate(), PromptTemplate(system="Be terse.")
    square = [
        Pipeline(f"{context}-{tuned}", template, context, tuned)
        for context in ("none", "retrieved") for tuned in (False, True)
    ]  # fmt: skip
    assert notes(square) == []
    shot = Shot("When?", date(2025, 1, 1), (), "noon")
    assert notes([*square, Pipeline("few_shot", other, "retrieved", shots=(shot,))]) == []
    (differ,) = notes([*square[:3], Pipeline("hybrid", other, "retrieved", True)])
    assert "differ in more than one thing" in differ
    assert f"hybrid: default {other.identity}" in differ or other.identity in differ
    (twice,) = notes([*square, Pipeline("again", template, "retrieved", True)])
    assert twice == "retrieved-True and again stand on the same corner; the effects use again."


def test_a_run_with_another_prompt_in_one_corner_says_so(quartet: Any, tmp_path: Any) -> None:
    """And a study that is run in part names what it cannot test for that."""
    study = [override for override in quartet.overrides if override != "hypotheses=[]"]
    result = evalkit.run(
        *study, "pipeline=[prompt_only,rag]", "+pipelines.rag.prompt.system=Be terse.",
        f"run_dir={tmp_path / 'run'}",
    )  # fmt: skip
    differ, *untested = result.results["notes"]
    assert "their prompt templates are not the same" in differ
    assert "differ in more than one thing" in result.report.read_text()
    assert untested[0] == "Not tested, since hybrid, lora did not run: Retrieval adds knowledge."
    assert (len(untested), result.results["hypotheses"]) == (5, [])
