"""Invented results for the tests of reports; nothing here was measured."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from evalkit.reporting.labels import LABELS

sys.path.append(str(Path(__file__).parent))  # invented_study

# Invented levels: prompt_only, rag, lora, hybrid, few_shot, oracle.
LEVELS: dict[str, tuple[float, ...]] = {
    "faithfulness/retrieval/context_recall": (0, 0.81, 0, 0.81, 0.81, 1.0),
    "faithfulness/retrieval/context_precision": (0, 0.74, 0, 0.74, 0.74, 1.0),
    "faithfulness/generation/faithfulness": (0, 0.63, 0, 0.77, 0.71, 0.86),
    "faithfulness/generation/groundedness": (0.04, 0.55, 0.05, 0.66, 0.6, 0.85),
    "format/retrieval/contract_strict": (0, 0.9, 0, 0.9, 0.9, 0.97),
    "format/retrieval/contract_loose": (0, 0.97, 0, 0.97, 0.97, 0.99),
    "format/generation/strict": (0.0, 0.02, 0.99, 0.97, 0.94, 0.03),
    "format/generation/loose": (0.06, 0.12, 0.99, 0.98, 0.97, 0.14),
    "format/generation/correct_given_compliance": (0, 0.5, 0.03, 0.59, 0.52, 0.8),
    "freshness/retrieval/current_recall": (0, 0.79, 0, 0.79, 0.79, 1.0),
    "freshness/retrieval/stale_rate": (0, 0.23, 0, 0.23, 0.23, 0.0),
    "freshness/retrieval/stale_above_current": (0, 0.31, 0, 0.31, 0.31, 0.0),
    "freshness/generation/current": (0.02, 0.51, 0.02, 0.55, 0.53, 0.8),
    "freshness/generation/outdated": (0.01, 0.17, 0.02, 0.13, 0.16, 0.01),
    "correctness/generation/correct": (0.03, 0.54, 0.04, 0.58, 0.55, 0.79),
    "correctness/generation/abstention": (0.52, 0.61, 0.66, 0.7, 0.64, 0.82),
    "citation/generation/precision": (0.0, 0.4, 0.03, 0.71, 0.66, 0.5),
    "citation/generation/recall": (0.0, 0.38, 0.03, 0.7, 0.65, 0.5),
    "retention/generation/correct": (0.83, 0.8, 0.7, 0.68, 0.75, 0.78),
}
COSTS = {
    "cost/generation/prompt_tokens": (148, 1204, 148, 1204, 1530, 690),
    "cost/generation/output_tokens": (61, 58, 33, 34, 36, 55),
    "cost/generation/seconds": (0.8, 1.61, 0.52, 1.2, 1.9, 1.1),
    "cost/retrieval/seconds": (0, 0.014, 0, 0.014, 0.014, 0.001),
    "freshness/retrieval/lag_days": (0, 24.5, 0, 24.5, 24.5, 0.0),
}
FLAGS = {
    "prompt_only": (False, False, "the question and the format instruction alone"),
    "rag": (True, False, "the same prompt with five retrieved passages"),
    "lora": (False, True, "the tuned weights, without passages"),
    "hybrid": (True, True, "the tuned weights with five retrieved passages"),
    "few_shot": (True, False, "retrieval with two worked examples in the prompt"),
    "oracle": (True, False, "the reference evidence instead of retrieved passages"),
}
CATEGORIES = ("unchanged", "changed", "new", "withdrawn", "unanswerable", "two-document")
CLASSES = ("current", "outdated", "mixed", "premature", "wrong", "abstained")


def estimate(pipeline: str, metric: str, value: float | None, n: int = 204) -> dict[str, Any]:
    """One invented estimate; the interval is a plausible width, not a computed one."""
    base = {"pipeline": pipeline, "metric": metric, "n_total": n, "n_abstained": 0, "n_failed": 0}
    base["signature"] = f"bench:5f1c|model:tiny-instruct|{pipeline}|judge:sentences-1|seed:7"
    if value is None:
        none = {"value": None, "low": None, "high": None, "method": "none", "unit": "share"}
        return {**base, **none, "n_scored": 0, "n_not_applicable": n, "n_clusters": 0}
    bounded = metric in LEVELS
    half = 1.9 * (value * (1 - value) / n) ** 0.5 + 0.006 if bounded else 0.06 * value
    unit = "share" if bounded else "s" if "seconds" in metric else metric.rsplit("_", 1)[1]
    high = min(1.0, value + half) if bounded else value + half
    return {
        **base,
        "value": value,
        "low": max(0.0, value - half),
        "high": high,
        "method": "bca",
        "unit": unit,
        "n_scored": n,
        "n_not_applicable": 0,
        "n_clusters": 62,
    }


def make_results(names: tuple[str, ...] = tuple(FLAGS)[:4]) -> dict[str, Any]:
    """An invented results mapping of the quartet (or more), schema version 1.

    Effects (some clear, some not, one that needs retrieval), hypotheses with every verdict, shares
    of repeats and of stages at fault stand in ``invented.json``.
    """
    invented = json.loads((Path(__file__).parent / "invented.json").read_text(encoding="utf-8"))
    estimates = []
    for i, name in enumerate(FLAGS):
        for metric, values in {**LEVELS, **COSTS}.items():
            absent = LABELS[metric].needs_retrieval and not FLAGS[name][0]
            n = 40 if metric.startswith("retention") else 204
            n = 118 if metric.startswith("freshness") else n
            estimates.append(estimate(name, metric, None if absent else values[i], n))
    for e in estimates:
        if (e["pipeline"], e["metric"]) == ("hybrid", "faithfulness/generation/faithfulness"):
            e |= {"n_scored": 181, "n_failed": 2, "n_abstained": 21}
    return {
        "schema": 1,
        "evalkit": "0.1.0",
        "experiment": "quartet",
        "created": "2031-04-02T09:30:00Z",
        "benchmark": {
            "name": "invented-handbook",
            "fingerprint": "5f1c0a9be27d4431c8",
            "questions": 204,
            "categories": dict.fromkeys(CATEGORIES, 34),
            "license": "Apache-2.0",
        },
        "model": "tiny-instruct",
        "pipelines": [
            {
                "name": n,
                "retrieval": FLAGS[n][0],
                "tuning": FLAGS[n][1],
                "description": FLAGS[n][2],
                "prompt": "house-json-v1",
                "adapter": "a91f0c" if FLAGS[n][1] else None,
            }
            for n in names
        ],
        "notes": ["The index holds every revision up to the date of the question."],
        "estimates": [e for e in estimates if e["pipeline"] in names],
        "by_category": [
            {
                "pipeline": n,
                "metric": m,
                "category": c,
                "n_scored": 34,
                "value": v,
                "low": max(0.0, v - 0.15),
                "high": min(1.0, v + 0.15),
            }
            for m in ("correctness/generation/correct", "freshness/generation/outdated")
            for j, c in enumerate(CATEGORIES)
            for n, v in (
                (n, min(0.96, LEVELS[m][list(FLAGS).index(n)] * (0.5 + 0.2 * j))) for n in names
            )
        ],
        "comparisons": make_comparisons(names),
        "effects": invented["effects"],
        "hypotheses": invented["hypotheses"],
        "variation": [row for row in invented["variation"] if row["pipeline"] in names],
        "blame": [row for row in invented["blame"] if row["pipeline"] in names],
        "repeats": 3,
        "classes": make_classes(names),
        "costs": [
            {"stage": "index", "name": "build time", "value": 6.4, "unit": "s"},
            {"stage": "index", "name": "size", "value": 1_843_200, "unit": "bytes"},
            {"stage": "tune", "name": "training time", "value": 71.8, "unit": "s"},
            *(
                {"pipeline": n, "name": "95th percentile", "value": 0.9 + i, "unit": "seconds"}
                for i, n in enumerate(names)
            ),
        ],
        "timings": [
            {"stage": "embed", "seconds": 5.9, "detail": "412 passages"},
            {"stage": "train", "seconds": 71.8, "detail": "80 examples, 20 steps"},
            {"stage": "generate", "seconds": 842.0, "detail": "816 answers"},
        ],
        "environment": {"python": "3.11.9", "torch": "2.13.0", "device": "cpu, 2 cores"},
        "judge": {"name": "sentences", "version": "1", "blind_to": ["pipeline", "category"]},
        "training": {"examples": 80, "steps": 20, "rank": 8, "learning_rate": 0.0008},
        "warnings": ["hybrid: 2 judge calls failed; both are counted."],
    }


def make_comparisons(names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Invented comparisons of every later pipeline with the first, one of them undecidable."""
    rows = []
    for b in names[1:]:
        for metric in (
            "correctness/generation/correct",
            "format/generation/strict",
            "citation/generation/recall",
        ):
            d = LEVELS[metric][list(FLAGS).index(b)] - LEVELS[metric][0]
            bad = b == "hybrid" and metric.startswith("citation")
            rows.append(
                {
                    "a": names[0],
                    "b": b,
                    "metric": metric,
                    "difference": d,
                    "low": d - 0.06,
                    "high": min(1.0, d + 0.06),
                    "p_value": 0.0001 if abs(d) > 0.06 else 0.5,
                    "p_adjusted": 0.0003 if abs(d) > 0.06 else 0.75,
                    "standard_error": 0.031,
                    "mde": 0.086 if metric.startswith("correct") else 0.12,
                    "p_method": "sign_flip",
                    "correlation": 0.12,
                    "n_pairs": 204,
                    "n_clusters": 62,
                    "failed_share": 0.05 if bad else 0.0,
                    "worst_low": d - 0.05 if bad else None,
                    "worst_high": d + 0.05 if bad else None,
                    "decidable": not bad,
                    "reason": "5.0% of the questions failed: above 2% no verdict is given"
                    if bad
                    else "",
                }
            )
    return rows


