"""The page: self-contained, escaped, complete, and able to do without what a run did not do."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from evalkit.reporting import report_html

VOID = {"meta", "input", "br", "link", "img", "hr"}
HOSTILE = "</pre></script><script>alert('x')</script><img src=x onerror=alert(1)>\"'"


class Page(HTMLParser):
    """Collects tags, attributes and text, and complains about tags that do not close."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the tag, and that it is open."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost tag, which must be this one."""
        assert self.open.pop() == tag
        self.text += " " * (tag in ("td", "th", "dt", "p", "li"))

    def handle_data(self, data: str) -> None:
        """Collect the text outside styles and scripts."""
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data

    def count(self, tag: str) -> int:
        """How many such tags there are."""
        return sum(name == tag for name, _ in self.tags)


def test_the_page_is_well_formed_and_complete(
    results: dict[str, Any], questions: list[dict[str, Any]]
) -> None:
    """Every section is there, every tag closes, and the numbers are those of the results."""
    page = Page(report_html(results, questions))
    for heading in ("Reading", "Pipelines", "Scorecard", "What retrieval and tuning change",
                    "How answers stand in time", "By category", "Comparisons", "Cost", "Questions",
                    "Provenance"):  # fmt: skip
        assert heading in page.text
    words = " ".join(page.text.split())
    assert "54 [47, 61]" in words
    assert "+52 [+46, +59]" in words
    assert "invented-handbook, 204 questions" in words
    assert "sentences 1, blind to pipeline, category" in words
    assert "bench:5f1c|model:tiny-instruct|rag|judge:sentences-1|seed:7" in words
    assert "cannot be decided" in words
    assert "95th percentile 0.90 s 1.90 s 2.90 s 3.90 s" in words
    assert "index size 1.8 MB" in words


def test_the_page_needs_no_network(
    results: dict[str, Any], questions: list[dict[str, Any]]
) -> None:
    """No address is loaded or linked, and the policy forbids it."""
    html = report_html(results, questions)
    assert not re.search(r"""(?:src|href|action)\s*=|url\(|@import|https?://""", html)
    assert "default-src 'none'" in html


def test_text_from_data_is_escaped_everywhere(
    results: dict[str, Any], questions: list[dict[str, Any]]
) -> None:
    """Hostile text in any field makes no tag, no attribute and no script."""
    clean = Page(report_html(results, questions))
    answer = questions[0]["answers"]["rag"]
    answer |= {"output": HOSTILE, "answer": HOSTILE, "class": HOSTILE, "correct": None}
    answer["passages"] = [{"id": HOSTILE, "revision": HOSTILE, "score": 0.5}] * 3
    questions[0] |= {"text": HOSTILE, "expected": HOSTILE, "category": HOSTILE, "as_of": HOSTILE}
    results["notes"] = results["warnings"] = [HOSTILE]
    results["pipelines"][1]["description"] = HOSTILE
    results["benchmark"]["name"] = results["judge"]["name"] = results["experiment"] = HOSTILE
    results["estimates"][0]["signature"] = results["effects"][0]["note"] = HOSTILE
    page = Page(report_html(results, questions))
    assert page.count("script") == clean.count("script") == 1
    assert page.count("img") == 0
    assert all(not key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert page.text.count("<script>alert('x')</script>") >= 10


def test_the_questions_table_has_every_answer(
    results: dict[str, Any], questions: list[dict[str, Any]]
) -> None:
    """One row per question, one cell per pipeline, and the pipelines that were wrong marked."""
    questions[0]["answers"] = {
        "prompt_only": {"output": "", "answer": None, "class": "abstained", "correct": False},
        "rag": {"output": "x", "answer": "x", "class": "current", "correct": True, "strict": False},
        "hybrid": {"output": "y", "answer": "y", "class": "wrong", "correct": False},
    }
    page = Page(report_html(results, questions))
    rows = [attributes for tag, attributes in page.tags if "data-wrong" in attributes]
    assert len(rows) == len(questions)
    assert rows[0]["data-wrong"] == "|0|3|"
    assert rows[0]["data-category"] == "unchanged"
    assert "no answer could be read" in page.text
    assert "malformed" in page.text
    cells = sum("answer" in (a.get("class") or "").split() for _, a in page.tags)
    assert cells == 4 * len(questions) - 1


def test_abstaining_is_expected_where_nothing_answers(
    results: dict[str, Any], questions: list[dict[str, Any]]
) -> None:
    """No expected answer reads as an instruction, several as alternatives."""
    questions[0]["expected"], questions[1]["expected"] = None, ["21 days", "three weeks"]
    text = Page(report_html(results, questions[:2])).text
    assert "should abstain" in text
    assert "21 days / three weeks" in text


def test_a_wrong_answer_shows_the_stage_at_fault(
    results: dict[str, Any], questions: list[dict[str, Any]]
) -> None:
    """In small type, with the rule behind it; a right answer has none."""
    fault = {"blame": "retrieved_stale", "blame_rule": "another revision was shown"}
    questions[0]["answers"] = {
        "rag": {"output": "x", "answer": "x", "correct": False, **fault},
        "lora": {"output": "y", "answer": "y", "correct": True, **fault},
        "hybrid": {"output": "z", "answer": "z", "correct": False, "blame": "none"},
    }
    page = Page(report_html(results, questions[:1]))
    (shown,) = [a for _, a in page.tags if a.get("class") == "blame"]
    assert shown["title"] == "another revision was shown"
    assert page.text.count("retrieved stale") == 1


def test_failed_questions_are_a_part_of_the_bars(results: dict[str, Any]) -> None:
    """The key names the class only where something failed."""
    assert "c-failed" not in str(Page(report_html(results)).tags)
    results["classes"] += [{"pipeline": "rag", "class": "failed", "n": 12, "share": 0.1}]
    page = Page(report_html(results))
    assert any(a.get("title") == "failed: 12 questions, 10 %" for _, a in page.tags)
    assert "Failed: no answer was generated." in page.text


def test_the_page_prints_the_confidence_of_the_run(results: dict[str, Any]) -> None:
    """Everywhere an interval is named; 95 % where the results do not say."""
    assert "95 % interval" in Page(report_html(results)).text
    results["statistics"] = {"confidence": 0.9, "resamples": 10, "seed": 1}
    text = Page(report_html(results)).text
    assert "90 % interval" in text
    assert "p is below 0.1" in text
    assert "95 %" not in text


def test_an_effect_shows_the_part_of_the_questions_it_rests_on(results: dict[str, Any]) -> None:
    """In the column of n, and in the footnote what a statement is."""
    results["effects"][0]["n_pairs"] = 31
    text = Page(report_html(results)).text
    assert "31 of 204" in text
    assert "a structured answer states one bare value, prose states whole sentences" in text


def test_a_difference_needs_its_p(results: dict[str, Any]) -> None:
    """An interval off zero with p above the limit shows no difference."""
    row = {**results["comparisons"][0], "low": 0.1, "high": 0.9, "difference": 0.5}
    for p, said in ((0.04, "higher"), (0.06, "no difference shown")):
        text = Page(report_html({**results, "comparisons": [{**row, "p_value": p}]})).text
        assert said in text.split("Comparisons")[1].split("Cost")[0]


def test_effects_that_touch_zero_are_drawn_open(results: dict[str, Any]) -> None:
    """Of the fixture's 19 effects, those whose interval holds zero are marked unclear."""
    page = Page(report_html(results))
    unclear = sum(a.get("class") == "unclear" for _, a in page.tags)
    assert unclear == sum(e["low"] <= 0 <= e["high"] for e in results["effects"]) == 9


def test_a_bare_result_still_makes_a_page() -> None:
    """Without effects, classes, costs, judge or questions the page is shorter and not broken."""
    bare = {"schema": 1, "pipelines": [{"name": "rag"}], "estimates": []}
    page = Page(report_html(bare))
    assert "Scorecard" in page.text
    assert "Questions" not in page.text
    assert "What retrieval" not in page.text
    assert page.count("script") == 0


def test_two_hundred_questions_in_six_pipelines_stay_small(
    results: dict[str, Any], questions: list[dict[str, Any]]
) -> None:
    """Each question adds a few kilobytes, so that 200 of them open at once."""
    base, more = (len(report_html(results, questions * k)) for k in (1, 9))
    assert (more - base) / (8 * len(questions)) < 6_000
