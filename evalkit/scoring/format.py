"""Format: whether the raw output meets the instructions of its format specification.

An instruction is a mapping with a ``kind`` (see `CHECKERS`) and that kind's parameters. ``strict``
checks the raw output. ``loose`` checks the variants of `loose_variants` too, as IFEval does (Zhou
et al. 2023, arXiv 2311.07911), so that a lead-in or a code fence is told apart from a wrong form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.records import Sample
from evalkit.scoring.answers import answer_class, is_correct
from evalkit.scoring.instructions import check
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import (
    Result,
    first_reason,
    metric,
    not_applicable,
    nothing_answers,
    scored,
)
from evalkit.scoring.parse import unfence

IFEVAL = "IFEval, Zhou et al. 2023, arXiv 2311.07911"


def loose_variants(output: str) -> tuple[str, ...]:
    """The readings of an output that the loose check accepts, the raw output first.

    Without its code fence; and of both: without the first line, the last line, and both lines.
    """
    readings = []
    for text in (output, unfence(output)):
        lines = text.strip().split("\n")
        readings += [text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1]))]
        readings.append("\n".join(lines[1:-1]).strip())
        readings += [unfence(each) for each in readings[-3:]]
    return tuple(dict.fromkeys(readings))


def problems(
    output: str, instructions: tuple[Mapping[str, Any], ...], loose: bool = False
) -> list[str]:
    """What each instruction finds wrong, in order; an empty string where it is met.

    An output without text meets no instruction. Loosely, an instruction is met if any variant
    meets it; otherwise the problem of the raw output is given.
    """
    found = []
    for instruction in instructions:
        texts = loose_variants(output) if loose else (output,)
        results = [check(instruction, t) if t.strip() else "empty output" for t in texts]
        found.append("" if "" in results else results[0])
    return found


def complies(sample: Sample) -> bool:
    """Whether the raw output meets every instruction."""
    return not any(problems(sample.trace.output, sample.format.instructions))


def _no_instructions(sample: Sample) -> str | None:
    return None if sample.format.instructions else "the format has no instructions"


def _score(sample: Sample, loose: bool, per_instruction: bool) -> Result:
    found = problems(sample.trace.output, sample.format.instructions, loose)
    met = sum(not problem for problem in found) / len(found)
    reason = "; ".join(problem for problem in found if problem)
    return scored(met if per_instruction else float(met == 1.0), reason)


@metric(
    "format/generation/strict",
    "1 if the raw output meets every instruction",
    source=IFEVAL,
    applies=_no_instructions,
)
def strict(sample: Sample, judge: Judge) -> Result:
    """Nothing is removed from the output first."""
    return _score(sample, loose=False, per_instruction=False)


@metric(
    "format/generation/loose",
    "1 if each instruction is met by the output or a variant without fence, lead-in or close",
    source=IFEVAL,
    applies=_no_instructions,
)
def loose(sample: Sample, judge: Judge) -> Result:
    """Never below strict."""
    return _score(sample, loose=True, per_instruction=False)


@metric(
    "format/generation/instructions_strict",
    "share of the instructions that the raw output meets",
    source=IFEVAL,
    applies=_no_instructions,
)
def instructions_strict(sample: Sample, judge: Judge) -> Result:
    """Per instruction, strictly."""
    return _score(sample, loose=False, per_instruction=True)


@metric(
    "format/generation/instructions_loose",
    "share of the instructions that the output or a variant of it meets",
    source=IFEVAL,
    applies=_no_instructions,
)
def instructions_loose(sample: Sample, judge: Judge) -> Result:
    """Per instruction, loosely."""
    return _score(sample, loose=True, per_instruction=True)


@metric(
    "format/generation/correct_given_compliance",
    "1 if the answer is correct, among the answers to answerable questions in the right format",
    version="2",
    applies=first_reason(_no_instructions, nothing_answers),
)
def correct_given_compliance(sample: Sample, judge: Judge) -> Result:
    """Not applicable to an answer that breaks its format."""
    if not complies(sample):
        return not_applicable("the output breaks its format")
    return scored(is_correct(sample), label=answer_class(sample))
