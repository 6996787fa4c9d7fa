"""A claim about a paired difference: what it is about, and the margin that makes it precise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from math import isfinite
from typing import Any

import pandas as pd

from evalkit.statistics.tables import ScoresTableError, unit_of

KINDS = ("superiority", "non_inferiority", "equivalence")
DIRECTIONS = ("higher", "lower")
TAG_SEPARATOR = ";"
_COLUMNS = {"categories": "category", "tags": "tags", "since": "as_of", "until": "as_of"}


class HypothesisError(ValueError):
    """A hypothesis that cannot be tested as stated: names the key, its value, what was expected."""


@dataclass(frozen=True)
class Where:
    """The questions a hypothesis is about; every part that is given must hold.

    Attributes:
        categories: Any of these; all when empty.
        tags: At least one of these; no tag is needed when empty.
        since: First date of the questions, inclusive.
        until: Where their dates end, exclusive: ``since <= as_of < until``.
    """

    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        if self.since and self.until and self.since >= self.until:
            raise HypothesisError(
                f"where.until is {self.until}, expected a date after since ({self.since}):"
                " the range is since <= as_of < until"
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a scores table that :meth:`select` reads."""
        return tuple(dict.fromkeys(c for part, c in _COLUMNS.items() if getattr(self, part)))

    def select(self, scores: pd.DataFrame) -> pd.DataFrame:
        """The rows of a scores table whose questions these are.

        Args:
            scores: A table with ``category``, ``tags`` (joined by semicolons) and ``as_of`` (ISO
                dates), as far as this selection reads them.

        Raises:
            ScoresTableError: A column is missing.
        """
        if missing := [c for c in self.columns if c not in scores.columns]:
            raise ScoresTableError(
                f"scores table: no column {', '.join(missing)}, which `where: {self}` reads; it has"
                f" {', '.join(scores.columns)}"
            )
        kept = pd.Series(True, index=scores.index)
        if self.categories:
            kept &= scores["category"].isin(self.categories)
        if self.tags:
            wanted = set(self.tags)
            known = scores["tags"].drop_duplicates().dropna()
            hits = [t for t in known if wanted & set(str(t).split(TAG_SEPARATOR))]
            kept &= scores["tags"].isin(hits)
        if self.since:
            kept &= (scores["as_of"] >= self.since.isoformat()).fillna(False)
        if self.until:
            kept &= (scores["as_of"] < self.until.isoformat()).fillna(False)
        return scores[kept]

    def __str__(self) -> str:
        parts = []
        if self.categories:
            parts.append(f"category {' or '.join(self.categories)}")
        if self.tags:
            parts.append(f"tag {' or '.join(self.tags)}")
        if self.since:
            parts.append(f"since {self.since}")
        if self.until:
            parts.append(f"until {self.until}")
        return ", ".join(parts) or "all questions"


@dataclass(frozen=True)
class Hypothesis:
    """``better`` against ``than`` on one metric, with the margin that makes the claim precise.

    Several names on a side mean the mean over those pipelines within each question, so that
    ``better=(rag, hybrid), than=(prompt_only, lora)`` is the main effect of retrieval.

    Attributes:
        metric: A metric id.
        better: Pipelines of which something good is claimed.
        than: Pipelines that they are compared with.
        kind: ``superiority`` (better by more than ``margin``), ``non_inferiority`` (not worse by
            ``margin`` or more) or ``equivalence`` (apart by less than ``margin``).
        margin: In the metric's unit; 0 or more for superiority, above 0 for the others.
        where: The questions that it is about.
        claim: In words; made from the other parts when empty.
        direction: Which way of the metric is better, ``higher`` or ``lower``.

    Raises:
        HypothesisError: A part has a wrong value; the message begins with the part's name.
    """

    metric: str
    better: tuple[str, ...]
    than: tuple[str, ...]
    kind: str = "superiority"
    margin: float = 0.0
    where: Where = Where()
    claim: str = ""
    direction: str = "higher"

    def __post_init__(self) -> None:
        self._check_choices()
        self._check_sides()
        self._check_margin()
        if not self.claim:
            object.__setattr__(self, "claim", self._in_words())

    @property
    def sign(self) -> int:
        """1 where a higher value is better, else -1."""
        return 1 if self.direction == "higher" else -1

    @property
    def weights(self) -> dict[str, float]:
        """By pipeline: that of the mean over ``better`` minus the mean over ``than``."""
        better = dict.fromkeys(self.better, 1 / len(self.better))
        return better | dict.fromkeys(self.than, -1 / len(self.than))

    @property
    def threshold(self) -> str:
        """What the raw difference must be for the claim to hold, such as ``> -0.05``."""
        if self.kind == "equivalence":
            return f"within ±{self.margin:g}"
        return f"{'>' if self.sign > 0 else '<'} {self.limit:+g}" if self.limit else self._at_zero

    @property
    def limit(self) -> float:
        """The raw difference beyond which the claim holds (superiority and non-inferiority)."""
        return self.sign * self.margin * (1 if self.kind == "superiority" else -1)

    @property
    def _at_zero(self) -> str:
        return "> 0" if self.sign > 0 else "< 0"

    def _check_choices(self) -> None:
        for name, value, choices in (
            ("kind", self.kind, KINDS),
            ("direction", self.direction, DIRECTIONS),
        ):
            if value not in choices:
                raise HypothesisError(
                    f"{name} is {value!r}, expected {listed(choices)}{near(value, choices)}"
                )

    def _check_sides(self) -> None:
        for name, side in (("better", self.better), ("than", self.than)):
            if not side or len(set(side)) < len(side):
                raise HypothesisError(
                    f"{name} is {list(side)}, expected pipelines, each named once"
                )
        if both := sorted(set(self.better) & set(self.than)):
            raise HypothesisError(
                f"than names {both}, which `better` names too: the two sides must differ"
            )

    def _check_margin(self) -> None:
        if not isfinite(self.margin) or self.margin < 0:
            raise HypothesisError(f"margin is {self.margin!r}, expected a number of 0 or more")
        if self.kind != "superiority" and self.margin == 0:
            raise HypothesisError(
                f"margin is 0, expected more than 0: without a margin nothing can show {self.kind}"
            )
        if unit_of(self.metric) == "share" and self.margin >= 1:
            raise HypothesisError(
                f"margin is {self.margin:g}, but {self.metric} is a share in [0, 1]: write"
                " 0.05 for 5 points"
            )

    def _in_words(self) -> str:
        better, than = " + ".join(self.better), " + ".join(self.than)
        part = "" if self.where == Where() else f" ({self.where})"
        if self.kind == "equivalence":
            return f"{better} within {self.margin:g} of {than} on {self.metric}{part}"
        if self.kind == "non_inferiority":
            return f"{better} no worse than {than} by {self.margin:g} on {self.metric}{part}"
        more = f" by more than {self.margin:g}" if self.margin else ""
        return f"{better} better than {than}{more} on {self.metric}{part}"


def near(value: Any, known: Any) -> str:
    """``"; did you mean x?"`` where something known comes near, else what there is (up to ten)."""
    names = [str(name) for name in known]
    if found := get_close_matches(str(value), names, n=3, cutoff=0.5):
        return f"; did you mean {listed(found)}?"
    more = ", ..." if len(names) > 10 else ""
    return f"; there are {', '.join(names[:10])}{more}" if names else "; there are none"


def listed(names: Sequence[str]) -> str:
    """``a, b or c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
