"""The speed scripts run: on tiny models, so that they work when there is a machine to measure."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def script(name: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    """A script as a module, with a command line."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
    return importlib.import_module(name)


def test_the_gpu_script_runs_without_a_gpu_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table, a JSON line last, a report that calls itself a trial and claims nothing of a GPU."""
    tried = script(
        "speed_gpu", monkeypatch, "--shapes", "tiny", "--rows", "1,3", "--repeats", "1", "--prompt", "64",
        "--shared", "32", "--new", "4", "--device", "cpu", "--skip", "matrix", "--out", str(tmp_path),
    )  # fmt: skip
    tried.main()
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [at["rows"] for at in last["shapes"]["tiny"]] == [1, 3]
    assert all(at["tokens_per_second"] > 0 for at in last["shapes"]["tiny"])
    assert last["faiss"] is None or last["machine"]["gpus"]
    assert json.loads((tmp_path / "gpu_trial.json").read_text()) == last
    assert "without a GPU" in (tmp_path / "gpu_trial.md").read_text()
    assert not (tmp_path / "gpu.json").exists()


def test_the_gpu_script_refuses_a_machine_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="torch sees no GPU here"):
        script("speed_gpu", monkeypatch).main()


@pytest.mark.slow
def test_the_matrix_in_one_process_and_in_four_says_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The part of the GPU script that starts processes."""
    tried = script(
        "speed_gpu", monkeypatch, "--shapes", "tiny", "--rows", "1", "--repeats", "1", "--prompt", "64",
        "--shared", "32", "--new", "4", "--questions", "3", "--device", "cpu", "--skip", "faiss",
        "--out", str(tmp_path),
    )  # fmt: skip
    tried.main()
    found = json.loads((tmp_path / "gpu_trial.json").read_text())["matrix"]
    assert found["answers"] == 12
    assert found["process_each"]["median"] > found["one_process"]["median"]


def test_answers_are_compared_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whitespace that lm-eval cuts off does not count; a word does; a missing answer is an error."""
    differing = script("speed_matrix", monkeypatch).differing
    one = {"rag": {"texts": {"q1": " yes", "q2": "no"}}}
    assert differing(one, {"rag": {"texts": {"q1": "yes", "q2": "none"}}}) == (1, 2)
    with pytest.raises(KeyError):
        differing(one, {"rag": {"texts": {"q1": "yes"}}})


def test_a_measurement_that_is_there_is_not_made_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Rounds go on where they were cut off; later rounds run each kind's fastest batch size alone."""
    matrix = script("speed_matrix", monkeypatch)
    seconds = {"evalkit": 1.0, "one": 9.0, "sorted": 4.0}
    made: list[tuple[str, str]] = []

    def timed(side: str, batch: str, **_: Any) -> dict[str, Any]:
        made.append((side, batch))
        return {"seconds": seconds[side] - int(batch) / 100, "pipelines": {}}

    monkeypatch.setattr(matrix, "timed", timed)
    for repeats in (2, 3):
        rounds = matrix.Rounds(tmp_path / "rounds.jsonl")
        for number in range(1, repeats + 1):
            for side, batch in list(matrix.contenders(rounds, number, ["8", "16"], False)):
                rounds.measure(number, side, batch)
    first = [("evalkit", "0"), ("sorted", "8"), ("sorted", "16"), ("one", "1")]
    later = [("evalkit", "0"), ("sorted", "16"), ("one", "1")]
    assert made == first + later + later
