"""The questions of a study with their answers over its dates, for people to read."""

from __future__ import annotations

from typing import Any

from evalkit.scoring import answer_class
from evalkit.timeline.study import Finished


def questions_over_time(finished: Finished) -> list[dict[str, Any]]:
    """One mapping per question; of one that is asked several times a date, the first answer.

    ``dates`` holds, for each date, what is ``expected`` and the ``answers`` by ``pipeline`` and
    ``state``: what was said, its answer class, and how far it rests on what is in force.
    """
    samples = {
        (each.on, sample.trace.pipeline, sample.question.id): sample
        for each in finished.asked
        for sample in each.samples
        if not sample.trace.repeat
    }
    return [
        {
            "question": question.id,
            "text": question.text,
            "category": question.category,
            "dates": [
                {
                    "date": each.on.isoformat(),
                    "expected": _expected(each.experiment.benchmark.questions[i]),
                    "answers": [
                        _answer(samples[each.on, standing.label(pipeline), question.id])
                        | {"pipeline": pipeline, "state": state}
                        for (on, state, pipeline), standing in finished.standings.items()
                        if on == each.on
                    ],
                }
                for each in finished.asked
            ],
        }
        for i, question in enumerate(finished.workshop.experiment.benchmark.questions)
    ]


def _expected(question: Any) -> str:
    texts = [a.text for a in question.current_answers()]
    return " / ".join(t for t in texts if t) or ("(not known)" if texts else "(abstain)")


def _answer(sample: Any) -> dict[str, Any]:
    trace = sample.trace
    return {
        "answer": sample.parsed.answer if trace.error is None else f"(failed: {trace.error})",
        "class": "failed" if trace.error is not None else answer_class(sample),
    }
