"""Which passages a question may see: the view of time that an index is asked through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import ConfigError
from evalkit.records import Passage

View = Literal["history", "snapshot", "stale"]
Mask = NDArray[np.bool_]
Narrowing = Callable[[Sequence[Passage], Mask, date], Mask]
"""``narrowing(passages, shown, known_at)`` gives which of the shown passages are kept."""


@dataclass(frozen=True)
class Visibility:
    """A view of time; no view ever shows a passage that begins after the question's date.

    ``history`` shows every passage that had taken effect by the question's date, superseded and
    withdrawn ones too, as a store does that is only ever added to. ``snapshot`` shows what is valid
    on that date. ``stale`` shows what was valid on ``built_at``, when the index was last updated (or
    on the question's date, where that is earlier); ``history`` with ``built_at`` shows all that had
    taken effect by then.

    Attributes:
        view: One of the three.
        built_at: When the index was last updated; None where it is always up to date.
        narrowing: What is left of what the view shows (`recency`); None leaves all.
    """

    view: View = "history"
    built_at: date | None = None
    narrowing: Narrowing | None = None

    def __post_init__(self) -> None:
        if self.view not in get_args(View):
            known = ", ".join(get_args(View))
            raise ConfigError(f"view is {self.view!r}; expected one of {known}")
        if self.view == "stale" and self.built_at is None:
            raise ConfigError(
                "view 'stale' without built_at; expected the date when the index was last updated"
            )
        if self.view == "snapshot" and self.built_at is not None:
            raise ConfigError(
                "view 'snapshot' with built_at; a snapshot is always up to date",
                todo="use the view 'stale' for a snapshot of that date",
            )

    def __str__(self) -> str:
        built = "" if self.built_at is None else f"@{self.built_at}"
        kept = "" if self.narrowing is None else f",{self.narrowing.__name__}"
        return f"{self.view}{built}{kept}"

    def known_at(self, as_of: date) -> date:
        """The date up to which an index knows of changes when a question of ``as_of`` is asked."""
        return as_of if self.built_at is None else min(as_of, self.built_at)

    def frozen(self, on: date) -> Visibility:
        """The same view through an index that was last updated on that date (or earlier)."""
        view: View = "history" if self.view == "history" else "stale"
        return replace(self, view=view, built_at=self.known_at(on))

    def shows(self, passage: Passage, as_of: date) -> bool:
        """Whether the view shows the passage to a question of that date, before any narrowing."""
        on = self.known_at(as_of)
        if self.view == "history":
            return passage.valid_from is None or passage.valid_from <= on
        return passage.valid_at(on)

    def masks(self, passages: Sequence[Passage], dates: Sequence[date]) -> list[Mask]:
        """For each date, which passages a question sees: boolean, shape ``(len(passages),)``.

        Equal dates share one array, so that a search can group its queries by it.
        """
        masks = {on: self._mask(passages, on) for on in dict.fromkeys(dates)}
        return [masks[on] for on in dates]

    def _mask(self, passages: Sequence[Passage], as_of: date) -> Mask:
        shown = np.fromiter(
            (self.shows(p, as_of) for p in passages), dtype=bool, count=len(passages)
        )
        if self.narrowing is None:
            return shown
        return self.narrowing(passages, shown, self.known_at(as_of))
