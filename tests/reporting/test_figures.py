"""Figures and the folder of reports."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest

from evalkit.reporting import save_figures, write_reports
from evalkit.reporting.figures import (
    FAULT_COLOURS,
    blame_figure,
    classes_figure,
    effects_figure,
    hypotheses_figure,
    scorecard_figure,
)
from evalkit.reporting.labels import FAULTS

PNG = b"\x89PNG\r\n\x1a\n"


def drawn_text(path: Path) -> str:
    """The words in an SVG file."""
    return " ".join("".join(e.itertext()) for e in ET.parse(path).iter() if e.tag.endswith("text"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Any:
    """All reports of invented results, written once."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("invented", Path(__file__).parent / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    invented = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(invented)
    folder = tmp_path_factory.mktemp("reports") / "new" / "folder"
    return folder, write_reports(invented.make_results(), invented.make_questions(), folder)


def test_every_file_is_written_and_named(made: Any) -> None:
    """The paths returned are the files there are."""
    folder, written = made
    names = ("blame", "classes", "effects", "hypotheses", "scorecard")
    figures = [f"figures/{n}.{e}" for n in names for e in ("png", "svg")]
    assert sorted(written) == sorted(["report.html", "scorecard.md", *figures])
    assert all(path == folder / name and path.stat().st_size > 0 for name, path in written.items())
    assert written["scorecard.md"].read_text(encoding="utf-8").startswith("# Scorecard: quartet")


def test_effects_are_labelled_with_their_numbers(made: Any) -> None:
    """What a dot shows is written beside it."""
    text = drawn_text(made[1]["figures/effects.svg"])
    assert "+52 [+46, +59]" in text
    assert "percentage points" in text


def test_hypotheses_are_labelled_with_their_verdicts(made: Any) -> None:
    """A verdict is a word, not only a colour; claims in other units are left to the page."""
    text = drawn_text(made[1]["figures/hypotheses.svg"])
    assert "refuted  −12 points [−22, −4]" in text
    assert "tokens" not in text


def test_a_claim_with_dollars_is_not_read_as_a_formula(tmp_path: Path) -> None:
    """Two dollar signs in words are words."""
    row = {"metric": "correctness/generation/correct", "kind": "superiority", "effect": 0.1}
    row |= {"better": "a", "than": "b", "verdict": "supported", "claim": "$5_{ beats $4"}
    results = {"schema": 1, "pipelines": [], "estimates": [], "hypotheses": [row]}
    written = save_figures(results, tmp_path)
    assert "$5_{ beats $4" in drawn_text(written["hypotheses.svg"])


def test_classes_are_labelled(made: Any) -> None:
    """Every class is named and the large parts carry their share."""
    text = drawn_text(made[1]["figures/classes.svg"])
    for word in ("current", "outdated", "mixed", "premature", "wrong", "abstained", "hybrid", "51"):
        assert word in text


def test_stages_at_fault_are_labelled(made: Any) -> None:
    """Every stage that occurs is named in words, and large parts carry their share."""
    text = drawn_text(made[1]["figures/blame.svg"])
    for word in ("not retrieved", "memory over evidence", "nothing at fault", "hybrid", "72"):
        assert word in text


def test_neighbouring_stages_differ_in_lightness_too(results: dict[str, Any]) -> None:
    """Where two parts of a bar touch, a reader without colour still sees two."""

    def lightness(stage: str) -> float:
        red, green, blue = (int(FAULT_COLOURS[stage][i : i + 2], 16) / 255 for i in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    stages = list(FAULTS)
    assert set(stages) == set(FAULT_COLOURS)
    for first, second in pairwise(stages):
        assert abs(lightness(first) - lightness(second)) > 0.04, (first, second)


def test_the_scorecard_figure_says_na(made: Any) -> None:
    """A pipeline without a value is named all the same."""
    text = drawn_text(made[1]["figures/scorecard.svg"])
    assert "prompt_only: n/a" in text
    assert "rag  54 [47, 61]" in text


def test_png_is_large_enough_to_print(made: Any) -> None:
    """More than a thousand pixels wide."""
    path = made[1]["figures/effects.png"]
    assert path.read_bytes().startswith(PNG)
    assert matplotlib.image.imread(path).shape[1] > 1000


def test_the_confidence_and_failed_answers_are_drawn(
    results: dict[str, Any], tmp_path: Path
) -> None:
    """The axis names the confidence of the run; the class "failed" is there where one failed."""
    plain = drawn_text(save_figures(results, tmp_path / "plain")["classes.svg"])
    assert "failed" not in plain
    results["statistics"] = {"confidence": 0.9}
    results["classes"] += [{"pipeline": "rag", "class": "failed", "n": 12, "share": 0.1}]
    written = save_figures(results, tmp_path / "failed")
    assert "failed" in drawn_text(written["classes.svg"])
    for name in ("effects.svg", "scorecard.svg"):
        assert "(90 % interval)" in drawn_text(written[name])


def test_no_data_no_figure(results: dict[str, Any], tmp_path: Path) -> None:
    """A run without effects, classes or shares leaves those figures out."""
    bare = {**results, "effects": [], "classes": [], "blame": [], "estimates": [], "hypotheses": []}
    assert hypotheses_figure(bare) is None
    assert effects_figure(bare) is None
    assert classes_figure(bare) is None
    assert blame_figure(bare) is None
    assert scorecard_figure(bare) is None
    assert save_figures(bare, tmp_path) == {}
