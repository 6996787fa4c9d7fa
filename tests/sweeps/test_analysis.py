"""What the report of a sweep says: who is compared with whom, what is left out, and why."""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

sys.path.append(str(Path(__file__).parent))

from invented_sweeps import CORRECT, FOUR, WORLD, World, grid, write_sweep

from evalkit.errors import EvalkitError
from evalkit.sweeps.analysis import analyse, report
from evalkit.sweeps.keys import banded


def _by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in found["candidates"]}


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two keys with two levels each, one of which does not reach prompt_only."""
    return write_sweep(tmp_path_factory.mktemp("four"), WORLD, FOUR)


def test_leaderboard(four: Path) -> None:
    """Every pipeline of every job, the best first, with its interval, its paired difference to the
    baseline and what a question costs."""
    found = analyse(four)
    values = [row["value"] for row in found["candidates"]]
    assert values == sorted(values, reverse=True)
    assert found["baseline"] == "0/prompt_only"
    best, base = found["candidates"][0], _by_name(found)["0/prompt_only"]
    assert best["pipeline"] == "rag"
    assert best["levels"]["retriever.k"] == "3"
    assert best["low"] < best["value"] < best["high"]
    assert best["difference"]["difference"] == pytest.approx(best["value"] - base["value"])
    assert best["difference"]["p_adjusted"] >= best["difference"]["p_value"]
    assert base["difference"] is None
    assert set(best["costs"]) == {"tokens", "seconds", "money"}
    assert best["costs"]["money"] == pytest.approx(0.003)
    assert json.dumps(found, allow_nan=False)


def test_what_does_not_reach_a_pipeline_is_one_candidate(four: Path) -> None:
    """prompt_only under k=1 and k=3 is the same measurement: listed once, tested once, no effect."""
    found = analyse(four)
    assert len(found["candidates"]) == 6
    row = _by_name(found)["0/prompt_only"]
    assert (row["jobs"], row["same"]) == (["0"], ["2"])
    assert row["levels"] == {"retriever.k": None, "prompt": "a"}
    assert found["untouched"] == [{"pipeline": "prompt_only", "key": "retriever.k"}]
    assert {(e["pipeline"], e["key"]) for e in found["effects"]} == {
        ("prompt_only", "prompt"),
        ("rag", "retriever.k"),
        ("rag", "prompt"),
    }


def test_effect_of_a_key(four: Path) -> None:
    """k=3 against k=1 in rag is the mean over both prompts of the paired differences."""
    found = analyse(four)
    row = next(e for e in found["effects"] if (e["key"], e["metric"]) == ("retriever.k", CORRECT))
    value = {n: c["value"] for n, c in _by_name(found).items()}
    by_hand = (value["2/rag"] - value["0/rag"] + value["3/rag"] - value["1/rag"]) / 2
    assert row["effect"] == pytest.approx(by_hand)
    assert (row["level"], row["reference"], row["balanced"]) == ("3", "1", True)


def test_the_winner_is_corrected(four: Path) -> None:
    """Its corrected value is no better than it looks, and is said with an interval."""
    found = analyse(four)["selection"]
    assert found["chosen"] == analyse(four)["candidates"][0]["name"]
    assert found["candidates"] == 6
    assert found["corrected"]["value"] <= found["naive"]["value"]
    assert found["corrected"]["low"] < found["corrected"]["value"] < found["corrected"]["high"]
    assert found["corrected_difference"]["value"] <= found["difference"]["value"]


@pytest.mark.parametrize(
    ("named", "baseline"),
    [("3", "3/prompt_only"), ("3/rag", "3/rag"), ("2/prompt_only", "0/prompt_only")],
)
def test_baseline_by_name(four: Path, named: str, baseline: str) -> None:
    """A job, or a pipeline of it; of one measurement in several jobs, any of them."""
    found = analyse(four, named)
    expected = {"3/prompt_only": "1/prompt_only"}.get(baseline, baseline)
    assert found["baseline"] == expected
    assert _by_name(found)[expected]["difference"] is None


@pytest.mark.parametrize(
    ("named", "words"), [("9", "no job '9'"), ("0/lora", "no pipeline 'lora'")]
)
def test_a_baseline_that_is_not_there(four: Path, named: str, words: str) -> None:
    """It is refused with what there is, and nothing else stands in silently."""
    with pytest.raises(EvalkitError, match=words):
        analyse(four, named)


def test_objective_of_one_pipeline(tmp_path: Path) -> None:
    """Only its candidates can win, and the baseline is of it; the others are in the table."""
    write_sweep(tmp_path, WORLD, FOUR, objective={"metric": CORRECT, "pipeline": "prompt_only"})
    found = analyse(tmp_path)
    assert found["selection"]["candidates"] == 2
    assert found["selection"]["chosen"].endswith("prompt_only")
    assert found["candidates"][0]["pipeline"] == "rag"


def test_lower_is_better(tmp_path: Path) -> None:
    """With seconds as objective the fewest win."""
    write_sweep(tmp_path, WORLD, FOUR, objective={"metric": "cost/generation/seconds"})
    found = analyse(tmp_path)
    values = [row["value"] for row in found["candidates"]]
    assert values == sorted(values)
    assert found["selection"]["optimism"] >= 0


@pytest.mark.parametrize(
    ("metric", "words"),
    [("correctness/generation/nonsense", "was scored in no finished job")],
)
def test_an_objective_that_cannot_be_one(tmp_path: Path, metric: str, words: str) -> None:
    """It is refused, naming the metrics that there are."""
    write_sweep(tmp_path, WORLD, FOUR[:1], objective={"metric": metric})
    with pytest.raises(EvalkitError, match=words) as caught:
        analyse(tmp_path)
    assert CORRECT in str(caught.value)


def test_seeds_are_repeats_and_not_candidates(tmp_path: Path) -> None:
    """No seed is chosen by luck: their answers are averaged per question, and their spread is shown."""
    world = replace(WORLD, pipelines=("rag",), reaches={})
    write_sweep(tmp_path, world, grid(retriever__k=[1, 3], seed=[0, 1, 2]))
    found = analyse(tmp_path)
    assert [row["jobs"] for row in found["candidates"]] == [["3", "4", "5"], ["0", "1", "2"]]
    assert {e["key"] for e in found["effects"]} == {"retriever.k"}
    spread = {row["name"]: row for row in found["seeds"] if row["metric"] == CORRECT}
    means = [
        pd.read_parquet(tmp_path / str(i) / "scores.parquet")
        .query("metric == @CORRECT")["value"]
        .mean()
        for i in range(3)
    ]
    assert spread["0/rag"]["sd_means"] == pytest.approx(np.std(means, ddof=1))
    assert _by_name(found)["0/rag"]["value"] == pytest.approx(np.mean(means))
    assert {row["name"] for row in found["variation"]} == {"0/rag", "3/rag"}


def test_a_missing_seed_makes_no_other_candidate(tmp_path: Path) -> None:
    """prompt_only under k=3, of which one seed failed, is prompt_only under k=1 all the same."""
    reaches = {"prompt_only": ["seed"], "rag": ["retriever.k", "seed"]}
    write_sweep(tmp_path, replace(WORLD, reaches=reaches), grid(retriever__k=[1, 3], seed=[0, 1]),
                failed_jobs={2: "out of memory"})  # fmt: skip
    found = _by_name(analyse(tmp_path))
    assert set(found) == {"0/prompt_only", "0/rag", "3/rag"}
    assert (found["0/prompt_only"]["jobs"], found["0/prompt_only"]["same"]) == (["0", "1"], ["3"])


def test_other_benchmarks_stand_apart(tmp_path: Path) -> None:
    """Never compared: named with both fingerprints, and in no table of the others."""
    write_sweep(tmp_path, lambda i: replace(WORLD, fingerprint=("b" if i == 3 else "a") * 64), FOUR)
    found = analyse(tmp_path)
    (row,) = found["apart"]
    assert row["job"] == "3"
    assert "handbook@bbbbbbbbbbbb is not handbook@aaaaaaaaaaaa of job 0" in row["reason"]
    assert row["values"]["rag"]["value"] is not None
    assert not any("3" in (*c["jobs"], *c["same"]) for c in found["candidates"])


def test_another_judge_is_said(tmp_path: Path) -> None:
    """The jobs are compared, and a note says that the judges differ."""
    write_sweep(tmp_path, lambda i: replace(WORLD, judge="llm" if i else "offline"), FOUR[:2])
    assert "different judges" in analyse(tmp_path)["notes"][0]


def test_failed_questions_bar_from_winning_and_from_effects(tmp_path: Path) -> None:
    """A candidate that failed on more than 2 % is flagged, undecided, and cannot win."""
    world = replace(
        WORLD,
        pipelines=("rag",),
        reaches={},
        truth=lambda levels, _: 0.3 + 0.6 * (levels["k"] == 3),
    )
    write_sweep(tmp_path, world, grid(k=[1, 2, 3]), failed_questions={2: 6})
    found = analyse(tmp_path)
    row = _by_name(found)["2/rag"]
    assert row["failed_share"] == pytest.approx(0.1)
    assert not row["eligible"]
    assert not row["difference"]["decidable"]
    assert found["candidates"][0] == row
    assert found["selection"]["chosen"] != "2/rag"
    assert {e["level"] for e in found["effects"]} == {"2"}
    assert all("2/rag" not in names for names in found["fronts"].values())


def test_long_numeric_scales_are_halved() -> None:
    """Seven learning rates are compared as low and high; six, or words, each for itself."""
    seven = [f"{10**-i:g}" for i in range(7)]
    assert set(banded(seven).values()) == {"up to 0.001", "above 0.001"}
    assert banded(seven)["0.001"] == "up to 0.001"
    assert banded(seven[:6]) == {level: level for level in seven[:6]}
    words = list("abcdefgh")
    assert banded(words) == {word: word for word in words}


@pytest.mark.slow
def test_two_hundred_jobs(tmp_path: Path) -> None:
    """200 jobs of 4 pipelines and 288 questions: under a minute, and in bounded memory."""
    pipelines = ("prompt_only", "rag", "lora", "hybrid")
    world = World(lambda levels, p: 0.2 + 0.1 * pipelines.index(p), pipelines, 288, 3, resamples=0)
    settings = grid(
        retriever__k=[1, 3, 5], prompt=list("abcde"), rank=[4, 8, 16, 32], rate=[1, 2, 3, 4]
    )
    write_sweep(tmp_path, world, settings[:200], failed_jobs={13: "killed"})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    page = report(tmp_path)
    assert time.process_time() - started < 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000  # kB
    assert page.stat().st_size < 5_000_000
