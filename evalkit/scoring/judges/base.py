"""What a judge is: something that decides whether texts support statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Judgment:
    """The verdict on one statement.

    ``supported`` is None where the judge failed, and then ``error`` says why: that is a failed
    score and never a 0. ``score`` is the judge's own strength of support in [0, 1]; ``evidence``
    is the stretch of text that it decided on. ``record`` is what an audit reads (JSON values): a
    judge by a language model puts its model, prompt, raw replies and their agreement there.
    """

    supported: bool | None
    score: float = 0.0
    evidence: str = ""
    error: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if (self.supported is None) != (self.error is not None):
            raise ValueError(
                f"a judgment has an error exactly when it has no verdict; got "
                f"supported={self.supported!r} with error={self.error!r}"
            )
        if self.supported not in (True, False, None):
            raise ValueError(f"a verdict is {self.supported!r}; expected True, False or None")
        if not 0 <= self.score <= 1:
            raise ValueError(f"the score of a judgment is {self.score!r}; expected one in [0, 1]")


class Embedder(Protocol):
    """Anything that turns texts into vectors."""

    def encode(self, texts: list[str], /) -> Any:
        """Embed texts as an array of shape ``(n, d)``, float32, each row of length 1."""


class Judge(Protocol):
    """Decides support. ``blind_to`` lists the kinds of change to a true text it cannot see."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def blind_to(self) -> tuple[str, ...]: ...

    def support(self, statements: Sequence[str], texts: Sequence[str]) -> list[Judgment]:
        """Whether the texts together support each statement: one judgment each, in order."""


def describe_judge(judge: Judge) -> dict[str, Any]:
    """What ``results.json`` says of a judge; a judge with ``facts()`` adds its counts to it."""
    facts = getattr(judge, "facts", dict)
    named = {"name": judge.name, "version": judge.version, "blind_to": list(judge.blind_to)}
    return named | dict(facts())
