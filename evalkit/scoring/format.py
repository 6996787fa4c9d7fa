"""Format: whether the raw output meets the instructions of its format specification.

An instruction is a mapping with a ``kind`` (see `evalkit.scoring.instructions.kinds`) and that
kind's parameters. ``strict`` checks the raw output. ``loose`` checks the variants of
`loose_variants` too, as IFEval does (Zhou et al. 2023, arXiv 2311.07911), so that a lead-in or a
code fence is told apart from a wrong form. What a first or last line decides is nearly free under
it: of three lines one is left, so that ``one_line`` is met.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.records import Sample
from evalkit.scoring.answers import answer_class, is_correct
from evalkit.scoring.instructions import Undecided, check
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import (
    Result,
    first_reason,
    metric,
    no_literal_answer,
    not_applicable,
    scored,
    undefined_where,
)
from evalkit.scoring.parse import unfence

NO_INSTRUCTIONS, BROKEN = "the format has no instructions", "the output breaks its format"
IFEVAL = "IFEval, Zhou et al. 2023, arXiv 2311.07911"


def loose_variants(output: str) -> tuple[str, ...]:
    """The readings of an output that the loose check accepts, the raw output first.

    IFEval's eight: with or without asterisks, each whole, without its first line, its last line,
    and both. A code fence is removed too, from the output or from what these leave of it.
    """
    readings = [output, *_without_ends(output)]
    readings += [unfence(each) for each in readings]
    readings += _without_ends(unfence(output))
    readings += [each.replace("*", "") for each in readings]
    return tuple(dict.fromkeys(readings))


def _without_ends(text: str) -> list[str]:
    """A text without its first line, its last line, and both."""
    lines = text.strip().split("\n")
    return ["\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])]


def problems(
    output: str, instructions: tuple[Mapping[str, Any], ...], loose: bool = False
) -> list[str]:
    """What each instruction finds wrong, in order; an empty string where it is met.

    An output without text meets no instruction. Loosely, an instruction is met if any variant
    meets it; otherwise the problem of the raw output is given.

    Raises:
        InstructionError: The specification is at fault.
        Undecided: The raw output could not be decided, for example in time.
    """
    variants = loose_variants(output)[1:] if loose else ()
    found = []
    for instruction in instructions:
        problem = _problem(instruction, output)
        met = not problem or any(_meets(instruction, variant) for variant in variants)
        found.append("" if met else problem)
    return found


def _problem(instruction: Mapping[str, Any], text: str) -> str:
    return check(instruction, text) if text.strip() else "empty output"


def _meets(instruction: Mapping[str, Any], variant: str) -> bool:
    """Whether a variant meets an instruction; one that cannot be decided does not."""
    try:
        return not _problem(instruction, variant)
    except Undecided:
        return False


def complies(sample: Sample) -> bool:
    """Whether the raw output meets every instruction."""
    return not any(problems(sample.trace.output, sample.format.instructions))


@undefined_where(NO_INSTRUCTIONS)
def _no_instructions(sample: Sample) -> str | None:
    return None if sample.format.instructions else NO_INSTRUCTIONS


def _score(sample: Sample, loose: bool, per_instruction: bool) -> Result:
    found = problems(sample.trace.output, sample.format.instructions, loose)
    met = sum(not problem for problem in found) / len(found)
    reason = "; ".join(problem for problem in found if problem)
    return scored(met if per_instruction else float(met == 1.0), reason)


@metric(
    "format/generation/strict",
    "1 if the raw output meets every instruction",
    source=IFEVAL,
    version="2",
    applies=_no_instructions,
)
def strict(sample: Sample, judge: Judge) -> Result:
    """Nothing is removed from the output first."""
    return _score(sample, loose=False, per_instruction=False)


@metric(
    "format/generation/loose",
    "1 if each instruction is met by the output or a variant without fence, asterisks, first or "
    "last line",
    source=IFEVAL,
    version="2",
    applies=_no_instructions,
)
def loose(sample: Sample, judge: Judge) -> Result:
    """Never below strict. Kinds about the number of lines are nearly free here, as in IFEval."""
    return _score(sample, loose=True, per_instruction=False)


@metric(
    "format/generation/instructions_strict",
    "share of the instructions that the raw output meets",
    source=IFEVAL,
    version="2",
    applies=_no_instructions,
)
def instructions_strict(sample: Sample, judge: Judge) -> Result:
    """Per instruction, strictly."""
    return _score(sample, loose=False, per_instruction=True)


@metric(
    "format/generation/instructions_loose",
    "share of the instructions that the output or a variant of it meets",
    source=IFEVAL,
    version="2",
    applies=_no_instructions,
)
def instructions_loose(sample: Sample, judge: Judge) -> Result:
    """Per instruction, loosely."""
    return _score(sample, loose=True, per_instruction=True)


@metric(
    "format/generation/correct_given_compliance",
    "1 if the answer is correct, among the answers to answerable questions in the right format",
    version="4",
    applies=first_reason(_no_instructions, no_literal_answer),
    inputs=("raw output", "format specification", "dated answers"),
    undefined=(BROKEN,),
)
def correct_given_compliance(sample: Sample, judge: Judge) -> Result:
    """Not applicable to an answer that breaks its format."""
    if not complies(sample):
        return not_applicable(BROKEN)
    return scored(is_correct(sample), label=answer_class(sample))
