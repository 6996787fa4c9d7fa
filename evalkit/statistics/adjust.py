"""p-values of several tests at once. A missing one stays missing and does not count."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from evalkit.statistics.clusters import Floats


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p-values (Holm 1979): the chance of any false claim in the family is held.

    Args:
        p: One p-value per test in [0, 1]; None for a test that could not be made.

    Returns:
        The adjusted values in the same order, None where ``p`` has None.

    Raises:
        ValueError: A p-value is not in [0, 1].
    """
    return _adjusted(p, _holm)


def benjamini_hochberg(p: Sequence[float | None]) -> list[float | None]:
    """Adjusted p-values that hold the false discovery rate (Benjamini and Hochberg 1995).

    Args, returns and raises as :func:`holm`.
    """
    return _adjusted(p, stats.false_discovery_control)


def _adjusted(p: Sequence[float | None], adjust: Callable[[Floats], Floats]) -> list[float | None]:
    known = np.array([value for value in p if value is not None], dtype=np.float64)
    if bad := [value for value in known if not 0 <= value <= 1]:
        raise ValueError(f"p-value {bad[0]}: expected a number in [0, 1], or None")
    adjusted = iter(adjust(known) if len(known) else ())
    return [None if value is None else min(1.0, float(next(adjusted))) for value in p]


def _holm(p: Floats) -> Floats:
    """As in statsmodels, whose version collects garbage at each call: 0.14 s for nothing."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return adjusted
