"""Hypotheses as a report words and prints them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from evalkit.reporting import print_scorecard, scorecard_markdown
from evalkit.reporting.charts import claims_axis
from evalkit.reporting.claims import Claim, claims

CORRECT = "correctness/generation/correct"


def one(**more: Any) -> Claim:
    """A claim about correct answers."""
    row = {
        "claim": "it helps",
        "metric": CORRECT,
        "better": "a",
        "than": "b",
        "verdict": "supported",
    }
    row |= {"kind": "superiority", "margin": 0.0, "effect": 0.1, "low": 0.05, "high": 0.15}
    (claim,) = claims({"pipelines": [], "hypotheses": [{**row, **more}]})
    return claim


def printed(results: dict[str, Any], width: int = 100) -> str:
    """What a terminal of that width shows, without colours."""
    console = Console(width=width, file=io.StringIO(), color_system=None)
    print_scorecard(results, console)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("kind", "margin", "direction", "needed", "holds"),
    [
        ("superiority", 0.0, "higher", "above 0", (0.0, None)),
        ("superiority", 0.05, "higher", "above +5", (0.05, None)),
        ("superiority", 0.05, "lower", "below −5", (None, -0.05)),
        ("non_inferiority", 0.05, "higher", "above −5", (-0.05, None)),
        ("non_inferiority", 0.05, "lower", "below +5", (None, 0.05)),
        ("equivalence", 0.05, "higher", "within ±5", (-0.05, 0.05)),
        ("equivalence", 0.05, "lower", "within ±5", (-0.05, 0.05)),
    ],
)
def test_where_a_claim_holds(
    kind: str, margin: float, direction: str, needed: str, holds: tuple[float | None, float | None]
) -> None:
    """The margin lies on the bad side for non-inferiority, on the good one for superiority."""
    claim = one(kind=kind, margin=margin, direction=direction)
    assert claim.needed == needed
    assert claim.holds == pytest.approx(holds)


def test_the_zone_agrees_with_the_threshold_that_was_tested() -> None:
    """Where a claim holds here is where the statistics tested it."""
    from evalkit.statistics.hypotheses import Hypothesis

    for direction in ("higher", "lower"):
        for kind, margin in (("superiority", 0.04), ("non_inferiority", 0.04)):
            tested = Hypothesis(CORRECT, ("a",), ("b",), kind, margin, direction=direction)
            low, high = one(kind=kind, margin=margin, direction=direction).holds
            sign, limit = tested.threshold.split()
            assert float(limit) == pytest.approx(low if sign == ">" else high)


@pytest.mark.parametrize(
    ("further", "said"),
    [(1, "about 1 further question"), (64, "about 64 further questions"),
     (360, "about 360 further questions"), (3547, "about 3,600 further questions"),
     (10_001, "about 11,000 further questions")],
)  # fmt: skip
def test_further_questions_are_rounded_up(further: int, said: str) -> None:
    """Two digits are what an estimate of a need carries, and never fewer than needed."""
    assert one(verdict="inconclusive", further_questions=further).needs == said


def test_only_an_inconclusive_claim_needs_questions() -> None:
    """A decided one needs none, an undecidable one no number of them."""
    assert one(verdict="supported", further_questions=9).needs == ""
    assert one(verdict="inconclusive", further_questions=None).remarks == []


def test_p_is_of_the_side_that_the_data_lean_to() -> None:
    """For a refuted claim the p that refutes it, named so; a claim without data has no p."""
    assert one(p_adjusted=0.01, p_against_adjusted=1.0).p_words == "p 0.010"
    against = one(p_adjusted=1.0, p_against_adjusted=0.02, verdict="refuted")
    assert against.p_words == "p 0.020 of the opposite"
    assert one(p_adjusted=None, p_against_adjusted=None).p_words == "p –"


def test_a_name_with_a_plus_is_not_taken_apart() -> None:
    """Only names of the run are averaged; ``bm25+dense`` is one pipeline."""
    row = {"claim": "x", "metric": CORRECT, "verdict": "supported", "kind": "superiority"}
    row |= {"better": "bm25+dense", "than": "rag+hybrid"}
    names = [{"name": name} for name in ("bm25+dense", "rag", "hybrid")]
    (claim,) = claims({"pipelines": names, "hypotheses": [row]})
    assert claim.about == "correct: bm25+dense against rag and hybrid"


def test_the_axis_holds_every_end(results: dict[str, Any]) -> None:
    """Zero, all intervals and margins of shares lie on it; its marks are whole points."""
    found = claims(results)
    (low, high), marks = claims_axis(found)
    assert low <= -0.22
    assert high >= 0.59
    assert marks[0] == pytest.approx(low)
    assert marks[-1] == pytest.approx(high)
    assert any(mark == 0 for mark in marks)
    assert all(round(100 * mark, 6) == round(100 * mark) for mark in marks)
    assert claims_axis([])[0] == pytest.approx((-0.05, 0.05))


def test_markdown_has_a_line_for_each_claim(results: dict[str, Any]) -> None:
    """Verdict as a word, effect with interval, what was needed, adjusted p, n."""
    text = scorecard_markdown(results)
    assert text.index("## Hypotheses") < text.index("| axis | stage |")
    assert (
        "| ✓ supported | **Retrieval adds knowledge**. correct: rag and hybrid against prompt_only "
        "and lora. | **+52 points** [+46, +59] | above 0 | &lt;0.001 | 204 questions in 62 clusters |"
    ) in text
    assert "| **−12 points** [−22, −4] | above −3 | 0.012 of the opposite | 204 questions" in text
    assert "About 1,300 further questions would decide it." in text
    assert "adjusted by Holm over the 5 hypotheses" in text


def test_markdown_cannot_be_broken_by_a_claim(results: dict[str, Any]) -> None:
    """Pipes and tags of a claim are words, in the table as in the reading."""
    results["hypotheses"][0]["claim"] = "a|b\n<script> c"
    text = scorecard_markdown(results)
    assert "<script>" not in text
    assert text.count("a\\|b &lt;script> c") == 2


def test_a_terminal_ends_with_the_verdicts(results: dict[str, Any]) -> None:
    """The last thing on the screen, within 100 columns, each verdict beside its claim."""
    text = printed(results)
    assert max(map(len, text.splitlines())) <= 100
    tail = text.split("\nHypotheses\n")[1]
    assert "✗ refuted       Tuning costs nothing on control questions" in tail
    assert "+52 points [+46, +59], needed above 0; p <0.001; 204 questions in 62 clusters" in tail
    assert "About 1,300 further questions would decide it." in tail


def test_a_claim_that_looks_like_markup_is_printed_as_it_is(results: dict[str, Any]) -> None:
    """Brackets of a claim are no style."""
    results["hypotheses"][0]["claim"] = "[bold]x[/bold] helps"
    assert "[bold]x[/bold] helps" in printed(results)


def test_repeats_are_a_small_table(results: dict[str, Any]) -> None:
    """Headline metrics only, a dash where it cannot be told; nothing without repeats."""
    markdown, terminal = scorecard_markdown(results), printed(results)
    assert "| correct | 8 % | 8 % | – | 8 % |" in markdown
    assert "31 %" not in markdown.split("## Repeats")[1]
    assert " correct: prompt_only 8 %, rag 8 %, lora –, hybrid 8 %" in terminal
    for text in (markdown, terminal):
        assert "Every question was asked 3 times." in " ".join(text.split())
    assert "sampling seeds" not in printed({**results, "variation": []})
    assert "Repeats" not in scorecard_markdown({**results, "variation": []})


def test_without_hypotheses_nothing_is_said_of_them(results: dict[str, Any]) -> None:
    """No heading, no legend, and the table stands where it stood."""
    bare = {**results, "hypotheses": []}
    for text in (scorecard_markdown(bare), printed(bare)):
        assert "ypothes" not in text
        assert "Holm" not in text