def make_classes(names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Invented answer classes of 118 time-sensitive questions."""
    shares = {
        "prompt_only": (0.02, 0.01, 0, 0, 0.55, 0.42),
        "rag": (0.51, 0.17, 0.06, 0.01, 0.14, 0.11),
        "lora": (0.02, 0.02, 0, 0, 0.41, 0.55),
        "hybrid": (0.55, 0.13, 0.04, 0.01, 0.1, 0.17),
        "few_shot": (0.53, 0.16, 0.05, 0.01, 0.12, 0.13),
        "oracle": (0.8, 0.01, 0.01, 0, 0.08, 0.1),
    }
    return [
        {"pipeline": n, "class": c, "n": round(118 * s), "share": s}
        for n in names
        for c, s in zip(CLASSES, shares[n], strict=True)
    ]


def make_passages(i: int) -> list[dict[str, Any]]:
    """Three invented passages."""
    return [
        {"id": f"OPS-{i:03d}#{k}", "revision": f"OPS-{i:03d}@r{k}", "score": 0.8 - k / 10}
        for k in range(3)
    ]


def make_questions(
    names: tuple[str, ...] = tuple(FLAGS)[:4], count: int = 24
) -> list[dict[str, Any]]:
    """Invented questions with the answers of every pipeline."""
    rng, rows = random.Random(3), []
    asked = (
        ("How many days of notice does a supplier get before a closure?", "21 days", "14 days"),
        ("Which team carries the pager for the loading dock on Sundays?", "Harbour", "Meridian"),
        ("What is the hourly rate for a second inspection?", "EUR 84", "EUR 79"),
    )
    for i in range(count):
        text, right, old = asked[i % 3]
        answers = {}
        for name in names:
            level = LEVELS["freshness/generation/current"][list(FLAGS).index(name)]
            weights = (level, 0.2, 0.05, 0, 0.3, 0.2)
            kind = rng.choices(CLASSES, weights)[0]
            said = {"current": right, "outdated": old, "abstained": "unknown"}.get(
                kind, f"{old} or {right}"
            )
            answers[name] = {
                "output": f'{{"answer": "{said}", "source": "OPS-{i:03d}"}}',
                "answer": said,
                "class": kind if i % 6 else None,
                "correct": kind == "current",
                "strict": FLAGS[name][1],
                "passages": make_passages(i) if FLAGS[name][0] else [],
            }
        rows.append(
            {
                "question": f"q{i:03d}",
                "text": text,
                "as_of": "2031-03-15",
                "category": CATEGORIES[i % 6],
                "expected": right if i % 6 != 4 else None,
                "answers": answers,
            }
        )
    return rows


@pytest.fixture
def results() -> dict[str, Any]:
    """Invented results of the four corners."""
    return make_results()


@pytest.fixture
def questions() -> list[dict[str, Any]]:
    """Invented questions and answers of the four corners."""
    return make_questions()
