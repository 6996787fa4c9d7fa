"""Traces with their scores as rows: of the table of traces, and of the questions that a report shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evalkit.records import Question, Retrieved, Sample, Score
from evalkit.scoring.blame import STAGES, Blame, blame, blameable

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Case:
    """One trace as a metric sees it, with all of its scores."""

    sample: Sample
    scores: Sequence[Score]

    @cached_property
    def blame(self) -> Blame:
        """The stage at fault."""
        return blame(self.sample, self.scores)


def cases(samples: Iterable[Sample], scores: Iterable[Score]) -> list[Case]:
    """Each sample with its own scores among ``scores``."""
    grouped: dict[tuple[str, str, int], list[Score]] = {}
    for score in scores:
        grouped.setdefault((score.question, score.pipeline, score.repeat), []).append(score)
    traces = ((sample, sample.trace) for sample in samples)
    return [Case(s, grouped.get((t.question, t.pipeline, t.repeat), ())) for s, t in traces]


def traces_frame(samples: Iterable[Sample], scores: Iterable[Score]) -> pd.DataFrame:
    """One row per question, pipeline and repeat, as :func:`trace_row` has it."""
    import pandas as pd

    return pd.DataFrame([trace_row(case) for case in cases(samples, scores)])


class BlameTable:
    """What share of each pipeline's questions each stage is at fault for.

    Control questions, and those of which the right answer is not known, are left out.

    Args:
        pipelines: In the order of the run.
        repeats: How often each question is asked; each time counts its share.
    """

    def __init__(self, pipelines: Iterable[str], repeats: int = 1) -> None:
        self._pipelines = tuple(pipelines)
        self._repeats = repeats
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, case: Case) -> None:
        """Count one trace."""
        if blameable(case.sample):
            self._counts[case.sample.trace.pipeline, case.blame.stage] += 1

    def rows(self) -> list[dict[str, Any]]:
        """One row per pipeline and stage that occurs, ``none`` (nothing at fault) included, in the
        order of the run and of `STAGES`: ``pipeline``, ``stage``, ``n`` (questions), ``share`` (of
        the pipeline's rows, which add up to 1).
        """
        found = []
        for name in self._pipelines:
            mine = {stage: n for stage in STAGES if (n := self._counts[name, stage])}
            found += [
                {
                    "pipeline": name,
                    "stage": stage,
                    "n": n / self._repeats,
                    "share": n / sum(mine.values()),
                }
                for stage, n in mine.items()
            ]
        return found


def trace_row(case: Case) -> dict[str, Any]:
    """One question in one pipeline: what was fetched, shown, said, and its cost.

    ``passages`` is a list of ``{id, document, revision, valid_from, valid_to, score, shown, text}``;
    null where the pipeline has no retriever. ``blame`` is the stage at fault (``none`` where the
    answer is right), by ``blame_rule``; ``blame_evidence`` are the lines of the trace that prove it.
    """
    trace, parsed = case.sample.trace, case.sample.parsed
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
        "blame": case.blame.stage,
        "blame_rule": case.blame.rule,
        "blame_evidence": list(case.blame.evidence),
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


def questions_table(found: Iterable[Case]) -> list[dict[str, Any]]:
    """One mapping per question with the answers of every pipeline side by side.

    Of a question that was asked several times, it shows the first.
    """
    table: dict[str, dict[str, Any]] = {}
    for case in found:
        trace, question = case.sample.trace, case.sample.question
        if trace.repeat:
            continue
        row = table.setdefault(
            question.id,
            {
                "question": question.id,
                "text": question.text,
                "as_of": question.as_of.isoformat(),
                "category": question.category,
                "expected": _expected(question),
                "answers": {},
            },
        )
        row["answers"][trace.pipeline] = _answer(case)
    return list(table.values())


def _expected(question: Question) -> str:
    """The right reply, for people."""
    if question.answerable and not question.answer_known:
        return "(not known)"
    return " / ".join(a.text for a in question.current_answers() if a.text) or "(abstain)"


def _answer(case: Case) -> dict[str, Any]:
    trace = case.sample.trace
    found = {score.metric: score for score in case.scores if score.metric in _SHOWN}
    correct, strict = _mark(found, *_CORRECT), _mark(found, _STRICT)
    outdated = found.get(_OUTDATED)
    return {
        "output": trace.output if trace.error is None else f"(failed: {trace.error})",
        "answer": case.sample.parsed.answer,
        "class": None if outdated is None else outdated.label,
        "correct": correct,
        "strict": strict,
        "passages": [
            {"id": r.passage.id, "revision": r.passage.revision, "score": float(r.score)}
            for r in trace.retrieved or ()
        ],
        "blame": case.blame.stage,
        "blame_rule": case.blame.rule,
    }


def _mark(found: Mapping[str, Score], *metrics: str) -> bool | None:
    """Whether the first of the metrics that is scored is above 0."""
    values = (found[name].value for name in metrics if name in found)
    return next((bool(value) for value in values if value is not None), None)


# Of these one is scored: where something answers, where nothing does, on control questions.
_CORRECT = (
    "correctness/generation/correct",
    "correctness/generation/abstention",
    "retention/generation/correct",
)
_STRICT = "format/generation/strict"
_OUTDATED = "freshness/generation/outdated"
_SHOWN = frozenset({*_CORRECT, _STRICT, _OUTDATED})
