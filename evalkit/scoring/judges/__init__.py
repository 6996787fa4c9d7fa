"""Judges decide whether texts support statements."""

from evalkit.scoring.judges.base import Embedder, Judge, Judgment
from evalkit.scoring.judges.offline import OfflineJudge

__all__ = ["Embedder", "Judge", "Judgment", "OfflineJudge"]
