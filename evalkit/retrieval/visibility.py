"""Which passages a question may see: the view of time that an index is asked through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import ConfigError
from evalkit.records import Passage

View = Literal["history", "snapshot", "stale"]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Visibility:
    """A view of time; no view ever shows a passage that begins after the question's date.

    ``history`` shows every passage that had taken effect by the question's date, superseded and
    withdrawn ones too, as a store does that is only ever added to. ``snapshot`` shows what is valid
    on that date. ``stale`` shows what was valid on ``built_at``, when the index was built (or on
    the question's date, where that is earlier).
    """

    view: View = "history"
    built_at: date | None = None

    def __post_init__(self) -> None:
        if self.view not in get_args(View):
            known = ", ".join(get_args(View))
            raise ConfigError(f"view is {self.view!r}; expected one of {known}")
        if (self.view == "stale") != (self.built_at is not None):
            have = "without built_at" if self.built_at is None else "with built_at"
            raise ConfigError(
                f"view {self.view!r} {have}; expected built_at, the date when the index was "
                "built, with the view 'stale' and no other"
            )

    def shows(self, passage: Passage, as_of: date) -> bool:
        """Whether a question of that date may see the passage."""
        if self.view == "history":
            return passage.valid_from is None or passage.valid_from <= as_of
        on = as_of if self.built_at is None else min(as_of, self.built_at)
        return passage.valid_at(on)

    def masks(self, passages: Sequence[Passage], dates: Sequence[date]) -> list[Mask]:
        """For each date, which passages it shows: boolean, shape ``(len(passages),)``.

        Equal dates share one array, so that a search can group its queries by it.
        """
        masks = {
            on: np.fromiter((self.shows(p, on) for p in passages), dtype=bool, count=len(passages))
            for on in dict.fromkeys(dates)
        }
        return [masks[on] for on in dates]
