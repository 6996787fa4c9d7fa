"""``evalkit calibrate``: from labels to a file that a run applies."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from evalkit.cli import main
from evalkit.commands.calibrate import calibrate
from evalkit.configuration.assemble import Experiment
from evalkit.configuration.compose import compose, resolved
from evalkit.errors import EvalkitError

ROOMS = ["Lantern", "Harbour", "Cedar", "Granite", "Willow", "Copper", "Meadow", "Anchor"]


def labels(folder: Path, count: int = 60, wrong: int = 8, **changes: object) -> Path:
    """Statements about rooms, half of them true of their text; some labels disagree with that."""
    rng = random.Random(0)
    rows = []
    for i in range(count):
        room, true = ROOMS[i % len(ROOMS)], i % 2 == 0
        said = room if true else ROOMS[(i + 3) % len(ROOMS)]
        rows.append(
            {
                "statement": f"The board of section {i} meets in the {said} room.",
                "texts": [f"Rooms. The board of section {i} meets in the {room} room on Monday."],
                "label": int(true) if rng.random() > wrong / count else int(not true),
                "group": f"g{i // 2}",
                **changes,
            }
        )
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_calibration_is_written_and_applied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command prints how good the judge is, writes map and curve, and the judge takes them."""
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "mine.json"
    given = ["calibrate", "judge=offline", f"labels={labels(tmp_path)}", f"out={out}"]
    assert main(given) == 0
    shown = capsys.readouterr().out
    assert "AUROC" in shown
    assert "Cohen's kappa" in shown
    assert f"judge.calibration={out}" in shown.replace("\n", "")
    report = json.loads(out.read_text())
    assert report["labels"]["n"] == 60
    assert len(report["labels"]["sha256"]) == 64
    assert 0.7 < report["auroc"]["value"] <= 1
    assert report["auroc"]["low"] < report["auroc"]["value"] < report["auroc"]["high"]
    assert sum(row["n"] for row in report["reliability"]) == 60
    assert (tmp_path / "mine.svg").read_text().startswith("<?xml")
    overrides = ["judge=offline", f"judge.calibration={out}"]
    judge = Experiment(resolved(compose(overrides))).judge
    text = ["Rooms. The board of section 1 meets in the Cedar room on Monday."]
    found = judge.support(["The board of section 1 meets in the Cedar room."], text)
    assert found[0].supported is True
    assert found[0].score < 1
    # Another judge, or another version of it, does not take it.
    report["judge"]["version"] = "0"
    out.write_text(json.dumps(report))
    with pytest.raises(EvalkitError, match=r"judge\.calibration is of the judge"):
        _ = Experiment(resolved(compose(overrides))).judge


def test_the_same_labels_give_the_same_bytes(tmp_path: Path) -> None:
    from evalkit.reporting.calibration import save_reliability

    path = labels(tmp_path)
    first, second = (calibrate(["judge=offline"], path) for _ in range(2))
    assert json.dumps(first) == json.dumps(second)
    for name, report in (("a.svg", first), ("b.svg", second)):
        save_reliability(report, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_response_has_the_score_of_its_worst_sentence(tmp_path: Path) -> None:
    """It is supported if all of it is, and the report says that these were responses."""
    rows = [json.loads(line) for line in labels(tmp_path, wrong=0).read_text().splitlines()]
    for row in rows:
        row["response"] = f"{row['texts'][0].removeprefix('Rooms. ')} {row.pop('statement')}"
    path = tmp_path / "responses.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = calibrate(["judge=offline"], path)
    assert report["labels"]["unit"] == "response"
    assert report["as_it_is"]["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"count": 19}, "has 19 labels, too few"),
        ({"label": 1}, "one class only"),
        ({"group": "g"}, "one group"),
        ({"label": 3}, "label: is 3"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(tmp_path: Path, given: dict, said: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(EvalkitError, match=said):
        calibrate(["judge=offline"], labels(tmp_path, **given))
    assert not list(tmp_path.glob("calibration*"))


def test_wrong_words_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No labels, a missing file, an unknown judge or map: exit 2 and what to do."""
    path = labels(tmp_path)
    for given, said in (
        (["judge=offline"], "labels=FILE"),
        (["judge=offline", "labels=nowhere.jsonl"], "nowhere.jsonl"),
        (["judge=psychic", f"labels={path}"], "psychic"),
        (["judge=offline", f"labels={path}", "map=spline"], "platt, isotonic"),
        (["judge=offline", f"labels={path}", f"out={tmp_path}/no/x.json"], "cannot be written"),
    ):
        assert main(["calibrate", *given]) == 2
        assert said in capsys.readouterr().err
