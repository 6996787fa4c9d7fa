"""What a gate decides, and the rule by which it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalkit import __version__
from evalkit.errors import EvalkitError
from evalkit.plurals import counted

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
SHIP, BLOCK, INCONCLUSIVE, NOT_COMPARABLE = "ship", "block", "inconclusive", "not comparable"
EXIT_CODES = {SHIP: 0, BLOCK: 1, INCONCLUSIVE: 2, NOT_COMPARABLE: 3}
_NAMED = 3  # how many hypotheses a reason names


class NotComparable(EvalkitError):
    """The two sides cannot be compared, or there is nothing to gate."""


@dataclass(frozen=True, repr=False)
class GateResult:
    """The outcome of a gate.

    Attributes:
        decision: ``ship``, ``block``, ``inconclusive`` or ``not comparable``.
        reason: Why, in one sentence.
        todo: What would change it; empty where nothing needs to.
        table: One row per hypothesis, as :func:`evalkit.statistics.test_hypotheses` gives it, with
            ``name`` (short), ``pipeline`` and the signatures of both sides.
        flips: One row per question that changed: ``hypothesis`` (row of ``table``), ``metric``,
            ``pipeline``, ``question``, ``text``, ``before``, ``after``, ``change`` (``gained`` or
            ``lost``); largest change first within a hypothesis.
        baseline: What was compared with.
        candidate: What was compared; None where one run's own hypotheses were tested.
        not_applicable: Metrics that a pattern named and neither side has: ``metric``,
            ``pipeline``, ``reason``. They do not count.
        states: How questions moved between the numbers and a third state: ``before``, ``after``,
            ``n``.
        settings: ``confidence``, ``resamples``, ``seed``, ``failure_limit``.
        notes: What a reader must know besides.
    """

    decision: str
    reason: str
    table: pd.DataFrame
    flips: pd.DataFrame
    baseline: Mapping[str, Any]
    candidate: Mapping[str, Any] | None = None
    todo: str = ""
    not_applicable: Sequence[Mapping[str, str]] = ()
    states: Sequence[Mapping[str, Any]] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def ships(self) -> bool:
        """Whether every hypothesis is supported, and there was at least one."""
        return self.decision == SHIP

    @property
    def exit_code(self) -> int:
        """0 ship, 1 block, 2 inconclusive, 3 not comparable or nothing gated."""
        return EXIT_CODES[self.decision]

    def document(self) -> dict[str, Any]:
        """Everything as plain mappings that ``json.dumps`` takes."""
        from evalkit.statistics import records

        return {
            "schema": SCHEMA,
            "evalkit": __version__,
            "decision": self.decision,
            "exit_code": self.exit_code,
            "reason": self.reason,
            "todo": self.todo,
            "baseline": dict(self.baseline),
            "candidate": None if self.candidate is None else dict(self.candidate),
            "settings": dict(self.settings),
            "hypotheses": records(self.table),
            "flips": records(self.flips),
            "not_applicable": [dict(row) for row in self.not_applicable],
            "states": [dict(row) for row in self.states],
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        """Short, since ``assert gate(...).ships`` prints it when the assertion fails."""
        return f"<GateResult {self.decision}: {self.reason}>"


def not_comparable(
    problem: str,
    todo: str | None,
    baseline: Mapping[str, Any],
    candidate: Mapping[str, Any] | None,
) -> GateResult:
    """The outcome where nothing could be tested."""
    import pandas as pd

    nothing = pd.DataFrame()
    return GateResult(
        NOT_COMPARABLE, problem, nothing, nothing, baseline, candidate, todo=todo or ""
    )


def decide(table: pd.DataFrame) -> tuple[str, str, str]:
    """Decision, reason and what to do, from the verdicts.

    One refuted hypothesis blocks; else one that is not decided makes the gate inconclusive; it ships
    only where all are supported and there is at least one.
    """
    if table.empty:
        return NOT_COMPARABLE, "nothing was gated: no hypothesis applies to both sides", _CHOOSE
    if not (table["n_pairs"] > 0).any():
        first = table.iloc[0]
        return (
            NOT_COMPARABLE,
            f"nothing could be tested: {first['name']}: {first['reason']}",
            "run again what failed, or choose what both sides have",
        )
    refuted = table[table["verdict"] == "refuted"]
    if len(refuted):
        return BLOCK, f"{_counted(refuted, table)} refuted: {_named(refuted)}", ""
    open_ones = table[table["verdict"] != "supported"]
    if len(open_ones):
        reason = f"{_counted(open_ones, table)} not decided: {_named(open_ones)}"
        return INCONCLUSIVE, reason, _further(open_ones)
    return SHIP, f"{_counted(table, table)} supported", ""


_CHOOSE = "name metrics that both sides have, in hypotheses of conf/gate"


def _further(rows: pd.DataFrame) -> str:
    """How many questions would decide the open hypotheses, and for how many no number is known."""
    from evalkit.reporting.claims import two_digits

    known = rows["further_questions"].dropna()
    rest = len(rows) - len(known)
    if known.empty:
        return "no number of further questions is known to decide; see the reasons of each"
    most = two_digits(int(known.max()))
    asked = f"ask about {counted(most, 'more question')} of each kind concerned"
    power = "that decides at 80 % power if the effects are as estimated"
    if not rest:
        return f"{asked}: {power}"
    return f"{asked}: {power}; for {rest} of the {len(rows)} no number is known"


def _named(rows: pd.DataFrame) -> str:
    names = [str(name) for name in rows["name"]]
    more = f"; and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return "; ".join(names[:_NAMED]) + more


def _counted(rows: pd.DataFrame, table: pd.DataFrame) -> str:
    if len(table) == 1:
        return "the one hypothesis is"
    if len(rows) == len(table):
        return f"all {len(table)} hypotheses are"
    return f"{len(rows)} of {len(table)} hypotheses {'is' if len(rows) == 1 else 'are'}"
