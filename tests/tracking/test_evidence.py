"""Findings as flat metrics and tags for the tracker."""

from __future__ import annotations

from typing import Any

from evalkit.tracking.evidence import findings, verdict_tags

CORRECT = "correctness/generation/correct"


def claimed(claim: str, verdict: str = "supported", **more: Any) -> dict[str, Any]:
    """One row of the hypotheses."""
    row = {"claim": claim, "verdict": verdict, "effect": 0.1, "low": 0.02, "high": 0.18}
    return {**row, "p_adjusted": 0.01, "further_questions": None, **more}


def test_hypotheses_become_metrics_by_their_words() -> None:
    """Runs line up by claim, whatever else was tested; nulls and NaN are no metrics."""
    rows = [
        claimed("Retrieval adds knowledge."),
        claimed("B", "inconclusive", further_questions=40),
    ]
    metrics = findings({"hypotheses": rows})
    assert metrics["hypotheses/retrieval_adds_knowledge"] == 0.1
    assert metrics["hypotheses/retrieval_adds_knowledge/p_adjusted"] == 0.01
    assert "hypotheses/retrieval_adds_knowledge/further_questions" not in metrics
    assert metrics["hypotheses/b/further_questions"] == 40.0
    counted = [metrics[f"hypotheses/{v}"] for v in ("supported", "refuted", "inconclusive")]
    assert counted == [1.0, 0.0, 1.0]
    alone = findings({"hypotheses": rows[1:]})
    assert alone["hypotheses/b"] == metrics["hypotheses/b"]
    assert "hypotheses/b" not in findings({"hypotheses": [claimed("b", effect=float("nan"))]})


def test_no_claim_overwrites_another() -> None:
    """Equal words, words that end in a number, words like a verdict: each has its own name."""
    claims = ("x", "X!", "x 2", "supported", "***")
    rows = [claimed(claim, effect=float(i)) for i, claim in enumerate(claims)]
    metrics = findings({"hypotheses": rows})
    names = ("x", "x_2", "x_2_2", "supported_2", "hypothesis")
    assert [metrics[f"hypotheses/{name}"] for name in names] == [0, 1, 2, 3, 4]
    assert metrics["hypotheses/supported"] == 5.0


def test_tags_say_the_verdicts_in_words() -> None:
    """A count for the list of runs, and each claim with its verdict; none without hypotheses."""
    rows = [claimed("a"), claimed("b", "refuted"), claimed("c")]
    assert verdict_tags({"hypotheses": rows}) == {
        "evalkit.verdicts": "2 supported, 1 refuted",
        "evalkit.hypothesis.a": "supported: a",
        "evalkit.hypothesis.b": "refuted: b",
        "evalkit.hypothesis.c": "supported: c",
    }
    assert verdict_tags({}) == {}
    assert findings({}) == {}


def test_the_detectable_effect_is_that_of_the_least_sensitive_pair() -> None:
    """Per metric, the largest over the pairs; pairs without one do not count."""
    rows = [{"metric": CORRECT, "mde": mde} for mde in (0.05, 0.08, None, 0.06)]
    assert findings({"comparisons": rows}) == {f"mde/{CORRECT}": 0.08}


def test_effects_carry_the_adjusted_p() -> None:
    """Beside the plain one; a document without it has no such metric."""
    row = {"effect": "tuning", "metric": CORRECT, "value": 0.1, "low": 0.0, "high": 0.2}
    metrics = findings({"effects": [{**row, "p_value": 0.04, "p_adjusted": 0.08}]})
    assert metrics[f"effects/tuning/{CORRECT}/p_adjusted"] == 0.08
    assert metrics[f"effects/tuning/{CORRECT}/p_value"] == 0.04
    assert f"effects/tuning/{CORRECT}/p_adjusted" not in findings({"effects": [row]})
