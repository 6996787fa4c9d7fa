"""The Markdown page of the offline judge's figures on RAGTruth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AIMS = {
    "question answering": (0.88, 0.80),
    "summary": (0.75, 0.68),
    "data to text": (0.85, 0.76),
}
"""What was aimed at: AUROC over all responses, and within one generator."""


def markdown(report: Mapping[str, Any]) -> str:
    """The page."""
    parts = [_HEAD.format(**report)]
    for judge, tasks in report["judges"].items():
        flagged = _FLAGGED.format(**report["flagged_answers"][judge])
        parts.append(f"## {judge}\n\n{_responses(tasks)}\n\n{flagged}\n\n{_statements(tasks)}")
    return "\n\n".join([*parts, _NOTES]) + "\n"


def _responses(tasks: Mapping[str, Any]) -> str:
    rows = [
        [
            task, f"{f['responses']} ({f['hallucinated']})", _shown(f["auroc"]),
            f"{AIMS[task][0]:.2f}", _shown(f["auroc_within_generator"]), f"{AIMS[task][1]:.2f}",
        ]
        for task, f in tasks.items()
    ]  # fmt: skip
    head = [
        "responses by task",
        "n (hallucinated)",
        "AUROC",
        "aim",
        "AUROC within a generator",
        "aim",
    ]
    return _table(head, rows)


def _statements(tasks: Mapping[str, Any]) -> str:
    rows = []
    for task, f in tasks.items():
        judged = f["statement_as_judged"]
        rows.append([
            task, f"{f['statements']} ({f['marked']})", _shown(f["statement_auroc"]),
            f"{f['statement_by_model']['balanced_accuracy']:.2f}",
            f"{judged['balanced_accuracy']:.2f}", f"{judged['precision']:.2f}",
            f"{judged['recall']:.2f}", f"{judged['f1']:.2f}",
        ])  # fmt: skip
    head = [
        "statements by task", "n (marked)", "AUROC of the model", "balanced accuracy of the model",
        "balanced accuracy as judged", "precision", "recall", "F1",
    ]  # fmt: skip
    return _table(head, rows)


def _shown(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.3f} [{figure['low']:.2f}, {figure['high']:.2f}]"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


_HEAD = """# The offline judge on RAGTruth

517 test responses with human hallucination spans, by six generators. Cross-fitted: {folds} folds by source,
so that no coefficient has seen the source it is measured on. In brackets: 95 % intervals over
sources ({resamples} resamples). Made by `tests/benchmarks/ragtruth_judge.py`."""

_FLAGGED = """All 517 responses, flagged at log-odds 0: F1 {f1:.2f}, precision {precision:.2f}, recall {recall:.2f},
balanced accuracy {balanced_accuracy:.2f}. (A detector prompting GPT-4o-mini is reported at F1 .71 and balanced
accuracy .73 on these rows.)"""

_NOTES = """## How to read this

- The first AUROC is helped by knowing which generator wrote a response, since generators differ much
  in how often they invent. Within one generator that help is gone; it is the mean over the generators
  that have responses of both kinds, few of them in question answering, so its interval is wide.
- "Of the model" is the fitted model alone, at log-odds 0. "As judged" is what the judge says of a
  statement: its rules on values, negations and wording first, the model for what they leave open.
- A response is scored by its worst two statements; a report on structured data by the worse half of
  them. This rule, the penalties and the features were chosen with these rows in view, from
  few alternatives; only the coefficients are cross-fitted.
- The committed coefficients are fitted on all rows.
- Tried and left out, for no gain on these rows: MiniLM's nearest sentence, the evidence model's hidden
  states, a second fitted model over whole answers. Features of style (length of the answer, how likely
  it is without a source) would raise data to text to about .87 over all responses and lower it within
  a generator: they know who wrote, not what is true.
- Speed on one core: below a millisecond a statement on wording; about a second for each answer with
  evidence, and only where rules leave a statement open."""
