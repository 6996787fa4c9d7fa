"""Judges as a configuration names them: in a whole run, stored, capped, calibrated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evalkit
from evalkit.configuration.assemble import Experiment
from evalkit.configuration.compose import compose, resolved
from evalkit.configuration.judging import build_judge
from evalkit.errors import ConfigError
from evalkit.scoring.judges.stored import COLUMNS, StoredJudge

FAITHFULNESS = "faithfulness/generation/faithfulness"


@pytest.fixture
def endpoint(server: Any) -> Any:
    """A server that supports every second statement, and answers ragas' FactualCorrectness too."""
    row = {"statement": "s", "reason": "r", "verdict": 1}

    def answer(handler: Any) -> None:
        reply = {"reason": "r", "claims": ["c"], "statements": [row]}
        reply["verdict"] = len(server.requests) % 2
        server.saying(json.dumps(reply))(handler)

    server.usual = answer
    return server


@pytest.fixture
def asking(tiny_overrides: list[str], endpoint: Any, tmp_path: Path) -> list[str]:
    """Overrides of a small run whose judge is that server, asked three times a statement."""
    return [
        *[o for o in tiny_overrides if not o.startswith("judge=")],
        "pipeline=[prompt_only,rag]",
        "judge=llm",
        "judge.chat.model=m",
        f"judge.chat.base_url={endpoint.url}",
        "judge.chat.temperature=0.7",
        "judge.judge.repeats=3",
        "judge.chat.first_wait_s=0.01",
        "limit=3",
        "control_limit=0",
        f"store={tmp_path / 'store'}",
    ]


def judge_of(overrides: list[str]) -> Any:
    return Experiment(resolved(compose(overrides))).judge


def test_a_run_by_a_language_model_can_be_audited_and_rerun_for_nothing(
    asking: list[str], endpoint: Any, tmp_path: Path
) -> None:
    """Every judgment stands in judgments.parquet with model, prompt and raw replies; the results
    tell calls and agreement; a rerun sends nothing and has the same scores."""
    first = evalkit.run(*asking, f"run_dir={tmp_path / 'a'}")
    sent = len(endpoint.requests)
    judge = first.results["judge"]
    assert judge["judgments"] > 0
    assert judge["calls"] == sent > 0
    assert (judge["name"], judge["model"], judge["repeats"]) == ("llm:m", "m", 3)
    assert 1 / 3 <= judge["agreement"] <= 1
    table = pd.read_parquet(tmp_path / "a" / "judgments.parquet")
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == judge["judgments"]
    asked = table[table["prompt"].notna()]
    assert sent >= 3 * len(asked)
    row = asked.iloc[0]
    assert row["statement"] in json.loads(row["prompt"].splitlines()[-1])["statement"]
    assert [json.loads(reply)["reason"] for reply in row["replies"]] == ["r"] * 3

    second = evalkit.run(*asking, f"run_dir={tmp_path / 'b'}")
    assert len(endpoint.requests) == sent
    assert second.results["judge"]["from_store"] == judge["judgments"]
    pd.testing.assert_frame_equal(
        *(run.scores[~run.scores["metric"].str.startswith("cost/")] for run in (first, second))
    )


def test_a_run_beyond_the_cap_fails_scores(
    asking: list[str], endpoint: Any, tmp_path: Path
) -> None:
    """What was not judged is failed with the cap as its reason, and never 0."""
    capped = [*asking, "judge.judge.repeats=1", "judge.chat.budget.calls=2"]
    first = evalkit.run(*capped, f"run_dir={tmp_path / 'a'}")
    assert len(endpoint.requests) == 2
    failed = first.scores[first.scores["status"] == "failed"]
    assert len(failed) > 0
    assert failed["reason"].str.contains("spending cap: 2 calls").all()
    assert failed["value"].isna().all()


def test_a_judge_is_stored_where_the_configuration_says_so(asking: list[str]) -> None:
    assert isinstance(judge_of(asking), StoredJudge)
    assert not isinstance(judge_of([*asking, "judge.stored=false"]), StoredJudge)


