"""The outcome of a gate in words: a terminal of 100 columns, a pull request, JUnit XML."""

from __future__ import annotations

import io
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from evalkit.reporting.gate import MARKER, gate_markdown, headline, print_gate
from evalkit.reporting.junit import gate_junit

WHEN = "2026-01-01T00:00:00"


def row(name: str, verdict: str, **more: Any) -> dict[str, Any]:
    """A hypothesis as ``GateResult.document()`` has it: 10 points lost, 5 allowed."""
    return {
        "name": name, "claim": f"{name} worse by less than 5 points", "pipeline": "rag",
        "metric": "format/generation/strict", "direction": "higher", "better": "candidate rag",
        "than": "baseline rag", "kind": "non_inferiority", "margin": 0.05, "where": "all questions",
        "unit": "share", "effect": -0.1, "low": -0.2, "high": -0.06, "threshold": "> -0.05",
        "p_value": 0.9, "p_adjusted": 1.0, "p_against": 0.001, "p_against_adjusted": 0.002,
        "verdict": verdict, "reason": "", "n_questions": 100, "n_pairs": 100, "n_clusters": 100,
        "failed_share": 0.0, "worst_low": None, "worst_high": None, "gained": 1, "lost": 2,
        "further_questions": None, "mde": 0.1,
    } | more  # fmt: skip


def document(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A gate of these rows, with two questions flipped in the first."""
    flips = [
        {"hypothesis": 0, "metric": "m", "pipeline": "rag", "question": f"q{i}", "text": "Why | <b>?",
         "before": 1.0, "after": 0.0, "change": "lost"} for i in range(2)
    ]  # fmt: skip
    side = {"runs": ["runs/a"], "experiment": "study", "questions": 100, "fingerprint": "f" * 64}
    return {
        "evalkit": "0.1.0", "decision": "block", "reason": "1 of 2 hypotheses is refuted: x",
        "todo": "", "baseline": side, "candidate": {**side, "runs": ["runs/b"]},
        "settings": {"confidence": 0.95}, "hypotheses": list(rows), "flips": flips if rows else [],
        "not_applicable": [{"metric": "citation/generation/recall", "pipeline": "rag", "reason": "no citation"}],
        "states": [], "notes": ["a note"],
    } | more  # fmt: skip


def printed(given: dict[str, Any]) -> str:
    out = io.StringIO()
    print_gate(given, Console(file=out, width=100))
    return out.getvalue()


def test_the_terminal_says_decision_effect_margin_verdict_and_flips() -> None:
    text = printed(document(row("format", "refuted"), row("other", "supported", effect=0.0)))
    assert text.splitlines()[0] == "BLOCK: 1 of 2 hypotheses is refuted: x"
    assert re.search(r"format +−10 \[−20, −6\] +above −5 +0\.002‡ +1 / 2 +refuted", text)
    assert "worse on 2: q0 “Why | <b>?” 1 → 0" in text
    assert "not applicable, no citation: citation recall (rag)" in text
    assert max(map(len, text.splitlines())) <= 100


def test_refuted_comes_first_and_many_supported_are_only_named() -> None:
    """No wall of rows: what needs a decision is on top."""
    rows = [row(f"fine{i}", "supported") for i in range(20)] + [row("broken", "refuted")]
    text = printed(document(*rows))
    assert "and 20 more, supported: fine0; fine1" in text
    assert text.index("broken") < text.index("fine0")


def test_each_reason_is_said_once() -> None:
    rows = [row(n, "inconclusive", reason="too little data", further_questions=123) for n in "abc"]
    text = printed(document(*rows))
    assert text.count("too little data") == 1
    assert "a; b; c: too little data" in text
    assert "130" in text


def test_markdown_shows_what_is_open_and_folds_the_rest() -> None:
    text = gate_markdown(document(row("format", "refuted"), row("other", "supported")))
    head, folded = text.split("<details><summary>1 supported</summary>")
    assert text.startswith(MARKER)
    assert "| format | −10 [−20, −6] | above −5 |" in head
    assert "| other |" in folded


@pytest.mark.parametrize("evil", ["<script>", "a | b", "@everyone", "`x`"])
def test_nothing_in_a_text_is_markup_or_calls_a_user(evil: str) -> None:
    """Question texts and names come from anywhere."""
    given = document(row(evil, "refuted"), notes=[evil], reason=evil)
    given["flips"][0]["text"] = evil
    text = gate_markdown(given)
    assert evil not in text


def test_a_comment_stays_within_the_limits_of_a_pull_request() -> None:
    """60 hypotheses with 500 flips each are below 65,536 characters."""
    given = document(*(row(f"h{i}", "refuted") for i in range(60)))
    given["flips"] = [
        given["flips"][0] | {"hypothesis": i, "text": "x" * 300} for i in range(60)
    ] * 500
    assert len(gate_markdown(given)) < 65_536


def test_junit_has_a_failure_an_error_a_skip_and_counts_that_agree() -> None:
    """Refuted fails; inconclusive is an error, since a skipped test is shown in green."""
    rows = [row("a", "refuted"), row("b", "inconclusive", reason="open"), row("c", "supported")]
    root = ElementTree.fromstring(gate_junit(document(*rows), created=WHEN, seconds=1.5))
    (suite,) = root.findall("testsuite")
    counts = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    assert len(suite.findall("testcase")) == 4
    (failure,) = suite.findall("testcase/failure")
    assert failure.get("message") == "−10 points [−20, −6], must be above −5"
    assert suite.find("testcase/error").get("type") == "inconclusive"


def test_junit_has_what_its_schema_asks_for() -> None:
    """The order of the parts and the attributes that the common JUnit schemas require and allow."""
    root = ElementTree.fromstring(gate_junit(document(row("a", "refuted")), created=WHEN))
    (suite,) = root
    parts = [child.tag for child in suite]
    assert parts == ["properties", "testcase", "testcase", "system-out", "system-err"]
    assert not root.keys()
    counts = {"tests", "failures", "errors", "skipped", "time"}
    assert set(suite.keys()) == {"name", "package", "id", "timestamp", "hostname", *counts}
    for case in suite.findall("testcase"):
        assert set(case.keys()) == {"classname", "name", "time"}
    assert {"message", "type"} == set(suite.find("testcase/failure").keys())


def test_junit_survives_what_xml_cannot_hold() -> None:
    text = gate_junit(document(row("a\x00\x1b[31m\ud800 <&>", "refuted")), created=WHEN)
    assert text.encode("utf-8")
    assert "a��[31m� <&>" in ElementTree.fromstring(text).find(".//testcase").get("name")


def test_a_gate_that_could_not_compare_is_one_case_in_error() -> None:
    given = document(decision="not comparable", reason="other benchmarks", not_applicable=[])
    root = ElementTree.fromstring(gate_junit(given, created=WHEN))
    assert (root[0].get("tests"), root[0].get("errors")) == ("1", "1")
    assert headline(given) == "NOT COMPARABLE: other benchmarks"
    assert "other benchmarks" in gate_markdown(given)
    assert "NOT COMPARABLE" in printed(given)
