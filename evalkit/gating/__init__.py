"""The gate: may this candidate replace that baseline? Ship, block, or ask more questions first."""

from __future__ import annotations

from evalkit.gating.result import GateResult
from evalkit.gating.runs import gate
from evalkit.gating.tables import gate_tables

__all__ = ["GateResult", "gate", "gate_tables"]
