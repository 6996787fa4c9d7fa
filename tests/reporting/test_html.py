"""The page: self-contained, escaped, complete, and able to do without what a run did not do."""

from __future__ import annotations

import re
from typing import Any

from html_page import Page

from evalkit.reporting import report_html

HOSTILE = "</pre></script><script>alert('x')</script><img src=x onerror=alert(1)>\"'"


def test_the_page_is_well_formed_and_complete(
    results: dict[str, Any], questions: list[dict[str, Any]]
) -> None:
    """Every section is there, every tag closes, and the numbers are those of the results."""
    page = Page(report_html(results, questions))
    for heading in ("Reading", "Hypotheses", "Pipelines", "Scorecard", "What retrieval and tuning change",
                    "How answers stand in time", "Which stage is at fault", "By category", "Comparisons", "Repeats",
                    "Cost", "Questions", "Provenance"):  # fmt: skip
        assert heading in page.text
    words = " ".join(page.text.split())
    assert "54 [47, 61]" in words
    assert "+52 [+46, +59]" in words
    assert "invented-handbook, 204 questions" in words
    assert "Judge sentences 1 Date" in words
    assert "The judge (sentences) is blind to: pipeline, category." in words
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
    lines = ["asked on 2031-03-15: right is 21 days", "passage OPS-000#0, from 2030-01-01: 14 days"]
    fault = {"blame": "retrieved_stale", "blame_rule": "another revision was shown"}
    fault["blame_evidence"] = lines
    questions[0]["answers"] = {
        "rag": {"output": "x", "answer": "x", "correct": False, **fault},
        "lora": {"output": "y", "answer": "y", "correct": True, **fault},
        "hybrid": {"output": "z", "answer": "z", "correct": False, "blame": "none"},
    }
    page = Page(report_html(results, questions[:1]))
    (shown,) = [a for _, a in page.tags if a.get("class") == "blame"]
    assert shown["title"] == "another revision was shown"
    assert page.text.count(lines[1]) == 1
    assert page.text.split("wrong in any pipeline")[1].count("retrieved stale") == 1


def test_bars_of_stages_at_fault_name_what_they_show(results: dict[str, Any]) -> None:
    """The key has the stages that occur and no other; a run without them has no section."""
    page = Page(report_html(results))
    titles = [a.get("title") for _, a in page.tags]
    assert "no retrieval: 129.6 questions, 72 %" in titles
    assert any(a.get("class") == "f-memory_overrode_evidence" for _, a in page.tags)
    results["blame"] = [r for r in results["blame"] if r["stage"] != "memory_overrode_evidence"]
    assert "memory over evidence" not in Page(report_html(results)).text.split("By category")[0]
    del results["blame"]
    assert "Which stage is at fault" not in Page(report_html(results)).text


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
    """An interval off zero with adjusted p above the limit shows no difference."""
    row = {**results["comparisons"][0], "low": 0.1, "high": 0.9, "difference": 0.5}
    for p, said in ((0.04, "higher"), (0.06, "no difference shown")):
        found = {**row, "p_value": 0.01, "p_adjusted": p}
        text = Page(report_html({**results, "comparisons": [found]})).text
        part = text.split("Comparisons")[1].split("Repeats")[0]
        assert said in part
        assert f"0.010 {p:.3f}" in part


def test_results_without_adjusted_p_are_read_as_they_were(results: dict[str, Any]) -> None:
    """A document of an earlier run has neither column, and its page says that p is plain."""
    for row in (*results["comparisons"], *results["effects"]):
        for key in ("p_adjusted", "mde", "standard_error"):
            del row[key]
    text = Page(report_html(results)).text
    assert "p values are not adjusted for the number of rows" in text
    assert "MDE" not in text
    assert "adjusted p" not in text.replace("Holm", "")


def test_the_detectable_effect_is_explained_once(results: dict[str, Any]) -> None:
    """In the lead of the comparisons, with its column beside the adjusted p."""
    words = " ".join(Page(report_html(results)).text.split())
    assert words.count("minimum detectable effect") == 1
    assert words.count("adjusted by Benjamini-Hochberg") == 1
    assert "+51 points [+45, +57] <0.001 <0.001 9 204 0.12 higher" in words


def test_every_table_can_be_scrolled_sideways(
    results: dict[str, Any], questions: list[dict[str, Any]]
) -> None:
    """On a narrow screen a table scrolls in its own box, and the page is not cut off."""
    html = report_html(results, questions)
    opened = re.findall(r"<div class=\"wide\">\s*<table", html)
    assert len(opened) == html.count("<table") > 10


def test_a_cell_names_its_pipeline(results: dict[str, Any]) -> None:
    """On a narrow screen the scorecard has no columns, and each cell says of which pipeline it is."""
    page = Page(report_html(results))
    cells = [a.get("data-of") for _, a in page.tags if (a.get("class") or "").startswith("score ")]
    cells += [a.get("data-of") for _, a in page.tags if a.get("class") == "score"]
    assert set(cells) == {p["name"] for p in results["pipelines"]}


def test_a_difference_that_no_shares_can_have_is_not_told_as_detectable(
    results: dict[str, Any],
) -> None:
    """With two questions the smallest detectable difference would be beyond 100 points: none is."""
    results["comparisons"] = [{**results["comparisons"][0], "mde": 8.17}]
    part = Page(report_html(results)).text.split("Comparisons")[1].split("Repeats")[0]
    assert " none " in part
    assert "817" not in part


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


def test_outdated_answers_stand_by_what_was_retrieved(results: dict[str, Any]) -> None:
    """In the section on time, and not once more among the other metrics."""
    metric = "freshness/generation/outdated_given_missed"
    known = next(e for e in results["estimates"] if e["metric"] == "freshness/generation/outdated")
    results["estimates"].append(known | {"pipeline": "rag", "metric": metric})
    html = report_html(results)
    section = html.partition("<h2>How answers stand in time</h2>")[2].partition("</section>")[0]
    assert "Outdated answers, by what was retrieved" in section
    assert section.count(f'title="{metric}"') == html.count(f'title="{metric}"') == 1


def test_the_judge_accounts_for_itself(results: dict[str, Any]) -> None:
    """How many judgments, from where, at what cost, and how far repeats agree; nothing where none is told."""
    from evalkit.reporting.html import facts

    counted = {"judgments": 640, "from_store": 600, "failed": 2, "calls": 128, "spent": 0.4312}
    told = dict(facts(results | {"judge": results["judge"] | counted | {"agreement": 0.973}}))
    assert told["Judgments"] == (
        "640, 600 of them from the store, 2 failed, 128 calls, 0.4312 spent, repeats agree to 97%"
    )
    assert "Judgments" not in dict(facts(results))
