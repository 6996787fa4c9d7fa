"""The judge's fitted coefficients, and the odds that they give.

`offline.json` was fitted on human labels (see its ``provenance``); `tests/benchmarks/ragtruth_judge.py`
fits it anew. Two logistic models are kept: one on wording alone, and one on wording and a language
model's evidence together. With evidence the two are averaged.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from evalkit.scoring.judges.evidence import NAMES as EVIDENCE_NAMES
from evalkit.scoring.judges.evidence import Floats

COEFFICIENTS = "offline.json"


@dataclass(frozen=True)
class Logistic:
    """Log-odds that a statement is unsupported, linear in named features and in attention heads.

    ``structured`` are added to ``weights`` where the source is structured data.
    """

    bias: float
    weights: Mapping[str, float]
    structured: Mapping[str, float]
    heads: tuple[float, ...] = ()

    def odds(self, features: Mapping[str, float], heads: Sequence[float] = ()) -> float:
        total = self.bias + sum(w * features[name] for name, w in self.weights.items())
        if features["structured"]:
            total += sum(w * features[name] for name, w in self.structured.items())
        return total + sum(w * h for w, h in zip(self.heads, heads, strict=True))


@dataclass(frozen=True)
class Model:
    """Both logistic models. ``identity`` names the weights whose evidence the second was fitted on."""

    wording: Logistic
    evidence: Logistic
    identity: str
    version: str

    def odds(
        self, features: Mapping[str, float], seen: Floats | None = None, heads: Floats | None = None
    ) -> float:
        """Log-odds that a statement is unsupported, for sources half of which support."""
        by_wording = self.wording.odds(features)
        if seen is None or heads is None:
            return by_wording
        everything = {**features, **dict(zip(EVIDENCE_NAMES, map(float, seen), strict=True))}
        return (by_wording + self.evidence.odds(everything, [float(h) for h in heads])) / 2


@lru_cache(maxsize=1)
def fitted() -> Model:
    """The committed model."""
    return from_json(json.loads((files(__package__) / COEFFICIENTS).read_text("utf-8")))


def from_json(data: Mapping[str, Any]) -> Model:
    """The model that a mapping in the layout of `offline.json` describes."""
    return Model(
        _logistic(data["wording"]),
        _logistic(data["evidence"]),
        data["provenance"]["evidence_weights"],
        data["version"],
    )


def _logistic(part: Mapping[str, Any]) -> Logistic:
    return Logistic(
        part["bias"], part["weights"], part.get("structured", {}), tuple(part.get("heads", ()))
    )


def response_odds(odds: Sequence[float], structured: bool) -> float:
    """The log-odds of a whole answer: the mean over its worst statements.

    The worst two; of a report on structured data the worse half, since there faults are many.
    """
    worst = max(2, math.ceil(len(odds) / 2)) if structured else 2
    chosen = sorted(odds)[-worst:]
    return sum(chosen) / len(chosen)


def probability(odds: float) -> float:
    """The logistic function, without overflow."""
    return 1 / (1 + math.exp(-odds)) if odds >= 0 else math.exp(odds) / (1 + math.exp(odds))
