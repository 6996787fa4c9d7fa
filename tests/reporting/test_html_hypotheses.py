"""The page's hypotheses: a verdict in words and in colour, and an interval against its margin."""

from __future__ import annotations

from typing import Any

from html_page import Page

from evalkit.reporting import report_html


def drawn(page: Page, tag: str, of: str) -> list[float]:
    """One attribute of every such SVG element of a page, as numbers."""
    return [float(a[of].removesuffix("%")) for t, a in page.tags if t == tag and a.get(of)]


def test_hypotheses_are_drawn_against_their_margins(results: dict[str, Any]) -> None:
    """The dot lies in the tinted zone where the claim is supported, off it where it is refuted."""
    results["hypotheses"] = [h for h in results["hypotheses"] if h["effect"] is not None]
    page = Page(report_html(results))
    zones = [a for t, a in page.tags if t == "rect"]
    spans = list(zip(drawn(page, "rect", "x"), drawn(page, "rect", "width"), strict=True))
    dots = drawn(page, "circle", "cx")
    verdicts = [h["verdict"] for h in results["hypotheses"]]
    assert len(zones) == len(dots) == len(verdicts) == 4
    inside = [left <= dot <= left + width for (left, width), dot in zip(spans, dots, strict=True)]
    assert inside == [True, True, False, True]
    assert page.count("circle") == page.count("svg")
    assert all(0 <= place <= 100 for place in (*dots, *(a + b for a, b in spans)))


def test_a_verdict_is_a_word_and_a_colour(results: dict[str, Any]) -> None:
    """Who sees no colour reads it; the class carries the colour; the picture has a text."""
    page = Page(report_html(results))
    classes = [a["class"] for t, a in page.tags if t == "article"]
    assert classes == [f"claim {h['verdict']}" for h in results["hypotheses"]]
    part = " ".join(page.text.split("Hypotheses")[1].split("Pipelines")[0].split())
    assert "refuted Tuning costs nothing on control questions" in part
    assert "About 1,300 further questions would decide it." in part
    labels = [a["aria-label"] for t, a in page.tags if t == "svg"]
    assert labels[0] == "effect +52 points [+46, +59], needed above 0"


def test_a_hypothesis_without_numbers_is_not_drawn(results: dict[str, Any]) -> None:
    """It has its verdict and its reason, and no axis that nothing lies on."""
    results["hypotheses"] = results["hypotheses"][-1:]
    page = Page(report_html(results))
    assert page.count("svg") == 0
    assert not any((a.get("class") or "").startswith("claim axis") for _, a in page.tags)
    assert "5.0% of the questions failed" in page.text
    assert "with failures at worst [−3.0, +40]" in page.text


def test_a_run_without_hypotheses_or_repeats_shows_neither(results: dict[str, Any]) -> None:
    """No empty section."""
    page = Page(report_html({**results, "hypotheses": [], "variation": []}))
    assert page.count("article") == page.count("svg") == 0
    assert "Hypotheses" not in page.text
    assert "Repeats" not in page.text
