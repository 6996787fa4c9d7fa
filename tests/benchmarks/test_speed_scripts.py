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
    assert [at["unlike_generate"] for at in last["shapes"]["tiny"]] == [0, 0]
    assert last["adapters"]["rows"] == 3
    assert last["continuous"]["prompts"] == 12
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
    differing = script("speed_rounds", monkeypatch).differing
    one = {"rag": {"texts": {"q1": " yes", "q2": "no"}}}
    assert differing(one, {"rag": {"texts": {"q1": "yes", "q2": "none"}}}) == (1, 2)
    with pytest.raises(KeyError):
        differing(one, {"rag": {"texts": {"q1": "yes"}}})


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The rounds with sides that take no time; what they ``made``, in order."""
    module = script("speed_rounds", monkeypatch)
    module.made = []
    seconds = {"evalkit": 1.0, "one": 9.0, "sorted": 4.0, "lm-eval": 8.0}

    def timed(side: str, batch: str, **_: Any) -> dict[str, Any]:
        module.made.append((side, batch))
        rows = {"q": {"texts": {"1": "yes"}, "tokens": 1, "seconds": 1.0}}
        return {"seconds": seconds[side] - int(batch) / 100, "pipelines": rows}

    monkeypatch.setattr(module, "timed", timed)
    return module


def test_a_measurement_that_is_there_is_not_made_again(rounds: Any, tmp_path: Path) -> None:
    """Rounds go on where they were cut off; later rounds run each kind's fastest batch size alone."""
    kinds = [
        rounds.Kind("evalkit", ["0"], 9),
        rounds.Kind("sorted", ["8", "16"], 9),
        rounds.Kind("one", ["1"], 9),
    ]
    for repeats in (2, 3):
        measured = rounds.Rounds(tmp_path / "rounds.jsonl")
        for number in range(1, repeats + 1):
            for side, batch in list(rounds.contenders(measured, number, kinds)):
                measured.measure(number, side, batch)
    first = [("evalkit", "0"), ("sorted", "8"), ("sorted", "16"), ("one", "1")]
    later = [("evalkit", "0"), ("sorted", "16"), ("one", "1")]
    assert rounds.made == first + later + later


def test_each_kind_has_its_rounds_and_the_report_says_how_many(
    rounds: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What takes long can be run less often; lm-eval has batch sizes of its own."""
    matrix = script(
        "speed_matrix", monkeypatch, "--repeats", "3", "--repeats-one", "1", "--repeats-lm-eval-one", "2",
        "--batches", "8", "--lm-eval-batches", "1,16,32",
    )  # fmt: skip
    kinds = matrix.kinds_of(matrix.arguments(), lm_eval=True)
    measured = rounds.Rounds(tmp_path / "rounds.jsonl")
    for number in (1, 2, 3):
        for side, batch in list(rounds.contenders(measured, number, kinds)):
            measured.measure(number, side, batch)
    rows, plain = matrix.summary(measured)
    runs = {row[0].rpartition(" ")[2]: row[1] for row in rows if "lm-eval" in row[0]}
    assert runs == {"1": "2", "16": "1", "32": "3"}
    assert [row[1] for row in rows if "lm-eval" not in row[0]] == ["3", "1", "3"]
    assert plain["one 1"]["seconds"]["repeats"] == 1
    monkeypatch.setattr(sys, "argv", ["speed_matrix.py", "--repeats-one", "0"])
    with pytest.raises(SystemExit):
        matrix.arguments()


@pytest.mark.slow
def test_the_overhead_script_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two sizes, each a process that imports everything."""
    script(
        "speed_overhead", monkeypatch, "--questions", "4", "8", "--repeats", "1", "--resamples", "50",
        "--out", str(tmp_path),
    ).main()  # fmt: skip
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [size["questions"] for size in last["sizes"]] == [4, 8]
    assert last == json.loads((tmp_path / "overhead.json").read_text())
    assert last["memory_ratio"] == pytest.approx(1, abs=0.3)


def test_the_reindex_script_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The changed index finds what one from nothing finds, and embeds the changed passages alone."""
    (tmp_path / "scifact").mkdir()
    rows = [{"_id": str(n), "title": f"Title {n}", "text": f"Text {n} of it."} for n in range(200)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "scifact" / "corpus.jsonl").write_text(lines)
    monkeypatch.setenv("EVALKIT_DATA", str(tmp_path))
    script(
        "speed_reindex", monkeypatch, "--documents", "200", "--repeats", "2", "--embedders", "hash",
        "--out", str(tmp_path),
    ).main()  # fmt: skip
    (found,) = json.loads(capsys.readouterr().out.splitlines()[-1])["embedders"]
    ways = found["ways"]
    assert {name: way["embedded"] for name, way in ways.items()} == {
        "full": 200,
        "changed": 2,
        "bm25": 0,
    }
    assert ways["changed"]["seconds"]["repeats"] == 2


def test_sides_that_do_not_compute_the_same_end_a_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses that drift apart, vectors that differ, reruns with other scores or with a model."""
    train = script("speed_train", monkeypatch)
    assert train.largest_difference([2.0, 1.0], [2.0, 1.01], 2) == pytest.approx(0.01)
    for ours, plain in (([2.0, 1.1], [2.0, 1.0]), ([2.0], [2.0])):
        with pytest.raises(SystemExit, match="not alike"):
            train.largest_difference(ours, plain, 2)
    embed = script("speed_embed", monkeypatch)
    with pytest.raises(SystemExit, match="differ by"):
        embed.apart(
            {"evalkit": [{"vectors": [[0.1]]}], "sentence-transformers": [{"vectors": [[0.2]]}]}
        )
    warm = script("speed_warm", monkeypatch)
    first = {"scores": "a", "imported": []}
    assert warm.checked(first, first, "same") == first
    for again in ({"scores": "b", "imported": []}, {"scores": "a", "imported": ["peft"]}):
        with pytest.raises(SystemExit):
            warm.checked(first, again, "same")


def test_a_library_that_cannot_be_had_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    others = script("speed_others", monkeypatch)
    assert others.python_with("pytest", "pytest", sys.executable, tmp_path) == sys.executable
    assert others.python_with("no-such-package", "x", sys.executable, tmp_path) is None
    assert others.python_with("pytest", "pytest", "none", tmp_path) is None
    assert others.version_of("pytest", sys.executable) == pytest.__version__