def test_the_store_tells_models_apart(asking: list[str], endpoint: Any) -> None:
    """The same statement for another model, prompt setting or server is asked anew."""
    changes = ["judge.chat.model=n", "judge.chat.temperature=0.9", "judge.judge.reasons=false"]
    for change in ["judge.chat.model=m", *changes]:
        before = len(endpoint.requests)
        judge_of([*asking, change]).support(["S."], ["T."])
        assert len(endpoint.requests) == before + 3
        judge_of([*asking, change]).support(["S."], ["T."])
        assert len(endpoint.requests) == before + 3


def test_a_calibration_is_applied_to_stored_judgments(
    asking: list[str], endpoint: Any, tmp_path: Path
) -> None:
    """Recalibrating costs no call: the store holds what the judge itself said."""
    plain = judge_of(asking)
    (raw,) = plain.support(["S."], ["T."])
    path = tmp_path / "calibration.json"
    content = {
        "schema": 1,
        "judge": {"name": plain.name, "version": plain.version},
        "map": {"kind": "platt", "slope": 0.1, "intercept": -2.0},
        "threshold": 0.5,
    }
    path.write_text(json.dumps(content))
    sent = len(endpoint.requests)
    judge = judge_of([*asking, f"judge.calibration={path}"])
    (found,) = judge.support(["S."], ["T."])
    assert found.supported is False
    assert found.score < 0.2
    assert len(endpoint.requests) == sent
    assert judge.version.startswith(f"{plain.version}+calibrated-")
    assert judge.judgments()["score"].tolist() == [raw.score]
    with pytest.raises(ConfigError, match="is of the judge"):
        judge_of([*asking, "judge.chat.model=n", f"judge.calibration={path}"])


def test_the_local_judge_uses_the_weights_under_test(
    tiny_overrides: list[str], tmp_path: Path
) -> None:
    """Unless it is given others; what it says is kept under their contents."""
    kept = [o for o in tiny_overrides if not o.startswith("judge=")]
    judge = judge_of([*kept, "judge=local", f"store={tmp_path}"])
    (found,) = judge.support(["S."], ["T."])
    assert found.supported is (found.score > 0.5)
    assert judge.facts()["calls"] == 1
    assert judge_of([*kept, "judge=local", f"store={tmp_path}"]).support(["S."], ["T."]) == [found]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("+judge.mood=1", r"judge has the unknown keys \['mood'\]"),
        ("+judge.chat.mood=1", "judge.chat: the unknown keys .*mood"),
        ("judge.judge.repeats=2", "odd whole number"),
        ("judge.chat.temperature=0", "temperature is 0"),
        ("judge.chat.budget.money=1", "no price"),
        ("judge.calibration=nowhere.json", r"cannot read nowhere\.json"),
    ],
)
def test_what_cannot_work_is_refused_before_any_call(
    asking: list[str], endpoint: Any, override: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        judge_of([*asking, override])
    assert endpoint.requests == []


def test_evidence_is_read_where_its_weights_are_at_hand(tmp_path: Path) -> None:
    """``auto`` takes what is there and downloads nothing; other words are refused."""
    part = {
        "judge": {"_target_": "evalkit.scoring.OfflineJudge", "_partial_": True},
        "weights": {"source": "path", "path": str(tmp_path / "nowhere")},
    }
    plain = build_judge({"judge": part["judge"]}, lambda: None, tmp_path)  # type: ignore[arg-type]
    for wanted in ("auto", False):
        made = build_judge({**part, "evidence": wanted}, lambda: None, tmp_path)  # type: ignore[arg-type]
        assert made.name == plain.name
    with pytest.raises(ConfigError, match=r"judge\.evidence is 'maybe'"):
        build_judge({**part, "evidence": "maybe"}, lambda: None, tmp_path)  # type: ignore[arg-type]


def test_a_local_judge_of_a_model_behind_a_server_is_refused(tiny_overrides: list[str]) -> None:
    """There are no weights to read; the error says which server, and how to ask it or what to name."""
    chosen = [o for o in tiny_overrides if not o.startswith(("judge=", "model"))]
    overrides = [*chosen, "judge=local", "model=openai", "model.name=m"]
    with pytest.raises(ConfigError, match="on the server http://localhost:8000/v1") as caught:
        judge_of(overrides)
    assert "judge=llm judge.chat.model=NAME" in str(caught.value)
