"""The report as one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from evalkit.reporting.charts import (
    claims_chart,
    class_bars,
    comparison_rows,
    effects_chart,
    fault_bars,
    strip,
)
from evalkit.reporting.claims import claims, explained, further_note
from evalkit.reporting.evidence import repeats_lead, variation_rows
from evalkit.reporting.figures import CLASS_COLOURS, FAULT_COLOURS
from evalkit.reporting.labels import CLASSES, FAULTS, HEADLINES, label_of
from evalkit.reporting.numbers import quantity, unit_of_metric, unit_word
from evalkit.reporting.page import template
from evalkit.reporting.reading import reading
from evalkit.reporting.view import (
    Results,
    Row,
    absences,
    any_failed,
    asked,
    cell_of,
    checked,
    conditioned_rows,
    confidence,
    confidence_words,
    folded,
    judge_facts,
    judge_note,
    pipeline_names,
    present_classes,
    present_faults,
    rows,
    scorecard_rows,
    statements_note,
)

# More open rows than this and a reader sees none; the others fold away.
COMPARISONS_SHOWN = 30


def report_html(results: Results, questions: Sequence[Mapping[str, Any]] = ()) -> str:
    """Render the report.

    Args:
        results: A results mapping, schema version 1.
        questions: One mapping per question: ``question, text, as_of, category, expected`` and
            ``answers``, keyed by pipeline.

    Returns:
        A complete HTML document with its styles, charts and script inside.

    Raises:
        ResultsError: The mapping is of another schema version or has no pipelines or estimates.
    """
    return template("report.html.j2").render(**_context(checked(results), questions))


def _context(results: Results, questions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    table, empty = folded(scorecard_rows(results))
    shown = {row.metric for row in (*scorecard_rows(results), *conditioned_rows(results))}
    others, others_empty = folded([row for row in rows(results) if row.metric not in shown])
    tested = claims(results)
    comparisons, shown_first = comparison_rows(results), HEADLINES
    if sum(c["id"] in HEADLINES for c in comparisons) > COMPARISONS_SHOWN:
        shown_first = HEADLINES[:3]
    return {
        "title": str(results.get("title") or results.get("experiment") or "run"),
        "facts": facts(results),
        "pipelines": list(results["pipelines"]),
        "names": pipeline_names(results),
        "reading": reading(results),
        "claims": claims_chart(tested),
        "claims_notes": [explained(len(tested), confidence(results)), further_note(tested)],
        "groups": _groups(table),
        "other_groups": _groups(others),
        "empty": empty,
        "others_empty": others_empty,
        "absences": absences(table),
        "failed": any_failed(table),
        "footnotes": [n for n in (statements_note(table), judge_note(results)) if n],
        "confidence": confidence_words(results),
        "p_limit": f"{1 - confidence(results):.6g}",
        "effects": effects_chart(results),
        "bars": class_bars(results),
        "conditioned": _groups(conditioned_rows(results)),
        "classes": present_classes(results),
        "class_colours": CLASS_COLOURS,
        "faults": fault_bars(results),
        "fault_names": {stage: FAULTS[stage] for stage in present_faults(results)},
        "fault_colours": FAULT_COLOURS,
        "categories": _by_category(results),
        "comparisons": [c for c in comparisons if c["id"] in shown_first],
        "other_comparisons": [c for c in comparisons if c["id"] not in shown_first],
        "adjusted": any("p_adjusted" in c for c in results.get("comparisons") or ()),
        "effects_adjusted": any("p_adjusted" in e for e in results.get("effects") or ()),
        "repeats": _repeats(results),
        "repeats_lead": repeats_lead(results),
        "costs": _costs(results),
        "timings": timed(results),
        "notes": list(results.get("notes") or ()),
        "warnings": list(results.get("warnings") or ()),
        "questions": [_question(q, pipeline_names(results)) for q in questions],
        "question_categories": sorted({str(q.get("category", "")) for q in questions}),
        "signatures": _signatures(results),
        "settings": [(name, flat(results.get(name) or {})) for name in ("training", "environment")],
    }


def facts(results: Results) -> list[tuple[str, str]]:
    """What heads a report: experiment, model, benchmark, judge, date."""
    benchmark = results.get("benchmark") or {}
    found = [
        ("Experiment", str(results.get("experiment") or "") if results.get("title") else ""),
        ("Model", str(results.get("model") or (results.get("environment") or {}).get("model", ""))),
        ("Benchmark", f"{benchmark.get('name', '')}, {asked(results)}"),
        ("Fingerprint", str(benchmark.get("fingerprint", ""))[:16]),
        ("License", str(benchmark.get("license") or "")),
        *judge_facts(results),
        ("Date", str(results.get("created", "")).replace("T", " ")[:16]),
        ("evalkit", str(results.get("evalkit", ""))),
    ]
    return [(key, value) for key, value in found if value]


def _groups(table: Sequence[Row]) -> list[dict[str, Any]]:
    groups = []
    for (axis, stage), members in groupby(table, key=lambda row: (row.axis, row.stage)):
        lines = [
            {
                "metric": row.metric,
                "name": row.name,
                "direction": row.direction,
                "n": row.n,
                "percent": row.unit == "share",
                "unit": "" if row.unit == "share" else unit_word(row.unit),
                "cells": [{"cell": c, "strip": strip(c)} for c in row.cells],
            }
            for row in members
        ]
        groups.append({"axis": axis, "stage": stage, "rows": lines})
    return groups


def _by_category(results: Results) -> list[dict[str, Any]]:
    table = results.get("by_category") or ()
    found = {(e["metric"], e["category"], e["pipeline"]): e for e in table}
    metrics = dict.fromkeys(str(e["metric"]) for e in table)
    tables = []
    for metric in metrics:
        lines = []
        for category in dict.fromkeys(str(c) for m, c, _ in found if m == metric):
            cells = [
                cell_of(found.get((metric, category, p["name"])), metric, bool(p.get("retrieval")))
                for p in results["pipelines"]
            ]
            line = {"category": category, "cells": [{"cell": c, "strip": strip(c)} for c in cells]}
            if any(c.scored for c in cells):
                lines.append(line)
        if lines:
            percent = unit_of_metric(metric) == "share"
            name = label_of(metric).name
            tables.append({"metric": metric, "name": name, "rows": lines, "percent": percent})
    order = (*HEADLINES[:2], "freshness/generation/current")
    tables.sort(key=lambda t: order.index(t["metric"]) if t["metric"] in order else len(order))
    return tables


def _repeats(results: Results) -> dict[str, list[tuple[str, list[str]]]]:
    """What repeats add to the uncertainty: the headline metrics, and the others."""
    table = variation_rows(results)
    return {
        "headlines": [(label_of(m).name, cells) for m, cells in table if m in HEADLINES],
        "others": [(label_of(m).name, cells) for m, cells in table if m not in HEADLINES],
    }


def _costs(results: Results) -> dict[str, Any]:
    """Costs of pipelines as a table (what by pipeline), those of stages as a list."""
    names, table = pipeline_names(results), results.get("costs") or ()
    found = {
        (str(c.get("name", "")), c["pipeline"]): quantity(c.get("value"), str(c.get("unit", "")))
        for c in table
        if c.get("pipeline") in names
    }
    stages = [
        (
            str(c.get("stage") or c.get("pipeline") or ""),
            str(c.get("name", "")),
            quantity(c.get("value"), str(c.get("unit", ""))),
        )
        for c in table
        if c.get("pipeline") not in names
    ]
    what = dict.fromkeys(name for name, _ in found)
    rows = [(name, [found.get((name, pipeline), "–") for pipeline in names]) for name in what]
    return {"pipelines": rows, "stages": stages}


def timed(results: Results) -> list[dict[str, Any]]:
    """The stages with their seconds, and the widths of their bars."""
    table = results.get("timings") or ()
    longest = max((float(t["seconds"]) for t in table), default=0.0) or 1.0
    return [
        {
            "stage": t["stage"],
            "text": quantity(float(t["seconds"]), "s"),
            "width": 100 * float(t["seconds"]) / longest,
            "detail": t.get("detail") or "",
        }
        for t in table
    ]


def _question(question: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    given = question.get("answers") or {}
    answers = [_answer(given[name]) if name in given else None for name in names]
    wrong = [n for n, a in zip(names, answers, strict=True) if a and a["correct"] is False]
    expected = question.get("expected")
    if isinstance(expected, (list, tuple)):
        expected = " / ".join(map(str, expected)) or None
    return {
        "id": question.get("question", ""),
        "text": question.get("text", ""),
        "as_of": question.get("as_of", ""),
        "category": str(question.get("category", "")),
        "expected": expected,
        "answers": answers,
        "wrong": "|" + "|".join(str(names.index(n)) for n in wrong) + "|" if wrong else "",
    }


def _answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    kind, correct, strict = (answer.get(key) for key in ("class", "correct", "strict"))
    known = kind if kind in CLASSES else None
    if known is None and correct is not None:
        known = "right" if correct else "wrong"
    return {
        "answer": answer.get("answer"),
        "output": str(answer.get("output") or ""),
        "class": known or "other",
        "label": kind or ("" if correct is None else "correct" if correct else "wrong"),
        "correct": None if correct is None else bool(correct),
        "strict": None if strict is None else bool(strict),
        "blame": _blamed(answer),
        "blame_rule": str(answer.get("blame_rule") or ""),
        "blame_evidence": list(answer.get("blame_evidence") or ()),
        "passages": [
            {
                "id": p.get("id", ""),
                "revision": p.get("revision", ""),
                "score": "" if p.get("score") is None else f"{p['score']:.3f}",
            }
            for p in answer.get("passages") or ()
        ],
    }


def _blamed(answer: Mapping[str, Any]) -> str:
    """The stage at fault in words, for a wrong answer."""
    stage = str(answer.get("blame") or "none")
    return FAULTS.get(stage, stage) if answer.get("correct") is False and stage != "none" else ""


def _signatures(results: Results) -> list[tuple[str, str, int]]:
    counts: dict[tuple[str, str], int] = {}
    for e in results["estimates"]:
        key = (str(e["pipeline"]), str(e.get("signature") or ""))
        counts[key] = counts.get(key, 0) + 1
    return [(pipeline, text, n) for (pipeline, text), n in counts.items() if text]


def flat(mapping: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as dotted names and text."""
    pairs: list[tuple[str, str]] = []
    for key, value in mapping.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            pairs += flat(value, f"{name}.")
        else:
            pairs.append((name, str(value)))
    return pairs
