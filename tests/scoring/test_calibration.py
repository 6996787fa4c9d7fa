"""A calibration is applied to its own judge, and to no other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.scoring import Judgment, signature
from evalkit.scoring.calibration import CalibratedJudge, Calibration, read_calibration

PLATT = {"kind": "platt", "slope": 4.0, "intercept": -2.0}
ISOTONIC = {"kind": "isotonic", "scores": [0.2, 0.5, 0.9], "probabilities": [0.1, 0.1, 0.7]}


class Fixed:
    """Gives each statement the score that it is."""

    name, version = "fixed", "3"
    blind_to = ("irony",)

    def support(self, statements: Sequence[str], texts: Sequence[str]) -> list[Judgment]:
        return [
            Judgment(None, error="no reply")
            if s == "broken"
            else Judgment(float(s) >= 0.5, float(s), "here", record={"prompt": "p"})
            for s in statements
        ]

    def claims(self, text: str) -> list[str]:
        return [text]


def calibrated(map: Any = PLATT, threshold: float = 0.8) -> CalibratedJudge:
    return CalibratedJudge(Fixed(), Calibration("fixed", "3", map, threshold))


def test_scores_become_probabilities_and_the_threshold_decides() -> None:
    """Platt's map by hand: 0.5 gives 0.5, 0.9 gives 1 / (1 + exp(-1.6)) = 0.832."""
    found = calibrated().support(["0.5", "0.9"], [])
    assert [each.score for each in found] == pytest.approx([0.5, 0.832], abs=1e-3)
    assert [each.supported for each in found] == [False, True]
    assert [(each.evidence, dict(each.record)) for each in found] == [("here", {"prompt": "p"})] * 2


def test_a_failed_judgment_stays_failed() -> None:
    (found,) = calibrated().support(["broken"], [])
    assert (found.supported, found.error) == (None, "no reply")


@given(st.floats(0, 1))
def test_both_rooms_read_a_map_alike(score: float) -> None:
    """What was fitted is what is applied."""
    from evalkit.statistics.calibration import apply_map

    for kind in (PLATT, ISOTONIC):
        ours = Calibration("fixed", "3", kind, 0.5).probability(score)
        assert ours == pytest.approx(float(apply_map(kind, np.array([score]))[0]))


def test_the_signature_changes_with_the_calibration() -> None:
    """A number under another map or threshold is another number."""
    metric = "faithfulness/generation/faithfulness"
    judges = [Fixed(), calibrated(), calibrated(threshold=0.7), calibrated(ISOTONIC)]
    assert len({signature(metric, judge) for judge in judges}) == 4
    assert signature(metric, calibrated()) == signature(metric, calibrated())


def test_another_judges_calibration_is_refused() -> None:
    """By name, and by version: another prompt or model errs otherwise."""
    for name, version in (("other", "3"), ("fixed", "4")):
        with pytest.raises(ConfigError, match=f"{name}@{version}.*fixed@3"):
            CalibratedJudge(Fixed(), Calibration(name, version, PLATT, 0.5))


def test_what_else_the_judge_can_do_it_still_can() -> None:
    judge = calibrated()
    assert (judge.name, judge.blind_to) == ("fixed", ("irony",))
    assert judge.claims("a") == ["a"]
    assert not hasattr(judge, "ragas_llm")


def file(tmp_path: Path, **changes: Any) -> Path:
    content = {
        "schema": 1,
        "judge": {"name": "fixed", "version": "3"},
        "map": PLATT,
        "threshold": 0.8,
        **changes,
    }
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    return path


def test_a_file_is_read_back(tmp_path: Path) -> None:
    assert read_calibration(file(tmp_path)) == Calibration("fixed", "3", PLATT, 0.8)
    assert read_calibration(file(tmp_path, map=ISOTONIC)).map == ISOTONIC


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": 2}, "schema is 2"),
        ({"schema": None}, "no 'schema'"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"judge": "fixed"}, "is no calibration"),
        ({"map": {"kind": "spline"}}, "'spline'"),
        ({"map": {**PLATT, "slope": -1}}, "slope"),
        ({"map": {**ISOTONIC, "scores": [0.5, 0.2, 0.9]}}, "do not rise"),
        ({"map": {**ISOTONIC, "probabilities": [0.5, 0.2, 0.9]}}, "fall"),
        ({"map": {**ISOTONIC, "probabilities": [0.5]}}, "do not rise"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, changes: Any, said: str) -> None:
    """A map that falls, or leaves the shares, would still give plausible numbers."""
    with pytest.raises(ConfigError, match=said):
        read_calibration(file(tmp_path, **changes))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*nowhere\.json"):
        read_calibration(tmp_path / "nowhere.json")
