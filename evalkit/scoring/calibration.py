"""A judge with a calibration: its score becomes a probability, its verdict a threshold on that."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError
from evalkit.scoring.judges.base import Judge, Judgment
from evalkit.scoring.judges.chat import digest

SCHEMA = 1


@dataclass(frozen=True)
class Calibration:
    """What ``evalkit calibrate`` found for one judge.

    Attributes:
        judge: The judge's name.
        version: The judge's version; any other needs a calibration of its own.
        map: ``{"kind": "platt", "slope", "intercept"}`` or ``{"kind": "isotonic", "scores",
            "probabilities"}``.
        threshold: The probability of support from which a statement counts as supported.
    """

    judge: str
    version: str
    map: Mapping[str, Any]
    threshold: float

    @property
    def identity(self) -> str:
        """Changes with the map and the threshold."""
        return digest([dict(self.map), self.threshold])[:8]

    def probability(self, score: float) -> float:
        """The probability of support at a score, in [0, 1]; it never falls with the score."""
        if self.map["kind"] == "platt":
            return 1 / (1 + exp(-(self.map["slope"] * score + self.map["intercept"])))
        knots, values = self.map["scores"], self.map["probabilities"]
        after = bisect_right(knots, score)
        if after in (0, len(knots)):
            return float(values[min(after, len(knots) - 1)])
        share = (score - knots[after - 1]) / (knots[after] - knots[after - 1])
        return float(values[after - 1] + share * (values[after] - values[after - 1]))


class CalibratedJudge:
    """A judge under a calibration made for it. What else the judge can do it still can.

    Raises:
        ConfigError: The calibration is of another judge, or of another version of this one.
    """

    def __init__(self, judge: Judge, calibration: Calibration) -> None:
        if (judge.name, judge.version) != (calibration.judge, calibration.version):
            raise ConfigError(
                f"judge.calibration is of the judge {calibration.judge}@{calibration.version}, and"
                f" this run's is {judge.name}@{judge.version}",
                todo="calibrate this judge with `evalkit calibrate`, or set judge.calibration=null",
            )
        self._judge = judge
        self._calibration = calibration

    @property
    def name(self) -> str:
        return self._judge.name

    @property
    def version(self) -> str:
        """The judge's own, and what tells the calibration."""
        return f"{self._judge.version}+calibrated-{self._calibration.identity}"

    @property
    def blind_to(self) -> tuple[str, ...]:
        return self._judge.blind_to

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._judge, name)

    def support(self, statements: Sequence[str], texts: Sequence[str]) -> list[Judgment]:
        """The judge's judgments, with probabilities for scores; a failed one stays failed."""
        return [self._calibrated(found) for found in self._judge.support(statements, texts)]

    def _calibrated(self, found: Judgment) -> Judgment:
        if found.supported is None:
            return found
        probability = self._calibration.probability(found.score)
        return replace(
            found, supported=probability >= self._calibration.threshold, score=probability
        )


def read_calibration(path: Path) -> Calibration:
    """The calibration in a file that ``evalkit calibrate`` wrote.

    Raises:
        ConfigError: The file is not there, or is no calibration.
    """
    todo = "give the file that `evalkit calibrate` wrote"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"judge.calibration: cannot read {path}: {error}", todo=todo) from error
    try:
        if found["schema"] != SCHEMA:
            raise ValueError(f"its schema is {found['schema']!r}, expected {SCHEMA}")
        made = Calibration(
            str(found["judge"]["name"]),
            str(found["judge"]["version"]),
            _map(found["map"]),
            float(found["threshold"]),
        )
        if not 0 <= made.threshold <= 1:
            raise ValueError(f"its threshold is {made.threshold}, expected a share")
    except (KeyError, TypeError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ConfigError(
            f"judge.calibration: {path} is no calibration: {reason}", todo=todo
        ) from error
    return made


def _map(found: Mapping[str, Any]) -> dict[str, Any]:
    if found["kind"] == "platt":
        slope, intercept = float(found["slope"]), float(found["intercept"])
        if not slope > 0:
            raise ValueError("its slope is not above 0")
        return {"kind": "platt", "slope": slope, "intercept": intercept}
    if found["kind"] != "isotonic":
        raise ValueError(f"its map is {found['kind']!r}, expected platt or isotonic")
    knots = [float(value) for value in found["scores"]]
    values = [float(value) for value in found["probabilities"]]
    if not knots or len(knots) != len(values) or knots != sorted(set(knots)):
        raise ValueError("its knots do not rise")
    if values != sorted(values) or not 0 <= values[0] <= values[-1] <= 1:
        raise ValueError("its probabilities fall, or leave [0, 1]")
    return {"kind": "isotonic", "scores": knots, "probabilities": values}
