"""Several tests at once: adjusted p-values against worked examples, and what missing ones do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.statistics.adjust import benjamini_hochberg, holm

P = st.lists(st.one_of(st.none(), st.floats(1e-12, 1.0)), max_size=12)
BOTH = pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])


def test_a_worked_example() -> None:
    """By hand: Holm multiplies by 4, 3, 2, 1 and never falls; Benjamini-Hochberg by 4/rank."""
    p = [0.01, 0.04, 0.03, 0.005]
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg(p) == pytest.approx([0.02, 0.04, 0.04, 0.02])


@pytest.mark.parametrize(("adjust", "method"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
def test_both_are_those_of_statsmodels(adjust, method: str) -> None:
    """With ties, a p of 1 and values small enough to stay below any sum."""
    from statsmodels.stats.multitest import multipletests

    p = [0.2, 1e-12, 0.03, 0.03, 1.0, 0.011, 0.0, 0.5]
    assert adjust(p) == pytest.approx(multipletests(p, method=method)[1].tolist(), rel=1e-12)


@BOTH
def test_a_test_that_was_not_made_does_not_count(adjust) -> None:
    """None stays None in its place, and the others are adjusted as if it were not there."""
    first, second = adjust([0.01, 0.04])
    assert adjust([None, 0.01, None, 0.04]) == [None, first, None, second]
    assert adjust([]) == []
    assert adjust([None]) == [None]


@BOTH
@given(p=P)
def test_adjusting_never_lowers_a_p_and_keeps_their_order(adjust, p: list[float | None]) -> None:
    """And the result is a p-value again; the smallest of m is m times itself at most."""
    adjusted = adjust(p)
    assert [a is None for a in adjusted] == [x is None for x in p]
    pairs = sorted((x, a) for x, a in zip(p, adjusted, strict=True) if x is not None)
    assert all(x <= a * (1 + 1e-12) and a <= 1 for x, a in pairs)
    assert [a for _, a in pairs] == sorted(a for _, a in pairs)
    if pairs:
        assert pairs[0][1] <= len(pairs) * pairs[0][0] * (1 + 1e-12)


@BOTH
@pytest.mark.parametrize("bad", [-0.1, 1.5, float("nan")])
def test_what_is_no_p_value_is_refused(adjust, bad: float) -> None:
    """A NaN would make all the others NaN quietly."""
    with pytest.raises(ValueError, match=r"expected a number in \[0, 1\]"):
        adjust([0.5, bad])
