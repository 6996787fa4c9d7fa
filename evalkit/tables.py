"""Traces and scores as tables, and the table of questions that a report shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evalkit.records import Retrieved, Sample, Score
from evalkit.scoring.blame import blame

if TYPE_CHECKING:
    import pandas as pd


def traces_frame(samples: Iterable[Sample], scores: Iterable[Score] | None = None) -> pd.DataFrame:
    """One row per question, pipeline and repeat: what was fetched, shown, said, and its cost.

    ``passages`` is a list of ``{id, document, revision, valid_from, valid_to, score, shown, text}``;
    null where the pipeline has no retriever. With the ``scores`` of the samples there are two more
    columns: ``blame``, the stage at fault (``none`` where the answer is right), and ``blame_rule``.
    """
    import pandas as pd

    grouped = _grouped(scores)
    return pd.DataFrame([_trace_row(s) | _blamed(s, grouped) for s in samples])


_Grouped = Mapping[tuple[str, str, int], list[Score]]


def _grouped(scores: Iterable[Score] | None) -> _Grouped | None:
    """Scores by question, pipeline and repeat; None where there are none to read."""
    if scores is None:
        return None
    grouped: dict[tuple[str, str, int], list[Score]] = {}
    for score in scores:
        grouped.setdefault((score.question, score.pipeline, score.repeat), []).append(score)
    return grouped


def _blamed(sample: Sample, grouped: _Grouped | None) -> dict[str, str]:
    if grouped is None:
        return {}
    trace = sample.trace
    mine = grouped.get((trace.question, trace.pipeline, trace.repeat), [])
    found = blame(sample, mine)
    return {"blame": found.stage, "blame_rule": found.rule}


def _trace_row(sample: Sample) -> dict[str, Any]:
    trace, parsed = sample.trace, sample.parsed
    return {
        "question": trace.question,
        "pipeline": trace.pipeline,
        "repeat": trace.repeat,
        "passages": None if trace.retrieved is None else [_passage_row(r) for r in trace.retrieved],
        "prompt": trace.prompt,
        "output": trace.output,
        "parsed_answer": parsed.answer,
        "parsed_source": parsed.source,
        "parsed_effective": parsed.effective,
        "structured": parsed.structured,
        "prompt_tokens": trace.prompt_tokens,
        "output_tokens": trace.output_tokens,
        "finish_reason": trace.finish_reason,
        "retrieval_seconds": trace.seconds.get("retrieval"),
        "generation_seconds": trace.seconds.get("generation"),
        "error": trace.error,
    }


def _passage_row(retrieved: Retrieved) -> dict[str, Any]:
    passage = retrieved.passage
    return {
        "id": passage.id,
        "document": passage.document,
        "revision": passage.revision,
        "valid_from": None if passage.valid_from is None else passage.valid_from.isoformat(),
        "valid_to": None if passage.valid_to is None else passage.valid_to.isoformat(),
        "score": float(retrieved.score),
        "shown": retrieved.shown,
        "text": passage.text,
    }


def rewritten(frame: pd.DataFrame, change: Callable[[Any], Any]) -> pd.DataFrame:
    """The frame with ``change`` applied to every cell that is not a number."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    made = frame.copy()
    for name in made.columns:
        if not (is_numeric_dtype(made[name]) or is_bool_dtype(made[name])):
            changed = made[name].map(change)
            if not changed.equals(made[name]):  # else the column keeps its type
                made[name] = changed
    return made


def questions_table(
    samples: Sequence[Sample], frame: pd.DataFrame, scores: Iterable[Score] | None = None
) -> list[dict[str, Any]]:
    """One mapping per question with the answers of every pipeline side by side.

    Args:
        samples: The samples of all pipelines.
        frame: The table of scores, for the marks and the class of each answer.
        scores: The same as a list; with it every answer carries ``blame`` and ``blame_rule``.
    """
    cells, grouped = _cells(frame), _grouped(scores)
    table: dict[str, dict[str, Any]] = {}
    for sample in samples:
        question = sample.question
        row = table.setdefault(
            question.id,
            {
                "question": question.id,
                "text": question.text,
                "as_of": question.as_of.isoformat(),
                "category": question.category,
                "expected": " / ".join(a.text for a in question.current_answers()) or "(abstain)",
                "answers": {},
            },
        )
        row["answers"][sample.trace.pipeline] = _answer(sample, cells) | _blamed(sample, grouped)
    return list(table.values())


def _answer(
    sample: Sample, cells: Mapping[tuple[str, str, str], tuple[float | None, str | None]]
) -> dict[str, Any]:
    trace = sample.trace
    found = {m: cells.get((trace.question, trace.pipeline, m), (None, None)) for m in _SHOWN}
    correct = next((v for m in _CORRECT if (v := found[m][0]) is not None), None)
    strict = found["format/generation/strict"][0]
    return {
        "output": trace.output if trace.error is None else f"(failed: {trace.error})",
        "answer": sample.parsed.answer,
        "class": found["freshness/generation/outdated"][1],
        "correct": None if correct is None else bool(correct),
        "strict": None if strict is None else bool(strict),
        "passages": [
            {"id": r.passage.id, "revision": r.passage.revision, "score": float(r.score)}
            for r in trace.retrieved or ()
        ],
    }


# Of these one is scored: where something answers, where nothing does, on control questions.
_CORRECT = (
    "correctness/generation/correct",
    "correctness/generation/abstention",
    "retention/generation/correct",
)
_SHOWN = (
    *_CORRECT,
    "format/generation/strict",
    "freshness/generation/outdated",
)


def _cells(scores: pd.DataFrame) -> dict[tuple[str, str, str], tuple[float | None, str | None]]:
    wanted = scores[scores["metric"].isin(_SHOWN)]
    columns = ("question", "pipeline", "metric", "value", "label")
    return {
        (q, p, m): (
            None if v is None or math.isnan(v) else float(v),
            label if isinstance(label, str) else None,
        )
        for q, p, m, v, label in zip(*(wanted[c] for c in columns), strict=True)
    }
