"""Read a hypothesis from a configuration; whatever is wrong in it is named with what comes near."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from typing import Any

from evalkit.statistics.claims import DIRECTIONS, Hypothesis, HypothesisError, Where, near

WHERE_KEYS = ("category", "tag", "since", "until")
KEYS = tuple(f.name for f in fields(Hypothesis) if f.name != "direction")


def parse_hypothesis(
    entry: Mapping[str, Any], key: str, directions: Mapping[str, str]
) -> Hypothesis:
    """A hypothesis from its mapping in a configuration.

    Args:
        entry: ``metric``, ``better``, ``than``, and as wanted ``kind``, ``margin``, ``where``
            (``category``, ``tag``, ``since``, ``until``), ``claim``.
        key: Where it stands, such as ``hypotheses[2]``, for errors.
        directions: The known metrics with the way that is better: ``higher``, ``lower``, or
            anything else for a metric of which neither way is.

    Raises:
        HypothesisError: Something is missing, unknown or wrong; names the key, its value, what was
            expected, and what comes near.
    """
    if not isinstance(entry, Mapping):
        raise HypothesisError(
            f"{key} is {entry!r}, expected a mapping with metric, better and than"
        )
    _refuse_unknown(entry, KEYS, key)
    if missing := [
        name for name in ("metric", "better", "than") if entry.get(name) in (None, "", [])
    ]:
        raise HypothesisError(f"{key} has no {' and no '.join(missing)}, expected a value")
    metric = entry["metric"]
    if metric not in directions:
        raise HypothesisError(
            f"{key}.metric is {metric!r}, which is no metric{near(metric, directions)}"
        )
    if directions[metric] not in DIRECTIONS:
        raise HypothesisError(
            f"{key}.metric is {metric!r}, of which neither way is better: nothing can be claimed"
        )
    margin = entry.get("margin", 0.0)
    if isinstance(margin, bool) or not isinstance(margin, int | float):
        raise HypothesisError(f"{key}.margin is {margin!r}, expected a number of 0 or more")
    claim = entry.get("claim") or ""
    if not isinstance(claim, str):
        raise HypothesisError(f"{key}.claim is {claim!r}, expected words")
    better, than = (_names(entry[name], f"{key}.{name}") for name in ("better", "than"))
    where = entry.get("where")
    if where is not None and not isinstance(where, Mapping):
        raise HypothesisError(
            f"{key}.where is {where!r}, expected a mapping with some of {', '.join(WHERE_KEYS)}"
        )
    _refuse_unknown(where or {}, WHERE_KEYS, f"{key}.where")
    try:
        selected = _where(where or {}, key)
        kind = str(entry.get("kind") or "superiority")
        return Hypothesis(
            metric, better, than, kind, float(margin), selected, claim, directions[metric]
        )
    except HypothesisError as error:
        said = str(error)
        raise HypothesisError(said if said.startswith(key) else f"{key}.{said}") from None


def _where(part: Mapping[str, Any], key: str) -> Where:
    names = {
        name: _names(part[name], f"{key}.where.{name}") if part.get(name) is not None else ()
        for name in ("category", "tag")
    }
    since, until = (_date(part.get(name), f"{key}.where.{name}") for name in ("since", "until"))
    return Where(names["category"], names["tag"], since, until)


def _date(value: Any, key: str) -> date | None:
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise HypothesisError(f"{key} is {value!r}, expected a date written YYYY-MM-DD") from None


def _names(value: Any, key: str) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    good = isinstance(listed, Sequence) and all(isinstance(n, str) and n for n in listed)
    if not good or not listed:
        raise HypothesisError(f"{key} is {value!r}, expected a name or a list of names")
    return tuple(listed)


def _refuse_unknown(entry: Mapping[str, Any], known: Sequence[str], key: str) -> None:
    if unknown := [name for name in entry if name not in known]:
        raise HypothesisError(
            f"{key} has the unknown key {unknown[0]!r}, expected some of"
            f" {', '.join(known)}{near(unknown[0], known)}"
        )
