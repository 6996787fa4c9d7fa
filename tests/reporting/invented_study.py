"""An invented study over time, of which every number in the reports' tests is known."""

from __future__ import annotations

from typing import Any

from evalkit.reporting.timeline.view import CURRENT, OUTDATED

DATES = ["2025-03-31", "2025-06-30", "2025-12-15"]
STATES = ["frozen", "updated", "budget"]
SHARES = {
    ("rag", "frozen"): (0.8, 0.5, 0.2), ("rag", "updated"): (0.8, 0.8, 0.8),
    ("lora|<b>", "frozen"): (0.3, 0.2, 0.1), ("lora|<b>", "updated"): (0.3, 0.3, 0.2),
    ("lora|<b>", "budget"): (0.3, 0.2, 0.2),
}  # fmt: skip


def estimate(on: str, state: str, name: str, metric: str, value: float) -> dict[str, Any]:
    return {
        "date": on, "state": state, "pipeline": name, "metric": metric, "value": value,
        "low": max(0.0, value - 0.1), "high": min(1.0, value + 0.1), "method": "bca", "unit": "share",
        "n_total": 20, "n_scored": 20, "n_failed": 0, "n_not_applicable": 0, "n_abstained": 0,
        "n_clusters": 10, "signature": "s",
    }  # fmt: skip


def difference(
    name: str, of: str, metric: str, value: float, half: float, p: float
) -> dict[str, Any]:
    """The last date: updated against frozen, or (``dates``) frozen against the first date."""
    state = "updated" if of == "states" else "frozen"
    than = DATES[2] if of == "states" else DATES[0]
    return {
        "pipeline": name, "of": of, "date": DATES[2], "state": state, "than_date": than,
        "than_state": "frozen", "metric": metric, "difference": value, "low": value - half,
        "high": value + half, "p_value": p / 2, "p_adjusted": p, "n_pairs": 20, "n_clusters": 10,
        "decidable": True, "reason": "", "signature": "s",
    }  # fmt: skip


def update(
    on: str, since: str | None, artifact: str, seconds: float, **more: Any
) -> dict[str, Any]:
    built = since is None
    return {
        "date": on, "since": since, "artifact": artifact,
        "way": "re-index" if artifact == "index" else "re-train", "idle": False, "seconds": seconds,
        "bytes": 2000, "worked": 7, "price": None, "changed_facts": None if built else 4,
        "seconds_per_fact": None if built else seconds / 4, "price_per_fact": None,
        "answer_seconds": 0.5, "time_to_fresh": None if built else seconds + 0.5,
    } | more  # fmt: skip


def study() -> dict[str, Any]:
    """Invented: rag's index is always updated by the budget, lora's adapter at the last date."""

    def share(name: str, state: str, i: int) -> float:
        kept = state if (name, state) in SHARES else "updated"
        return SHARES[name, kept][i]

    names = ["rag", "lora|<b>"]
    cells = [(on, i, s, n) for i, on in enumerate(DATES) for s in STATES for n in names]

    def stands(on: str, i: int, state: str, name: str) -> dict[str, Any]:
        of = DATES[0] if state == "frozen" else on
        if name != "rag" and state == "budget" and i < 2:
            of = DATES[0]
        key = "index" if name == "rag" else "adapter"
        return {
            "date": on,
            "state": state,
            "pipeline": name,
            "index": None,
            "adapter": None,
            key: of,
        }

    return {
        "schema": 1, "kind": "timeline", "experiment": "roll", "title": "A <title>", "model": "m",
        "created": "2026-01-01T00:00:00+00:00", "evalkit": "0", "statistics": {"confidence": 0.95},
        "benchmark": {"name": "b", "fingerprint": "f" * 64, "questions": 20, "license": "CC0"},
        "judge": {"name": "j", "version": "1"},
        "timeline": {"dates": DATES, "states": STATES, "currency": "EUR", "budget": None},
        "pipelines": [
            {"name": n, "retrieval": n == "rag", "tuning": n != "rag", "prompt": "p:1",
             "rests_on": ["index" if n == "rag" else "adapter"], "description": ""} for n in names
        ],
        "dates": [{"date": on, "questions": 20, "answerable": 16, "not_yet": 2, "withdrawn": 2,
                   "changed_facts": None, "changed_documents": 3} for on in DATES],
        "standings": [stands(*cell) for cell in cells],
        "estimates": [
            estimate(on, s, n, metric, value)
            for on, i, s, n in cells
            for metric, value in ((CURRENT, share(n, s, i)), (OUTDATED, 0.9 - share(n, s, i)))
        ],
        "classes": [
            {"class": kind, "date": on, "state": s, "pipeline": n, "value": value}
            for on, i, s, n in cells
            for kind, value in (("current", share(n, s, i)), ("outdated", 1 - share(n, s, i)))
        ],
        "blame": [
            {"date": on, "state": s, "pipeline": n, "stage": stage, "n": 20 * value, "share": value}
            for on, i, s, n in cells
            for stage, value in (("none", share(n, s, i)), ("retrieved_stale", 1 - share(n, s, i)))
        ],
        "repeats": 3,
        "variation": [
            {"date": on, "state": "frozen", "pipeline": "rag", "metric": CURRENT, "share_repeats": value}
            for on, value in zip(DATES, (0.25, None, 0.5), strict=True)
        ],
        "differences": [
            difference("rag", "dates", CURRENT, -0.6, 0.2, 0.001),
            difference("lora|<b>", "dates", CURRENT, -0.2, 0.3, 0.2),
            difference("rag", "states", CURRENT, 0.6, 0.2, 0.001),
            difference("lora|<b>", "states", CURRENT, 0.1, 0.05, 0.08),
        ],
        "updates": [
            update(DATES[0], None, "index", 9), update(DATES[1], DATES[0], "index", 1.5),
            update(DATES[2], DATES[1], "index", 2.5), update(DATES[0], None, "adapter", 60),
            update(DATES[1], DATES[0], "adapter", 59.5),
            update(DATES[2], DATES[1], "adapter", 0, idle=True, time_to_fresh=None),
        ],
        "decisions": [
            {"date": on, "artifact": "adapter", "way": "re-train", "unit": "seconds", "purse": 40.0,
             "cost": 60.0, "updated": done, "left": 40.0, "reason": "because", "stands": on}
            for on, done in ((DATES[1], False), (DATES[2], True))
        ],
        "costs": [], "timings": [], "environment": {}, "warnings": ["a <warning>"], "notes": [],
    }  # fmt: skip


def questions() -> list[dict[str, Any]]:
    answers = [{"pipeline": "rag", "state": s, "answer": "<x>", "class": "current"} for s in STATES]
    days = [{"date": on, "expected": "EUR 5", "answers": answers} for on in DATES]
    return [{"question": "q1", "text": "How much?", "category": "changed", "dates": days}]
