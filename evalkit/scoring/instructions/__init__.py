"""Format instructions: what an answer must look like, checked by machine.

An instruction is a mapping with a ``kind`` and that kind's parameters, for example
``{"kind": "words", "at_most": 30}``. `check` says what a text gets wrong, `faults` what a
specification gets wrong, `kinds` lists all kinds. A new kind is one decorated function in a file
of ``kinds/``; nothing else needs to know of it.
"""

from evalkit.scoring.instructions.limits import Undecided
from evalkit.scoring.instructions.registry import (
    InstructionError,
    Kind,
    Parameter,
    check,
    faults,
    kinds,
)

__all__ = [
    "InstructionError",
    "Kind",
    "Parameter",
    "Undecided",
    "check",
    "faults",
    "kinds",
]
